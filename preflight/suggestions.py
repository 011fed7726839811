"""What would make a stack cheaper or larger: each suggestion is computed, tried out and checked by all rules before it is made. Pure."""

from collections.abc import Callable, Iterator, Sequence

from components.resolved import Stack, Workload
from preflight.suggestions_engine import checkpoint, fewer_gpus, kv_cache, replicas
from preflight.suggestions_nodes import cheaper_nodes
from preflight.suggestions_trial import Suggestion, Trials
from stacks.problem import Problem
from stacks.resolve import Inputs

MOST_WORKLOADS = 50
"""Stacks with more get no suggestions: each workload has a dozen trials, and each runs all rules on its neighbours."""
_MOST = 3
_KINDS: tuple[Callable[[Trials, Workload], Iterator[Suggestion]], ...] = (
    replicas,
    kv_cache,
    cheaper_nodes,
    fewer_gpus,
    checkpoint,
)
_OF_ONE = ("workloads", "nodeGroups", "volumes", "models")
"""Sections whose problems concern only what uses the named part; others concern the whole stack."""


def suggestions(inputs: Inputs, stack: Stack, problems: Sequence[Problem]) -> dict[str, tuple[Suggestion, ...]]:
    """At most three for a workload, the greatest saving first; workloads without any are left out.

    None for a workload that an error concerns (its remedy comes first), that has no memory estimate, or in a stack with more
    than `MOST_WORKLOADS`. A suggestion brings no new error or warning to any workload.
    """
    if left_out(stack):
        return {}
    errors = [one.path for one in problems if one.severity == "error"]
    if any(not path or path[0] not in _OF_ONE for path in errors):
        return {}
    wrong = {(str(path[0]), str(path[1])) for path in errors if len(path) > 1}
    trials = Trials(inputs, stack)
    found = {}
    for workload in stack.workloads.values():
        if workload.memory is None or workload.replicas == 0 or _parts(workload) & wrong:
            continue
        made = [one for kind in _KINDS for one in kind(trials, workload)]
        if made:
            found[workload.name] = tuple(sorted(made, key=lambda one: -one.gain.usd_per_hour)[:_MOST])
    return found


def left_out(stack: Stack) -> str:
    """Why none are looked for; empty where they are."""
    count = len(stack.workloads)
    return (
        ""
        if count <= MOST_WORKLOADS
        else f"left out: {count} workloads, and suggestions are for up to {MOST_WORKLOADS}"
    )


def _parts(workload: Workload) -> set[tuple[str, str]]:
    return {
        ("workloads", workload.name),
        ("nodeGroups", workload.node_group.name),
        ("models", workload.model.name),
        *({("volumes", workload.volume.name)} if workload.volume else ()),
    }
