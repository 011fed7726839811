"""The instance table: plausible in itself, equal to what EC2 says (moto's copy), and open to a stack's own rows."""

import dataclasses
import datetime
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import moto
import pytest

from catalog import rows
from catalog.gpus import gpus
from catalog.instances import InstanceType, instances

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "instances.yaml"

EC2_GPU_NAMES = {
    "T4G": "T4g",
    "V100-16GB": "V100",
    "V100-32GB": "V100",
    "A100-40GB": "A100",
    "A100-80GB": "A100",
    "H100-80GB": "H100",
    "RTX-PRO-4500": "RTX PRO 4500",
    "RTX-PRO-6000": "RTX PRO Server 6000",
}
"""Our names where EC2's differ."""

_SLICE = "EC2 gives the memory of the slice, the GPU table that of the whole L4"
_CARDS = "EC2's figure of each card repeats the total of the node"
DIFFERENCES = {
    ("g6f.large", "gpu memory"): _SLICE,
    ("g6f.xlarge", "gpu memory"): _SLICE,
    ("g6f.2xlarge", "gpu memory"): _SLICE,
    ("g6f.4xlarge", "gpu memory"): _SLICE,
    ("gr6f.4xlarge", "gpu memory"): _SLICE,
    ("g6e.24xlarge", "network"): _CARDS,
    ("g6e.48xlarge", "network"): _CARDS,
    ("p6-b200.48xlarge", "network"): "EC2's cards give ENA bandwidth (200 of 400 each), NetworkPerformance 3200",
    ("p6-b300.48xlarge", "network"): "EC2's cards include the ENA-only one of 350, NetworkPerformance 6400",
    ("p3.2xlarge", "listed"): "old generation, not in moto's data",
    ("p3.8xlarge", "listed"): "old generation, not in moto's data",
    ("p3.16xlarge", "listed"): "old generation, not in moto's data",
}
"""(instance type, fact) -> why ours differs from EC2's."""


