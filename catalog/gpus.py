"""GPUs: what memory the engine sees, and what the architecture can compute."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from catalog import rows

UNMEASURED_CUDA_SHARE = 0.985
"""Share of the smaller of `memory_mib` and `label_mib` that CUDA sees, where nothing was measured

Measured cards: 0.971 (T4) to 0.997 (B300).
."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU. Sources, row by row: data/gpus.json."""

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012 (read by pydantic when it checks overrides)

    name: str
    """As stacks name it, such as `H100-80GB`."""
    architecture: str
    """NVIDIA's family in lower case, such as `ampere`."""
    compute_capability: tuple[int, int]
    """Major and minor, such as (8, 9)."""
    memory_mib: int
    """What EC2 reports, or nvidia-smi for a GPU that EC2 does not offer, in MiB."""
    cuda_total_gib: float
    """What torch and vLLM see, in GiB: the base of `gpuMemoryUtilization`."""
    cuda_total_measured: bool
    """False: `cuda_total_gib` is an estimate."""
    label_mib: int | None
    """Value of the node label `nvidia.com/gpu.memory`; None: not known."""
    bandwidth_gbs: float | None
    """Memory bandwidth in GB/s; None: not known."""
    bf16: bool
    """Computes in bfloat16 (compute capability 8.0 and later)."""
    fp8_native: bool
    """Multiplies FP8 matrices (compute capability 8.9 and later); older ones run FP8 weights by weight-only kernels."""
    nvlink_gbs: float | None
    """NVLink bandwidth of one GPU, both directions together, in GB/s; None: PCIe only, or not known."""
    gfd_product: str | None
    """Value of the node label `nvidia.com/gpu.product` without sharing or MIG; None: not known."""
    node_arch: Literal["amd64", "arm64"]
    """CPU architecture of the nodes that carry it."""

    def __post_init__(self) -> None:
        for field in ("memory_mib", "cuda_total_gib", "label_mib", "bandwidth_gbs", "nvlink_gbs"):
            value = getattr(self, field)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{field} must be above 0 and finite")
        if self.cuda_total_gib * 1024 > max(self.memory_mib, self.label_mib or 0):
            raise ValueError(f"cuda_total_gib must not be above the {self.memory_mib} MiB of memory_mib")


def gpus(overrides: Mapping[str, Mapping[str, object]] | None = None) -> Mapping[str, Gpu]:
    """Every known GPU by name, with a stack's `overrides` laid over.

    An override patches fields of the row with its name, or is a new row: then `architecture`, `compute_capability` and
    `memory_mib` are needed and the rest may be left out. `cuda_total_gib` counts as measured when an override gives it.
    Raises ValueError naming the row and the missing, unknown or wrong field.
    """
    return rows.table(Gpu, "gpus.json", _measured(overrides), _complete) if overrides else _known()


@cache
def _known() -> Mapping[str, Gpu]:
    return MappingProxyType(rows.table(Gpu, "gpus.json", None, _complete))


def _measured(overrides: Mapping[str, Mapping[str, object]]) -> dict[str, Mapping[str, object]]:
    return {
        name: {"cuda_total_measured": row["cuda_total_gib"] is not None, **row}
        if isinstance(row, Mapping) and "cuda_total_gib" in row
        else row
        for name, row in overrides.items()
    }


def _complete(row: dict[str, Any]) -> None:
    for field in ("cuda_total_gib", "label_mib", "bandwidth_gbs", "nvlink_gbs", "gfd_product"):
        row.setdefault(field, None)
    row.setdefault("node_arch", "amd64")
    capability = row.get("compute_capability")
    if isinstance(capability, list | tuple) and all(isinstance(part, int) for part in capability):
        row.setdefault("bf16", tuple(capability) >= (8, 0))
        row.setdefault("fp8_native", tuple(capability) >= (8, 9))
    if row["cuda_total_gib"] is None and isinstance(row.get("memory_mib"), int):
        sizes = [size for size in (row["memory_mib"], row["label_mib"]) if isinstance(size, int)]
        row["cuda_total_gib"] = round(UNMEASURED_CUDA_SHARE * min(sizes) / 1024, 2)
    for field in ("bf16", "fp8_native", "cuda_total_measured"):
        row.setdefault(field, False)
