"""Simulated nodes offer what the resolved node group says. (No control plane is needed here.)"""

from typing import Any

import pytest

from tests.cluster.nodes import group_nodes, stack_nodes
from tests.preflight.case import stack


def test_a_group_of_ec2_instances() -> None:
    gpu = stack({}).node_groups["gpu"]
    first, second = group_nodes(gpu)
    assert [one["metadata"]["name"] for one in (first, second)] == ["gpu-0", "gpu-1"]
    allocatable = first["status"]["allocatable"]
    assert allocatable["nvidia.com/gpu"] == "8"
    assert allocatable["cpu"] == f"{gpu.allocatable.cpu_millis}m"
    assert allocatable["memory"] == str(gpu.allocatable.memory)
    assert allocatable["ephemeral-storage"] == str(gpu.allocatable.ephemeral_storage)
    assert first["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    labels = first["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == "p5.48xlarge"
    assert labels["topology.kubernetes.io/zone"] == "us-east-1a"
    assert labels["topology.kubernetes.io/region"] == "us-east-1"
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3"
    assert gpu.node_selector.items() <= labels.items()


@pytest.mark.parametrize(
    ("sharing", "units", "product"),
    [
        ({"timeSlicing": {"replicas": 4}}, "32", "NVIDIA-A100-SXM4-40GB-SHARED"),
        ({"mps": {"replicas": 2}}, "16", "NVIDIA-A100-SXM4-40GB-SHARED"),
        ({"mig": {"profile": "1g.5gb", "slices": 7}}, "56", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"),
    ],
)
def test_shared_gpus(sharing: dict[str, Any], units: str, product: str) -> None:
    shared = {"instanceTypes": ["p4d.24xlarge"], "sharing": sharing}
    (node, _) = group_nodes(stack({"nodeGroups": {"gpu": shared}}).node_groups["gpu"])
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == units
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == product


def test_nodes_that_somebody_else_makes() -> None:
    lab = {
        "provisioner": "existing",
        "gpu": "L4",
        "gpusPerNode": 2,
        "nodes": 3,
        "nodeSelector": {"pool": "lab"},
        "cpu": "16",
        "tolerations": [{"key": "team", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}],
    }
    resolved = stack({"nodeGroups": {"lab": lab}})
    nodes = list(group_nodes(resolved.node_groups["lab"]))
    assert len(nodes) == 3
    assert nodes[0]["metadata"]["labels"]["pool"] == "lab"
    assert nodes[0]["status"]["allocatable"]["cpu"] == "16000m"
    assert nodes[0]["spec"]["taints"] == [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    # Beside them: the other group's two nodes and one without GPUs.
    assert len(stack_nodes(resolved)) == 6
    (system,) = [one for one in stack_nodes(resolved) if "nvidia.com/gpu" not in one["status"]["allocatable"]]
    assert "taints" not in system.get("spec", {})
