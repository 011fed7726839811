"""A managed node group of GPU instances on an EKS cluster, with its launch template and IAM role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import efa
from components.autoscaler_tags import autoscaler_tags
from components.infrastructure import EksNodes, NodeGroup, Taint
from components.node_user_data import user_data

# EKS spells the effects its own way: https://docs.aws.amazon.com/eks/latest/APIReference/API_Taint.html
_EFFECTS = {"NoSchedule": "NO_SCHEDULE", "NoExecute": "NO_EXECUTE", "PreferNoSchedule": "PREFER_NO_SCHEDULE"}
# The provider adds 26 characters to the prefix and EKS allows 63 in all:
# https://github.com/hashicorp/terraform-provider-aws/issues/29974
_LONGEST_PREFIX = 37
# https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html (read 2026-11-22). The CNI policy is for
# clusters whose VPC CNI has no role of its own: without either, nodes never become ready.
_POLICIES = {
    "worker-node": "AmazonEKSWorkerNodePolicy",
    "registry": "AmazonEC2ContainerRegistryPullOnly",
    "cni": "AmazonEKS_CNI_Policy",
}
# For "hardware accelerators such as GPUs": https://docs.aws.amazon.com/eks/latest/APIReference/API_NodegroupUpdateConfig.html
_UPDATE_STRATEGY = "MINIMAL"
# A node may take 15 minutes to drain and 1 to leave the load balancers; the rest is for starting its successor:
# https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html
_MINUTES_PER_BATCH = 30
_SHORTEST_TIMEOUT_MINUTES = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class GpuNodeGroupArgs:
    """What GpuNodeGroup needs."""

    nodes: NodeGroup
    """The resolved group: instance types, sizes, disk, labels and taints. Its `eks` must be there."""
    cluster_name: pulumi.Input[str]
    """Name of the EKS cluster."""
    cluster_security_group_id: pulumi.Input[str] | None = None
    """The cluster's own security group, which a group with EFA needs: EKS adds it only to interfaces that it makes itself."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """AWS tags for everything here, the instances and their volumes; the group's own tags win."""


class GpuNodeGroup(pulumi.ComponentResource):
    """Managed GPU nodes: EKS NVIDIA image, encrypted gp3 volumes, IMDSv2 for the host only, taint, labels, repair.

    - Instances get the cluster's security group. Neither image nor instance type is in the launch template, so EKS
      chooses the image and merges the user data that joins the cluster.
    - Any change of the launch template rolls the nodes, `max_unavailable` at a time: old nodes go before new ones start
      (strategy MINIMAL), since the default would first start up to two nodes per zone, for which there must be GPUs.
    - A change that replaces the group (instance types, capacity, image family, subnets) makes the new one first: the
      group's name is only a prefix.
    - `desired_size` counts at creation; later it belongs to the autoscaler and its drift is ignored.
    - Node repair acts on GPU faults only where the add-on eks-node-monitoring-agent runs.
    - Without `role_arn` a role is made that also holds AmazonEKS_CNI_Policy (IPv4). AWS recommends that the VPC CNI has
      a role of its own: on such clusters, on IPv6 ones, and outside the partition `aws`, give `role_arn`.
    - With EFA the launch template has the network interfaces, in a placement group of strategy cluster, the security group, and on
      AL2023 user data that EKS merges with its own: huge pages, and the limit of locked memory (`components.node_user_data`).
    - A `kms_key_arn` needs a key policy that lets the service-linked role of EC2 Auto Scaling use the key.

    Raises ValueError when `nodes` isn't a managed node group, or has EFA while the security group is missing.
    """

    node_group_name: pulumi.Output[str]
    """Name of the group in EKS, with the suffix that the provider adds."""
    role_arn: pulumi.Output[str]
    """ARN of the nodes' IAM role."""
    arn: pulumi.Output[str]
    """ARN of the group."""
    node_group: aws.eks.NodeGroup
    """The group itself, for what must wait for its nodes."""

    def __init__(self, name: str, args: GpuNodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:GpuNodeGroup", name, None, opts)
        nodes, eks = args.nodes, args.nodes.eks
        if eks is None:
            raise ValueError(f"node group {nodes.name} exists already, so there is nothing to create: leave it out")
        tags = {**args.tags, **eks.tags}
        policies: list[pulumi.Resource] = []
        if eks.role_arn is None:
            role = self._role(name, tags)
            policies += self._policies(name, role)
            self.role_arn = role.arn
        else:
            self.role_arn = pulumi.Output.from_input(eks.role_arn)
        template = self._launch_template(name, nodes, eks, args.cluster_security_group_id, tags)
        group = aws.eks.NodeGroup(
            name,
            cluster_name=args.cluster_name,
            node_group_name_prefix=f"{name[: _LONGEST_PREFIX - 1]}-",
            node_role_arn=self.role_arn,
            subnet_ids=list(eks.subnet_ids),
            ami_type=eks.ami_type,
            release_version=eks.release_version,
            instance_types=list(nodes.instance_type_names),
            capacity_type="SPOT" if eks.spot else "ON_DEMAND",
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=nodes.min_nodes, max_size=nodes.max_nodes, desired_size=eks.desired_size
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(
                max_unavailable=eks.max_unavailable, update_strategy=_UPDATE_STRATEGY
            ),
            node_repair_config=aws.eks.NodeGroupNodeRepairConfigArgs(enabled=eks.node_repair),
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            labels=dict(nodes.labels),
            taints=[_taint(one) for one in nodes.taints],
            tags={**autoscaler_tags(nodes), **tags},
            opts=pulumi.ResourceOptions(
                parent=self,
                # Nodes without these policies can't join; nothing of the group refers to them.
                depends_on=policies,
                ignore_changes=["scalingConfig.desiredSize"],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{_SHORTEST_TIMEOUT_MINUTES}m",
                    update=f"{update_minutes(nodes.max_nodes, eks.max_unavailable)}m",
                    delete=f"{_SHORTEST_TIMEOUT_MINUTES}m",
                ),
            ),
        )
        self.node_group = group
        self.node_group_name = group.node_group_name
        self.arn = group.arn
        self.register_outputs({"node_group_name": self.node_group_name, "role_arn": self.role_arn, "arn": self.arn})

    def _role(self, name: str, tags: Mapping[str, str]) -> aws.iam.Role:
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        return aws.iam.Role(
            f"{name}-role",
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            tags=dict(tags),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _policies(self, name: str, role: aws.iam.Role) -> list[aws.iam.RolePolicyAttachment]:
        return [
            aws.iam.RolePolicyAttachment(
                f"{name}-{purpose}",
                role=role.name,
                policy_arn=f"arn:aws:iam::aws:policy/{policy}",
                opts=pulumi.ResourceOptions(parent=self),
            )
            for purpose, policy in _POLICIES.items()
        ]

    def _placement(
        self, name: str, nodes: NodeGroup, eks: EksNodes, tags: Mapping[str, str]
    ) -> aws.ec2.LaunchTemplatePlacementArgs | None:
        """The placement group of the stack file, or with EFA one that puts nodes close to each other."""
        if eks.placement_group:
            return aws.ec2.LaunchTemplatePlacementArgs(group_name=eks.placement_group)
        if not nodes.efa_interfaces:
            return None
        made = aws.ec2.PlacementGroup(
            f"{name}-placement-group", strategy="cluster", tags=dict(tags), opts=pulumi.ResourceOptions(parent=self)
        )
        return aws.ec2.LaunchTemplatePlacementArgs(group_name=made.name)

    def _launch_template(
        self,
        name: str,
        nodes: NodeGroup,
        eks: EksNodes,
        security_group: pulumi.Input[str] | None,
        tags: Mapping[str, str],
    ) -> aws.ec2.LaunchTemplate:
        tagged = ("instance", "volume") if tags else ()
        return aws.ec2.LaunchTemplate(
            f"{name}-launch-template",
            block_device_mappings=_volumes(eks),
            network_interfaces=_interfaces(nodes, security_group),
            placement=self._placement(name, nodes, eks, tags),
            user_data=user_data(nodes),
            # One hop: pods on the pod network can't reach the node's credentials.
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=dict(tags)) for kind in tagged
            ],
            tags=dict(tags),
            opts=pulumi.ResourceOptions(parent=self),
        )


