"""Copies of models on the nodes' disks: KServe's objects for them."""

from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s

from components.local_model_spec import JOB_NAMESPACE, kept, local_models
from components.resolved import Stack

if TYPE_CHECKING:
    from components.gpu_node_group import GpuNodeGroup


def local_model_caches(
    stack: Stack,
    operators: list[pulumi.Resource],
    nodes: "dict[str, GpuNodeGroup]",
    options: pulumi.ResourceOptions,
    provider: k8s.Provider,
) -> dict[str, pulumi.Resource]:
    """The LocalModelCache of each model that has one, by the model's name."""
    found = local_models(stack)
    if not found:
        return {}
    from components.local_model_cache import LocalModelCache, LocalModelCacheArgs
    from components.local_model_node_group import LocalModelNodeGroup, LocalModelNodeGroupArgs

    jobs = _jobs(stack, operators, options)
    secrets = [_token_secret(stack, provider, jobs)] if stack.token and stack.token.config_secret else []
    names = dict.fromkeys(group for one in found for group in one.groups)
    made = {}
    for name in names:
        waits = [*operators, *([nodes[name].node_group] if name in nodes else [])]
        arguments = LocalModelNodeGroupArgs(
            nodes=stack.node_groups[name], namespace=stack.namespace, size=kept(found, name)
        )
        made[name] = LocalModelNodeGroup(name, arguments, _after(options, waits)).group
    return {
        one.model: LocalModelCache(
            one.model,
            LocalModelCacheArgs(model=one, namespace=stack.namespace),
            _after(options, [*jobs, *secrets, *(made[group] for group in one.groups)]),
        ).cache
        for one in found
    }


def _jobs(stack: Stack, operators: list[pulumi.Resource], options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Nothing where KServe is somebody else's: so are the Jobs' namespace and container."""
    kserve = stack.operators["kserve"]
    if not kserve.charts:
        return operators
    from components.local_model_jobs import LocalModelJobs, LocalModelJobsArgs

    arguments = LocalModelJobsArgs(version=kserve.version, memory=kserve.settings["storageInitializerMemory"])
    return [*operators, *LocalModelJobs(JOB_NAMESPACE, arguments, _after(options, operators)).ready]


def _token_secret(stack: Stack, provider: k8s.Provider, after: list[pulumi.Resource]) -> pulumi.Resource:
    """The Hub's token once more, in the Jobs' namespace. The storage initializer reads it as HF_TOKEN."""
    assert stack.token is not None
    assert stack.token.config_secret is not None
    token = pulumi.Config().require_secret(stack.token.config_secret)
    return k8s.core.v1.Secret(
        f"{stack.token.secret_name}-local-models",
        metadata={"name": stack.token.secret_name, "namespace": JOB_NAMESPACE},
        string_data={stack.token.key: token},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=after),
    )


def _after(options: pulumi.ResourceOptions, waits: list[pulumi.Resource]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=waits))
