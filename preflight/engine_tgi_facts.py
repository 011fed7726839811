"""What TGI's rules share: its workloads, and the attention implementation that the launcher picks. Pure."""

from collections.abc import Iterator

from components.engines.tgi import Tgi
from components.resolved import Workload
from preflight.rule import Facts

_FLASHINFER_HEADS = (64, 128, 256)
_NOT_FLASHINFER = frozenset({"falcon", "deepseek_v2"})


def tgi_workloads(facts: Facts) -> Iterator[tuple[Workload, Tgi]]:
    """Workloads that TGI serves, with their engine."""
    for workload in facts.workloads:
        if isinstance(workload.engine, Tgi):
            yield workload, workload.engine


def attention(workload: Workload, engine: Tgi) -> str | None:
    """flashinfer, flashdecoding or paged; None where model or GPU isn't known (launcher/src/main.rs, resolve_attention)."""
    shape, gpu = workload.model.architecture, workload.node_group.gpu
    if engine.attention is not None:
        return engine.attention
    if shape is None or gpu is None:
        return None
    if shape.head_dim in _FLASHINFER_HEADS and shape.model_type not in _NOT_FLASHINFER:
        return "flashinfer"
    return "paged" if gpu.compute_capability < (8, 0) else "flashdecoding"


def chunks_prompts(workload: Workload, engine: Tgi) -> bool:
    """Long prompts are split over several steps; true where that isn't known (models/model.py)."""
    return engine.prefill_chunking is not False and not engine.speculate and attention(workload, engine) != "paged"
