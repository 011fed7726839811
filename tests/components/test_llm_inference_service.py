"""What ModelLlmInferenceService registers, and the pods that KServe makes of it."""

from typing import Any

import pytest

from components.kserve_pipeline_preset import KServePipelinePreset, KServePipelinePresetArgs
from components.model_llm_inference_service import ModelLlmInferenceService, ModelLlmInferenceServiceArgs
from components.pods import pod_spec
from components.resolved import Workload
from preview.registered import Registered
from preview.report import curl
from preview.run import Run, run
from tests import crds, kserve_llm, lws
from tests.preflight.case import stack
from tests.preflight.cases_kserve import BUCKET, HUB, ROLE
from tests.preflight.cases_kserve_llm import NODES, ROUTER, llm

STORAGE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "volume": ({}, {}),
    "s3": (BUCKET, {"awsRole": ROLE}),
    "hub": ({**HUB, "huggingFaceToken": {"key": "HF_TOKEN"}}, {}),
}
URIS = {
    "volume": "pvc://weights/llama/0123456789ab",
    "s3": "s3://models/llama",
    "hub": "hf://meta-llama/Llama-3.1-8B-Instruct:0123456789abcdef0123456789abcdef01234567",
}
SPANS: dict[str, Any] = {"rollout": "in-place", "replicas": 1, "engine": NODES}


def workload(storage: str = "volume", **chat: Any) -> Workload:
    patch, keys = STORAGE[storage]
    return stack(llm(patch, **keys, **chat)).workloads["chat"]


def registered(given: Workload) -> Run:
    def program() -> None:
        ModelLlmInferenceService("chat", ModelLlmInferenceServiceArgs(workload=given))

    return run(program, project="llm-serving", stack="test", config={})


def one(result: Run, kind: str) -> Registered:
    (found,) = [resource for resource in result.resources if resource.type.endswith(f":{kind}")]
    return found


def service(given: Workload) -> dict[str, Any]:
    return one(registered(given), "LLMInferenceService").inputs


def preset() -> dict[str, Any]:
    def program() -> None:
        KServePipelinePreset("preset", KServePipelinePresetArgs(namespace="ml-serving"))

    return one(run(program, project="llm-serving", stack="test", config={}), "LLMInferenceServiceConfig").inputs


def unrestricted(pod: dict[str, Any]) -> list[str]:
    """What Pod Security "restricted" refuses (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted)."""
    whole, found = pod["securityContext"], []
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container.get("securityContext", {})
        rules = {
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "runAsNonRoot": own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True,
            "seccomp": own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") == "RuntimeDefault",
        }
        found += [f"{container['name']}: {rule}" for rule, held in rules.items() if not held]
    allowed = {"emptyDir", "persistentVolumeClaim", "configMap", "secret"}
    return found + [volume["name"] for volume in pod["volumes"] if not allowed & volume.keys()]


def test_the_whole_object() -> None:
    made = service(workload(metrics="none"))
    template = made["spec"].pop("template")
    assert made == {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {
            "name": "chat",
            "namespace": "ml-serving",
            "labels": {
                "app.kubernetes.io/name": "vllm",
                "app.kubernetes.io/instance": "chat",
                "app.kubernetes.io/component": "model-server",
                "app.kubernetes.io/part-of": "llm-serving",
                "app.kubernetes.io/managed-by": "pulumi",
            },
            "annotations": {"pulumi.com/waitFor": "condition=Ready", "serving.kserve.io/disable-localmodel": "true"},
        },
        "spec": {
            "model": {"uri": URIS["volume"], "name": "chat"},
            "replicas": 2,
            "labels": {"app.kubernetes.io/instance": "chat", "app.kubernetes.io/managed-by": "pulumi"},
        },
    }
    (container,) = template["containers"]
    assert container["args"][0] == "/mnt/models"
    assert container["command"] == ["vllm", "serve"]


