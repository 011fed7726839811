"""LeaderWorkerSets in a real API server, and the pods that the lws controller would make of them on a real scheduler."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from preflight.check import check
from stacks.loader import load_file
from stacks.resolve import resolve
from tests import lws
from tests.cluster import crds
from tests.cluster.client import ApiError, Client, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import group_nodes
from tests.cluster.objects import ROOT, Program, a_program, file_program, of_kind
from tests.cluster.state import condition, cordon, node_of, wait_for_absence, why_pending
from tests.preflight.case import BASE, inputs, merged
from tests.preflight.cases_multi_node import group

pytestmark = pytest.mark.cluster

EXAMPLE = ROOT / "docs" / "examples" / "Pulumi.multi-node.yaml"
ZONE = "topology.kubernetes.io/zone"


@pytest.fixture
def started(cluster: ControlPlane, shared: Path) -> Callable[[Program], Object]:
    """`started(program)`: nodes, namespace and every object are in the cluster; the LeaderWorkerSet as the API server has it."""

    def start(program: Program) -> Object:
        crds.install(cluster.client, crds.custom_kinds(program.objects, cluster.client), shared / "crds")
        wait_for_absence(cluster.client, program.stack.namespace)
        for one in program.stack.node_groups.values():
            cluster.add_nodes(group_nodes(one))
        cluster.apply(program.objects)
        (found,) = of_kind(program.objects, "LeaderWorkerSet")
        name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        return cluster.client.get(found["apiVersion"], found["kind"], name, namespace)

    return start


def stack_of(patch: dict[str, Any]) -> Program:
    # The namespace is created with "restricted" enforced.
    return a_program(merged(merged(BASE, {"namespace": {"create": True}}), patch), region="us-east-1")


def errors(patch: dict[str, Any]) -> set[str]:
    given = inputs(patch)
    return {one.code for one in check(given, resolve(given)) if one.severity == "error"}


def placed(client: Client, pods: list[Object]) -> dict[str, str | None]:
    """Node of each pod, once the scheduler has decided on all of them."""
    namespace = pods[0]["metadata"]["namespace"]
    names = [one["metadata"]["name"] for one in pods]

    def decided() -> dict[str, str | None] | None:
        now = {one["metadata"]["name"]: one for one in client.list("v1", "Pod", namespace)}
        if any(condition(now[name], "PodScheduled") is None for name in names):
            return None
        return {name: node_of(now[name]) for name in names}

    return wait("the scheduler to decide", decided)


def created(client: Client, pods: list[Object]) -> dict[str, str | None]:
    for one in pods:
        client.create(one)
    return placed(client, pods)


def gone(client: Client, pods: list[Object]) -> None:
    """Deletes pods at once, and waits."""
    namespace = pods[0]["metadata"]["namespace"]
    names = {one["metadata"]["name"] for one in pods}
    for name in names:
        client.delete("v1", "Pod", name, namespace, now=True)
    wait(
        "pods to be gone", lambda: not names & {one["metadata"]["name"] for one in client.list("v1", "Pod", namespace)}
    )


def test_the_example_is_accepted_and_every_pod_of_it_is_admitted_and_placed(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    loaded = load_file(EXAMPLE)
    assert loaded.inputs is not None
    assert not [one for one in check(loaded.inputs, resolve(loaded.inputs)) if one.severity == "error"]
    found = started(file_program(EXAMPLE))
    # The API server kept every field.
    given = next(one for one in file_program(EXAMPLE).objects if one["kind"] == "LeaderWorkerSet")
    assert _kept(given["spec"], found["spec"])
    pods = lws.pods(found)
    nodes = created(cluster.client, pods)
    assert len(pods) == 4
    assert None not in nodes.values()
    # Each has a node of its own: all its GPUs, network adapters and huge pages.
    assert len(set(nodes.values())) == 4
    for pod in pods:
        limits = pod["spec"]["containers"][0]["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == "8"
        assert limits["vpc.amazonaws.com/efa"] == "32"


def _kept(given: Any, found: Any) -> bool:
    """`found` has everything of `given`, and maybe defaults beside it."""
    if isinstance(given, dict):
        return all(key in found and _kept(value, found[key]) for key, value in given.items())
    if isinstance(given, list):
        return len(given) == len(found) and all(map(_kept, given, found))
    return given == found


def test_the_pods_of_a_group_are_refused_where_they_would_break_restricted(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    found = started(stack_of(group(replicas=1)))
    (pod, *_) = lws.pods(found)
    pod["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] = ["IPC_LOCK"]
    with pytest.raises(ApiError, match="unrestricted capabilities"):
        cluster.client.create(pod)


@pytest.mark.parametrize(("nodes", "waiting"), [(4, 0), (3, 1)])
def test_preflight_and_the_scheduler_agree_on_the_number_of_nodes(
    nodes: int, waiting: int, started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    patch = group(nodes={"maxSize": nodes})
    assert ("POD006" in errors(patch)) is bool(waiting)
    program = stack_of(group())
    found = started(program)
    cluster.remove_nodes([f"gpu-{index}" for index in range(nodes, 8)])
    found_nodes = created(cluster.client, lws.pods(found))
    assert list(found_nodes.values()).count(None) == waiting
    for name, node in found_nodes.items():
        if node is None:
            assert "Insufficient nvidia.com/gpu" in why_pending(cluster.client.get("v1", "Pod", name, "ml-serving"))


def test_groups_are_replaced_one_at_a_time_without_a_spare_node(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    """As the controller does: the last group first (rollingUpdatePartition), the next when it is there."""
    patch = group(nodes={"maxSize": 4})
    assert not {"POD006", "ROL001"} & errors(patch)
    found = started(stack_of(patch))
    before = created(cluster.client, lws.pods(found))
    assert None not in before.values()
    for index in (1, 0):
        old = lws.group(found, index)
        gone(cluster.client, old)
        changed = copy.deepcopy(found)
        changed["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"][0]["env"].append(
            {"name": "REVISION", "value": "2"}
        )
        after = created(cluster.client, lws.group(changed, index))
        freed = {before[one["metadata"]["name"]] for one in old}
        assert set(after.values()) == freed


def test_a_surging_group_waits_for_nodes_exactly_where_preflight_says_so(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    assert "ROL001" in errors(group(nodes={"maxSize": 5}, rollout="surge"))
    assert "ROL001" not in errors(group(nodes={"maxSize": 6}, rollout="surge"))
    found = started(stack_of(group(nodes={"maxSize": 6}, rollout="surge")))
    cluster.remove_nodes(["gpu-5"])
    surging = copy.deepcopy(found)
    surging["spec"]["replicas"] = 3
    nodes = created(cluster.client, lws.pods(surging))
    assert list(nodes.values()).count(None) == 1


def test_an_eviction_ends_one_group_and_no_other_pod_may_go_until_it_is_back(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    """As the controller does: as soon as a worker is being deleted, it deletes the leader, and with it the whole group.

    Only then the budget is certain. A StatefulSet without any pod isn't counted, so that a worker alone that is gone and has no
    successor yet would leave room for one more.
    """
    found = started(stack_of(group(nodes={"maxSize": 4})))
    client, namespace = cluster.client, found["metadata"]["namespace"]
    sets, nodes = lws.stateful_sets(found), [f"gpu-{index}" for index in range(4)]
    workers = sets[-1]

    def budget() -> Object:
        return client.get("policy/v1", "PodDisruptionBudget", "chat", namespace)["status"]

    def evict(name: str) -> None:
        client.evict(client.get("v1", "Pod", name, namespace))

    def none_may_go() -> None:
        for name in ("chat-0", "chat-0-1"):
            with pytest.raises(ApiError, match="disruption budget"):
                evict(name)

    try:
        cluster.apply(sets)
        wait("four pods to be ready", lambda: budget()["currentHealthy"] == 4)
        assert (budget()["expectedPods"], budget()["disruptionsAllowed"]) == (4, 1)
        # Nothing takes the pods' place.
        cordon(client, nodes)
        evict("chat-1-1")
        client.delete("apps/v1", "StatefulSet", workers["metadata"]["name"], namespace)
        client.delete("v1", "Pod", "chat-1", namespace)
        wait("the group to be gone", lambda: budget()["currentHealthy"] == 2 and budget()["expectedPods"] == 3)
        none_may_go()
        cluster.apply([workers])
        wait("the group to be counted again", lambda: budget()["expectedPods"] == 4)
        none_may_go()
        for name in nodes:
            client.patch("v1", "Node", name, None, {"spec": {"unschedulable": None}})
        wait("the group to be back", lambda: budget()["currentHealthy"] == 4 and budget()["disruptionsAllowed"] == 1)
        evict("chat-0-1")
    finally:
        for one in sets:
            client.delete("apps/v1", "StatefulSet", one["metadata"]["name"], namespace)


def test_an_exclusive_topology_gives_each_group_a_zone_of_its_own(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    patch = group(nodes={"maxSize": 6, "zones": ["us-east-1a", "us-east-1b", "us-east-1c"]}, exclusiveTopology=ZONE)
    assert "LWS006" not in errors(patch)
    found = started(stack_of(patch))
    zones = {one["metadata"]["name"]: one["metadata"]["labels"].get(ZONE) for one in cluster.client.list("v1", "Node")}
    leaders = created(cluster.client, lws.pods(found))
    assert list(leaders) == ["chat-0", "chat-1"]
    domains = {name: str(zones[str(node)]) for name, node in leaders.items()}
    assert len(set(domains.values())) == 2
    workers = [one for one in lws.pods(found, topology=domains) if one["metadata"]["name"] not in domains]
    for name, node in created(cluster.client, workers).items():
        assert zones[str(node)] == domains[name.rsplit("-", 1)[0]]


def test_more_groups_than_zones_leave_one_waiting_as_preflight_says(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    patch = group(nodes={"maxSize": 6, "zones": ["us-east-1a"]}, exclusiveTopology=ZONE)
    assert "LWS006" in errors(patch)
    roomy = group(nodes={"maxSize": 6, "zones": ["us-east-1a", "us-east-1b"]}, exclusiveTopology=ZONE)
    found = started(stack_of(roomy))
    in_second = [one["metadata"]["name"] for one in _nodes_of(cluster, "us-east-1b")]
    cluster.remove_nodes(in_second)
    assert list(created(cluster.client, lws.pods(found)).values()).count(None) == 1


def _nodes_of(cluster: ControlPlane, zone: str) -> Iterator[Object]:
    return (one for one in cluster.client.list("v1", "Node") if one["metadata"]["labels"].get(ZONE) == zone)
