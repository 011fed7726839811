"""InferenceServices whose copy spans two nodes: what is registered, and the two Deployments that KServe makes of it."""

import re
from typing import Any

import pytest

from components import leader_worker_set_spec, pods
from components.kserve_runtime import KServeRuntime, KServeRuntimeArgs
from components.kserve_worker import PODS
from components.resolved import Workload
from preview.run import run
from tests import crds, kserve, kserve_worker
from tests.components.test_kserve import differences, objects, registered
from tests.preflight.case import merged, stack
from tests.preflight.cases_kserve_worker import two

EFA: dict[str, Any] = {
    "nodeGroups": {"gpu": {"efa": True, "capacity": "on-demand"}},
    "platform": {"efaDevicePlugin": {}},
}


def service_of(patch: dict[str, Any] | None = None, **chat: Any) -> Workload:
    return stack(two(patch, **chat)).workloads["chat"]


def group(patch: dict[str, Any] | None = None, **chat: Any) -> Workload:
    """The same workload as a LeaderWorkerSet."""
    return stack(merged(two(patch, **chat), {"workloads": {"chat": {"kind": "LeaderWorkerSet"}}})).workloads["chat"]


def made(given: Workload, generation: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    found = objects(registered(given))
    return kserve_worker.deployments(found["InferenceService"], found["ServingRuntime"], generation)


def template(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = template(deployment)["spec"]["containers"]
    return found


def env(deployment: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(deployment)["env"] if "value" in one}


def expanded(deployment: dict[str, Any]) -> list[str]:
    """Arguments as the kubelet expands them, with the pod's address for VLLM_HOST_IP."""
    values = {**env(deployment), "VLLM_HOST_IP": "10.0.0.7"}
    return [re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], one) for one in container(deployment)["args"]]


@pytest.mark.parametrize("patch", [{}, EFA], ids=["plain", "efa"])
def test_the_pods_are_those_of_a_leader_worker_set_but_for_a_table_of_differences(patch: dict[str, Any]) -> None:
    alone = leader_worker_set_spec.leader_worker_set_spec(group(patch))["leaderWorkerTemplate"]
    given, other = service_of(patch), group(patch)
    kserves = {
        "PIPELINE_PARALLEL_SIZE": "2",
        "TENSOR_PARALLEL_SIZE": "8",
        "RAY_NODE_COUNT": "2",
        "REQUEST_GPU_COUNT": "8",
    }
    own = (
        {"INFERENCE_SERVICE_NAME": "chat", "MODEL_NAME": "chat", "MODEL_DIR": "/mnt/models"},
        {"ISVC_NAME": "chat", "HEAD_SVC": "chat-head-1", "WORKER_SVC": "chat-workers-1"},
    )
    parts = zip(("leaderTemplate", "workerTemplate"), made(given), own, strict=True)
    for part, deployment, variables in parts:
        found = differences(alone[part]["spec"], template(deployment)["spec"])
        expected: dict[str, tuple[Any, Any]] = {"container/name": ("engine", container(deployment)["name"])}
        for name, value in {**kserves, **variables}.items():
            expected |= {f"container/env/{name}/name": (None, name), f"container/env/{name}/value": (None, value)}
        weights = {key for key in found if key.startswith(("container/volumeMounts/", "volumes/"))}
        probes = {key for key in found if key.startswith(("container/startupProbe", "container/livenessProbe"))}
        assert bool(probes) is (part == "workerTemplate")
        rest = {key: value for key, value in found.items() if key not in weights | probes | {"container/args"}}
        assert rest == expected
        # The weights are where KServe puts them, under the name that it gives them; the rest of the arguments is the kind's.
        ours, theirs = found["container/args"]
        renamed = {
            other.launch.model: "/mnt/models",
            f"--served-model-name={other.launch.served_name}": "--served-model-name=chat",
            "--node-rank=$(LWS_WORKER_INDEX)": "--node-rank=1",
            "--master-addr=$(LWS_LEADER_ADDRESS)": "--master-addr=$(HEAD_SVC)",
        }
        assert theirs == [renamed.get(one, one) for one in ours]


