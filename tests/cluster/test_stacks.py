"""Every stack file of the project, created for real: admitted, placed, ready."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from components.resolved import Stack
from preflight.check import check
from stacks.loader import load_file
from stacks.resolve import resolve
from tests.cluster import crds
from tests.cluster.client import ApiError, Client, Object, wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import group_nodes, stack_nodes
from tests.cluster.objects import ROOT, STACK_FILES, Program, a_program, file_program, of_kind
from tests.cluster.state import MODEL_SERVER, node_of, wait_for, wait_for_absence

pytestmark = pytest.mark.cluster


def _passes(path: Path) -> bool:
    inputs = load_file(path).inputs
    return inputs is not None and not any(one.severity == "error" for one in check(inputs, resolve(inputs)))


DEPLOYABLE = [path for path in STACK_FILES if _passes(path)]
every_stack = pytest.mark.parametrize("path", DEPLOYABLE, ids=lambda path: path.name.split(".")[1])


WIDE: dict[str, Any] = {
    "namespace": {"name": "ml-serving", "create": False},
    "cluster": {"provider": "eks", "name": "ml-test", "kubernetesVersion": "1.36"},
    "huggingFaceToken": {"secretName": "hf-token"},
    "platform": {"nvidiaDevicePlugin": {}},
    "nodeGroups": {
        "sliced": {
            "instanceTypes": ["g6.12xlarge"],
            "subnetIds": ["subnet-0a1b2c3d"],
            "maxSize": 2,
            "zones": ["us-east-1a", "us-east-1b"],
            "sharing": {"timeSlicing": {"replicas": 2}},
            "taints": [{"key": "team", "value": "ml", "effect": "NoSchedule"}],
        },
        "cut": {
            "instanceTypes": ["p4de.24xlarge"],
            "subnetIds": ["subnet-0a1b2c3d"],
            "zones": ["us-east-1a"],
            "maxSize": 1,
            "sharing": {"mig": {"profile": "3g.40gb", "slices": 2}},
        },
        "lab": {
            "provisioner": "existing",
            "gpu": "H100-80GB",
            "gpusPerNode": 8,
            "nodes": 2,
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
            "zones": ["us-east-1a"],
            "cpu": "190",
            "memory": "1900Gi",
            "ephemeralStorage": "500Gi",
        },
    },
    "volumes": {
        "shared": {"storage": "efs", "fileSystemId": "fs-0123", "size": "500Gi"},
        "disk": {"storage": "ebs", "size": "50Gi", "zone": "us-east-1a"},
        "late": {"storage": "ebs", "size": "50Gi"},
        "theirs": {"storage": "existingClaim", "claimName": "weights", "accessMode": "ReadWriteMany"},
        "fast": {
            "storage": "storageClass",
            "storageClassName": "fast",
            "accessMode": "ReadWriteMany",
            "size": "50Gi",
        },
    },
    "models": {
        name: {
            "id": "Qwen/Qwen3-0.6B",
            "revision": "c1899de289a04d12100db370d81485cdf75e47ca",
            "volume": name,
            **({"path": "qwen"} if name == "theirs" else {}),
        }
        for name in ("shared", "disk", "late", "theirs", "fast")
    },
    "workloads": {
        f"on-{volume}": {
            "kind": "Deployment",
            "model": volume,
            "nodeGroup": group,
            "replicas": replicas,
            "metrics": "podMonitor" if volume == "shared" else "annotations",
            "engine": {
                "name": "vllm",
                "version": "0.33.0",
                "maxModelLen": 8192,
                "tensorParallelSize": gpus,
                "gpuMemoryUtilization": 0.45,
            },
        }
        for volume, group, replicas, gpus in (
            ("shared", "sliced", 3, 1),
            ("disk", "cut", 1, 1),
            ("late", "lab", 1, 4),
            ("theirs", "lab", 1, 8),
            ("fast", "cut", 2, 1),
        )
    },
}
"""What the stack files don't use: shared and cut GPUs, nodes of others, each kind of volume, a custom resource."""


@pytest.fixture
def created(cluster: ControlPlane, request: pytest.FixtureRequest) -> Callable[[Program], Program]:
    """`created(program)`: the stack's nodes and objects are in the cluster, with what it expects to find there."""

    def create(program: Program) -> Program:
        if kinds := crds.custom_kinds(program.objects, cluster.client):
            crds.install(cluster.client, kinds, request.getfixturevalue("shared") / "crds")
        wait_for_absence(cluster.client, program.stack.namespace)
        cluster.add_nodes(stack_nodes(program.stack))
        cluster.apply(_surroundings(program.stack))
        cluster.apply(program.objects)
        return program

    return create


