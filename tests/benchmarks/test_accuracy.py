"""The accuracy of the memory estimate: targets, the shipped constants, the page."""

import pytest

from benchmarks import accuracy, memory_fit
from benchmarks.memory_rows import TABLE, Row, rows
from components.engines.vllm_overhead import constants

needs_measurements = pytest.mark.skipif(
    not TABLE.is_file(), reason="the measurements (../shared/facts/vllm_memory_measured.csv) are absent"
)


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows()


@needs_measurements
def test_the_shipped_constants_are_the_fit(table: list[Row]) -> None:
    assert accuracy.differences(accuracy.full_fit(table), constants()["fit"]) == {}


@needs_measurements
def test_the_page_has_the_report_of_today(table: list[Row]) -> None:
    page = accuracy.PAGE.read_text(encoding="utf-8")
    stale = f"docs/{accuracy.PAGE.name} is stale: run python -m benchmarks.accuracy --write"
    assert accuracy.page_with(accuracy.report(table), page) == page, stale


@needs_measurements
def test_the_targets_hold_with_the_scored_model_left_out(table: list[Row]) -> None:
    wanted = [row for row in table if row.target]
    scores = [one for one in accuracy.score(table) if one.row.target]
    assert len(scores) / len(wanted) >= 0.8
    for figure, limit in (("weights", 1.5), ("kv", 5), ("concurrency", 8)):
        errors = [abs(error) for one in scores if (error := one.error(figure, left_out=True)) is not None]
        assert sum(errors) / len(errors) <= limit, figure
    assert [one.row.id for one in scores if not one.right] == []


@needs_measurements
def test_leaving_a_model_out_leaves_out_every_row_of_its_shape(table: list[Row]) -> None:
    families = {row.id: row.family for row in table}
    assert families["P069"] == families["P093"] == "llama 8192 x 80"
    assert families["P022"] == families["P023"]  # Granite 3.1 and 3.3
    assert families["V254"] == families["V171"]  # NVFP4 and FP8 of one model
    without = memory_fit.leave_one_out(table)
    assert without[families["P069"]] != memory_fit.fit(table)


@needs_measurements
def test_every_row_is_scored_or_has_a_reason(table: list[Row]) -> None:
    scored = {one.row.id for one in accuracy.score(table)}
    text = accuracy.report(table)
    for row in table:
        assert row.id in scored or f"{row.id} {row.model}" in text, row.id
        assert (row.inputs is None) is (row.skipped is not None), row.id


def test_rows_without_a_split_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="no measured row with a full split"):
        memory_fit.fit([])


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="the page lacks the markers"):
        accuracy.page_with("text", "a page")
    assert accuracy.page_with("new", f"a\n{accuracy.START}\nold\n{accuracy.END}\nb") == (
        f"a\n{accuracy.START}\nnew\n{accuracy.END}\nb"
    )