@pytest.mark.parametrize("keys", [{}, SPANS, {"router": {**ROUTER, "scheduler": True}}], ids=["pod", "nodes", "router"])
@pytest.mark.parametrize("storage", STORAGE)
def test_every_custom_resource_obeys_its_definition(storage: str, keys: dict[str, Any]) -> None:
    assert crds.errors(service(workload(storage, **keys))) == []
    assert crds.errors(preset()) == []


@pytest.mark.parametrize("storage", STORAGE)
def test_the_preset_leaves_nothing_of_its_own_in_the_engine_but_unused_folders(storage: str) -> None:
    given = workload(storage)
    made = kserve_llm.deployment(service(given))
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    expected = pod_spec(given)
    (alone,) = expected["containers"]
    same = ("image", "imagePullPolicy", "resources", "terminationMessagePolicy")
    assert {key: container[key] for key in same} == {key: alone[key] for key in same}
    assert container["command"] == ["vllm", "serve"]
    assert container["args"] == list(given.args)
    theirs = {"VLLM_LOGGING_LEVEL": "INFO", "HF_HUB_CACHE": "/models"}
    environment = {item["name"]: item.get("value") for item in container["env"]}
    # The engine is offline: KServe has put the weights in a folder.
    mine = {item["name"]: item.get("value") for item in alone["env"] if item["name"] != "HF_TOKEN"}
    assert environment == {**theirs, **mine, "HF_HUB_OFFLINE": "1"}
    assert container["lifecycle"] == {"preStop": {"exec": {"command": ["/bin/sleep", "15"]}}}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        action = {**alone[probe]["httpGet"], "scheme": "HTTP"}
        assert container[probe] == {**alone[probe], "httpGet": action}
    mounts = {item["mountPath"]: item["name"] for item in container["volumeMounts"]}
    assert {path: name for path, name in mounts.items() if path in ("/cache", "/tmp", "/dev/shm")} == {
        "/cache": "cache",
        "/tmp": "tmp",
        "/dev/shm": "shm",
    }
    assert "/mnt/models" in mounts
    kept = ("securityContext", "terminationGracePeriodSeconds", "nodeSelector", "tolerations", "serviceAccountName")
    assert {key: pod[key] for key in kept} == {key: expected[key] for key in kept}


@pytest.mark.parametrize("storage", STORAGE)
def test_the_pods_are_fit_for_restricted(storage: str) -> None:
    assert unrestricted(kserve_llm.deployment(service(workload(storage)))["spec"]["template"]["spec"]) == []
    groups = kserve_llm.leader_worker_set(service(workload(storage, **SPANS)), preset()["spec"])
    for template in ("leaderTemplate", "workerTemplate"):
        assert unrestricted(groups["spec"]["leaderWorkerTemplate"][template]["spec"]) == []


@pytest.mark.parametrize("storage", ["s3", "hub"])
def test_the_storage_initializer_has_the_engines_share_and_makes_the_pod_no_larger(storage: str) -> None:
    pod = kserve_llm.deployment(service(workload(storage)))["spec"]["template"]["spec"]
    (initializer,), (container,) = pod["initContainers"], pod["containers"]
    engine = container["resources"]["requests"]
    assert initializer["resources"]["limits"] == {key: engine[key] for key in ("cpu", "memory")}
    assert initializer["resources"]["requests"] == {"cpu": "100m", "memory": "100Mi"}


def test_without_our_part_the_storage_initializer_would_be_refused() -> None:
    made = service(workload("s3"))
    made["spec"]["template"]["initContainers"] = [{"name": "storage-initializer"}]
    pod = kserve_llm.deployment(made)["spec"]["template"]["spec"]
    assert "storage-initializer: allowPrivilegeEscalation" in unrestricted(pod)


def test_no_label_of_ours_replaces_one_of_the_selector() -> None:
    theirs = {"app.kubernetes.io/name": "search", "kserve.io/component": "search"}
    made = kserve_llm.deployment(service(workload(labels={"team": "search", **theirs})))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert (labels["app.kubernetes.io/name"], labels["kserve.io/component"]) == ("chat", "workload")
    assert labels["team"] == "search"