def _surroundings(stack: Stack) -> Iterable[Object]:
    """What a stack takes for granted: its namespace, a StorageClass, claims that somebody else made."""
    if not stack.create_namespace:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stack.namespace}}
    names = {one.storage_class_name for one in stack.volumes.values() if one.created and not one.storage_class}
    for name in [*sorted(names - {None}, key=str), "standard"]:
        metadata = {"name": name}
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata,
            "provisioner": "any.csi.example.com",
        }
    for volume in stack.volumes.values():
        if not volume.created:
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": volume.claim_name, "namespace": stack.namespace},
                "spec": {
                    "accessModes": [volume.access_mode],
                    "resources": {"requests": {"storage": str(volume.size or 2**40)}},
                    "storageClassName": "standard",
                },
            }


def test_the_stacks_that_people_start_from_are_all_here() -> None:
    assert {path for path in STACK_FILES if path.parent == ROOT} <= set(DEPLOYABLE)


def _comes_up(program: Program, client: Client) -> None:
    """Everything is ready, and each pod on a node of its group."""
    stack = program.stack
    wait_for(client, program.objects)
    groups = _groups_of_nodes(stack)
    pods = client.list("v1", "Pod", stack.namespace, labels=MODEL_SERVER)
    placed = Counter((_workload(pod), groups.get(node_of(pod) or "")) for pod in pods)
    wanted = {name: one for name, one in stack.workloads.items() if one.kind == "Deployment"}
    assert placed == {(name, one.node_group.name): one.replicas for name, one in wanted.items() if one.replicas}
    # The claims and Jobs were there to be waited for.
    assert len(of_kind(program.objects, "PersistentVolumeClaim")) == sum(one.created for one in stack.volumes.values())
    downloads = [one for volume in stack.volumes.values() if volume.created for one in volume.downloads]
    assert len(of_kind(program.objects, "Job")) == len(downloads)


@every_stack
def test_a_stack_comes_up_where_it_should(
    path: Path, created: Callable[[Program], Program], cluster: ControlPlane
) -> None:
    program = created(file_program(path))
    _comes_up(program, cluster.client)
    # Applying it again changes nothing.
    first, second = (cluster.apply(program.objects) for _ in range(2))
    assert [one["metadata"].get("generation") for one in first] == [one["metadata"].get("generation") for one in second]


def test_a_stack_with_every_kind_of_nodes_and_volumes_comes_up(
    created: Callable[[Program], Program], cluster: ControlPlane
) -> None:
    program = created(a_program(WIDE, region="us-east-1"))
    _comes_up(program, cluster.client)
    monitors = cluster.client.list("monitoring.coreos.com/v1", "PodMonitor", program.stack.namespace)
    assert [one["metadata"]["name"] for one in monitors] == ["on-shared"]


def test_a_misspelt_field_is_refused(cluster: ControlPlane) -> None:
    program = file_program(ROOT / "Pulumi.local.yaml")
    wait_for_absence(cluster.client, program.stack.namespace)
    (namespace,) = of_kind(program.objects, "Namespace")
    (deployment,) = of_kind(program.objects, "Deployment")
    deployment["spec"]["template"]["spec"]["automountServiceAcountToken"] = False
    cluster.apply([namespace])
    with pytest.raises(ApiError, match="automountServiceAcountToken"):
        cluster.apply([deployment])


def test_pods_stay_off_a_node_that_lacks_their_groups_label(cluster: ControlPlane) -> None:
    program = file_program(ROOT / "Pulumi.dev.yaml")
    (group,) = program.stack.node_groups.values()
    nodes = list(group_nodes(group))
    for node in nodes:
        for key in group.node_selector:
            del node["metadata"]["labels"][key]
    wait_for_absence(cluster.client, program.stack.namespace)
    cluster.add_nodes(nodes)
    cluster.apply([*_surroundings(program.stack), *program.objects])
    client, namespace = cluster.client, program.stack.namespace

    def refused() -> list[str]:
        pods = client.list("v1", "Pod", namespace, labels=MODEL_SERVER)
        said = [one for pod in pods for one in pod["status"].get("conditions", ()) if one["type"] == "PodScheduled"]
        return [one["message"] for one in said if one["status"] == "False"]

    (message,) = wait("the scheduler's verdict", refused)
    assert "didn't match Pod's node affinity/selector" in message


def _groups_of_nodes(stack: Stack) -> dict[str, str]:
    return {node["metadata"]["name"]: group.name for group in stack.node_groups.values() for node in group_nodes(group)}


def _workload(pod: Object) -> str:
    return pod["metadata"]["labels"]["app.kubernetes.io/instance"]
