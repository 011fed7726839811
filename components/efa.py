"""Elastic Fabric Adapter (EFA): what nodes need for it, and what pods request of it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from components.resolved import Workload
from components.spec import MIB

RESOURCE = "vpc.amazonaws.com/efa"
"""What the EFA device plugin offers: https://docs.aws.amazon.com/eks/latest/userguide/device-management-efa.html (read 2026-11-22)."""
HUGE_PAGES = 5128
"""Of 2 MiB, of one node: as many as AWS's images with EFA set aside (https://docs.aws.amazon.com/eks/latest/userguide/node-efa.html)."""
HUGE_PAGE_BYTES = HUGE_PAGES * 2 * MIB
_POD_PAGES_MIB = 10_240
"""All of them but a few, for a pod with all GPUs of a node."""
UNKNOWN_CARDS = frozenset({"p6-b300.48xlarge"})
"""Types with more than one network card whose first card's EFA isn't known to us."""
# FI_PROVIDER and FI_EFA_USE_DEVICE_RDMA: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start-nccl.html (read 2026-11-22).
ENVIRONMENT: Mapping[str, str] = MappingProxyType({"FI_PROVIDER": "efa", "FI_EFA_USE_DEVICE_RDMA": "1"})
_LOCKED_BYTES = 8 * 1024**4
"""More than any node has, and exact in JSON's numbers."""


def devices(workload: Workload) -> dict[str, str]:
    """What a pod of a copy that spans nodes requests, by its share of the node's GPUs; nothing without EFA."""
    group, gpus = workload.node_group, workload.resources.gpus
    if workload.group_size == 1 or not group.efa_interfaces or not group.units_per_node:
        return {}
    pages = _POD_PAGES_MIB * gpus // group.units_per_node // 2 * 2
    return {
        RESOURCE: str(max(1, group.efa_interfaces * gpus // group.units_per_node)),
        "hugepages-2Mi": f"{pages}Mi",
    }


def environment(workload: Workload) -> dict[str, str]:
    """NCCL's way over EFA, where the pod has it."""
    return dict(ENVIRONMENT) if devices(workload) else {}


def interfaces(count: int) -> list[tuple[int, int, str]]:
    """Network card, device index and type of each interface of an instance with `count` EFA interfaces.

    An ENA interface for IP traffic, and EFA-only ones, which take no IP addresses: the layout that AWS recommends, also for P5
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html, read 2026-11-22).
    """
    return [(0, 0, "interface"), (0, 1, "efa-only"), *((card, 0, "efa-only") for card in range(1, count))]


# RDMA memory is locked. Containers inherit the node's limit, since Kubernetes has no field for it, and the capability IPC_LOCK, which Pod
# Security "restricted" forbids, has no effect in processes without root. AL2023 takes limits from a NodeConfig; Bottlerocket raises the
# limit and sets huge pages aside where it finds EFA (https://github.com/bottlerocket-os/bottlerocket-core-kit/pull/141, and
# awslabs/amazon-eks-ami 81fec2e: nodeadm/doc/examples.md; read 2026-11-22). RLIMIT_NOFILE as in the image's own
# containerd/base-runtime-spec.json: a list replaces the whole list.
USER_DATA = (
    f"""Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
sysctl -w vm.nr_hugepages={HUGE_PAGES}
""",
    f"""Content-Type: application/node.eks.aws

---
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  containerd:
    baseRuntimeSpec:
      process:
        rlimits:
          - {{type: RLIMIT_NOFILE, soft: 65536, hard: 1048576}}
          - {{type: RLIMIT_MEMLOCK, soft: {_LOCKED_BYTES}, hard: {_LOCKED_BYTES}}}
""",
)
"""Parts of an AL2023 node's user data: huge pages, and the limit of locked memory."""
