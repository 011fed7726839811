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
from tests.cluster.state import condition, wait_for, wait_for_absence
from tests.preflight.case import BASE, merged
from tests.preflight.cases_kserve import BUCKET, HUB, ROLE
from tests.preflight.cases_kserve_llm import NODES, ROUTER, llm

pytestmark = pytest.mark.cluster

EXAMPLE = ROOT / "docs" / "examples" / "Pulumi.kserve-llm.yaml"
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


def placed(cluster: ControlPlane, pods: list[Object]) -> list[str | None]:
    """Creates the pods; the node of each, once the scheduler has decided on all of them."""
    for one in pods:
        cluster.client.create(one)
    namespace, names = pods[0]["metadata"]["namespace"], {one["metadata"]["name"] for one in pods}

    def decided() -> list[Object] | None:
        now = [one for one in cluster.client.list("v1", "Pod", namespace) if one["metadata"]["name"] in names]
        return now if all(condition(one, "PodScheduled") is not None for one in now) else None

    return [one["spec"].get("nodeName") for one in wait("the scheduler to decide", decided)]
