"""Everything that the program itself registers keeps every policy."""

from functools import cache
from typing import Any

import pytest

from policies.objects import Resource, pods
from policies.registry import RULES
from policies.rule import Finding, judge, judge_stack
from policies.view import UNKNOWN, View
from preview.run import Run
from preview.values import Secret, Unknown
from tests.programs import STACKS, ran

# (policy, namespace, reason) of objects that the program needs and a policy refuses.
EXCEPTIONS: tuple[tuple[str, str, str], ...] = ()


def as_policies_see(value: Any) -> Any:
    """The preview's markers as the pack gets them: unknowns by a marker of its own, secrets in plain text."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Secret):
        return as_policies_see(value.reveal())
    if isinstance(value, dict):
        return {key: as_policies_see(item) for key, item in value.items()}
    return [as_policies_see(item) for item in value] if isinstance(value, list) else value


def resources_of(run: Run) -> list[Resource]:
    """What a run registered, as the pack gets it."""
    regions = {one.urn: one.inputs.get("region") for one in run.resources if one.is_provider}
    return [
        Resource(
            urn=one.urn,
            type=one.type,
            name=one.name,
            props=View(as_policies_see(one.inputs)),
            protect=one.protect,
            region=as_policies_see(regions.get(one.provider)),
        )
        for one in run.resources
        if not one.is_provider and not one.read_id
    ]


@cache
def judged(stack: str) -> list[tuple[str, Resource | None, Finding]]:
    """Every finding with its policy and resource."""
    resources = resources_of(ran(stack))
    by_urn = {one.urn: one for one in resources}
    found: list[tuple[str, Resource | None, Finding]] = []
    for rule in RULES:
        found += [(rule.name, one, finding) for one in resources for finding in judge(rule, one)]
        found += [(rule.name, by_urn.get(one.urn), one) for one in judge_stack(rule, resources)]
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_keeps_its_own_policies(stack: str) -> None:
    excepted = {row[:2] for row in EXCEPTIONS}
    broken = [
        f"{policy}: {resource.urn if resource else 'stack'}: {one.message}"
        for policy, resource, one in judged(stack)
        if one.message and (policy, resource.namespace() if resource else "") not in excepted
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_that_a_policy_reads_is_unknown_in_a_first_preview(stack: str) -> None:
    open_ = [f"{policy}: {one.undecided}" for policy, _, one in judged(stack) if one.undecided]
    assert not open_, "\n".join(open_)


@pytest.mark.parametrize("stack", STACKS)
def test_the_policies_see_the_gpus_of_every_model_server(stack: str) -> None:
    """Otherwise they would pass for want of something to look at."""
    deployments = [one for one in resources_of(ran(stack)) if one.is_a(("apps", "Deployment"))]
    assert deployments
    assert all(pod.gpus() > 0 for one in deployments for pod in pods(one))


def test_each_exception_is_needed() -> None:
    used = {
        (policy, one.namespace()) for stack in STACKS for policy, one, found in judged(stack) if one and found.message
    }
    assert {row[:2] for row in EXCEPTIONS} <= used
    assert all(reason for _, _, reason in EXCEPTIONS)
