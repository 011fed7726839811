"""Node groups whose nodes keep copies of models for KServe. Pure."""

from dataclasses import replace

from components.infrastructure import NodeGroup
from stacks import resolve_kinds
from stacks.config import StackConfig
from stacks.resolve_nodes import GPU_TAINT, toleration

AGENT_LABEL = "kserve/localmodel"
"""Nodes on which KServe's agent for local models runs (charts/kserve-localmodel-resources/values.yaml of v0.20.0)."""


def caching_groups(config: StackConfig) -> set[str]:
    """Names of the groups that serve a model with copies on nodes."""
    return {
        one.node_group
        for one in config.workloads.values()
        if resolve_kinds.mounts_copies(one) and config.models[one.model].local_model_cache
    }


def caching(group: NodeGroup) -> NodeGroup:
    """The group with what KServe's agent needs of its nodes: a label, and no taint that keeps the Jobs away that download, since those
    tolerate none (kserve 1fb7810 (v0.20.0), pkg/controller/v1alpha1/localmodelnode/controller.go, launchJob, read 2026-11-23). The GPU
    taint becomes one that other pods only avoid."""
    if not group.created:
        return replace(group, caches_models=True)
    taints = tuple(replace(one, effect="PreferNoSchedule") if one == GPU_TAINT else one for one in group.taints)
    return replace(
        group,
        caches_models=True,
        labels={**group.labels, AGENT_LABEL: "worker"},
        taints=taints,
        tolerations=tuple(toleration(one) for one in taints),
    )
