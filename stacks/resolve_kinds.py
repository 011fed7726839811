"""What differs between the kinds of workload: the pods of one copy, and the settings of the kind's own. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from components.infrastructure import NodeGroup
from stacks.workloads import Workload

MULTI_NODE: frozenset[str] = frozenset()
"""Kinds whose copies may span several nodes, one pod on each."""

SETTINGS: Mapping[str, Callable[[Any], Any]] = {}
"""Of each kind that has any: from its section of the stack file to `Workload.settings`."""


def group_size(spec: Workload, ranks: int, nodes: NodeGroup) -> int:
    """Pods of one copy: as many as its ranks need nodes, where the kind can do that."""
    if spec.kind not in MULTI_NODE or not nodes.units_per_node:
        return 1
    return max(1, -(-ranks // nodes.units_per_node))


def settings(spec: Workload) -> Any:
    """What only this kind needs."""
    return SETTINGS[spec.kind](spec) if spec.kind in SETTINGS else None
