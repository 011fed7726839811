"""Which tensor-parallel sizes a model's shape allows, and sizes to offer instead. Pure."""

from collections.abc import Iterator, Mapping

from catalog.architecture import Architecture
from components.engines.base import Parallelism
from components.resolved import Workload
from preflight.rule import Remedy, workload_path

VOCAB_PADDING = 64


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
        yield "moe_intermediate_size", shape.moe_intermediate_size, parallelism.tensor * parallelism.data


def padded_vocab(shape: Architecture) -> int:
    """The vocabulary as vLLM splits it: rounded up to a multiple of 64 first."""
    return -(-shape.vocab_size // VOCAB_PADDING) * VOCAB_PADDING


def kv_heads_fit(shape: Architecture, tensor: int) -> bool:
    """KV heads are split, or each is copied to several ranks; MLA keeps one latent head on every rank."""
    heads = shape.num_key_value_heads
    return shape.mla or max(heads, tensor) % min(heads, tensor) == 0


def fits(shape: Architecture, parallelism: Parallelism) -> bool:
    """Everything that is split divides."""
    return (
        all(count % parallelism.tensor == 0 for count in split_heads(shape).values())
        and kv_heads_fit(shape, parallelism.tensor)
        and padded_vocab(shape) % parallelism.tensor == 0
        and all(width % ranks == 0 for _, width, ranks in split_widths(shape, parallelism))
    )


def other_sizes(workload: Workload, *, larger_only: bool = False) -> tuple[Remedy, ...]:
    """Tensor-parallel sizes that fit the shape and the node, nearest first, the larger of two equally near ones first."""
    now, shape = workload.parallelism, workload.model.architecture
    limit = workload.node_group.units_per_node // (now.ranks // now.tensor)
    sizes = [
        size
        for size in range(1, limit + 1)
        if size != now.tensor
        and (size > now.tensor or not larger_only)
        and (
            shape is None
            or fits(shape, Parallelism(tensor=size, pipeline=now.pipeline, data=now.data, expert=now.expert))
        )
    ]
    return tuple(
        Remedy(
            text=f"set tensorParallelSize: {size}",
            changes=((workload_path(workload, "engine", "tensorParallelSize"), size),),
        )
        for size in sorted(sizes, key=lambda size: (abs(size - now.tensor), -size))
    )
