"""A new image where no GPU is spare: our strategy gets through, and the one that Kubernetes would take hangs."""

import copy
from typing import Any

import pytest

from tests.cluster.client import Client, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import of_kind
from tests.cluster.small import WORKLOAD, small
from tests.cluster.state import MODEL_SERVER, rolled_out, scheduler_events, wait_for

pytestmark = pytest.mark.cluster

NEW_IMAGE = "vllm/vllm-openai:v0.33.1"
IN_PLACE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
DEADLINE_SECONDS = 10


def _running(cluster: ControlPlane, *, nodes: int, replicas: int = 2, **workload: Any) -> Object:
    """The Deployment of the small stack, up, on a node for each replica."""
    program = small(nodes=nodes, replicas=replicas, **workload)
    cluster.add_nodes(stack_nodes(program.stack))
    cluster.apply(program.objects)
    wait_for(cluster.client, program.objects)
    return of_kind(program.objects, "Deployment")[0]


def _with_new_image(deployment: Object) -> Object:
    changed = copy.deepcopy(deployment)
    (container,) = changed["spec"]["template"]["spec"]["containers"]
    assert container["image"] != NEW_IMAGE
    container["image"] = NEW_IMAGE
    return changed


def _now(client: Client, deployment: Object) -> Object:
    return client.get("apps/v1", "Deployment", WORKLOAD, deployment["metadata"]["namespace"])


def _images(client: Client, deployment: Object) -> list[str]:
    pods = client.list("v1", "Pod", deployment["metadata"]["namespace"], labels=MODEL_SERVER)
    return sorted(container["image"] for pod in pods for container in pod["spec"]["containers"])


def test_a_rollout_without_a_spare_gpu_completes(cluster: ControlPlane) -> None:
    deployment = _running(cluster, nodes=2)
    assert deployment["spec"]["strategy"] == IN_PLACE
    cluster.apply([_with_new_image(deployment)])
    wait("the rollout in place", lambda: rolled_out(_now(cluster.client, deployment)))
    assert _images(cluster.client, deployment) == [NEW_IMAGE, NEW_IMAGE]


def test_the_same_rollout_with_surge_hangs_on_the_missing_gpu(cluster: ControlPlane) -> None:
    deployment = _running(cluster, nodes=2)
    (old,) = {one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]}
    changed = _with_new_image(deployment)
    changed["spec"].update(strategy=SURGE, progressDeadlineSeconds=DEADLINE_SECONDS)
    cluster.apply([changed])

    def gave_up() -> bool:
        conditions = _now(cluster.client, deployment)["status"]["conditions"]
        return any(one.get("reason") == "ProgressDeadlineExceeded" for one in conditions)

    wait("the Deployment to report that it hangs", gave_up, seconds=DEADLINE_SECONDS + 20)
    assert not rolled_out(_now(cluster.client, deployment))
    assert _images(cluster.client, deployment) == [old, old, NEW_IMAGE]
    messages = [one["message"] for one in scheduler_events(cluster.client, deployment["metadata"]["namespace"])]
    assert any("Insufficient nvidia.com/gpu" in message for message in messages), messages


def test_surge_completes_where_a_node_is_spare(cluster: ControlPlane) -> None:
    deployment = _running(cluster, nodes=3, rollout="surge")
    assert deployment["spec"]["strategy"] == SURGE
    cluster.apply([_with_new_image(deployment)])
    wait("the rollout with surge", lambda: rolled_out(_now(cluster.client, deployment)))
    assert _images(cluster.client, deployment) == [NEW_IMAGE, NEW_IMAGE]
