"""Known vulnerabilities: every row is sourced and in order, and ranges hold at their ends."""

import re

import pytest

from catalog.advisories import SEVERITIES, Advisory, advisories, affecting, date
from catalog.options import versions

ROWS = (*advisories("vllm"), *advisories("tgi"))


@pytest.mark.parametrize("row", ROWS, ids=[one.id for one in ROWS])
def test_a_row_has_a_source_a_date_and_an_end(row: Advisory) -> None:
    assert re.fullmatch(r"CVE-20\d\d-\d{4,}|PYSEC-20\d\d-\d+", row.id)
    assert row.source.startswith("https://")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", row.published)
    assert row.published <= date()
    assert row.severity in SEVERITIES
    assert (row.first_fixed is None) != (row.last_affected is None)


@pytest.mark.parametrize("row", ROWS, ids=[one.id for one in ROWS])
def test_a_range_ends_where_it_says(row: Advisory) -> None:
    if row.first_fixed:
        assert not row.affects(row.first_fixed)
    else:
        assert row.last_affected
        assert row.affects(row.last_affected)
    if row.first_affected:
        assert row.affects(row.first_affected)
        assert not row.affects("0.0.1")
    else:
        assert row.affects("0.0.1")


def test_ids_are_unique() -> None:
    assert len({one.id for one in ROWS}) == len(ROWS)


def test_versions_compare_as_numbers() -> None:
    one = next(row for row in ROWS if row.id == "CVE-2025-32444")
    assert one.affects("0.8.4")
    assert one.affects("v0.6.6.post1")
    assert not one.affects("0.8.5.post1")
    assert not one.affects("0.10.0")
    assert not one.affects("nightly")


def test_the_worst_comes_first() -> None:
    found = [SEVERITIES.index(one.severity) for one in affecting("vllm", "0.8.4")]
    assert found == sorted(found)
    assert found[0] == 0


@pytest.mark.parametrize("engine", ["vllm", "tgi"])
def test_the_newest_version_of_the_catalogue_has_none(engine: str) -> None:
    assert affecting(engine, versions(engine)[-1]) == ()


def test_an_unknown_engine_has_none() -> None:
    assert affecting("sglang", "0.5.0") == ()
