"""InferenceServices that span two nodes in a real API server, and KServe's two Deployments of them, with real controllers and scheduler."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import kserve_worker
from tests.cluster import crds
from tests.cluster.client import Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import ROOT, Program, a_program, file_program, of_kind
from tests.cluster.state import condition, rolled_out, wait_for, wait_for_absence
from tests.cluster.test_kserve import kept
from tests.preflight.case import BASE, merged
from tests.preflight.cases_kserve_worker import two

pytestmark = pytest.mark.cluster

EXAMPLE = ROOT / "docs" / "examples" / "Pulumi.kserve-nodes.yaml"
EFA: dict[str, Any] = {
    "nodeGroups": {"gpu": {"efa": True, "capacity": "on-demand"}},
    "platform": {"efaDevicePlugin": {}},
}


def program(patch: dict[str, Any] | None = None, **chat: Any) -> Program:
    # The namespace is created with "restricted" enforced.
    return a_program(merged(merged(BASE, {"namespace": {"create": True}}), two(patch, **chat)), region="us-east-1")


@pytest.fixture
def started(cluster: ControlPlane, shared: Path) -> Callable[[Program], tuple[Object, Object]]:
    """`started(program)`: nodes, namespace, every object and KServe's two Deployments with their Services are in the cluster, and the
    Deployments are ready."""

    def start(given: Program) -> tuple[Object, Object]:
        crds.install(cluster.client, crds.custom_kinds(given.objects, cluster.client), shared / "crds")
        wait_for_absence(cluster.client, given.stack.namespace)
        cluster.add_nodes(stack_nodes(given.stack))
        cluster.apply(given.objects)
        service, runtime = (stored(cluster, one) for one in parts(given))
        leader, worker = kserve_worker.deployments(service, runtime)
        cluster.apply([*kserve_worker.services(service, leader), leader, worker])
        wait_for(cluster.client, [leader, worker])
        return leader, worker

    return start


def parts(given: Program) -> tuple[Object, Object]:
    (service,), (runtime,) = (of_kind(given.objects, kind) for kind in ("InferenceService", "ServingRuntime"))
    return service, runtime


def stored(cluster: ControlPlane, given: Object) -> Object:
    """The object as the API server has it; every field that was given is there, so that none was pruned."""
    metadata = given["metadata"]
    found = cluster.client.get(given["apiVersion"], given["kind"], metadata["name"], metadata["namespace"])
    assert kept(given["spec"], found["spec"])
    return found


def pods_of(cluster: ControlPlane, deployment: Object) -> list[Object]:
    selector = deployment["spec"]["selector"]["matchLabels"].items()
    return [
        one
        for one in cluster.client.list("v1", "Pod", deployment["metadata"]["namespace"])
        if selector <= one["metadata"].get("labels", {}).items()
    ]


@pytest.mark.parametrize("given", ["plain", "efa", "example"])
def test_leader_and_worker_are_admitted_as_restricted_and_run_on_two_nodes(
    given: str, started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    programs = {"plain": program, "efa": lambda: program(EFA), "example": lambda: file_program(EXAMPLE)}
    found = [pods_of(cluster, one) for one in started(programs[given]())]
    assert [len(one) for one in found] == [1, 1]
    ((leader,), (worker,)) = found
    assert {condition(one, "Ready") for one in (leader, worker)} == {"True"}
    assert leader["spec"]["nodeName"] != worker["spec"]["nodeName"]
    for one in (leader, worker):
        (container,) = one["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_the_leaders_service_has_its_address_and_not_the_workers(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    leader, _ = started(program())
    (pod,) = pods_of(cluster, leader)
    namespace = leader["metadata"]["namespace"]

    def addresses() -> list[str]:
        return [
            address
            for one in cluster.client.list("discovery.k8s.io/v1", "EndpointSlice", namespace)
            if one["metadata"]["labels"].get("kubernetes.io/service-name") == "chat-head-1"
            for endpoint in one.get("endpoints") or ()
            for address in endpoint["addresses"]
        ]

    assert wait("the address of the leader", addresses) == [pod["status"]["podIP"]]


def test_an_update_replaces_both_pods_on_the_same_two_nodes(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    engine = {"maxModelLen": 4096}
    before = started(program())
    nodes = {one["spec"]["nodeName"] for deployment in before for one in pods_of(cluster, deployment)}
    service, runtime = parts(program(engine=engine))
    cluster.apply([service])
    after = kserve_worker.deployments(stored(cluster, service), runtime, generation=2)
    cluster.apply(list(after))

    def replaced() -> bool:
        now = [cluster.client.get("apps/v1", "Deployment", *name(one)) for one in after]
        return all(map(rolled_out, now))

    wait("the rollout of both", replaced)
    found = [one for deployment in after for one in pods_of(cluster, deployment)]
    assert {one["metadata"]["labels"]["isvc.generation"] for one in found} == {"2"}
    assert {one["spec"]["nodeName"] for one in found} == nodes
    assert len(nodes) == 2


def test_the_budget_counts_the_pods_of_both_deployments(
    started: Callable[[Program], tuple[Object, Object]], cluster: ControlPlane
) -> None:
    leader, _ = started(program())

    def budget() -> bool:
        found = cluster.client.get("policy/v1", "PodDisruptionBudget", *name(leader, "chat"))
        return found.get("status", {}).get("expectedPods") == 2 and found["status"]["disruptionsAllowed"] == 1

    wait("the budget to count both pods", budget)


def name(given: Object, other: str | None = None) -> tuple[str, str]:
    return other or given["metadata"]["name"], given["metadata"]["namespace"]
