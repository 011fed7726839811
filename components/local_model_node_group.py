"""LocalModelNodeGroup: nodes whose disks keep models for KServe."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.infrastructure import NodeGroup
from components.kserve_spec import scoped
from components.local_model_spec import labels, node_group_spec


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalModelNodeGroupArgs:
    """Arguments of LocalModelNodeGroup."""

    nodes: NodeGroup
    """The resolved node group."""
    namespace: str
    """Of the services; part of the object's name, which belongs to no namespace."""
    size: int
    """Bytes of all models on each node."""


class LocalModelNodeGroup(pulumi.ComponentResource):
    """KServe's LocalModelNodeGroup for a node group. Volumes that KServe has made keep their size when it changes: the size is a claim's
    request, and nothing on the node enforces it."""

    group: pulumi.Resource
    """What caches must wait for."""

    def __init__(self, name: str, args: LocalModelNodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:LocalModelNodeGroup", name, None, opts)
        self.group = k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="LocalModelNodeGroup",
            metadata={"name": scoped(args.namespace, args.nodes.name), "labels": labels("local-models")},
            spec=node_group_spec(args.nodes, args.size),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
