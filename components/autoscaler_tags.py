"""What Cluster Autoscaler is told of a managed node group that has no node yet. Pure."""

from components import efa
from components.infrastructure import NodeGroup

# Cluster Autoscaler reads these tags of a managed node group (DescribeNodegroup) for groups without nodes; labels and
# taints it takes from the group itself. kubernetes/autoscaler: cloudprovider/aws/aws_manager.go, buildNodeFromTemplate.
_AUTOSCALER_RESOURCE = "k8s.io/cluster-autoscaler/node-template/resources/"


def autoscaler_tags(nodes: NodeGroup) -> dict[str, str]:
    """Tags from which Cluster Autoscaler knows what a first node would offer.

    Pods request ephemeral storage, of which EC2's instance types say nothing, and units of a shared GPU, of which there
    are more than GPUs. Without these tags a group with no nodes never grows. Storage is in whole Mi, rounded down.
    """
    tags = {}
    if nodes.allocatable.ephemeral_storage is not None:
        tags[f"{_AUTOSCALER_RESOURCE}ephemeral-storage"] = f"{nodes.allocatable.ephemeral_storage // 1024**2}Mi"
    if nodes.sharing is not None:
        tags[f"{_AUTOSCALER_RESOURCE}{nodes.gpu_resource}"] = str(nodes.units_per_node)
    if nodes.efa_interfaces:
        tags[f"{_AUTOSCALER_RESOURCE}{efa.RESOURCE}"] = str(nodes.efa_interfaces)
        tags[f"{_AUTOSCALER_RESOURCE}hugepages-2Mi"] = f"{efa.HUGE_PAGES * 2}Mi"
    return tags