def test_policy_budget_and_spread_select_kserves_pods() -> None:
    result = registered(workload())
    labels = kserve_llm.deployment(one(result, "LLMInferenceService").inputs)["spec"]["template"]
    selectors = [
        one(result, "NetworkPolicy").inputs["spec"]["podSelector"],
        one(result, "PodDisruptionBudget").inputs["spec"]["selector"],
        *(item["labelSelector"] for item in labels["spec"]["topologySpreadConstraints"]),
    ]
    assert len(selectors) == 4
    for selector in selectors:
        assert selector["matchLabels"].items() <= labels["metadata"]["labels"].items()


def test_a_copy_on_several_nodes_has_a_pod_for_each_stage() -> None:
    given = workload(**SPANS)
    assert given.group_size == 2
    groups = kserve_llm.leader_worker_set(service(given), preset()["spec"])
    leader, worker = lws.pods(groups)
    for rank, pod in enumerate((leader, worker)):
        arguments = lws.expanded(pod)
        assert "--nnodes=2" in arguments
        assert f"--node-rank={rank}" in arguments
        assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert "--headless" in lws.expanded(worker)
    selector = one(registered(given), "NetworkPolicy").inputs["spec"]["podSelector"]["matchLabels"]
    reached = kserve_llm.service(service(given))["spec"]["selector"]
    for pod, serves in ((leader, True), (worker, False)):
        labels = pod["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert (reached.items() <= labels.items()) == serves


def test_the_url_and_the_request_name_kserves_service() -> None:
    given = workload()
    theirs = kserve_llm.service(service(given))
    name, port = theirs["metadata"]["name"], theirs["spec"]["ports"][0]["port"]
    component = next(item for item in registered(given).resources if item.type.endswith(":ModelLlmInferenceService"))
    assert component.outputs == {"url": f"http://{name}.ml-serving.svc:{port}/v1", "service_name": name}
    assert f"port-forward service/{name} {port}:{port}" in curl(given)


@pytest.mark.parametrize("storage", STORAGE)
def test_kserve_gets_the_weights_from_where_the_stack_says(storage: str) -> None:
    assert service(workload(storage))["spec"]["model"]["uri"] == URIS[storage]


def test_credentials_are_named_where_kserve_looks() -> None:
    given = stack(llm(BUCKET, storageSecret="bucket-keys")).workloads["chat"]
    assert service(given)["metadata"]["annotations"]["serving.kserve.io/secretName"] == "bucket-keys"
    assert one(registered(workload("hub")), "ServiceAccount").inputs["secrets"] == [{"name": "hf-token"}]


def test_a_router_attaches_a_route_to_the_gateway() -> None:
    refs = {"gateway": {"refs": [{"name": "inference", "namespace": "gateways"}]}, "route": {}}
    assert service(workload(router=ROUTER))["spec"]["router"] == refs
    assert service(workload(router={**ROUTER, "scheduler": True}))["spec"]["router"] == {**refs, "scheduler": {}}


def test_the_scheduler_may_read_the_engines_metrics_whoever_else_may_call() -> None:
    keys = {"allowFrom": [{"namespace": "gateways"}], "router": {**ROUTER, "scheduler": True}}

    def peers(**chat: Any) -> list[dict[str, Any]]:
        return one(registered(workload(**chat)), "NetworkPolicy").inputs["spec"]["ingress"][0]["from"]

    component = {"app.kubernetes.io/component": "llminferenceservice-router-scheduler"}
    (found,) = [peer for peer in peers(**keys) if "podSelector" in peer]
    assert component.items() <= found["podSelector"]["matchLabels"].items()
    assert all("podSelector" not in peer for peer in peers(**{**keys, "router": ROUTER}))


def test_pulumi_waits_for_ready_as_long_as_a_start_may_take() -> None:
    given = workload()
    seconds = f"{given.startup.rollout_timeout}s"
    assert one(registered(given), "LLMInferenceService").custom_timeouts == {"create": seconds, "update": seconds}
