"""Which tensor-parallel sizes a model's shape allows, and sizes to offer instead. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from catalog.architecture import Architecture
from components.engines.base import Engine, Parallelism
from components.resolved import Workload
from preflight.rule import Path, Remedy, workload_path
from stacks.resolve_kinds import MULTI_NODE


def size_key(workload: Workload, axis: str = "tensor") -> str:
    """The stack file's key of a parallel size: a field of `Parallelism` in the words of the workload's engine."""
    return workload.engine.PARALLEL_KEYS[axis]


def size_path(workload: Workload, axis: str = "tensor") -> Path:
    """Path of that key."""
    return workload_path(workload, "engine", size_key(workload, axis))


def split_heads(shape: Architecture) -> Mapping[str, int]:
    """Head counts that tensor parallelism must divide, by what they are."""
    linear = shape.linear_attention
    found = {"attention heads": shape.num_attention_heads}
    if linear is not None and linear.kind == "gated_delta_net":
        found |= {"linear-attention key heads": linear.key_heads, "linear-attention value heads": linear.value_heads}
    elif linear is not None:
        found["Mamba heads"] = linear.value_heads
    return found


def split_widths(shape: Architecture, parallelism: Parallelism) -> Iterator[tuple[str, int, int]]:
    """Widths of feed-forward layers: what it is, the width, and over how many ranks it is split.

    Experts are split over tensor x data ranks, unless expert parallelism places them whole (fused_moe/config.py, FusedMoEParallelConfig).
    """
    dense = shape.intermediate_size
    if dense:
        yield "intermediate_size", dense, parallelism.tensor
    if shape.shared_expert_intermediate_size:
        yield "shared_expert_intermediate_size", shape.shared_expert_intermediate_size, parallelism.tensor
    if shape.moe_intermediate_size and not parallelism.expert:
        copies = parallelism.data if parallelism.experts_span_data else 1
        yield "moe_intermediate_size", shape.moe_intermediate_size, parallelism.tensor * copies


def padded_vocab(shape: Architecture, multiple: int) -> int:
    """The vocabulary as it is split: rounded up to a multiple first."""
    return -(-shape.vocab_size // multiple) * multiple


def kv_heads_fit(shape: Architecture, tensor: int, *, copied: bool) -> bool:
    """KV heads are split, or `copied`: each goes to several ranks; MLA keeps one latent head on every rank."""
    heads = shape.num_key_value_heads
    if shape.mla:
        return True
    return max(heads, tensor) % min(heads, tensor) == 0 if copied else heads % tensor == 0


def fits(shape: Architecture, parallelism: Parallelism, engine: Engine) -> bool:
    """Everything that the engine splits divides."""
    multiple = engine.VOCABULARY_MULTIPLE
    return (
        all(count % parallelism.attention_tensor == 0 for count in split_heads(shape).values())
        and kv_heads_fit(shape, parallelism.attention_tensor, copied=engine.COPIES_KV_HEADS)
        and (multiple is None or padded_vocab(shape, multiple) % parallelism.tensor == 0)
        and all(width % ranks == 0 for _, width, ranks in split_widths(shape, parallelism))
    )


def whole_experts(workload: Workload, broken: Sequence[tuple[str, int, int]]) -> Iterator[Remedy]:
    """Expert parallelism, where only the widths of experts are `broken`: it keeps each expert whole."""
    if "expert" in workload.engine.PARALLEL_KEYS and all(one[0] == "moe_intermediate_size" for one in broken):
        path = size_path(workload, "expert")
        # A switch, or the number of groups that each hold whole experts.
        value = workload.parallelism.tensor if path[-1] != "enableExpertParallel" else True
        text = str(value).lower()
        yield Remedy(text=f"set {path[-1]}: {text}, which keeps each expert whole", changes=((path, value),))


def other_sizes(workload: Workload, *, larger_only: bool = False) -> tuple[Remedy, ...]:
    """Tensor-parallel sizes that fit the shape and the node, nearest first, the larger of two equally near ones first."""
    now, shape, path = workload.parallelism, workload.model.architecture, size_path(workload)
    units = workload.node_group.units_per_node
    limit = units if workload.kind in MULTI_NODE else units // (now.ranks // now.tensor)
    sizes = [
        size
        for size in range(1, limit + 1)
        if size != now.tensor
        and (size > now.tensor or not larger_only)
        and (shape is None or fits(shape, replace(now, tensor=size), workload.engine))
    ]
    return tuple(
        Remedy(text=f"set {path[-1]}: {size}", changes=((path, size),))
        for size in sorted(sizes, key=lambda size: (abs(size - now.tensor), -size))
    )
