"""EC2 instance types with NVIDIA GPUs: what a node of each offers to pods."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from catalog import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One instance type. Source and date: data/instances.json."""

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012 (read by pydantic when it checks overrides)

    name: str
    gpu: str
    """Name of the GPU in `catalog.gpus`."""
    gpu_count: int
    """Whole GPUs, which is what `nvidia.com/gpu` counts; 0 when `fractional`."""
    vcpu: int
    memory_gib: float
    """Nominal, in GiB."""
    allocatable_cpu_millis: int
    """Karpenter's conservative estimate for the hardware, in thousandths of a CPU, before DaemonSets."""
    allocatable_memory_mib: int
    """Karpenter's conservative estimate for the hardware, in MiB (7.5 % off for the hypervisor), before DaemonSets."""
    local_nvme_gb: int
    """Instance store, in GB (10**9); 0: none. EKS does not use it unless told to."""
    network_gbps: float | None
    """Sustained, all network cards together; None: not known."""
    efa_interfaces: int
    nvlink: bool
    """The node's GPUs are linked by NVLink; else tensor parallelism goes over PCIe."""
    arch: Literal["amd64", "arm64"]
    max_pods: int
    """What the network interfaces allow."""
    fractional: bool
    """A slice of a GPU (g6f, gr6f): not schedulable as `nvidia.com/gpu`."""

    def __post_init__(self) -> None:
        for field in ("vcpu", "memory_gib", "allocatable_cpu_millis", "allocatable_memory_mib", "max_pods"):
            if not 0 < getattr(self, field) < math.inf:
                raise ValueError(f"{field} must be above 0 and finite")
        for field in ("gpu_count", "local_nvme_gb", "efa_interfaces", "network_gbps"):
            if not 0 <= (getattr(self, field) or 0) < math.inf:
                raise ValueError(f"{field} must not be below 0 or infinite")
        if (self.gpu_count == 0) != self.fractional:
            raise ValueError("gpu_count is 0 exactly when fractional is true")
        if self.allocatable_cpu_millis > self.vcpu * 1000:
            raise ValueError(f"allocatable_cpu_millis must not be above the {self.vcpu * 1000} of vcpu")
        if self.allocatable_memory_mib > self.memory_gib * 1024:
            raise ValueError(f"allocatable_memory_mib must not be above the {self.memory_gib * 1024:.0f} of memory_gib")


def instances(overrides: Mapping[str, Mapping[str, object]] | None = None) -> Mapping[str, InstanceType]:
    """Every known GPU instance type by name, with a stack's `overrides` laid over.

    An override patches fields of the row with its name, or is a new row: then `gpu`, `gpu_count`, `vcpu`, `memory_gib`,
    `allocatable_cpu_millis`, `allocatable_memory_mib` and `max_pods` are needed and the rest may be left out.
    Whether `gpu` exists is for the caller to check, against `gpus()` with the same stack's overrides.
    Raises ValueError naming the row and the missing, unknown or wrong field.
    """
    return rows.table(InstanceType, "instances.json", overrides, _complete) if overrides else _known()


@cache
def _known() -> Mapping[str, InstanceType]:
    return MappingProxyType(rows.table(InstanceType, "instances.json", None, _complete))


def _complete(row: dict[str, Any]) -> None:
    row.setdefault("local_nvme_gb", 0)
    row.setdefault("network_gbps", None)
    row.setdefault("efa_interfaces", 0)
    row.setdefault("nvlink", False)
    row.setdefault("arch", "amd64")
    row.setdefault("fractional", False)
