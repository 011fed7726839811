"""The only composition: the resolved stack as components, in dependency order, with explicit providers."""

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s

from components.device_plugin_values import needs_device_plugin
from components.infrastructure import NodeGroup
from components.model_volume import ModelVolume, ModelVolumeArgs
from components.nvidia_device_plugin import NvidiaDevicePlugin, NvidiaDevicePluginArgs
from components.pods import PART_OF
from components.resolved import Cluster, Stack, Workload
from components.resolved_ray import host, members
from stacks import deploy_identity, deploy_local_models, deploy_operators
from stacks.deploy_workloads import KINDS, Place
from stacks.totals import totals

if TYPE_CHECKING:
    from components.gpu_node_group import GpuNodeGroup

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def deploy(stack: Stack) -> dict[str, Any]:
    """Creates everything that the stack declares, and returns its outputs by name."""
    cluster = stack.cluster
    groups = [group for group in stack.node_groups.values() if group.created]
    roles = deploy_identity.needs_aws(list(stack.workloads.values()))
    needs_aws = bool(groups) or roles or not cluster.stack_reference
    aws = _aws_provider(cluster) if cluster.provider == "eks" and needs_aws else None
    kubeconfig = _kubeconfig(cluster, aws)
    kubernetes = _kubernetes_provider(cluster, kubeconfig)
    inherited = pulumi.ResourceOptions(providers=[one for one in (aws, kubernetes) if one is not None])

    namespace = _namespace(stack, kubernetes)
    secrets = [_token_secret(stack, namespace, kubernetes)] if stack.token and stack.token.config_secret else []
    nodes = _nodes(groups, cluster, inherited, aws)
    plugins = []
    if stack.device_plugin and needs_device_plugin(list(stack.node_groups.values())):
        arguments = NvidiaDevicePluginArgs(plugin=stack.device_plugin, groups=tuple(stack.node_groups.values()))
        plugins.append(NvidiaDevicePlugin("nvidia-device-plugin", arguments, inherited).release)
    operators = deploy_operators.operators(stack, inherited)
    runtimes = deploy_operators.kserve_runtimes(stack, namespace, operators, inherited)
    presets = deploy_operators.kserve_presets(stack, namespace, operators, inherited)
    caches = deploy_local_models.local_model_caches(stack, operators, nodes, inherited, kubernetes)
    token = (stack.token.secret_name, stack.token.key) if stack.token else None
    volumes = {
        volume.name: ModelVolume(
            volume.name,
            ModelVolumeArgs(
                volume=volume,
                namespace=namespace,
                token=token,
                after=[*secrets, *(one.node_group for one in nodes.values())],
            ),
            inherited,
        )
        for volume in stack.volumes.values()
        if volume.created or _is_read(stack, volume.name)
    }
    models = {}
    for workload in stack.workloads.values():
        if host(workload) != workload.name:
            continue
        after = [*secrets, *plugins, *operators]
        for one in members(workload, stack.workloads):
            after += [nodes[one.node_group.name].node_group] if one.node_group.name in nodes else []
            after += volumes[one.volume.name].filled if one.volume else ()
            after += [caches[one.model.name]] if one.cached else []
            after += deploy_identity.associations(one, cluster, namespace, aws)
        place = Place(
            stack=stack, namespace=namespace, after=after, runtimes=runtimes, presets=presets, options=inherited
        )
        models[workload.name] = KINDS[workload.kind](workload, place)

    return {
        "urls": {name: models[host(workload)].url for name, workload in stack.workloads.items()},
        "nodeGroups": {name: group.node_group_name for name, group in nodes.items()},
        "claims": {name: volume.claim_name for name, volume in volumes.items()},
        "totals": totals(stack).as_output(),
        **({"kubeconfig": kubeconfig} if kubeconfig is not None and not cluster.stack_reference else {}),
    }


