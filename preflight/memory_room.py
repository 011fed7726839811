"""What is left for the KV cache on the fullest GPU of a workload. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.engines.vllm_memory import MemoryEstimate
from components.resolved import Workload
from preflight.rule import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left for the KV cache on the fullest GPU, in GiB, weights that stay in the pod's memory taken off."""

    memory: MemoryEstimate
    kv: float
    low: float
    high: float

    @property
    def overhead(self) -> float:
        """Beside weights and KV cache."""
        return self.memory.non_torch_gib + self.memory.activation_gib + self.memory.cudagraph_gib

    def verdict(self, needed: float) -> bool | None:
        """Whether `needed` GiB of KV cache fit; None where the range of an extrapolated estimate holds both answers."""
        if self.memory.extrapolated and self.low < needed <= self.high:
            return None
        return self.kv >= needed and self.kv > 0


def rooms(facts: Facts) -> Iterator[tuple[Workload, Room]]:
    """Workloads with an estimate; those with kvCacheMemoryBytes have a rule of their own."""
    for workload in facts.workloads:
        memory, engine = workload.memory, workload.engine
        if memory is None or getattr(engine, "kv_cache_memory_bytes", None):
            continue
        yield workload, Room(memory=memory, kv=memory.kv_gib, low=memory.kv_gib_low, high=memory.kv_gib_high)


def device(workload: Workload) -> str:
    """The GPU of a workload, or its slice."""
    sharing = workload.node_group.sharing
    return (
        f"a {sharing.mig_profile} slice of {workload.node_group.gpu_name}"
        if sharing and sharing.mig_profile
        else f"{workload.node_group.gpu_name}"
    )