def update_minutes(nodes: int, max_unavailable: int) -> int:
    """Minutes that rolling all nodes may take: 30 for each batch of `max_unavailable`, at least 60."""
    batches = -(-nodes // max_unavailable)
    return max(_SHORTEST_TIMEOUT_MINUTES, batches * _MINUTES_PER_BATCH)


def _interfaces(
    nodes: NodeGroup, security_group: pulumi.Input[str] | None
) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgs] | None:
    if not nodes.efa_interfaces:
        return None
    if security_group is None:
        raise ValueError(
            f"node group {nodes.name} has EFA: give cluster_security_group_id, the cluster's own security group"
        )
    return [
        aws.ec2.LaunchTemplateNetworkInterfaceArgs(
            network_card_index=card,
            device_index=device,
            interface_type=kind,
            security_groups=[security_group],
            delete_on_termination="true",
        )
        for card, device, kind in efa.interfaces(nodes.efa_interfaces)
    ]


def _taint(taint: Taint) -> aws.eks.NodeGroupTaintArgs:
    return aws.eks.NodeGroupTaintArgs(key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])


def _volumes(eks: EksNodes) -> list[aws.ec2.LaunchTemplateBlockDeviceMappingArgs]:
    """The volume of images, emptyDirs and logs; on Bottlerocket that is the second one, beside the small one of the OS.

    Devices: https://github.com/bottlerocket-os/bottlerocket#default-volumes
    """
    if not eks.ami_type.startswith("BOTTLEROCKET_"):
        return [_volume("/dev/xvda", eks)]
    return [_volume("/dev/xvda", eks, sized=False), _volume("/dev/xvdb", eks)]


def _volume(device: str, eks: EksNodes, *, sized: bool = True) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
    return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
        device_name=device,
        ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_type="gp3",
            volume_size=eks.disk_gib if sized else None,
            iops=eks.disk_iops if sized else None,
            throughput=eks.disk_throughput_mibps if sized else None,
            encrypted="true",
            kms_key_id=eks.kms_key_arn,
            delete_on_termination="true",
        ),
    )
