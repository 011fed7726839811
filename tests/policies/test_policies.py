"""Every policy against hand-written objects: kept, broken, not known yet, and set otherwise."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import jsonschema
import pytest
import yaml

import policies
from policies.exceptions import EXCEPTIONS
from policies.objects import Resource
from policies.registry import RULES
from policies.rule import Finding, Rule, judge, judge_stack
from policies.view import UNKNOWN
from preflight.registry import RULES as PREFLIGHT
from tests.policies.cases import CASES, Case
from tests.policies.stack import NAMESPACE, changed

BY_NAME = {rule.name: rule for rule in RULES}
VIOLATING = [case for case in CASES if case.says]


def findings(rule: Rule, resources: Iterable[Resource], config: dict[str, object] | None = None) -> list[Finding]:
    every = list(resources)
    single = [one for resource in every for one in judge(rule, resource, config)]
    return single + judge_stack(rule, every, config)


def run(case: Case, **more: object) -> list[Finding]:
    resources = changed(*case.changes, without=case.without).values()
    return findings(BY_NAME[case.policy], resources, {**case.config, **more})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_whole_stack_keeps_every_policy(rule: Rule) -> None:
    assert findings(rule, changed().values()) == []


@pytest.mark.parametrize("case", VIOLATING, ids=str)
def test_a_violation_is_reported_once_with_its_place(case: Case) -> None:
    found = run(case)
    assert len(found) == 1, found
    for words in case.says:
        assert words in found[0].message


@pytest.mark.parametrize("case", [case for case in CASES if case.passes], ids=str)
def test_what_really_works_is_accepted(case: Case) -> None:
    assert run(case) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.undecided], ids=str)
def test_an_unknown_value_is_neither_accepted_nor_refused(case: Case) -> None:
    found = run(case)
    assert found
    assert [one.message for one in found if one.message] == []
    assert any(one.undecided.endswith(case.undecided) for one in found), found


@pytest.mark.parametrize("case", [case for case in VIOLATING if BY_NAME[case.policy].namespaced], ids=str)
def test_an_exempt_namespace_is_left_alone(case: Case) -> None:
    assert run(case, exemptNamespaces=[NAMESPACE, "other", "kube-system"]) == []
    assert len(run(case, exemptNamespaces=["elsewhere"])) == 1


@pytest.mark.parametrize("case", [case for case in VIOLATING if BY_NAME[case.policy].namespaced], ids=str)
def test_an_exemption_of_an_unknown_namespace_is_undecided(case: Case) -> None:
    changes = [
        (name, ("metadata", "namespace"), UNKNOWN)
        for name, resource in changed(without=case.without).items()
        if resource.type.startswith("kubernetes:")
    ]
    resources = changed(*case.changes, *changes, without=case.without).values()
    found = findings(BY_NAME[case.policy], resources, {**case.config, "exemptNamespaces": ["elsewhere"]})
    assert found
    assert not any(one.message for one in found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_policy_has_a_case_that_breaks_it_and_one_that_is_unknown(rule: Rule) -> None:
    mine = [case for case in CASES if case.policy == rule.name]
    assert any(case.says for case in mine)
    if rule.name != "claims-protected":  # it reads a resource option, which is always known
        assert any(case.undecided for case in mine)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_resource_of_which_nothing_is_known_crashes_no_policy(rule: Rule) -> None:
    blank = [(name, (key,), UNKNOWN) for name, one in changed().items() for key in one.props.value]
    found = findings(rule, changed(*blank).values())
    assert not any(one.message for one in found)


@pytest.mark.parametrize("junk", [None, "text", 7, [], ["text"], {}, {"spec": "text"}, [[None]]])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_values_of_another_form_crash_no_policy(rule: Rule, junk: object) -> None:
    for path in (("spec",), ("metadata",), ("spec", "template"), ("spec", "template", "spec", "containers")):
        for name in ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim"):
            findings(rule, changed((name, path, junk)).values())
    for name in ("LaunchTemplate", "NodeGroup"):
        for key in changed()[name].props.value:
            findings(rule, changed((name, (key,), junk)).values())


def test_no_message_shows_a_secret() -> None:
    shown = [one.message for case in CASES if case.policy == "no-plaintext-secrets" for one in run(case)]
    assert shown
    assert not any("hf_A" in message or "hunter2" in message for message in shown)


def test_names_are_unique_and_words_are_there() -> None:
    assert len(BY_NAME) == len(RULES)
    for rule in RULES:
        assert (rule.check is None) != (rule.check_stack is None)
        assert rule.title.endswith(".")
        assert "http" in rule.why or rule.codes, rule.name
        assert rule.remedy


def test_policies_refer_to_preflight_rules_that_exist() -> None:
    known = {rule.code for rule in PREFLIGHT}
    assert {code for rule in RULES for code in rule.codes} <= known


def test_settings_are_valid_schemas_whose_defaults_keep_them() -> None:
    for rule in RULES:
        for schema in rule.schema().values():
            jsonschema.Draft7Validator.check_schema(schema)
            if "default" in schema:
                jsonschema.validate(schema["default"], schema)
        json.dumps(rule.schema())


def test_each_exception_names_a_policy_and_a_reason() -> None:
    assert all(one.policy in BY_NAME and one.namespace and one.reason for one in EXCEPTIONS)


def test_no_file_hides_a_module_of_the_standard_library() -> None:
    """The engine starts the pack inside its folder, which Python then searches first."""
    names = {path.stem for path in Path(policies.__path__[0]).glob("*.py")}
    assert names & sys.stdlib_module_names == set()


def test_the_pack_file_starts_the_locked_environment() -> None:
    pack = Path(policies.__path__[0])
    described = yaml.safe_load((pack / "PulumiPolicy.yaml").read_text("utf-8"))
    assert described["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
    lock = (pack / "requirements.txt").read_text("utf-8")
    wanted = [
        line for line in (pack / "requirements.in").read_text("utf-8").splitlines() if "==" in line and line[0] != "#"
    ]
    assert wanted
    for line in wanted:
        assert f"\n{line.removesuffix('.*')}" in lock


def test_the_documentation_lists_every_policy() -> None:
    page = (Path(policies.__path__[0]).parent / "docs" / "policies.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{rule.name}` | {rule.level} | {'resource' if rule.check else 'stack'} | {rule.title} | "
        f"{', '.join(rule.codes) or '-'} | {', '.join(f'`{key}`' for key in rule.settings) or '-'} |"
        for rule in RULES
    ]
    for exception in EXCEPTIONS:
        assert f"- `{exception.policy}` in `{exception.namespace}`: {exception.reason}." in page
