"""MIG profiles: which slices a GPU can be cut into, how many of each, and the memory of one slice. Data: data/mig.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from catalog import rows
from catalog.gpus import Gpu

GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class MigProfile:
    """One way to cut a GPU."""

    name: str
    """As nvidia-smi names it, such as `1g.10gb`."""
    slices: int
    """Most slices of this profile on one GPU."""
    gib: float | None
    """Memory of one slice as nvidia-smi lists it; None: not measured."""


def profiles(gpu: str) -> Mapping[str, MigProfile] | None:
    """The profiles of a GPU of the catalogue by name; empty where it has no MIG, None where that isn't known."""
    table = rows.load("mig.json")
    return None if gpu in table["unknown"] else _known().get(gpu, MappingProxyType({}))


def slice_gib(gpu: Gpu, profile: str) -> float:
    """Memory of one slice in GiB: as measured, else the number in the profile's name as 10^9 bytes; never above the whole GPU's.

    Raises ValueError where `profile` has no number of gigabytes.
    """
    found = (profiles(gpu.name) or {}).get(profile)
    if found is not None and found.gib is not None:
        return min(found.gib, gpu.cuda_total_gib)
    return min(float(profile.split(".")[1].removesuffix("gb")) * 1e9 / GIB, gpu.cuda_total_gib)


@cache
def _known() -> Mapping[str, Mapping[str, MigProfile]]:
    return {
        gpu: {name: MigProfile(name=name, slices=row["slices"], gib=row["gib"]) for name, row in found.items()}
        for gpu, found in rows.load("mig.json")["rows"].items()
    }