def test_the_worker_joins_the_leader_at_the_service_that_kserve_makes_for_this_generation() -> None:
    found = objects(registered(service_of()))
    leader, worker = kserve_worker.deployments(found["InferenceService"], found["ServingRuntime"], 7)
    _, head = kserve_worker.services(found["InferenceService"], leader, 7)
    assert f"--master-addr={head['metadata']['name']}" in expanded(worker)
    assert "--node-rank=1" in expanded(worker)
    assert "--headless" in expanded(worker)
    assert {"--master-addr=10.0.0.7", "--node-rank=0"} <= set(expanded(leader))
    assert not any("$(" in one for one in (*expanded(leader), *expanded(worker)))
    selected = head["spec"]["selector"].items()
    assert selected <= template(leader)["metadata"]["labels"].items()
    assert not selected <= template(worker)["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("engine", "gpus"),
    [
        ({}, 8),
        ({"tensorParallelSize": 16, "pipelineParallelSize": 1}, 8),
        ({"tensorParallelSize": 2, "pipelineParallelSize": 5}, 5),
    ],
    ids=["a stage on each node", "tensor over both", "half of each node"],
)
def test_kserve_counts_the_pods_and_gpus_that_the_plan_counts(engine: dict[str, Any], gpus: int) -> None:
    given = service_of(engine=engine)
    leader, worker = made(given)
    assert (given.group_size, given.resources.gpus) == (PODS, gpus)
    assert leader["spec"]["replicas"] + worker["spec"]["replicas"] == given.pods
    for one in (leader, worker):
        for part in ("requests", "limits"):
            assert container(one)["resources"][part]["nvidia.com/gpu"] == str(gpus)
    assert given.gpus == PODS * gpus


def test_both_deployments_are_recreated_so_that_an_update_needs_no_spare_node() -> None:
    for one in made(service_of()):
        assert one["spec"]["strategy"] == {"type": "Recreate"}


def test_an_update_of_either_pod_replaces_both() -> None:
    given = service_of()
    for old, new in zip(made(given, 1), made(given, 2), strict=True):
        assert template(old) != template(new)


