"""The GPU table: plausible in itself, equal to the collected facts, and open to a stack's own rows."""

import dataclasses
import datetime
import json
from pathlib import Path

import pytest

from catalog import rows
from catalog.gpus import UNMEASURED_CUDA_SHARE, Gpu, gpus

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "gpus.yaml"

# (GPU, field) -> why the table differs from the collected facts
REPAIRS = {
    ("T4G", "cuda_total_measured"): "the facts list T4's figure as model knowledge for T4G",
    ("T4G", "label_mib"): "no source",
    ("V100-16GB", "cuda_total_gib"): "no source, estimated",
    ("V100-32GB", "cuda_total_gib"): "no source, estimated",
    ("RTX-PRO-4500", "label_mib"): "found in a public log",
    ("H100-80GB", "cuda_total_gib"): "79.11 has no source, vLLM's logs have 79.18",
    ("GB200", "memory_mib"): "EC2 publishes none, nvidia-smi's figure taken",
    ("GB200", "cuda_total_gib"): "found in a vLLM log",
}
"""Fields that were filled or changed on purpose; each row's reason is in data/gpus.json too."""


def test_every_gpu_is_plausible() -> None:
    for gpu in gpus().values():
        seen = gpu.cuda_total_gib * 1024 / min(gpu.memory_mib, gpu.label_mib or gpu.memory_mib)
        assert 0.90 < seen < 1, f"{gpu.name}: CUDA sees {seen:.1%} of the memory"
        assert gpu.bf16 == (gpu.compute_capability >= (8, 0)), gpu.name
        assert gpu.fp8_native == (gpu.compute_capability >= (8, 9)), gpu.name
        assert gpu.gfd_product is None or " " not in gpu.gfd_product


def test_every_row_says_where_it_comes_from_and_the_file_is_dated() -> None:
    data = rows.load("gpus.json")
    assert datetime.date.fromisoformat(data["date"])
    assert [name for name, row in data["rows"].items() if not row["source"]] == []


def test_the_shipped_rows_pass_the_checks_that_overrides_pass() -> None:
    assert gpus(rows.load("gpus.json")["rows"]) == gpus()


def test_product_labels_are_unique() -> None:
    labels = [gpu.gfd_product for gpu in gpus().values() if gpu.gfd_product]
    assert len(labels) == len(set(labels))


def test_the_table_equals_the_collected_facts_except_for_documented_repairs() -> None:
    if not FACTS.exists():
        pytest.skip(f"the collected facts are not beside this checkout ({FACTS.name})")
    import yaml

    different = set()
    for name, fact in yaml.safe_load(FACTS.read_text())["gpus"].items():
        gpu, total = gpus()[name], fact.get("cuda_total_gib")
        expected = {
            "architecture": fact["arch"],
            "compute_capability": tuple(int(part) for part in fact["compute_capability"].split(".")),
            "memory_mib": fact["ec2_memory_mib"],
            "cuda_total_gib": total or gpu.cuda_total_gib,
            "cuda_total_measured": gpu.cuda_total_measured if name not in ("T4G",) else total is not None,
            "label_mib": fact["usable_mib"],
            "bandwidth_gbs": fact["bandwidth_gbs"],
            "bf16": fact["bf16_supported"],
            "fp8_native": fact["fp8_native"],
            "nvlink_gbs": fact["nvlink_gbs"],
            "gfd_product": fact["gfd_product"],
            "node_arch": fact.get("node_arch", "amd64"),
        }
        different |= {(name, field) for field, value in expected.items() if getattr(gpu, field) != value}
    assert different - set(REPAIRS) == set()
    assert set(REPAIRS) - different <= {("GB200", "cuda_total_gib")}, "a repair that repairs nothing"


def test_an_override_patches_one_field_and_leaves_the_shared_table_alone() -> None:
    before = gpus()["A10G"]
    assert gpus({"A10G": {"label_mib": 22731}})["A10G"] == dataclasses.replace(before, label_mib=22731)
    assert gpus()["A10G"] is before


def test_a_new_row_needs_only_what_cannot_be_derived() -> None:
    row = {"architecture": "ada", "compute_capability": [8, 9], "memory_mib": 20475}
    assert gpus({"RTX-4000-ADA": row})["RTX-4000-ADA"] == Gpu(
        name="RTX-4000-ADA",
        architecture="ada",
        compute_capability=(8, 9),
        memory_mib=20475,
        cuda_total_gib=round(UNMEASURED_CUDA_SHARE * 20475 / 1024, 2),
        cuda_total_measured=False,
        label_mib=None,
        bandwidth_gbs=None,
        bf16=True,
        fp8_native=True,
        nvlink_gbs=None,
        gfd_product=None,
        node_arch="amd64",
    )


def test_a_given_cuda_total_counts_as_measured() -> None:
    assert gpus({"L40": {"cuda_total_gib": 44.3}})["L40"].cuda_total_measured is True


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"NEW": {"memory_mib": 1024}}, ["NEW", "architecture is missing", "compute_capability is missing"]),
        ({"A10G": {"memoryMib": 1}}, ["A10G", "memoryMib is not a field", "memory_mib"]),
        ({"A10G": {"memory_mib": "24 GB"}}, ["A10G", "memory_mib", "24 GB"]),
        ({"A10G": {"bandwidth_gbs": float("nan")}}, ["A10G", "bandwidth_gbs must be above 0 and finite"]),
        ({"A10G": None}, ["A10G", "give a mapping"]),
        ({"A10G": {"memory_mib": 0}, "L4": {"x": 1}}, ["'A10G'", "memory_mib must be", "'L4'", "x is not a field"]),
        ({"A10G": {"memory_mib": 0}}, ["A10G", "memory_mib must be above 0"]),
        ({"A10G": {"cuda_total_gib": 24.0}}, ["A10G", "cuda_total_gib must not be above"]),
        ({"A10G": {"compute_capability": 8.6}}, ["A10G", "compute_capability", "8.6"]),
        ({"A10G": {"node_arch": "x86_64"}}, ["A10G", "node_arch", "amd64"]),
        ({"A10G": {"label_mib": datetime.date(2026, 1, 1)}}, ["A10G", "label_mib"]),
    ],
)
def test_a_wrong_override_names_row_and_field(override: dict, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^Gpu ") as caught:
        gpus(override)
    assert [word for word in words if word not in str(caught.value)] == []


def test_the_data_file_has_one_row_a_line() -> None:
    text = (Path(rows.__file__).parent / "data" / "gpus.json").read_text()
    lines = {line.strip().rstrip(",") for line in text.splitlines()}
    for name, row in json.loads(text)["rows"].items():
        assert f"{json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" in lines
