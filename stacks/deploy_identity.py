"""IAM roles of pods by EKS Pod Identity: one association for each workload that names a role."""

from typing import TYPE_CHECKING

import pulumi

from components.resolved import Cluster, Workload

if TYPE_CHECKING:
    from pulumi_aws.eks import PodIdentityAssociation


def associations(
    workload: Workload, cluster: Cluster, namespace: pulumi.Input[str], provider: pulumi.ProviderResource | None
) -> "list[PodIdentityAssociation]":
    """What must be there before the workload's pods start; EKS gives credentials to pods that are created afterwards only."""
    role = workload.aws_role
    if role is None or role.via != "pod-identity" or provider is None:
        return []
    from pulumi_aws import eks  # loads the AWS SDK

    return [
        eks.PodIdentityAssociation(
            f"{workload.name}-role",
            cluster_name=cluster.name,
            namespace=namespace,
            service_account=workload.name,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(provider=provider),
        )
    ]


def needs_aws(workloads: list[Workload]) -> bool:
    """Some workload takes on a role."""
    return any(one.aws_role is not None and one.aws_role.via == "pod-identity" for one in workloads)