def _nodes(
    groups: list[NodeGroup],
    cluster: Cluster,
    inherited: pulumi.ResourceOptions,
    provider: pulumi.ProviderResource | None,
) -> dict[str, "GpuNodeGroup"]:
    if not groups:
        return {}
    from pulumi_aws import eks

    from components.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs  # loads the AWS SDK

    security_group = None
    if any(group.efa_interfaces for group in groups):
        found = eks.get_cluster_output(name=cluster.name, opts=pulumi.InvokeOutputOptions(provider=provider))
        security_group = found.vpc_config.cluster_security_group_id
    return {
        group.name: GpuNodeGroup(
            group.name,
            GpuNodeGroupArgs(nodes=group, cluster_name=cluster.name, cluster_security_group_id=security_group),
            inherited,
        )
        for group in groups
    }


def _is_read(stack: Stack, volume: str) -> bool:
    return any(_reads(workload, volume) for workload in stack.workloads.values())


def _reads(workload: Workload, volume: str) -> bool:
    return workload.volume is not None and workload.volume.name == volume


def _aws_provider(cluster: Cluster) -> pulumi.ProviderResource:
    import pulumi_aws as aws

    return aws.Provider("aws", region=cluster.region)


def _kubeconfig(cluster: Cluster, aws: pulumi.ProviderResource | None) -> pulumi.Output[str] | None:
    """A kubeconfig without credentials: `aws eks get-token` fetches them when they are used."""
    if cluster.provider != "eks":
        return None
    if cluster.stack_reference:
        return pulumi.StackReference(cluster.stack_reference).require_output("kubeconfig")
    from pulumi_aws import eks

    found = eks.get_cluster_output(name=cluster.name, opts=pulumi.InvokeOutputOptions(provider=aws))
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": cluster.name,
            "clusters": [
                {
                    "name": cluster.name,
                    "cluster": {
                        "server": found.endpoint,
                        "certificate-authority-data": found.certificate_authorities[0].data,
                    },
                }
            ],
            "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": cluster.name}}],
            "users": [{"name": cluster.name, "user": {"exec": _get_token(cluster)}}],
        }
    )


def _get_token(cluster: Cluster) -> dict[str, Any]:
    region = ["--region", cluster.region] if cluster.region else []
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": [*region, "eks", "get-token", "--cluster-name", cluster.name, "--output", "json"],
        "interactiveMode": "Never",
    }


def _kubernetes_provider(cluster: Cluster, kubeconfig: pulumi.Output[str] | None) -> k8s.Provider:
    if kubeconfig is not None:
        # The identifier keeps the provider, and with it every object, when only the text of the kubeconfig changes.
        return k8s.Provider("kubernetes", kubeconfig=kubeconfig, cluster_identifier=cluster.name)
    # Empty, the provider searches as kubectl does. Left out, the SDK takes $KUBECONFIG for one file, and the state keeps its path.
    return k8s.Provider(
        "kubernetes", kubeconfig=cluster.kubeconfig or "", context=cluster.name, cluster_identifier=cluster.name
    )


def _namespace(stack: Stack, provider: k8s.Provider) -> pulumi.Input[str]:
    if not stack.create_namespace:
        return stack.namespace
    labels = {**_RESTRICTED, "app.kubernetes.io/part-of": PART_OF, "app.kubernetes.io/managed-by": "pulumi"}
    created = k8s.core.v1.Namespace(
        stack.namespace,
        metadata={"name": stack.namespace, "labels": labels},
        opts=pulumi.ResourceOptions(provider=provider),
    )
    return created.metadata.name


def _token_secret(stack: Stack, namespace: pulumi.Input[str], provider: k8s.Provider) -> pulumi.Resource:
    assert stack.token is not None
    assert stack.token.config_secret is not None
    token = pulumi.Config().require_secret(stack.token.config_secret)
    return k8s.core.v1.Secret(
        stack.token.secret_name,
        metadata={"name": stack.token.secret_name, "namespace": namespace},
        string_data={stack.token.key: token},
        opts=pulumi.ResourceOptions(provider=provider),
    )
