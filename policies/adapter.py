"""The policies as pulumi-policy's own: the only file here that knows of it.

A value that isn't known yet raises pulumi-policy's UnknownValueError after everything that could be decided: the engine
then prints that the policy couldn't run on that value during the preview, and the update, where it is known, decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies.objects import Resource
from policies.rule import Finding, Rule, judge, judge_stack
from policies.view import UNKNOWN, View


def as_policy(rule: Rule) -> Policy:
    """The policy that runs a rule."""
    kind: Any = ResourceValidationPolicy if rule.check else StackValidationPolicy
    return kind(
        name=rule.name,
        description=rule.title,
        validate=_validation(rule) if rule.check else _stack_validation(rule),
        enforcement_level=EnforcementLevel(rule.level),
        severity=Severity(rule.severity),
        config_schema=PolicyConfigSchema(properties=rule.schema()) if rule.schema() else None,
        remediation_steps=rule.remedy,
    )


def _validation(rule: Rule) -> Any:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        _report(judge(rule, as_resource(args), as_plain(args.get_config())), report)

    return validate


def _stack_validation(rule: Rule) -> Any:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [as_resource(one) for one in args.resources]
        _report(judge_stack(rule, resources, as_plain(args.get_config())), report)

    return validate


def _report(found: Sequence[Finding], report: ReportViolation) -> None:
    for one in found:
        if one.message:
            report(one.message, one.urn or None)
    undecided = sorted({one.undecided for one in found if one.undecided})
    if undecided:
        raise UnknownValueError(UNKNOWN_STRING_VALUE, [", ".join(undecided)])


def as_resource(given: ResourceValidationArgs | PolicyResource) -> Resource:
    """A resource of the engine as plain data."""
    region = as_plain(given.provider.props).get("region") if given.provider else None
    return Resource(
        urn=given.urn,
        type=given.resource_type,
        name=given.name,
        props=View(as_plain(given.props)),
        protect=bool(given.opts.protect),
        region=region,
    )


def as_plain(value: Any) -> Any:
    """Without the proxies: unknowns become `UNKNOWN`, and whole numbers, which arrive as doubles, integers."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_item(value, index) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return as_plain(container[key])
    except UnknownValueError:
        return UNKNOWN
