"""Draining a node by the eviction API, as `kubectl drain` and every autoscaler do, with replicas that never get ready too."""

import copy
from dataclasses import dataclass

import pytest

from tests.cluster.client import ApiError, Client, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import of_kind
from tests.cluster.small import WORKLOAD, small
from tests.cluster.state import MODEL_SERVER, condition, node_of, wait_for

pytestmark = pytest.mark.cluster

BLOCKED_SECONDS = 5
"""Evictions are asked for again and again for so long before a drain counts as blocked."""


@dataclass(frozen=True)
class Running:
    """The small stack, up."""

    client: Client
    namespace: str
    objects: list[Object]

    def pods(self, *, node: str | None = None) -> list[Object]:
        """Pods that aren't on their way out, of one node or of all."""
        pods = self.client.list("v1", "Pod", self.namespace, labels=MODEL_SERVER)
        return [one for one in pods if "deletionTimestamp" not in one["metadata"] and node in (None, node_of(one))]

    def nodes(self) -> list[str]:
        """Nodes with pods."""
        return sorted({node for one in self.pods() if (node := node_of(one))})


def running(cluster: ControlPlane, *, nodes: int, replicas: int) -> Running:
    """The small stack on so many nodes."""
    program = small(nodes=nodes, replicas=replicas)
    cluster.add_nodes(stack_nodes(program.stack))
    cluster.apply(program.objects)
    wait_for(cluster.client, program.objects)
    return Running(cluster.client, program.stack.namespace, program.objects)


def _break(stack: Running, pods: list[Object]) -> None:
    """The readiness probe fails from now on; KWOK leaves running pods as they are."""
    for pod in pods:
        conditions = [
            {**one, "status": "False"} if one["type"] in ("Ready", "ContainersReady") else one
            for one in pod["status"]["conditions"]
        ]
        stack.client.patch(
            "v1",
            "Pod",
            pod["metadata"]["name"],
            stack.namespace,
            {"status": {"conditions": conditions}},
            subresource="status",
        )
    names = {pod["metadata"]["name"] for pod in pods}

    def counted() -> bool:
        budget = stack.client.get("policy/v1", "PodDisruptionBudget", WORKLOAD, stack.namespace)["status"]
        left = [
            one for one in stack.pods() if one["metadata"]["name"] not in names and condition(one, "Ready") == "True"
        ]
        return budget.get("observedGeneration", 0) >= 1 and budget["currentHealthy"] == len(left)

    wait("the disruption budget to count the unready pods", counted)


def _drain(stack: Running, node: str, *, seconds: float = 30) -> None:
    """Raises TimeoutError where a disruption budget forbids an eviction all the time."""
    stack.client.patch("v1", "Node", node, None, {"spec": {"unschedulable": True}})

    def emptied() -> bool:
        for pod in stack.pods(node=node):
            try:
                stack.client.evict(pod)
            except ApiError as error:
                if error.code != 429:
                    raise
        return not stack.pods(node=node)

    wait(f"the drain of {node}", emptied, seconds=seconds)


def test_all_nodes_are_drained_one_after_the_other(cluster: ControlPlane) -> None:
    stack = running(cluster, nodes=3, replicas=2)
    for node in stack.nodes():
        _drain(stack, node)
        stack.client.patch("v1", "Node", node, None, {"spec": {"unschedulable": None}})
        wait_for(stack.client, stack.objects)


def test_two_replicas_are_never_away_at_once(cluster: ControlPlane) -> None:
    stack = running(cluster, nodes=2, replicas=2)
    first, second = stack.nodes()
    _drain(stack, first)
    # Its successor finds no node, so the other replica is the only one that serves.
    with pytest.raises(TimeoutError):
        _drain(stack, second, seconds=BLOCKED_SECONDS)


def test_a_node_whose_replica_is_never_ready_is_drained(cluster: ControlPlane) -> None:
    stack = running(cluster, nodes=3, replicas=2)
    node = stack.nodes()[0]
    _break(stack, stack.pods(node=node))
    _drain(stack, node)


def test_nodes_are_drained_when_no_replica_ever_gets_ready(cluster: ControlPlane) -> None:
    stack = running(cluster, nodes=2, replicas=2)
    _break(stack, stack.pods())
    for node in stack.nodes():
        _drain(stack, node)


def test_without_our_eviction_policy_that_drain_blocks_for_ever(cluster: ControlPlane) -> None:
    stack = running(cluster, nodes=2, replicas=2)
    budget = copy.deepcopy(of_kind(stack.objects, "PodDisruptionBudget")[0])
    assert budget["spec"].pop("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    stack.client.delete("policy/v1", "PodDisruptionBudget", WORKLOAD, stack.namespace)
    stack.client.create(budget)
    _break(stack, stack.pods())
    with pytest.raises(TimeoutError):
        _drain(stack, stack.nodes()[0], seconds=BLOCKED_SECONDS)
