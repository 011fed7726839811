"""LLMInferenceServices in a real API server, and what KServe would make of them, with real controllers and scheduler."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import kserve_llm, lws
from tests.cluster import crds
from tests.cluster.client import ApiError, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import ROOT, Program, a_program, file_program, of_kind
from tests.cluster.state import condition, cordon, wait_for, wait_for_absence
from tests.preflight.case import BASE, merged
from tests.preflight.cases_kserve import BUCKET, HUB, ROLE
from tests.preflight.cases_kserve_llm import NODES, ROUTER, SPLIT, llm

pytestmark = pytest.mark.cluster

EXAMPLE = ROOT / "docs" / "examples" / "Pulumi.kserve-llm.yaml"
PREFILL_EXAMPLE = ROOT / "docs" / "examples" / "Pulumi.kserve-prefill.yaml"
SOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "volume": ({}, {}),
    "s3": (BUCKET, {"awsRole": ROLE}),
    "hub": (merged(HUB, {"huggingFaceToken": {"key": "HF_TOKEN"}}), {}),
}
CERTIFICATES: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-kserve-self-signed-certs"}}
"""The controller makes it before the pods, and the preset mounts it."""


def program(patch: dict[str, Any] | None = None, **chat: Any) -> Program:
    # The namespace is created with "restricted" enforced.
    return a_program(merged(merged(BASE, {"namespace": {"create": True}}), llm(patch, **chat)), region="us-east-1")


@pytest.fixture
def started(cluster: ControlPlane, shared: Path) -> Callable[[Program], Object]:
    """`started(program)`: nodes, namespace and every object are in the cluster; the LLMInferenceService as the API server has it."""

    def start(given: Program) -> Object:
        crds.install(cluster.client, crds.custom_kinds(given.objects, cluster.client), shared / "crds")
        wait_for_absence(cluster.client, given.stack.namespace)
        cluster.add_nodes(stack_nodes(given.stack))
        cluster.apply(given.objects)
        (service,) = of_kind(given.objects, "LLMInferenceService")
        metadata = service["metadata"]
        found = cluster.client.get(service["apiVersion"], service["kind"], metadata["name"], metadata["namespace"])
        assert kept(service["spec"], found["spec"])
        cluster.apply([merged(CERTIFICATES, {"metadata": {"namespace": metadata["namespace"]}})])
        return found

    return start


def kept(given: Any, found: Any) -> bool:
    """`found` has everything of `given`, and maybe defaults beside it: no field was pruned."""
    if isinstance(given, dict):
        return all(key in found and kept(value, found[key]) for key, value in given.items())
    if isinstance(given, list):
        return len(given) == len(found) and all(map(kept, given, found))
    return given == found


@pytest.mark.parametrize("source", SOURCES)
def test_the_pods_are_admitted_as_restricted_and_run_on_the_nodes(
    source: str, started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    patch, keys = SOURCES[source]
    made = kserve_llm.deployment(started(program(patch, **keys)))
    cluster.apply([made])
    wait_for(cluster.client, [made])
    labels = made["spec"]["selector"]["matchLabels"].items()
    pods = [
        one
        for one in cluster.client.list("v1", "Pod", made["metadata"]["namespace"])
        if labels <= one["metadata"].get("labels", {}).items()
    ]
    assert len(pods) == 2
    for pod in pods:
        assert condition(pod, "Ready") == "True"
        assert pod["spec"]["nodeName"].startswith("gpu-")


def test_a_sleep_beside_the_presets_command_would_be_refused(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    """The preset's preStop is a command, and other kinds of ours have a sleep: merged, both would be there."""
    service = started(program())
    (container,) = service["spec"]["template"]["containers"]
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 15}}}
    made = kserve_llm.deployment(service)
    with pytest.raises(ApiError, match="more than 1 handler type"):
        cluster.client.create(made)


def test_the_router_is_accepted(started: Callable[[Program], Object]) -> None:
    keys: dict[str, Any] = {"router": {**ROUTER, "scheduler": True}, "allowFrom": [{"namespace": "gateways"}]}
    found = started(program(**keys))
    assert found["spec"]["router"] == {
        "route": {},
        "gateway": {"refs": [{"name": "inference", "namespace": "gateways"}]},
        "scheduler": {},
    }


