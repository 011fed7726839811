"""Fits the constants of catalog/data/memory_vllm.json to the measured start-ups.

What vLLM's source gives is computed, not fit: see components/engines/vllm_overhead.py. Fitted are a remainder of the activation,
memory outside torch, and CUDA graphs. No constant belongs to a model.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median

from benchmarks.memory_rows import Row
from components.engines.vllm_memory import VllmMemoryInputs, estimate
from components.engines.vllm_overhead import DEFAULT_CAPTURE_SIZES, Batch, capture_limit, capture_sizes, release

_ZERO = {
    "activation_base_gib": 0.0,
    "non_torch_single_gib": 0.0,
    "non_torch_parallel_gib": 0.0,
    "non_torch_per_rank_gib": 0.0,
    "graph_estimated_base_gib": 0.0,
    "graph_estimated_per_layer_gib": 0.0,
    "graph_estimated_per_expert_layer_gib": 0.0,
    "graph_captured_base_gib": 0.0,
    "graph_captured_per_layer_gib": 0.0,
    "graph_captured_per_expert_layer_gib": 0.0,
    "before_gib": 0.0,
    "kv_spread_share": 0.0,
}


def fit(rows: Iterable[Row]) -> dict[str, float]:
    """The constants, in GiB, rounded to 0.001, from the NVIDIA rows of the versions that the table calls measured.

    Raises ValueError when the rows don't determine them.
    """
    usable = [row for row in rows if row.inputs and row.target and release(row.version) < (0, 21)]
    split = [row for row in usable if row.activation is not None and row.non_torch is not None]
    if not split:
        raise ValueError("no measured row with a full split: the constants can't be fitted")
    constants = dict(_ZERO)
    bases = [(row.activation or 0) - estimate(_inputs(row), _ZERO).activation_gib for row in split]
    constants["activation_base_gib"] = median(bases)
    constants["non_torch_single_gib"] = median(row.non_torch or 0 for row in split if _ranks(row) == 1)
    constants.update(_non_torch_parallel(usable, constants["activation_base_gib"]))
    constants.update(_graphs([(row, row.graphs_estimated) for row in split], "estimated"))
    constants.update(_graphs([(row, row.graphs) for row in split], "captured"))
    started = [row.free_at_start for row in split if row.free_at_start and _ranks(row) == 1]
    constants["before_gib"] = median(total - free for free, total in started)
    return {name: round(value, 3) for name, value in constants.items()}


def leave_one_out(rows: Sequence[Row]) -> Mapping[str, dict[str, float]]:
    """Constants for each model family, fitted without any row of that family."""
    families = {row.family for row in rows if row.inputs}
    return {family: fit(row for row in rows if row.family != family) for family in sorted(families)}


def spread(shares: Iterable[float]) -> float:
    """What 95 % of the leave-one-model-out errors stay under; each a share of weights, activation, graphs and memory outside torch."""
    ordered = sorted(abs(share) for share in shares)
    return round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 4)


def _inputs(row: Row) -> VllmMemoryInputs:
    if row.inputs is None:
        raise ValueError(f"row {row.id} can't be estimated: {row.skipped}")
    return row.inputs


def _ranks(row: Row) -> int:
    return _inputs(row).tensor_parallel_size


def _non_torch_parallel(rows: Sequence[Row], activation_base: float) -> dict[str, float]:
    """A line over the number of ranks; level when only one number was measured.

    From rows that state it, and from dense models whose log gives weights and KV cache: there it is what is left of the budget.
    """
    points = []
    for row in rows:
        if _ranks(row) == 1 or _inputs(row).gpu.compute_capability < (9, 0):
            continue
        if row.non_torch is not None:
            points.append((_ranks(row), row.non_torch))
        elif row.weights and row.kv and not _inputs(row).architecture.expert_layers:
            got = estimate(_inputs(row), {**_ZERO, "activation_base_gib": activation_base})
            points.append((_ranks(row), got.budget_gib - got.activation_gib - row.weights - row.kv))
    level, slope = _line(points)
    return {"non_torch_parallel_gib": level, "non_torch_per_rank_gib": slope}


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least squares: intercept and slope; slope 0 when all points have the same place."""
    x, y = fmean(a for a, _ in points), fmean(b for _, b in points)
    width = sum((a - x) ** 2 for a, _ in points)
    slope = sum((a - x) * (b - y) for a, b in points) / width if width else 0.0
    return y - slope * x, slope


def _graphs(rows: Iterable[tuple[Row, float | None]], kind: str) -> dict[str, float]:
    """A line over the layers of dense models, then what a layer with experts takes.

    On average for the estimate; at most for capturing, which only decides whether the warm-up is refused.
    """
    measured = [(row, value) for row, value in rows if value is not None]
    dense = [(_size(row, "dense"), value) for row, value in measured if not _inputs(row).architecture.expert_layers]
    base, slope = _line(dense)
    extra = [
        (value - base - slope * _size(row, "dense")) / _size(row, "experts")
        for row, value in measured
        if _inputs(row).architecture.expert_layers and not _inputs(row).architecture.sliding_chunked
    ]
    expert = (max(extra) if kind == "captured" else fmean(extra)) if extra else slope
    return {
        f"graph_{kind}_base_gib": base,
        f"graph_{kind}_per_layer_gib": slope,
        f"graph_{kind}_per_expert_layer_gib": expert,
    }


def _size(row: Row, kind: str) -> float:
    """Layers of a kind, in units of the default number of captured sizes."""
    arch, gpu = _inputs(row).architecture, _inputs(row).gpu
    got = estimate(_inputs(row), _ZERO)
    limit = capture_limit(arch, release(row.version), gpu.compute_capability)
    sizes = (
        capture_sizes(Batch(seqs=got.max_num_seqs, tokens=got.max_num_batched_tokens), limit) / DEFAULT_CAPTURE_SIZES
    )
    return sizes * (arch.expert_layers if kind == "experts" else arch.num_hidden_layers - arch.expert_layers)
