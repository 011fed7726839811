"""What a GPU must hold at least, for engines, versions and options without an estimate. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.architecture import DTYPE_BYTES
from catalog.mig import slice_gib
from catalog.parameters import part_bytes, parts
from components.resolved import Workload
from components.spec import GIB
from preflight.rule import Facts

_LEFT_OUT = ("vision", "other")
"""Parts that an engine may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """In GiB of one GPU: nothing that is sure to be needed beside the weights and the least KV cache is counted."""

    weights: float
    kv: float
    usable: float
    total: float


def floors(facts: Facts) -> Iterator[tuple[Workload, Floor]]:
    """Workloads without an estimate whose model and GPU are known."""
    for workload in facts.workloads:
        shape, gpu, engine = workload.model.architecture, workload.node_group.gpu, workload.engine
        if workload.memory is not None or shape is None or gpu is None:
            continue
        sharing = workload.node_group.sharing
        total = slice_gib(gpu, sharing.mig_profile) if sharing and sharing.mig_profile else gpu.cuda_total_gib
        offloaded = engine.host_offload_bytes() / workload.parallelism.ranks
        yield (
            workload,
            Floor(
                weights=max(0.0, _weights_bytes(workload) - offloaded) / GIB,
                kv=engine.least_kv_bytes(shape) / GIB,
                usable=engine.usable_gib(total),
                total=total,
            ),
        )


def _weights_bytes(workload: Workload) -> float:
    """Weights of the fullest rank: no less than the share of one rank if all were split evenly.

    Each tensor-parallel rank of a pipeline stage holds its share, each copy for data parallelism holds all of it but the experts, which
    may be spread over the copies too. 32-bit weights count as 16-bit ones, which most engines make of them.
    """
    shape, size = workload.model.architecture, workload.parallelism
    assert shape is not None
    stored = shape.quantization or workload.engine.quantized_at_load()
    width = min(2, DTYPE_BYTES[shape.torch_dtype])
    ranks = size.tensor * size.pipeline
    spread = {"experts": ranks * size.data}
    return sum(
        part_bytes(part, count, stored, width) / spread.get(part, ranks)
        for part, count in parts(shape).items()
        if part not in _LEFT_OUT
    )