def test_every_pod_of_a_copy_on_several_nodes_is_admitted_and_placed(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    given = program(rollout="in-place", replicas=1, engine=NODES)
    service = started(given)
    (preset,) = of_kind(given.objects, "LLMInferenceServiceConfig")
    pods = lws.pods(kserve_llm.leader_worker_set(service, preset["spec"]))
    assert len(pods) == 2
    nodes = placed(cluster, pods)
    assert None not in nodes
    assert len(set(nodes)) == 2


def test_the_example_is_accepted_and_every_pod_of_it_is_admitted_and_placed(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    given = file_program(EXAMPLE)
    service = started(given)
    (preset,) = of_kind(given.objects, "LLMInferenceServiceConfig")
    assert None not in placed(cluster, lws.pods(kserve_llm.leader_worker_set(service, preset["spec"])))


def split(maximum: int = 2, **chat: Any) -> Program:
    """Two copies that decode, and two that prefill."""
    return program({"nodeGroups": {"gpu": {"minSize": 1, "maxSize": maximum}}}, **{**SPLIT, **chat})


def both(service: Object) -> list[Object]:
    return [kserve_llm.deployment(service), kserve_llm.prefill(service)]


def pods_of(cluster: ControlPlane, deployment: Object) -> list[Object]:
    labels = deployment["spec"]["selector"]["matchLabels"].items()
    return [
        one
        for one in cluster.client.list("v1", "Pod", deployment["metadata"]["namespace"])
        if labels <= one["metadata"].get("labels", {}).items() and "deletionTimestamp" not in one["metadata"]
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_pods_that_decode_and_pods_that_prefill_are_admitted_as_restricted_and_run(
    source: str, started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    patch, keys = SOURCES[source]
    made = both(started(program(patch, **SPLIT, **keys)))
    cluster.apply(made)
    wait_for(cluster.client, made)
    for one in made:
        pods = pods_of(cluster, one)
        assert len(pods) == 2
        assert {condition(pod, "Ready") for pod in pods} == {"True"}


def test_a_drain_leaves_each_side_a_pod(started: Callable[[Program], Object], cluster: ControlPlane) -> None:
    made = both(started(split()))
    cluster.apply(made)
    wait_for(cluster.client, made)
    namespace = made[0]["metadata"]["namespace"]

    def counted() -> bool:
        found = [
            cluster.client.get("policy/v1", "PodDisruptionBudget", name, namespace).get("status", {})
            for name in ("chat", "chat-kserve-prefill")
        ]
        return [(one.get("expectedPods"), one.get("disruptionsAllowed")) for one in found] == [(2, 1), (2, 1)]

    wait("the budgets to count KServe's pods", counted)
    cordon(cluster.client, {pod["spec"]["nodeName"] for one in made for pod in pods_of(cluster, one)})
    for one in made:
        first, second = pods_of(cluster, one)
        cluster.client.evict(first)
        with pytest.raises(ApiError, match="disruption budget"):
            cluster.client.evict(second)


def test_an_update_of_both_sides_needs_room_for_one_pod_more(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    """KServe's Deployments have Kubernetes' 25 %: each wants one more, and one after the other gets it."""
    keys: dict[str, Any] = {"prefill": {"replicas": 1}}
    given = split(1, **keys, engine={"tensorParallelSize": 2})
    made = both(started(given))
    cluster.apply(made)
    wait_for(cluster.client, made)
    (changed,) = of_kind(
        split(1, **keys, engine={"tensorParallelSize": 2, "maxModelLen": 4096}).objects, "LLMInferenceService"
    )
    new = both(changed)
    cluster.apply(new)
    wait_for(cluster.client, new)
    for one in new:
        for pod in pods_of(cluster, one):
            assert "--max-model-len=4096" in pod["spec"]["containers"][0]["args"]


def test_prefill_cannot_be_added_to_a_service_that_runs(
    started: Callable[[Program], Object], cluster: ControlPlane
) -> None:
    """The role of its pods is in the selector of KServe's Deployment."""
    before, after = started(program(router=SPLIT["router"])), of_kind(split().objects, "LLMInferenceService")[0]
    cluster.apply([kserve_llm.deployment(before)])
    with pytest.raises(ApiError, match="field is immutable"):
        cluster.apply([kserve_llm.deployment(after)])


def test_the_example_with_prefill_runs(started: Callable[[Program], Object], cluster: ControlPlane) -> None:
    made = both(started(file_program(PREFILL_EXAMPLE)))
    cluster.apply(made)
    wait_for(cluster.client, made)
    assert [len(pods_of(cluster, one)) for one in made] == [2, 2]


def placed(cluster: ControlPlane, pods: list[Object]) -> list[str | None]:
    """Creates the pods; the node of each, once the scheduler has decided on all of them."""
    for one in pods:
        cluster.client.create(one)
    namespace, names = pods[0]["metadata"]["namespace"], {one["metadata"]["name"] for one in pods}

    def decided() -> list[Object] | None:
        now = [one for one in cluster.client.list("v1", "Pod", namespace) if one["metadata"]["name"] in names]
        return now if all(condition(one, "PodScheduled") is not None for one in now) else None

    return [one["spec"].get("nodeName") for one in wait("the scheduler to decide", decided)]
