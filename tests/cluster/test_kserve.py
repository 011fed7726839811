"""KServe's objects in a real API server, and the Deployment that KServe would make of them, with real controllers and scheduler."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import kserve
from tests.cluster import crds
from tests.cluster.client import ApiError, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import Program, a_program, of_kind
from tests.cluster.state import condition, cordon, rolled_out, wait_for, wait_for_absence
from tests.preflight.case import BASE, merged
from tests.preflight.cases_kserve import BUCKET, HUB, ROLE, SCALING
from tests.preflight.cases_kserve import kserve as patched

pytestmark = pytest.mark.cluster

TOKEN = {"huggingFaceToken": {"key": "HF_TOKEN"}}
SOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "volume": ({}, {}),
    "s3": (BUCKET, {"awsRole": ROLE}),
    "hub": (merged(HUB, TOKEN), {}),
}


def program(patch: dict[str, Any] | None = None, **chat: Any) -> Program:
    # The namespace is created with "restricted" enforced.
    return a_program(merged(merged(BASE, {"namespace": {"create": True}}), patched(patch, **chat)), region="us-east-1")


@pytest.fixture
def started(cluster: ControlPlane, shared: Path) -> Callable[[Program], tuple[Object, Object]]:
    """`started(program)`: nodes, namespace and every object are in the cluster; InferenceService and runtime as the API server has them."""

    def start(given: Program) -> tuple[Object, Object]:
        crds.install(cluster.client, crds.custom_kinds(given.objects, cluster.client), shared / "crds")
        wait_for_absence(cluster.client, given.stack.namespace)
        cluster.add_nodes(stack_nodes(given.stack))
        cluster.apply(given.objects)
        found = [stored(cluster, one) for one in of_kind(given.objects, "InferenceService", "ServingRuntime")]
        (service,), (runtime,) = of_kind(found, "InferenceService"), of_kind(found, "ServingRuntime")
        return service, runtime

    return start


def stored(cluster: ControlPlane, given: Object) -> Object:
    """The object as the API server has it; every field that was given is there, so that none was pruned."""
    metadata = given["metadata"]
    found = cluster.client.get(given["apiVersion"], given["kind"], metadata["name"], metadata["namespace"])
    assert kept(given["spec"], found["spec"])
    return found


def kept(given: Any, found: Any) -> bool:
    """`found` has everything of `given`, and maybe defaults beside it."""
    if isinstance(given, dict):
        return all(key in found and kept(value, found[key]) for key, value in given.items())
    if isinstance(given, list):
        return len(given) == len(found) and all(map(kept, given, found))
    return given == found


def pods_of(cluster: ControlPlane, deployment: Object) -> list[Object]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return [
        one
        for one in cluster.client.list("v1", "Pod", deployment["metadata"]["namespace"])
        if one["metadata"].get("labels", {}).get("app") == labels["app"]
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_kserves_pods_are_admitted_as_restricted_and_run_on_the_nodes(
    source: str, started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    patch, keys = SOURCES[source]
    given = program(patch, **keys)
    service, runtime = started(given)
    made = kserve.with_storage(kserve.deployment(service, runtime))
    cluster.apply([made, kserve.service(kserve.deployment(service, runtime))])
    wait_for(cluster.client, [made])
    pods = pods_of(cluster, made)
    assert len(pods) == 2
    for pod in pods:
        assert condition(pod, "Ready") == "True"
        assert pod["spec"]["nodeName"].startswith("gpu-")
        assert [one["name"] for one in pod["spec"].get("initContainers", ())] == (
            [] if source == "volume" else ["storage-initializer"]
        )


def test_without_the_charts_security_context_the_storage_initializer_would_be_refused(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    """The controller's own container has none: it comes from the ClusterStorageContainer of the Helm chart."""
    service, runtime = started(program(BUCKET, awsRole=ROLE))
    made = kserve.with_storage(kserve.deployment(service, runtime))
    template = made["spec"]["template"]
    del template["spec"]["initContainers"][0]["securityContext"]
    metadata = {"name": "probe", "namespace": made["metadata"]["namespace"], **template["metadata"]}
    with pytest.raises(ApiError, match="restricted"):
        cluster.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def test_an_update_needs_no_spare_gpu(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    patch = {"nodeGroups": {"gpu": {"minSize": 1, "maxSize": 1}}}
    engine = {"tensorParallelSize": 4}
    service, runtime = started(program(patch, engine=engine))
    made = kserve.with_storage(kserve.deployment(service, runtime))
    cluster.apply([made])
    wait_for(cluster.client, [made])
    changed, _ = (of_kind(program(patch, engine={**engine, "maxModelLen": 4096}).objects, kind)[0] for kind in KINDS)
    cluster.apply([changed])
    new = kserve.with_storage(kserve.deployment(stored(cluster, changed), runtime))
    cluster.apply([new])
    metadata = new["metadata"]

    def replaced() -> bool:
        now = cluster.client.get("apps/v1", "Deployment", metadata["name"], metadata["namespace"])
        return rolled_out(now)

    wait("the rollout", replaced)
    for pod in pods_of(cluster, new):
        assert "--max-model-len=4096" in pod["spec"]["containers"][0]["args"]


KINDS = ("InferenceService", "ServingRuntime")


def test_kserves_own_strategy_would_wait_for_a_gpu_for_ever(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    service, runtime = started(program({"nodeGroups": {"gpu": {"maxSize": 1}}}, engine={"tensorParallelSize": 4}))
    del service["spec"]["predictor"]["deploymentStrategy"]
    made = kserve.with_storage(kserve.deployment(service, runtime))
    cluster.apply([made])
    wait_for(cluster.client, [made])
    made["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "REVISION", "value": "2"})
    cluster.apply([made])

    def pending() -> list[Object]:
        return [one for one in pods_of(cluster, made) if condition(one, "PodScheduled") == "False"]

    (waiting,) = wait("a pod that the scheduler can't place", pending)
    assert "Insufficient nvidia.com/gpu" in str(waiting["status"]["conditions"])
    ready = [one for one in pods_of(cluster, made) if condition(one, "Ready") == "True"]
    assert len(ready) == 2


@pytest.mark.parametrize("ours", [True, False])
def test_a_single_replica_is_available_only_when_its_pod_serves(
    ours: bool, started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    """KServe's Ready, for which Pulumi waits, is the Deployment's Available: with maxUnavailable 1 no pod is needed for it."""
    service, runtime = started(program(replicas=1))
    if not ours:
        limits = {"maxSurge": 0, "maxUnavailable": 1}
        service["spec"]["predictor"]["deploymentStrategy"] = {"type": "RollingUpdate", "rollingUpdate": limits}
    cluster.remove_nodes(["gpu-0", "gpu-1"])
    made = kserve.with_storage(kserve.deployment(service, runtime))
    cluster.apply([made])
    metadata = made["metadata"]

    def available() -> str | None:
        (pod,) = pods_of(cluster, made) or [None]
        if pod is None or condition(pod, "PodScheduled") != "False":
            return None
        return condition(
            cluster.client.get("apps/v1", "Deployment", metadata["name"], metadata["namespace"]), "Available"
        )

    assert wait("a pod that has no node, and what the Deployment says", available) == ("False" if ours else "True")


def test_a_drain_takes_one_of_kserves_pods_at_a_time(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    service, runtime = started(program())
    made = kserve.with_storage(kserve.deployment(service, runtime))
    cluster.apply([made])
    wait_for(cluster.client, [made])
    metadata = made["metadata"]

    def budget() -> bool:
        found = cluster.client.get("policy/v1", "PodDisruptionBudget", "chat", metadata["namespace"])
        return found.get("status", {}).get("expectedPods") == 2 and found["status"]["disruptionsAllowed"] == 1

    wait("the budget to count KServe's pods", budget)
    # Without nodes for a replacement, one is gone and the other stays.
    cordon(cluster.client, {one["spec"]["nodeName"] for one in pods_of(cluster, made)})
    first, second = pods_of(cluster, made)
    cluster.client.evict(first)
    with pytest.raises(ApiError, match="disruption budget"):
        cluster.client.evict(second)


@pytest.mark.parametrize(
    "chat",
    [
        {"replicas": None, "autoscaling": SCALING},
        {"rollout": "surge"},
        {"metrics": "podMonitor"},
    ],
    ids=["hpa", "surge", "podMonitor"],
)
def test_the_api_server_keeps_every_field(
    chat: dict[str, Any], started: Callable[[Program], tuple[Object, Object]]
) -> None:
    service, _ = started(program(**chat))
    assert service["spec"]["predictor"]["model"]["runtime"] == "vllm-0-33-0"


def test_a_cluster_serving_runtime_is_accepted(cluster: ControlPlane, shared: Path) -> None:
    given = program({"platform": {"kserve": {"clusterServingRuntimes": True}}})
    crds.install(cluster.client, crds.custom_kinds(given.objects, cluster.client), shared / "crds")
    (runtime,) = of_kind(given.objects, "ClusterServingRuntime")
    try:
        found = cluster.client.apply(runtime)
        assert kept(runtime["spec"], found["spec"])
    finally:
        cluster.client.delete(runtime["apiVersion"], runtime["kind"], runtime["metadata"]["name"])