@cache
def ec2() -> dict[str, dict[str, Any]]:
    with gzip.open(Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz") as file:
        return json.load(file)


def facts_of_ec2(name: str) -> dict[str, object]:
    there = ec2()[name]
    gpu, network = there["GpuInfo"]["Gpus"][0], there["NetworkInfo"]
    default_card = network["NetworkCards"][network.get("DefaultNetworkCardIndex", 0)]
    return {
        "vcpu": there["VCpuInfo"]["DefaultVCpus"],
        "memory": there["MemoryInfo"]["SizeInMiB"],
        "gpu name": gpu["Name"],
        "gpu count": gpu["Count"],
        "gpu memory": gpu["MemoryInfo"]["SizeInMiB"],
        "efa": network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0),
        "nvme": there.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        "arch": there["ProcessorInfo"]["SupportedArchitectures"][0],
        "network": sum(card["BaselineBandwidthInGbps"] for card in network["NetworkCards"]),
        "pods": default_card["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2,
        "listed": True,
    }


def facts_of_ours(ours: InstanceType) -> dict[str, object]:
    return {
        "vcpu": ours.vcpu,
        "memory": ours.memory_gib * 1024,
        "gpu name": EC2_GPU_NAMES.get(ours.gpu, ours.gpu),
        "gpu count": ours.gpu_count,
        "gpu memory": gpus()[ours.gpu].memory_mib,
        "efa": ours.efa_interfaces,
        "nvme": ours.local_nvme_gb,
        "arch": {"amd64": "x86_64", "arm64": "arm64"}[ours.arch],
        "network": ours.network_gbps,
        "pods": ours.max_pods,
        "listed": True,
    }


def test_every_fact_equals_ec2s_except_for_explained_differences() -> None:
    different = set()
    for name, ours in instances().items():
        theirs = facts_of_ec2(name) if name in ec2() else {"listed": False}
        mine = facts_of_ours(ours)
        different |= {(name, fact) for fact, value in theirs.items() if mine[fact] != value}
    assert different == set(DIFFERENCES)


def test_no_nvidia_instance_type_of_ec2_is_missing() -> None:
    nvidia = {
        name
        for name, there in ec2().items()
        if any(gpu["Manufacturer"] == "NVIDIA" for gpu in there.get("GpuInfo", {}).get("Gpus", []))
    }
    assert len(nvidia) > 50
    assert nvidia - set(instances()) == set()


def test_every_gpu_of_an_instance_is_in_the_gpu_table() -> None:
    assert {ours.gpu for ours in instances().values()} - set(gpus()) == set()


def test_the_cpu_architecture_is_that_of_the_gpu() -> None:
    assert [n for n, ours in instances().items() if ours.arch != gpus()[ours.gpu].node_arch] == []


def test_nvlink_needs_several_gpus_that_have_it() -> None:
    wrong = [
        name
        for name, ours in instances().items()
        if ours.nvlink != (ours.gpu_count > 1 and gpus()[ours.gpu].nvlink_gbs is not None)
    ]
    assert wrong == []


def test_allocatable_is_karpenters_formula() -> None:
    """Formula: data/instances.json, first note; CPU reserve: 6 % of the first, 1 %, 0.5 % twice, then 0.25 %."""
    for name, ours in instances().items():
        nominal = ours.memory_gib * 1024 - (64 if ours.arch == "arm64" else 0)
        memory = nominal * 0.925 - (11 * ours.max_pods + 255) - 100
        assert ours.allocatable_memory_mib == pytest.approx(memory, abs=1.5), name
        reserve = sum((60, 10, 5, 5)[: ours.vcpu]) + 2.5 * max(0, ours.vcpu - 4)
        assert ours.allocatable_cpu_millis == pytest.approx(ours.vcpu * 1000 - reserve, abs=1), name


def test_fractional_types_have_no_whole_gpu() -> None:
    assert {n for n, ours in instances().items() if ours.fractional} == {
        "g6f.large",
        "g6f.xlarge",
        "g6f.2xlarge",
        "g6f.4xlarge",
        "gr6f.4xlarge",
    }


def test_the_file_has_source_and_date() -> None:
    data = rows.load("instances.json")
    assert data["source"]
    assert datetime.date.fromisoformat(data["date"])


def test_the_shipped_rows_pass_the_checks_that_overrides_pass() -> None:
    assert instances(rows.load("instances.json")["rows"]) == instances()


def test_the_table_equals_the_collected_facts() -> None:
    if not FACTS.exists():
        pytest.skip(f"the collected facts are not beside this checkout ({FACTS.name})")
    import yaml

    facts = yaml.safe_load(FACTS.read_text())["instances"]
    assert set(facts) - set(instances()) == {"p6e-gb200.36xlarge"}  # no source for what a node offers: see the file
    for name, ours in instances().items():
        fact = facts[name]
        assert (ours.gpu, ours.gpu_count, ours.vcpu) == (fact["gpu"], fact["gpu_count"], fact["vcpu"]), name
        assert ours.memory_gib == fact["memory_gib"], name
        if name.startswith("p3."):  # completed from Karpenter v1.12's page: see the file
            continue
        assert f"{ours.allocatable_cpu_millis}m" == fact["allocatable_cpu"], name
        assert f"{ours.allocatable_memory_mib}Mi" == fact["allocatable_memory"], name
        expected = (
            fact["local_nvme_gb"],
            fact["network_gbps"],
            fact["efa_interfaces"],
            fact["nvlink"],
            fact["max_pods"],
        )
        found = (ours.local_nvme_gb, ours.network_gbps, ours.efa_interfaces, ours.nvlink, ours.max_pods)
        assert found == expected, name


def test_an_override_patches_one_field_and_leaves_the_shared_table_alone() -> None:
    before = instances()["g6.xlarge"]
    patched = instances({"g6.xlarge": {"allocatable_memory_mib": 15000}})["g6.xlarge"]
    assert patched == dataclasses.replace(before, allocatable_memory_mib=15000)
    assert instances()["g6.xlarge"] is before


def test_a_new_row_needs_only_what_has_no_default() -> None:
    row = {
        "gpu": "GB200",
        "gpu_count": 4,
        "vcpu": 144,
        "memory_gib": 960,
        "allocatable_cpu_millis": 143570,
        "allocatable_memory_mib": 900000,
        "max_pods": 110,
        "arch": "arm64",
    }
    new = instances({"p6e-gb200.36xlarge": row})["p6e-gb200.36xlarge"]
    assert (new.name, new.gpu, new.arch, new.fractional) == ("p6e-gb200.36xlarge", "GB200", "arm64", False)
    assert (new.local_nvme_gb, new.network_gbps, new.efa_interfaces, new.nvlink) == (0, None, 0, False)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"x1.large": {"gpu": "L4"}}, ["x1.large", "vcpu is missing", "max_pods is missing"]),
        ({"g6.xlarge": {"vcpus": 4}}, ["g6.xlarge", "vcpus is not a field", "vcpu"]),
        ({"g6.xlarge": {"vcpu": "4"}}, ["g6.xlarge", "vcpu", "'4'"]),
        ({"g6.xlarge": {"allocatable_cpu_millis": 4001}}, ["g6.xlarge", "4000"]),
        ({"g6.xlarge": {"allocatable_memory_mib": 16385}}, ["g6.xlarge", "16384"]),
        ({"g6.xlarge": {"gpu_count": 0}}, ["g6.xlarge", "fractional"]),
        ({"g6.xlarge": {"efa_interfaces": -1}}, ["g6.xlarge", "efa_interfaces must not be below 0"]),
        ({"g6.xlarge": {"network_gbps": float("inf")}}, ["g6.xlarge", "network_gbps", "infinite"]),
        ({"g6.xlarge": {"arch": "x86_64"}}, ["g6.xlarge", "arch", "amd64"]),
    ],
)
def test_a_wrong_override_names_row_and_field(override: dict, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^InstanceType ") as caught:
        instances(override)
    assert [word for word in words if word not in str(caught.value)] == []
