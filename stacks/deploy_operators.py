"""The operators of the platform section, and the runtimes that KServe's workloads share."""

import pulumi

from components.operator_release import OperatorRelease, OperatorReleaseArgs
from components.resolved import Stack
from components.resolved_kserve import runtimes, spans_nodes


def operators(stack: Stack, options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The releases of all operators; each waits for those that it needs."""
    found: dict[str, list[pulumi.Resource]] = {}
    for name, operator in stack.operators.items():
        if operator.charts:
            needed = [release for one in operator.needs for release in found.get(one, ())]
            arguments = OperatorReleaseArgs(operator=operator, after=needed)
            found[name] = OperatorRelease(name, arguments, options).releases
    return [release for releases in found.values() for release in releases]


def kserve_runtimes(
    stack: Stack, namespace: pulumi.Input[str], after: list[pulumi.Resource], options: pulumi.ResourceOptions
) -> dict[str, pulumi.Resource]:
    """KServe's runtimes by name."""
    wanted = runtimes(tuple(stack.workloads.values()))
    if not wanted:
        return {}
    from components.kserve_runtime import KServeRuntime, KServeRuntimeArgs

    waiting = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=after))
    scoped = stack.operators["kserve"].settings["clusterServingRuntimes"] == "true"
    return {
        name: KServeRuntime(
            name, KServeRuntimeArgs(workload=workload, cluster_scoped=scoped, namespace=namespace), waiting
        ).runtime
        for name, workload in wanted.items()
    }


def kserve_presets(
    stack: Stack, namespace: pulumi.Input[str], after: list[pulumi.Resource], options: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The preset for LLMInferenceServices whose copies span nodes, where there are any."""
    if not any(spans_nodes(one) for one in stack.workloads.values()):
        return []
    from components.kserve_pipeline_preset import KServePipelinePreset, KServePipelinePresetArgs

    waiting = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=after))
    arguments = KServePipelinePresetArgs(namespace=namespace)
    return [KServePipelinePreset("kserve-pipeline-preset", arguments, waiting).preset]
