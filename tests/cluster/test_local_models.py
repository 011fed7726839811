"""Copies of models on nodes, in a real API server: KServe's claims are bound, its Jobs and its pods run on the nodes of the group."""

from pathlib import Path
from typing import Any

import pytest

from tests import kserve, kserve_local_models
from tests.cluster import crds
from tests.cluster.client import Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import Program, of_kind
from tests.cluster.state import condition, wait_for, wait_for_absence, why_pending
from tests.cluster.test_kserve import kept, pods_of
from tests.cluster.test_kserve import program as base_program
from tests.preflight.cases_local_models import LOCAL, both

pytestmark = pytest.mark.cluster

OPEN = {
    "huggingFaceToken": {"secretName": "hf-token", "configSecret": None},
    "models": {"llama": {"gated": False}},
}


def program(patch: dict[str, Any] | None = None) -> Program:
    return base_program(both(both(LOCAL, OPEN), patch or {}))


def started(cluster: ControlPlane, shared: Path, given: Program) -> dict[str, Object]:
    """Nodes, namespaces and every object are in the cluster; those of KServe by kind, as the API server has them."""
    crds.install(cluster.client, crds.custom_kinds(given.objects, cluster.client), shared / "crds")
    for one in of_kind(given.objects, "Namespace"):
        wait_for_absence(cluster.client, one["metadata"]["name"])
    cluster.add_nodes(stack_nodes(given.stack))
    cluster.apply(given.objects)
    found = {}
    for one in given.objects:
        if one["apiVersion"].startswith("serving.kserve.io/"):
            name, namespace = one["metadata"]["name"], one["metadata"].get("namespace")
            found[one["kind"]] = cluster.client.get(one["apiVersion"], one["kind"], name, namespace)
            assert kept(one["spec"], found[one["kind"]]["spec"])
    return found


def nodes_of(cluster: ControlPlane) -> list[str]:
    return sorted(one["metadata"]["name"] for one in cluster.client.list("v1", "Node"))


def test_the_download_and_the_services_pods_run_on_the_groups_nodes(cluster: ControlPlane, shared: Path) -> None:
    given = program()
    found = started(cluster, shared, given)
    cache, group = found["LocalModelCache"], found["LocalModelNodeGroup"]
    volumes = kserve_local_models.volumes(cache, group, given.stack.namespace)
    cluster.apply(volumes)
    wait_for(cluster.client, of_kind(volumes, "PersistentVolumeClaim"))
    node = nodes_of(cluster)[0]
    job = kserve_local_models.job(cache, group, found["ClusterStorageContainer"], node)
    cluster.apply([job])
    wait_for(cluster.client, [job])
    (download,) = cluster.client.list("v1", "Pod", kserve_local_models.JOBS)
    assert download["spec"]["nodeName"] == node
    service = kserve_local_models.admitted(found["InferenceService"], [cache])
    made = kserve_local_models.with_storage(kserve.deployment(service, found["ServingRuntime"]))
    cluster.apply([made])
    wait_for(cluster.client, [made])
    pods = pods_of(cluster, made)
    assert len(pods) == 2
    assert all(condition(one, "Ready") == "True" for one in pods)
    assert {one["spec"]["nodeName"] for one in pods} <= set(nodes_of(cluster))


def test_with_the_usual_gpu_taint_the_download_would_wait_for_ever(cluster: ControlPlane, shared: Path) -> None:
    given = program()
    found = started(cluster, shared, given)
    cache, group = found["LocalModelCache"], found["LocalModelNodeGroup"]
    volumes = kserve_local_models.volumes(cache, group, given.stack.namespace)
    cluster.apply(volumes)
    wait_for(cluster.client, of_kind(volumes, "PersistentVolumeClaim"))
    node = nodes_of(cluster)[0]
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    cluster.client.patch("v1", "Node", node, None, {"spec": {"taints": [taint]}})
    cluster.apply([kserve_local_models.job(cache, group, found["ClusterStorageContainer"], node)])

    def said() -> str:
        return "".join(why_pending(one) for one in cluster.client.list("v1", "Pod", kserve_local_models.JOBS))

    wait("the download to be refused its node", said)
    assert "untolerated taint" in said()
