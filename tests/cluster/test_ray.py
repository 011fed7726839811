"""RayServices and RayClusters in a real API server, and the pods that the KubeRay operator would make of them on a real scheduler."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preflight.check import check
from stacks.resolve import resolve
from tests import kuberay
from tests.cluster import crds
from tests.cluster.client import ApiError, Client, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import ROOT, Program, a_program, file_program, of_kind
from tests.cluster.state import condition, node_of, wait_for_absence
from tests.preflight.case import BASE, inputs, merged
from tests.preflight.cases_ray import REDIS, SCALING, STEPS, more, ray

pytestmark = pytest.mark.cluster

KINDS = ("RayService", "RayCluster")
EXAMPLES = [ROOT / "docs" / "examples" / "Pulumi.ray.yaml", ROOT / "Pulumi.prod.yaml"]
SPANNING: dict[str, Any] = {"engine": {"tensorParallelSize": 8, "pipelineParallelSize": 2}, "replicas": 1}


@pytest.fixture
def started(cluster: ControlPlane, shared: Path) -> Callable[[Program], list[Object]]:
    """`started(program)`: nodes, namespace and every object are in the cluster; Ray's resources as the API server has them."""

    def start(program: Program) -> list[Object]:
        crds.install(cluster.client, crds.custom_kinds(program.objects, cluster.client), shared / "crds")
        wait_for_absence(cluster.client, program.stack.namespace)
        cluster.add_nodes(stack_nodes(program.stack))
        cluster.apply(program.objects)
        return [_as_stored(cluster.client, one) for one in of_kind(program.objects, *KINDS)]

    return start


def _as_stored(client: Client, one: Object) -> Object:
    metadata = one["metadata"]
    found = client.get(one["apiVersion"], one["kind"], metadata["name"], metadata["namespace"])
    assert _kept(one["spec"], found["spec"])
    return found


def _kept(given: Any, found: Any) -> bool:
    """`found` has everything of `given`, and maybe defaults beside it."""
    if isinstance(given, dict):
        return all(key in found and _kept(value, found[key]) for key, value in given.items())
    if isinstance(given, list):
        return len(given) == len(found) and all(map(_kept, given, found))
    return given == found


def stack_of(patch: dict[str, Any]) -> Program:
    # The namespace is created with "restricted" enforced.
    return a_program(merged(merged(BASE, {"namespace": {"create": True}}), patch), region="us-east-1")


def errors(patch: dict[str, Any]) -> set[str]:
    given = inputs(patch)
    return {one.code for one in check(given, resolve(given)) if one.severity == "error"}


def pods_of(found: Object, suffix: str = "abcde") -> list[Object]:
    """The pods that the operator makes of a RayService or a RayCluster."""
    return kuberay.pods(found if found["kind"] == "RayCluster" else kuberay.cluster_of(found, suffix))


def placed(client: Client, pods: list[Object]) -> dict[str, str | None]:
    """Creates pods; the node of each, once the scheduler has decided on all of them."""
    for one in pods:
        client.create(one)
    namespace, names = pods[0]["metadata"]["namespace"], [one["metadata"]["name"] for one in pods]

    def decided() -> dict[str, str | None] | None:
        now = {one["metadata"]["name"]: one for one in client.list("v1", "Pod", namespace)}
        if any(condition(now[name], "PodScheduled") is None for name in names):
            return None
        return {name: node_of(now[name]) for name in names}

    return wait("the scheduler to decide", decided)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.split(".")[1])
