"""MIG profiles against the GPUs of the catalogue."""

import datetime

import pytest

from catalog import rows
from catalog.gpus import gpus
from catalog.mig import profiles, slice_gib


def test_the_data_file_has_source_and_date_and_only_known_gpus() -> None:
    table = rows.load("mig.json")
    assert table["source"]
    assert datetime.date.fromisoformat(table["date"])
    assert {*table["rows"], *table["unknown"]} <= set(gpus())


@pytest.mark.parametrize("gpu", rows.load("mig.json")["rows"])
def test_slices_of_a_profile_fit_in_the_gpu_together(gpu: str) -> None:
    card = gpus()[gpu]
    for one in (profiles(gpu) or {}).values():
        assert one.slices * slice_gib(card, one.name) <= card.cuda_total_gib * 1.01, one.name
        assert one.slices * int(one.name[0]) <= 7


@pytest.mark.parametrize("gpu", rows.load("mig.json")["rows"])
def test_a_profile_with_more_memory_has_no_more_slices(gpu: str) -> None:
    card = gpus()[gpu]
    ordered = sorted((profiles(gpu) or {}).values(), key=lambda one: slice_gib(card, one.name))
    counts = [one.slices for one in ordered]
    assert counts == sorted(counts, reverse=True)


def test_gpus_without_mig_and_gpus_that_nobody_measured_are_told_apart() -> None:
    assert profiles("L40S") == {}
    assert profiles("RTX-PRO-4500") is None


def test_a_slice_that_nobody_measured_never_exceeds_the_gpu() -> None:
    card = gpus()["B300"]
    assert slice_gib(card, "1g.34gb") == pytest.approx(34e9 / 2**30)
    assert slice_gib(card, "7g.999gb") == card.cuda_total_gib
