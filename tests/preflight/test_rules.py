"""Every rule: a stack that breaks it, the nearest stack that doesn't, and a remedy that holds."""

import importlib
import pkgutil
from pathlib import Path

import pytest

from preflight.check import check
from preflight.docs import markdown
from preflight.registry import RULES
from stacks.resolve import resolve
from tests.preflight.case import BASE, Case, inputs

CASES: list[Case] = [
    case
    for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    if module.name.startswith("cases_")
    for case in importlib.import_module(f"tests.preflight.{module.name}").CASES
]


def found(patch: dict) -> list:
    given = inputs(patch)
    return check(given, resolve(given))


def test_every_rule_has_a_case() -> None:
    assert {rule.code for rule in RULES} == {case.code for case in CASES}


def test_codes_are_unique() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))


def test_the_base_stack_has_no_errors_or_warnings() -> None:
    assert [one for one in found({}) if one.severity != "notice"] == []


@pytest.mark.parametrize("case", CASES, ids=[f"{case.code}-{index}" for index, case in enumerate(CASES)])
def test_a_breaking_stack_is_told_so_and_its_neighbour_is_not(case: Case) -> None:
    broken = [one for one in found(case.breaks) if one.code == case.code]
    assert broken, f"{case.code} didn't fire; found {[one.code for one in found(case.breaks)]}"
    text = " ".join(f"{one.message} {one.remedy}" for one in broken)
    for words in case.says:
        assert words in text
    if case.remedy is not None:
        assert case.remedy in " ".join(one.remedy for one in broken)
    assert [one.message for one in found(case.passes) if one.code == case.code] == []


def test_a_rule_can_be_allowed_with_a_reason() -> None:
    case = next(case for case in CASES if case.code == "MEM003")
    patch = {**case.breaks}
    workloads = patch.setdefault("workloads", {}).setdefault("chat", {})
    workloads["allow"] = [{"code": "MEM003", "reason": "the load generator never sends long prompts"}]
    assert "MEM003" not in [one.code for one in found(patch)]
    assert BASE["workloads"]["chat"].get("allow") is None


def test_the_documentation_lists_every_rule_as_it_is() -> None:
    path = Path(__file__).parents[2] / "docs" / "rules.md"
    assert path.read_text(encoding="utf-8") == markdown(RULES), "run `make rules`"