def test_only_the_worker_asks_its_leader_and_gives_it_the_whole_start() -> None:
    given = service_of()
    leader, worker = (container(one) for one in made(given))
    assert "httpGet" in leader["livenessProbe"]
    start, alive = worker["startupProbe"], worker["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= given.startup.budget
    assert start["exec"] == alive["exec"]
    assert {"readinessProbe", "ports"}.isdisjoint(worker)


@pytest.mark.parametrize("status", [200, 503, None])
def test_the_workers_probe_succeeds_while_its_leader_is_healthy(
    status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    class Leader:
        def __init__(self, host: str, port: int, timeout: float) -> None:
            asked.append((host, port))

        def request(self, method: str, path: str) -> None:
            asked.append((method, path))
            if status is None:
                raise ConnectionRefusedError

        def getresponse(self) -> Any:
            return type("Response", (), {"status": status})

    _, worker = made(service_of())
    interpreter, flag, text = container(worker)["startupProbe"]["exec"]["command"]
    assert (interpreter, flag) == ("python3", "-c")
    monkeypatch.setattr("http.client.HTTPConnection", Leader)
    monkeypatch.setenv("HEAD_SVC", "chat-head-1")
    try:
        exec(compile(text, "probe", "exec"), {})
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    except ConnectionRefusedError:
        code = 1
    # The interpreter's exit code: True is 1.
    assert bool(code) is (status != 200)
    assert asked == [("chat-head-1", 8000), ("GET", "/health")]


def test_policy_and_budget_select_both_pods_and_the_monitor_the_leader() -> None:
    found = objects(registered(service_of(metrics="podMonitor")))
    leader, worker = (
        template(one)["metadata"]["labels"].items()
        for one in kserve_worker.deployments(found["InferenceService"], found["ServingRuntime"])
    )
    policy, budget = found["NetworkPolicy"]["spec"], found["PodDisruptionBudget"]["spec"]
    for selector in (policy["podSelector"], budget["selector"]):
        assert selector["matchLabels"].items() <= leader & worker
    # The pods of the copy reach each other on every port.
    peers = {"podSelector": policy["podSelector"]}
    assert {"from": [peers]} in policy["ingress"]
    assert {"to": [peers]} in policy["egress"]
    monitored = found["PodMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert monitored <= leader
    assert not monitored <= worker


def test_prometheus_scrapes_the_leader_alone() -> None:
    leader, worker = (template(one)["metadata"]["annotations"] for one in made(service_of(metrics="annotations")))
    assert pods.annotations(service_of()).items() <= leader.items()
    assert "prometheus.io/scrape" not in worker


def test_efas_resources_are_no_unknown_gpus_to_the_webhook() -> None:
    found = objects(registered(service_of(EFA)))
    service, runtime = found["InferenceService"], found["ServingRuntime"]
    for one in kserve_worker.deployments(service, runtime):
        assert {"vpc.amazonaws.com/efa", "hugepages-2Mi"} <= container(one)["resources"]["limits"].keys()
    del service["metadata"]["annotations"]["serving.kserve.io/gpu-resource-types"]
    with pytest.raises(ValueError, match="unknown GPU resource type"):
        kserve_worker.deployments(service, runtime)


def test_both_pods_mount_the_volume_read_only() -> None:
    for one in made(service_of()):
        mounts = {mount["mountPath"]: mount for mount in container(one)["volumeMounts"]}
        assert mounts["/mnt/models"]["readOnly"] is True


@pytest.mark.parametrize("cluster_scoped", [False, True])
@pytest.mark.parametrize("patch", [{}, EFA], ids=["plain", "efa"])
def test_every_custom_resource_obeys_its_definition(patch: dict[str, Any], cluster_scoped: bool) -> None:
    found = objects(registered(service_of(patch), cluster_scoped=cluster_scoped))
    runtime = found["ClusterServingRuntime" if cluster_scoped else "ServingRuntime"]
    assert "workerSpec" in runtime["spec"]
    assert "workerSpec" in found["InferenceService"]["spec"]["predictor"]
    assert crds.errors(runtime) == []
    assert crds.errors(found["InferenceService"]) == []


@pytest.mark.parametrize("kind", ["InferenceService", "ServingRuntime"])
def test_a_misspelt_key_of_the_workers_would_be_seen(kind: str) -> None:
    found = objects(registered(service_of()))[kind]
    inside = found["spec"].get("predictor", found["spec"])["workerSpec"]
    inside["tensorParallelsize"] = 8
    assert any("tensorParallelsize" in one for one in crds.errors(found))


def test_a_runtime_with_a_worker_has_a_name_of_its_own() -> None:
    """KServe's webhook refuses to take the worker out of a runtime again, so it can't be that of services without."""
    given, plain = service_of(), service_of(engine={"pipelineParallelSize": 1})
    assert given.settings.runtime != plain.settings.runtime
    assert "workerSpec" not in objects(registered(plain))["ServingRuntime"]["spec"]
    assert service_of(runtime="mine").settings.runtime == "mine"


def test_services_with_a_worker_share_a_runtime() -> None:
    def runtime(given: Workload) -> Any:
        def program() -> None:
            KServeRuntime("runtime", KServeRuntimeArgs(workload=given))

        (found,) = [
            one.inputs for one in run(program, project="p", stack="s", config={}).resources if one.inputs.get("kind")
        ]
        return found

    assert runtime(service_of()) == runtime(service_of(engine={"tensorParallelSize": 4, "pipelineParallelSize": 4}))


def test_stages_on_one_node_are_the_engines_own_affair() -> None:
    """kserve#6044 is about KServe's own fields: vLLM's arguments reach it whatever KServe knows of them."""
    given = service_of(engine={"tensorParallelSize": 2, "pipelineParallelSize": 4})
    found = objects(registered(given))
    deployment = kserve.deployment(found["InferenceService"], found["ServingRuntime"])
    assert "workerSpec" not in found["InferenceService"]["spec"]["predictor"]
    assert "--pipeline-parallel-size=4" in container(deployment)["args"]
    assert container(deployment)["resources"]["limits"]["nvidia.com/gpu"] == "8"
