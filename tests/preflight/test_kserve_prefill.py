"""Copies that only prefill, in rules and suggestions that count pods."""

from preflight.placement_capacity import RULES
from preflight.placement_nodes import nodes_needed
from preflight.rule import Facts
from preflight.suggestions import suggestions
from stacks.resolve import resolve
from tests.preflight.case import inputs, stack
from tests.preflight.cases_kserve_llm import SPLIT, llm


def test_fewer_replicas_leave_room_for_the_copies_that_prefill() -> None:
    given = inputs(llm(**SPLIT, replicas=20))
    (rule,) = (one for one in RULES if one.code == "POD006")
    (finding,) = rule.check(Facts(stack=resolve(given), inputs=given))
    # 16 GPUs, two of them for prefill.
    assert "set workloads.chat.replicas: 14" in [one.text for one in finding.remedies]


def test_nodes_are_counted_for_both_kinds_of_copies() -> None:
    found = stack(llm(**SPLIT, replicas=7)).workloads["chat"]
    assert nodes_needed(found.node_group, [found]) == 2
    alone = stack(llm(router=SPLIT["router"], replicas=7)).workloads["chat"]
    assert nodes_needed(alone.node_group, [alone]) == 1


def test_a_suggestion_keeps_the_copies_that_prefill() -> None:
    given = inputs(llm(**SPLIT, engine={"tensorParallelSize": 2}))
    found = suggestions(given, resolve(given), ())["chat"]
    (cheaper,) = (one.text for one in found if "instanceTypes" in one.text)
    assert ": 4 pods on " in cheaper