def test_the_stack_files_are_accepted_and_every_pod_is_admitted_and_placed(
    path: Path, started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    program = file_program(path)
    (found,) = started(program)
    pods = pods_of(found)
    nodes = placed(cluster.client, pods)
    assert None not in nodes.values()
    head, *workers = pods
    groups = Counter(pod["metadata"]["labels"]["ray.io/group"] for pod in workers)
    wanted = {one.name: one for one in program.stack.workloads.values() if one.kind == "RayService"}
    assert groups == {name: one.pods for name, one in wanted.items()}
    # The head is on no GPU node, and every worker on one of its group.
    assert nodes[head["metadata"]["name"]] == "system-0"
    for pod in workers:
        group = wanted[pod["metadata"]["labels"]["ray.io/group"]].node_group.name
        assert (nodes[pod["metadata"]["name"]] or "").startswith(f"{group}-")


def test_thirty_two_gpus_are_four_whole_nodes(
    started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    (found,) = started(file_program(ROOT / "Pulumi.prod.yaml"))
    _, *workers = pods_of(found)
    assert [one["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for one in workers] == ["8"] * 4
    assert len(set(placed(cluster.client, workers).values())) == 4


SHAPES: dict[str, dict[str, Any]] = {
    "spanning": ray(**SPANNING),
    "autoscaled": ray(autoscaling=SCALING, ray={"version": "2.60.0", "redis": REDIS}),
    "stepwise": ray(autoscaling=SCALING, ray=STEPS),
    "several": ray(more()),
    "cluster": ray(kind="RayCluster", ray={"version": "2.60.0", "upgradeStrategy": "Recreate"}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_pod_with_what_the_operator_adds_is_admitted_under_restricted(
    name: str, started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    (found,) = started(stack_of(SHAPES[name]))
    pods = pods_of(found)
    for pod in pods:
        cluster.client.apply(pod, dry_run=True)
    assert None not in placed(cluster.client, pods).values()


def test_an_autoscaler_without_a_security_context_would_be_refused(
    started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    (found,) = started(stack_of(SHAPES["autoscaled"]))
    del found["spec"]["rayClusterConfig"]["autoscalerOptions"]["securityContext"]
    head, *_ = pods_of(found)
    with pytest.raises(ApiError, match=r'allowPrivilegeEscalation != false .container "autoscaler"'):
        cluster.client.apply(head, dry_run=True)


def test_one_worker_pod_at_a_time_may_be_evicted(
    started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    """The pods belong to a RayCluster, which has no scale subresource."""
    client = cluster.client
    (found,) = started(stack_of(SHAPES["cluster"]))
    reference = {
        **{key: found[key] for key in ("apiVersion", "kind")},
        **{key: found["metadata"][key] for key in ("name", "uid")},
        "controller": True,
        "blockOwnerDeletion": True,
    }
    _, *workers = pods_of(found)
    for pod in workers:
        pod["metadata"]["ownerReferences"] = [reference]
    assert None not in placed(client, workers).values()

    def budget() -> Object:
        return client.get("policy/v1", "PodDisruptionBudget", "chat", "ml-serving").get("status", {})

    wait("both worker pods to count", lambda: budget().get("currentHealthy") == len(workers) == 2)
    wait("one eviction to be allowed", lambda: budget()["disruptionsAllowed"] == 1)
    first, second = (client.get("v1", "Pod", one["metadata"]["name"], "ml-serving") for one in workers)
    client.evict(first)
    with pytest.raises(ApiError, match="disruption budget"):
        client.evict(second)


@pytest.mark.parametrize(("nodes", "fits"), [(4, True), (3, False)])
def test_preflight_and_the_scheduler_agree_on_the_second_cluster(
    nodes: int, fits: bool, started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    """Two copies on whole nodes: a second cluster needs two nodes more."""
    patch = ray({"nodeGroups": {"gpu": {"maxSize": nodes}}})
    assert ("RAY012" not in errors(patch)) == fits
    # The program stops at an error, so that the objects come from the same stack without upgrades.
    (found,) = started(
        stack_of(merged(patch, ray({"nodeGroups": {"gpu": {"maxSize": nodes}}}, ray={"upgradeStrategy": "None"})))
    )
    first, second = pods_of(found), pods_of(found, "fghij")
    assert None not in placed(cluster.client, first).values()
    assert (None not in placed(cluster.client, second).values()) == fits


@pytest.mark.parametrize(("nodes", "fits"), [(4, True), (3, False)])
def test_preflight_and_the_scheduler_agree_on_the_highest_load(
    nodes: int, fits: bool, started: Callable[[Program], list[Object]], cluster: ControlPlane
) -> None:
    given = inputs(
        patch := ray({"nodeGroups": {"gpu": {"maxSize": nodes}}}, autoscaling=SCALING, ray={"upgradeStrategy": "None"})
    )
    assert ("RAY013" not in {one.code for one in check(given, resolve(given))}) == fits
    (found,) = started(stack_of(patch))
    cluster_now = kuberay.cluster_of(found)
    for group in cluster_now["spec"]["workerGroupSpecs"]:
        group["replicas"] = group["maxReplicas"]
    assert (None not in placed(cluster.client, kuberay.pods(cluster_now)).values()) == fits
