"""KSV: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case, merged

KSERVE: dict[str, Any] = {
    "platform": {"kserve": {}, "certManager": {}},
    "workloads": {"chat": {"kind": "InferenceService"}},
}
BUCKET = {"models": {"llama": {"volume": None, "storageUri": "s3://models/llama"}}}
ROLE = {"arn": "arn:aws:iam::123456789012:role/model-reader"}
HUB = {"models": {"llama": {"volume": None}}}
SCALING = {"minReplicas": 1, "maxReplicas": 2, "scaleMetric": "cpu", "scaleTarget": 80}
QUERY = {"serverAddress": "http://prometheus:9090", "query": "sum(vllm:num_requests_waiting)", "target": "5"}
BY_QUERY = {"minReplicas": 1, "maxReplicas": 2, "prometheus": QUERY}


def by(query: str) -> dict[str, Any]:
    """Scaling by another query."""
    return {**BY_QUERY, "prometheus": {**QUERY, "query": query}}


def kserve(patch: dict[str, Any] | None = None, **chat: Any) -> dict[str, Any]:
    """An InferenceService with weights in a volume; `chat` changes the workload."""
    found = merged(KSERVE, {})
    found["workloads"]["chat"] |= chat  # what is None here removes a key of BASE
    return merged(found, patch or {})


def second(**keys: Any) -> dict[str, Any]:
    """Another service beside it."""
    workload = {
        "kind": "InferenceService",
        "model": "llama",
        "nodeGroup": "gpu",
        "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
        **keys,
    }
    return {"workloads": {"more": workload}}


def image(scheme: str) -> dict[str, Any]:
    """The weights in an image, and a cluster that can mount it."""
    return {
        "cluster": {"kubernetesVersion": "1.35"},
        "models": {"llama": {"volume": None, "storageUri": f"{scheme}://ghcr.io/team/llama:3"}},
    }


CASES = [
    Case(
        code="KSV001",
        breaks=kserve({"platform": {"kserve": None, "certManager": None}}),
        says=("chat is an InferenceService", "KServe"),
        remedy="set platform.kserve: {} and platform.certManager: {}",
        passes=kserve({"platform": {"kserve": {"install": False}, "certManager": None}}),
    ),
    Case(
        code="KSV002",
        breaks=kserve({"platform": {"certManager": None}}),
        says=("cert-manager",),
        remedy="set platform.certManager: {}",
        passes=kserve({"platform": {"certManager": {"install": False}}}),
    ),
    Case(
        code="KSV003",
        breaks=kserve(second(runtime="shared", engine={"name": "vllm", "version": "0.32.0"}), runtime="shared"),
        says=("vllm/vllm-openai:v0.33.0", "vllm/vllm-openai:v0.32.0"),
        remedy="set workloads.more.runtime: shared-more",
        passes=kserve(second(runtime="shared", engine={"name": "vllm", "version": "0.33.0", "maxModelLen": 4096})),
    ),
    Case(
        code="KSV003",
        breaks=kserve(second(runtime="vllm-0-33-0", engine={"name": "sglang", "version": "0.5.23"})),
        says=("can't be chat's and more's",),
        passes=kserve(second(engine={"name": "sglang", "version": "0.5.23"})),
    ),
    Case(
        code="KSV004",
        breaks=kserve(canaryTrafficPercent=10),
        says=("canaryTrafficPercent", "the deployment mode Knative"),
        remedy="remove canaryTrafficPercent",
        passes=kserve({"platform": {"kserve": {"deploymentMode": "Knative"}}}, canaryTrafficPercent=10),
    ),
    Case(
        code="KSV004",
        breaks=kserve(replicas=None, autoscaling={**SCALING, "scaleMetric": "rps"}),
        says=("scaleMetric rps",),
        remedy="KEDA",
        passes=kserve(replicas=None, autoscaling=SCALING),
    ),
    Case(
        code="KSV004",
        breaks=kserve(replicas=None, autoscaling={**SCALING, "minReplicas": 0}),
        says=("never goes below 1",),
        remedy="set workloads.chat.autoscaling.minReplicas: 1",
        passes=kserve(replicas=None, autoscaling={"minReplicas": 0, "maxReplicas": 2, "prometheus": QUERY}),
    ),
    Case(
        code="KSV005",
        breaks=kserve(servicePort=8080),
        says=("port 80",),
        remedy="remove servicePort",
        passes=kserve(),
    ),
    Case(
        code="KSV006",
        breaks=kserve(env={"PYTHONPATH": "/plugins"}),
        says=("PYTHONPATH",),
        remedy="remove PYTHONPATH",
        passes=kserve(env={"GREETING": "{ hello }"}),
    ),
    Case(
        code="KSV006",
        breaks=kserve(engine={"extraArgs": ["--root-path=/{{name}}"]}),
        says=("Go template", "--root-path=/{{name}}"),
        remedy="without {{",
        passes=kserve(engine={"extraArgs": ["--root-path=/name"]}),
    ),
    Case(
        code="KSV010",
        breaks=kserve(BUCKET),
        says=("s3://models/llama", "never starts"),
        remedy="set awsRole",
        passes=kserve(BUCKET, awsRole=ROLE),
    ),
    Case(
        code="KSV010",
        breaks=kserve(BUCKET),
        says=("credentials",),
        passes=kserve(BUCKET, storageSecret="bucket-keys"),
    ),
    Case(
        code="KSV011",
        breaks=kserve(HUB),
        says=("gated", "HF_TOKEN", "names its key token"),
        remedy="huggingFaceToken.key: HF_TOKEN",
        passes=kserve(merged(HUB, {"huggingFaceToken": {"key": "HF_TOKEN"}})),
    ),
    Case(
        code="KSV012",
        breaks=kserve(engine={"servedModelName": ["llama"]}),
        says=("chat", "llama"),
        remedy="set workloads.chat.engine.servedModelName: ['llama', 'chat']",
        passes=kserve(engine={"servedModelName": ["llama", "chat"]}),
    ),
    Case(
        code="KSV013",
        breaks=kserve(replicas=None, autoscaling={**SCALING, "maxReplicas": 20}),
        says=("20 replicas take 20 GPUs", "16 at its 2 nodes", "4 stay Pending"),
        remedy="set workloads.chat.autoscaling.maxReplicas: 16",
        passes=kserve(replicas=None, autoscaling={**SCALING, "maxReplicas": 16}),
    ),
    Case(
        code="KSV017",
        breaks=kserve(merged(HUB, {"platform": {"kserve": {"install": False}}})),
        says=("init container", "Pod Security restricted refuses every pod of chat"),
        remedy="kubectl get clusterstoragecontainer default",
        passes=kserve(HUB),
    ),
    Case(
        code="KSV016",
        breaks=kserve(replicas=None, autoscaling=by("avg(vllm:gpu_cache_usage_perc) + vllm:num_requests_waiting")),
        says=("vLLM 0.33.0 has no metric vllm:gpu_cache_usage_perc",),
        remedy="use vllm:kv_cache_usage_perc",
        passes=kserve(replicas=None, autoscaling=by("rate(vllm:time_to_first_token_seconds_bucket[5m])")),
    ),
    Case(
        code="KSV016",
        breaks=kserve(replicas=None, autoscaling=by("sum(vllm:num_requests_swapped)")),
        says=("never scaled up", "nothing is swapped any more"),
        passes=kserve(replicas=None, autoscaling=by("sum(sglang:num_queue_reqs)")),
    ),
    Case(
        code="KSV016",
        breaks=kserve(replicas=None, autoscaling=by("sum(vllm:requests)")),
        says=("at /metrics",),
        passes=kserve(replicas=None, autoscaling=by("sum(rate(vllm:num_preemptions_total[5m]))")),
    ),
    Case(
        code="KSV014",
        breaks=kserve(replicas=None, autoscaling=BY_QUERY),
        says=("nothing says that the cluster has KEDA",),
        remedy="set platform.kserve.keda: true",
        passes=kserve({"platform": {"kserve": {"keda": True}}}, replicas=None, autoscaling=BY_QUERY),
    ),
    Case(
        code="KSV014",
        breaks=kserve({"platform": {"kserve": {"deploymentMode": "Knative"}}}, replicas=None, autoscaling=BY_QUERY),
        says=("Knative scales by concurrency or rps",),
        # A HorizontalPodAutoscaler needs nothing more.
        passes=kserve(replicas=None, autoscaling=SCALING),
    ),
    Case(
        code="KSV015",
        breaks=kserve(image("oci")),
        says=("without a security context", "no pod of chat"),
        remedy="set models.llama.storageUri: oci+native://ghcr.io/team/llama:3, an image volume",
        passes=kserve(image("oci+native")),
    ),
    Case(
        code="KSV015",
        breaks=kserve(merged(image("oci+native"), {"cluster": {"kubernetesVersion": "1.34"}})),
        says=("Kubernetes 1.34 has no image volumes", "since 1.35"),
        remedy="upgrade the cluster to 1.35 or newer",
        # Nobody knows the version: the cluster may have them.
        passes=kserve({**image("oci+native"), "cluster": {"kubernetesVersion": None}}),
    ),
    Case(
        code="KSV015",
        breaks=image("oci+native"),
        says=("a Deployment doesn't mount oci+native://ghcr.io/team/llama:3",),
        remedy="give models.llama a volume",
        passes=BUCKET,
    ),
]
