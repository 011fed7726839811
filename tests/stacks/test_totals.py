"""Dollars at three scales, and GPUs that nobody uses: unknown stays unknown."""

from typing import Any

import pytest

from stacks.totals import Scale, group_scale, idle_gpus, summed, totals, workload_scale
from tests.preflight.case import BASE, stack

PRICE = 55.04
"""Of a p5.48xlarge in us-east-1: catalog/data/prices.json."""


def group(**keys: Any) -> dict[str, Any]:
    return {"nodeGroups": {"gpu": keys}}


def test_a_group_costs_its_nodes() -> None:
    one = stack(group(minSize=1, maxSize=4)).node_groups["gpu"]
    found = group_scale(one, 3, one.usd_per_hour)
    assert (found.least, found.now, found.most) == pytest.approx((PRICE, 3 * PRICE, 4 * PRICE))


def test_unknown_prices_and_nodes_are_unknown_and_not_zero() -> None:
    one = stack(group(capacity="spot")).node_groups["gpu"]
    assert group_scale(one, 1, one.usd_per_hour) == Scale(least=None, now=None, most=None)
    assert group_scale(one, None, 2.0).now is None
    assert summed([Scale(least=1.0, now=None, most=3.0), Scale(least=1.0, now=2.0, most=None)]) == Scale(
        least=2.0, now=None, most=None
    )


def test_nothing_costs_nothing() -> None:
    assert summed([]) == Scale(least=0.0, now=0.0, most=0.0)


def test_the_workloads_of_a_group_cost_what_the_group_costs() -> None:
    more = {**BASE["workloads"]["chat"], "replicas": 1}
    resolved = stack({"workloads": {"more": more}})
    one, both = resolved.node_groups["gpu"], list(resolved.workloads.values())
    whole = group_scale(one, 1, one.usd_per_hour)
    parts = [workload_scale(each, both, whole) for each in both]
    assert summed(parts).now == pytest.approx(PRICE)
    assert parts[0].now == pytest.approx(PRICE * 2 / 3)


def test_on_nodes_of_somebody_else_a_workload_costs_its_own_gpus() -> None:
    nodes = {"provisioner": "existing", "instanceType": "p5.48xlarge", "nodes": 2, "nodeSelector": {"pool": "lab"}}
    resolved = stack({"nodeGroups": {"lab": nodes}, "workloads": {"chat": {"nodeGroup": "lab"}}})
    (one,) = resolved.workloads.values()
    found = workload_scale(one, [one], group_scale(one.node_group, 2, one.node_group.usd_per_hour))
    assert (found.least, found.now, found.most) == pytest.approx((PRICE / 4,) * 3)
    assert idle_gpus(one.node_group, 2, [one]) is None


def test_idle_gpus_are_those_of_running_nodes_that_no_pod_requests() -> None:
    resolved = stack({})
    one, pods = resolved.node_groups["gpu"], list(resolved.workloads.values())
    assert [idle_gpus(one, nodes, pods) for nodes in (1, 2, None)] == [6, 14, None]
    assert idle_gpus(one, 1, []) == 8


def test_the_other_capacity_has_a_price_where_the_stack_gives_one() -> None:
    assert stack({}).node_groups["gpu"].other_price is None
    prices = {"catalog": {"prices": {"p5.48xlarge": {"spot": 20.5}}}}
    other = stack(prices).node_groups["gpu"].other_price
    assert other is not None
    assert (other.capacity, other.usd_per_hour) == ("spot", 20.5)
    turned = stack({**prices, **group(capacity="spot")}).node_groups["gpu"]
    assert turned.usd_per_hour == 20.5
    assert turned.other_price is not None
    assert (turned.other_price.capacity, turned.other_price.usd_per_hour) == ("on-demand", PRICE)


def test_a_price_names_its_source() -> None:
    one = stack({}).node_groups["gpu"]
    assert "2026-07-20" in one.price_basis
    assert one.price_source.startswith("aws/karpenter-provider-aws")
    assert stack(group(capacity="spot")).node_groups["gpu"].price_source == ""


def test_totals_of_the_stack() -> None:
    found = totals(stack({})).as_output()
    assert (found["usdPerHourMin"], found["usdPerHourMax"]) == pytest.approx((PRICE, 2 * PRICE))
    assert totals(stack(group(capacity="spot"))).as_output()["usdPerHourMin"] is None
