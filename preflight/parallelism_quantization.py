"""PAR007: groups and blocks of quantized weights against tensor parallelism."""

import math
from collections.abc import Iterator

from catalog.architecture import Architecture, Quantization
from components.engines.vllm_overhead import release
from components.resolved import Workload
from preflight.engine_facts import Tables, vllm_workloads
from preflight.parallelism_shape import other_sizes, size_path, split_widths, whole_experts
from preflight.rule import Facts, Finding, Rule

_GROUPED = frozenset({"awq", "awq-marlin", "gptq", "gptq-marlin", "auto-round", "compressed-tensors"})
_HALVED_TO = 32
"""AWQ and GPTQ experts fall back to a kernel that halves the groups down to 32 (quantization/moe_wna16.py)."""
_REFINED_TO, _REFINED_SINCE, _REFINED_FROM = 32, (0, 29), (8, 9)
"""FP8 blocks of experts are refined down to 32 since vLLM 0.29, by Triton kernels that need native FP8 (fused_moe/oracle/fp8.py)."""
_PARTS = {
    "intermediate_size": "mlp",
    "shared_expert_intermediate_size": "shared_experts",
    "moe_intermediate_size": "experts",
}


def _groups(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, _ in vllm_workloads(facts):
        shape = workload.model.architecture
        stored = shape.quantization if shape else None
        if (
            shape is None
            or stored is None
            or stored.group_size is None
            or not (stored.block or stored.method in _GROUPED)
        ):
            continue
        broken = list(_broken(shape, stored, workload, shared))
        if not broken:
            continue
        unit = "block" if stored.block else "group"
        yield Finding(
            path=size_path(workload),
            message="; ".join(
                f"{name} {width} of {workload.model.id} over {ranks} ranks is {width / ranks:g}, no multiple of the {unit} of "
                f"{stored.group_size} weights that share a scale"
                for name, width, ranks in broken
            ),
            remedies=(
                *whole_experts(workload, broken),
                *other_sizes(workload),
            ),
        )


def _broken(
    shape: Architecture, stored: Quantization, workload: Workload, shared: Tables
) -> Iterator[tuple[str, int, int]]:
    """Inputs of row-parallel layers whose share on one rank cuts a group; layers that aren't quantized or not split don't count."""
    size, parallelism = stored.group_size or 0, workload.parallelism
    if "attention_output" not in stored.unquantized and not shape.linear_attention:
        heads = shape.num_attention_heads * (shape.v_head_dim if shape.mla and shape.v_head_dim else shape.head_dim)
        if (
            parallelism.tensor > 1
            and size < heads
            and heads % parallelism.tensor == 0
            and (heads // parallelism.tensor) % size
        ):
            yield "attention output", heads, parallelism.tensor
    for name, width, ranks in split_widths(shape, parallelism):
        if _PARTS[name] in stored.unquantized or ranks == 1 or size >= width or width % ranks:
            continue
        if name == "moe_intermediate_size" and _experts_adapt(shape, stored, width // ranks, workload, shared):
            continue
        if (width // ranks) % size:
            yield name, width, ranks


def _experts_adapt(shape: Architecture, stored: Quantization, share: int, workload: Workload, shared: Tables) -> bool:
    """Fused experts with finer scales than the checkpoint's: FP8 blocks are refined, AWQ and GPTQ groups halved."""
    size = stored.group_size or 0
    if stored.method == "fp8" and stored.block:
        gpu, known = workload.node_group.gpu, shared.support(workload)
        since = known is None or release(workload.engine.version) >= _REFINED_SINCE
        native = gpu is None or gpu.compute_capability >= _REFINED_FROM
        return since and native and math.gcd(size, share, shape.hidden_size) >= _REFINED_TO
    if stored.method == "compressed-tensors" or stored.block:
        return False
    while size > _HALVED_TO and (share % size or shape.hidden_size % size):
        size //= 2
    return share % size == 0 and shape.hidden_size % size == 0


RULES = (
    Rule(
        code="PAR007",
        severity="error",
        title="Tensor parallelism doesn't cut a quantization group",
        why='vLLM exits with "The input size is not aligned with the quantized weight shape" (quantization/auto_awq.py), "Weight '
        'input_size_per_partition=.. is not divisible by group_size=.." (distributed/utils.py) or ".. is not '
        "divisible by weight quantization "
        'block_k" (quantization/utils/fp8_utils.py); GPTQ would load wrong scales. Seen with Qwen2-VL-72B: '
        "https://github.com/QwenLM/Qwen3-VL/issues/231.",
        check=_groups,
    ),
)
