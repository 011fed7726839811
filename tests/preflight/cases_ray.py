"""RAY: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import COMMIT, Case, merged

RAY: dict[str, Any] = {
    "platform": {"kuberay": {}},
    "nodeGroups": {"gpu": {"maxSize": 4}},
    "workloads": {
        "chat": {
            "kind": "RayService",
            "engine": {"name": "vllm", "version": "0.29.0", "tensorParallelSize": 8},
            "ray": {"version": "2.60.0"},
        }
    },
}
TGI = {"name": "tgi", "version": "3.3.7", "image": "registry.example.com/tgi", "maxModelLen": None}


def ray(patch: dict[str, Any] | None = None, **chat: Any) -> dict[str, Any]:
    """A RayService of two copies on whole nodes, with room for a second cluster; `chat` changes the workload."""
    return merged(merged(RAY, {"workloads": {"chat": chat}}), patch or {})


def more(name: str = "more", **keys: Any) -> dict[str, Any]:
    """Another model of that service."""
    workload = {
        "kind": "RayService",
        "model": "other",
        "nodeGroup": "gpu",
        "replicas": 1,
        "engine": {"name": "vllm", "version": "0.29.0", "maxModelLen": 8192},
        "rayService": "chat",
        **keys,
    }
    model = {"id": "mistralai/Mistral-7B-Instruct-v0.3", "revision": COMMIT, "volume": "weights"}
    return {"nodeGroups": {"gpu": {"maxSize": 6}}, "models": {"other": model}, "workloads": {name: workload}}


REDIS = {"address": "redis.example.com", "password": {"secretName": "redis", "key": "password"}}
SCALING = {"minReplicas": 2, "maxReplicas": 4, "targetOngoingRequests": 32}
STEPS = {
    "version": "2.60.0",
    "upgradeStrategy": "NewClusterWithIncrementalUpgrade",
    "incremental": {"gatewayClassName": "istio"},
}

CASES = [
    Case(
        code="RAY001",
        breaks=ray(engine={"version": "0.33.0"}),
        says=("Ray 2.60.0 has vLLM 0.29.0, not 0.33.0",),
        remedy="set workloads.chat.engine.version: 0.29.0",
        passes=ray(),
    ),
    Case(
        code="RAY001",
        breaks=ray(ray={"version": "2.59.0"}),
        says=("which vLLM the image of Ray 2.59.0 has", "2.58.0, 2.60.0"),
        remedy="set workloads.chat.ray.version: 2.60.0",
        # With an image of your own it is yours to know.
        passes=ray(ray={"version": "2.59.0"}, engine={"image": "registry.example.com/ray-llm:2.59.0"}),
    ),
    Case(
        code="RAY001",
        breaks=ray(ray={"version": "2.51.0"}, engine={"image": "registry.example.com/ray-llm:2.51.0"}),
        says=("no token authentication",),
        remedy="set workloads.chat.ray.version: 2.60.0",
        passes=ray(ray={"version": "2.52.0"}, engine={"image": "registry.example.com/ray-llm:2.52.0"}),
    ),
    Case(
        code="RAY001",
        breaks=ray(more(engine={"name": "vllm", "version": "0.32.0"})),
        says=("has vLLM 0.29.0, not 0.32.0",),
        remedy="set workloads.more.engine.version: 0.29.0",
        passes=ray(more()),
    ),
    Case(
        code="RAY002",
        breaks=ray(),
        says=("rayproject/ray-llm:2.60.0-py312-cu130",),
        remedy="engine.imageDigest",
        passes=ray(engine={"imageDigest": "sha256:" + "0" * 64}),
    ),
    Case(
        code="RAY003",
        breaks={**ray(), "workloads": {"chat": {**ray()["workloads"]["chat"], "engine": TGI}}},
        says=("vLLM only, not tgi",),
        remedy="set kind: Deployment",
        passes=ray(),
    ),
    Case(
        code="RAY004",
        breaks=ray(replicas=1, engine={"tensorParallelSize": 4, "dataParallelSize": 2}),
        says=("4 x 1", "needs 8"),
        remedy="set dataParallelSize: 1 and replicas: 2",
        passes=ray(replicas=2, engine={"tensorParallelSize": 4}),
    ),
    Case(
        code="RAY004",
        breaks=ray(engine={"tensorParallelSize": 4, "prefillContextParallelSize": 2}),
        says=("prefillContextParallelSize 2 needs 8",),
        passes=ray(engine={"tensorParallelSize": 4, "pipelineParallelSize": 2}),
    ),
    Case(
        code="RAY005",
        breaks=ray(engine={"extraArgs": ["--mm-processor-cache-gb=8"]}),
        says=("words of a command line",),
        remedy="move them to engineKwargs",
        passes=ray(engineKwargs={"mm_processor_cache_gb": 8}),
    ),
    Case(
        code="RAY005",
        breaks=ray(engineKwargs={"mm_procesor_cache_gb": 8}),
        says=("did you mean mm_processor_cache_gb?",),
        remedy="remove mm_procesor_cache_gb",
        passes=ray(engineKwargs={"mm_processor_cache_gb": 8}),
    ),
    Case(
        code="RAY005",
        breaks=ray(engineKwargs={"tensor_parallel_size": 4}),
        says=("decided by engine.tensorParallelSize",),
        passes=ray(),
    ),
    Case(
        code="RAY005",
        breaks=ray(engineKwargs={"max_num_seqs": 4}),
        says=("engine.maxNumSeqs",),
        passes=ray(engine={"maxNumSeqs": 4}),
    ),
    Case(code="RAY005", breaks=ray(engineKwargs={"api_key": "x"}), says=("HTTP server",), passes=ray()),
    Case(code="RAY005", breaks=ray(engineKwargs={"headless": True}), says=("no engine argument",), passes=ray()),
    Case(
        code="RAY005",
        breaks=ray(engine={"servedModelName": ["chat", "assistant"]}),
        says=("one name", "has 2"),
        remedy="servedModelName: ['chat']",
        passes=ray(engine={"servedModelName": ["chat"]}),
    ),
    Case(
        code="RAY005",
        breaks=ray(engine={"apiServerCount": 2}),
        says=("apiServerCount",),
        remedy="remove apiServerCount",
        passes=ray(),
    ),
    Case(
        code="RAY006",
        breaks=ray({"models": {"llama": {"volume": None, "storageUri": "s3://models/llama"}}}),
        says=("s3://models/llama",),
        remedy="read the model from a volume",
        passes=ray(),
    ),
    Case(
        code="RAY006",
        breaks=ray(lora={"dynamicLoraLoadingPath": "s3://models/adapters"}),
        says=("without enableLora",),
        remedy="set workloads.chat.engine.enableLora: True",
        passes=ray(lora={"dynamicLoraLoadingPath": "s3://models/adapters"}, engine={"enableLora": True}),
    ),
    Case(
        code="RAY010",
        breaks=ray({"platform": {"kuberay": None}}),
        says=("doesn't mention the KubeRay operator",),
        remedy="set platform.kuberay: {}",
        passes=ray({"platform": {"kuberay": {"install": False}}}),
    ),
    Case(
        code="RAY010",
        breaks=ray({"platform": {"kuberay": {"watchNamespaces": ["batch"]}}}),
        says=("looks after batch", "ml-serving"),
        remedy="set platform.kuberay.watchNamespaces: ['batch', 'ml-serving']",
        passes=ray({"platform": {"kuberay": {"watchNamespaces": ["batch", "ml-serving"]}}}),
    ),
    Case(
        code="RAY011",
        breaks=ray(more(rayService="chatt")),
        says=("chatt is no RayService workload", "there are chat"),
        remedy="set workloads.more.rayService: chat",
        passes=ray(more()),
    ),
    Case(
        code="RAY011",
        breaks=ray(more(model="llama")),
        says=("two models of the service chat have the name llama",),
        remedy="set workloads.more.engine.servedModelName: ['more']",
        passes=ray(more(model="llama", engine={"name": "vllm", "version": "0.29.0", "servedModelName": ["small"]})),
    ),
    Case(
        code="RAY011",
        breaks=ray(more("chat-head")),
        says=("a ServiceAccount chat-head",),
        remedy="rename the workload chat-head",
        passes=ray(more("head")),
    ),
    Case(
        code="RAY012",
        breaks=ray({"nodeGroups": {"gpu": {"maxSize": 3}}}),
        says=("a second Ray cluster with 16 GPUs", "16 of 24 GPUs are taken at its 3 nodes"),
        remedy="set workloads.chat.ray.upgradeStrategy: None",
        passes=ray(),
    ),
    Case(
        code="RAY012",
        breaks=ray({"nodeGroups": {"gpu": {"maxSize": 3}}}),
        passes=ray({"nodeGroups": {"gpu": {"maxSize": 2}}}, ray={"upgradeStrategy": "None"}),
    ),
    # A quarter more at a time: of eight GPUs in copies of one, two more.
    Case(
        code="RAY012",
        breaks=ray(
            {"nodeGroups": {"gpu": {"maxSize": 1}}},
            replicas=8,
            autoscaling={"minReplicas": 8, "maxReplicas": 8, "targetOngoingRequests": 8},
            engine={"tensorParallelSize": 1},
            ray={**STEPS, "incremental": {"gatewayClassName": "istio", "maxSurgePercent": 25}},
        ),
        says=("a second Ray cluster with 2 GPUs",),
        passes=ray(
            {"nodeGroups": {"gpu": {"maxSize": 2}}},
            replicas=8,
            autoscaling={"minReplicas": 8, "maxReplicas": 8, "targetOngoingRequests": 8},
            engine={"tensorParallelSize": 1},
            ray={**STEPS, "incremental": {"gatewayClassName": "istio", "maxSurgePercent": 25}},
        ),
    ),
    # The model that joins counts as well: two whole nodes and one GPU, twice, fit on five nodes but not on four.
    Case(
        code="RAY012",
        breaks=ray(merged(more(), {"nodeGroups": {"gpu": {"maxSize": 4}}})),
        says=("a second Ray cluster with 17 GPUs",),
        passes=ray(merged(more(), {"nodeGroups": {"gpu": {"maxSize": 5}}})),
    ),
    Case(
        code="RAY013",
        breaks=ray(autoscaling={**SCALING, "maxReplicas": 6}),
        says=("6 copies of chat take 48 GPUs", "needs 6 nodes", "it has 4 at most"),
        remedy="set nodeGroups.gpu.maxSize: 6",
        passes=ray(autoscaling=SCALING),
    ),
    Case(
        code="RAY014",
        breaks=ray(engine={"tensorParallelSize": 1}, resources={"cpu": "900m"}),
        says=("900m CPU, of which Ray makes 1",),
        remedy="set workloads.chat.resources.cpu: 2",
        passes=ray(engine={"tensorParallelSize": 1}, resources={"cpu": "1100m"}),
    ),
    Case(
        code="RAY015",
        breaks=ray(resources={"shm": "5Gi"}),
        says=("/dev/shm has 5Gi", "object store of 4Gi"),
        remedy="resources.shm: 7Gi",
        passes=ray(resources={"shm": "7Gi"}),
    ),
    Case(
        code="RAY015",
        breaks=ray(ray={"version": "2.60.0", "head": {"memory": "8Gi", "objectStoreMemory": "6Gi"}}),
        says=("6Gi of the head's 8Gi",),
        remedy="set workloads.chat.ray.head.objectStoreMemory: 1Gi",
        passes=ray(ray={"version": "2.60.0", "head": {"memory": "16Gi", "objectStoreMemory": "6Gi"}}),
    ),
    Case(
        code="RAY015",
        breaks=ray(objectStoreMemory="64Mi"),
        says=("67108864 bytes; it needs 78643200",),
        passes=ray(objectStoreMemory="75Mi"),
    ),
    Case(
        code="RAY016",
        breaks=ray(ray=STEPS),
        says=("KubeRay refuses NewClusterWithIncrementalUpgrade",),
        remedy="give the model autoscaling",
        passes=ray(ray=STEPS, autoscaling=SCALING),
    ),
    Case(
        code="RAY017",
        breaks=ray(),
        says=("every model of chat down",),
        remedy="ray.redis",
        passes=ray(ray={"version": "2.60.0", "redis": REDIS}),
    ),
]
