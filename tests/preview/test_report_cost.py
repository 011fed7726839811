"""The cost tables and the suggestions of a plan."""

import json

from preflight.check import check
from preflight.suggestions import suggestions
from preview.report import Report, report
from preview.report_cost import group_rows, price_lines, workload_rows
from preview.report_markdown import markdown
from preview.report_text import suggestion_lines, total_line
from stacks.resolve import resolve
from tests.preflight.case import inputs


def plan(patch: dict, *, with_suggestions: bool = False) -> Report:
    given = inputs(patch)
    stack = resolve(given)
    problems = check(given, stack)
    return report(stack, problems, suggestions(given, stack, problems) if with_suggestions else {})


def test_a_group_is_shown_at_three_scales_with_its_idle_gpus() -> None:
    found = plan({"nodeGroups": {"gpu": {"minSize": 0}}})
    assert group_rows(found.costs) == [("gpu", "0/1/2", "$0.00", "$55.04", "$110.08", "6 of 8", "$41.28")]
    assert workload_rows(found.costs) == [("chat", "2", "$0.00", "$55.04", "$110.08")]
    assert "$55.04 now ($41.28 of it for idle GPUs)" in total_line(found)


def test_desired_nodes_run_even_where_the_pods_need_fewer() -> None:
    found = plan({"nodeGroups": {"gpu": {"minSize": 0, "desiredSize": 2}}})
    assert group_rows(found.costs)[0][1] == "0/2/2"


def test_spot_is_a_row_of_its_own_where_its_price_is_known() -> None:
    found = plan({"catalog": {"prices": {"p5.48xlarge": {"spot": 20.5}}}})
    assert [row[0] for row in group_rows(found.costs)] == ["gpu", "gpu, if spot"]
    assert workload_rows(found.costs)[1] == ("chat, if spot", "2", "$20.50", "$20.50", "$41.00")


def test_unknown_prices_are_shown_as_unknown() -> None:
    found = plan({"nodeGroups": {"gpu": {"capacity": "spot"}}})
    assert group_rows(found.costs)[0] == ("gpu", "1/1/2", "unknown", "unknown", "unknown", "6 of 8", "unknown")
    assert "gpu, if on-demand" in [row[0] for row in group_rows(found.costs)]
    assert "unknown now" in total_line(found)


def test_a_pod_that_fits_on_no_node_leaves_the_nodes_unknown() -> None:
    found = plan({"workloads": {"chat": {"engine": {"tensorParallelSize": 16}}}})
    assert group_rows(found.costs)[0][1] == "1/unknown/2"
    assert found.costs.own.now is None


def test_prices_have_their_day_and_source() -> None:
    (line,) = price_lines(plan({}).costs)
    assert "us-east-1, 2026-07-20" in line
    assert "source: aws/karpenter-provider-aws" in line


def test_suggestions_are_in_every_form_of_the_plan_and_omitted_where_there_are_none() -> None:
    found = plan({}, with_suggestions=True)
    lines = suggestion_lines(found)
    assert len(lines) == 3
    assert all(line.startswith("chat: set ") for line in lines)
    assert f"**Suggestions**\n\n- {lines[0]}" in markdown(found, None)
    shown = json.loads(json.dumps(found.as_json()))["suggestions"]["chat"]
    assert [f"chat: {one['text']}" for one in shown] == lines
    assert all(one["changes"] for one in shown)
    assert "Suggestions" not in markdown(plan({}), None)
