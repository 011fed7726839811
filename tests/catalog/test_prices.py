"""Prices: dated, of the region asked for, and None when not known."""

import datetime
import itertools
from pathlib import Path
from typing import Any

import pytest

from catalog import rows
from catalog.instances import instances
from catalog.prices import Price, price, table_date

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "instances.yaml"
REGIONS = sorted(rows.load("prices.json")["rows"])


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_positive_prices_of_known_types_with_date_and_source(region: str) -> None:
    listed = rows.load("prices.json")["rows"][region]
    assert set(listed) == {"date", "source", "on_demand"}
    assert datetime.date.fromisoformat(table_date(region) or "") <= datetime.date.fromisoformat(
        rows.load("prices.json")["date"]
    )
    assert listed["source"]
    assert set(listed["on_demand"]) - set(instances()) == set()
    assert [name for name, usd in listed["on_demand"].items() if not 0 < usd < 1000] == []


def test_within_a_family_more_gpus_never_cost_less() -> None:
    for (one, first), (two, second) in itertools.permutations(instances().items(), 2):
        here, there = price(one, "on-demand", "us-east-1"), price(two, "on-demand", "us-east-1")
        bigger = second.gpu_count >= first.gpu_count and second.vcpu >= first.vcpu
        if one.split(".")[0] == two.split(".")[0] and bigger and here and there:
            assert there.usd_per_hour >= here.usd_per_hour, f"{two} costs less than {one}"


def test_a_listed_price_carries_its_region_date_and_source() -> None:
    found = price("g6.xlarge", "on-demand", "us-east-1")
    listed = rows.load("prices.json")["rows"]["us-east-1"]
    assert found == Price(
        usd_per_hour=listed["on_demand"]["g6.xlarge"],
        capacity="on-demand",
        region="us-east-1",
        date=listed["date"],
        source=listed["source"],
    )


@pytest.mark.parametrize(
    ("name", "capacity", "region"),
    [
        ("g6.xlarge", "spot", "us-east-1"),
        ("g6.xlarge", "on-demand", "eu-west-1"),
        ("g6.xlarge", "on-demand", "us-west-2"),
        ("p5e.48xlarge", "on-demand", "us-east-1"),
        ("x99.large", "on-demand", "us-east-1"),
        ("g6.xlarge", "capacity-block", "us-east-1"),
    ],
)
def test_an_unknown_price_is_none(name: str, capacity: str, region: str) -> None:
    assert price(name, capacity, region) is None


def test_a_region_without_a_table_has_no_date() -> None:
    assert table_date("eu-west-1") is None
    assert table_date("us-east-1") is not None


def test_the_table_equals_the_collected_facts() -> None:
    if not FACTS.exists():
        pytest.skip(f"the collected facts are not beside this checkout ({FACTS.name})")
    import yaml

    facts = yaml.safe_load(FACTS.read_text())["instances"]
    expected = {name: row["usd_hour_us_east_1"] for name, row in facts.items() if row["usd_hour_us_east_1"] is not None}
    assert rows.load("prices.json")["rows"]["us-east-1"]["on_demand"] == expected


def test_an_override_goes_before_the_table_in_every_region() -> None:
    overrides = {"g6.xlarge": {"on_demand": 0.5, "spot": 0.25, "date": "2026-11-01", "source": "our agreement"}}
    for region in ("us-east-1", "eu-west-1"):
        assert price("g6.xlarge", "on-demand", region, overrides) == Price(
            usd_per_hour=0.5, capacity="on-demand", region=region, date="2026-11-01", source="our agreement"
        )
        assert price("g6.xlarge", "spot", region, overrides) == Price(
            usd_per_hour=0.25, capacity="spot", region=region, date="2026-11-01", source="our agreement"
        )


def test_an_override_of_another_region_or_capacity_changes_nothing() -> None:
    listed = price("g6.xlarge", "on-demand", "us-east-1")
    assert (
        price("g6.xlarge", "on-demand", "us-east-1", {"g6.xlarge": {"on_demand": 9.0, "region": "eu-west-1"}}) == listed
    )
    assert price("g6.xlarge", "on-demand", "us-east-1", {"g6.xlarge": {"spot": 0.1}}) == listed
    assert price("g6.xlarge", "on-demand", "us-east-1", {"g6.2xlarge": {"on_demand": 9.0}}) == listed


def test_an_override_without_a_date_says_so() -> None:
    found = price("g6.xlarge", "spot", "us-east-1", {"g6.xlarge": {"spot": 1}})
    assert found == Price(usd_per_hour=1.0, capacity="spot", region="us-east-1", date=None, source="the stack")


def test_an_override_of_none_makes_the_price_unknown() -> None:
    assert price("g6.xlarge", "on-demand", "us-east-1", {"g6.xlarge": {"on_demand": None}}) is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, ["g6.xlarge", "give a mapping"]),
        ({"on_demand": 0}, ["g6.xlarge", "on_demand", "above 0"]),
        ({"spot": -1.0}, ["g6.xlarge", "spot", "-1.0"]),
        ({"spot": float("nan")}, ["spot", "nan"]),
        ({"spot": True}, ["spot", "True"]),
        ({"on_demand": "0.8"}, ["on_demand", "'0.8'"]),
        ({"onDemand": 0.8}, ["g6.xlarge", "onDemand is not a field", "on_demand"]),
        ({"on_demand": 0.8, "date": datetime.date(2026, 1, 1)}, ["g6.xlarge", "date", "in quotes"]),
    ],
)
def test_a_wrong_override_names_row_and_field(row: Any, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^Price ") as caught:
        price("g6.xlarge", "on-demand", "us-east-1", {"g6.xlarge": row})
    assert [word for word in words if word not in str(caught.value)] == []
