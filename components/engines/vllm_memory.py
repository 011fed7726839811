"""Estimates the GPU memory of a vLLM start-up: weights, activation peak, CUDA graphs and what is left for the KV cache.

`total x gpu_memory_utilization = weights + non-torch + activation + CUDA graphs (from 0.20) + KV cache`, per GPU, as
vLLM's own profiling computes it (v1/worker/gpu_worker.py `determine_available_memory`). How exact: docs/memory.md.
"""

import math
from dataclasses import dataclass
from operator import itemgetter

from components.engines.vllm_kv import KvLayout, kv_layout
from components.engines.vllm_memory_types import Extras, MemoryEstimate, VllmMemoryInputs
from components.engines.vllm_overhead import (
    GIB,
    Batch,
    Fit,
    Version,
    activation_bytes,
    basis,
    capture_limit,
    capture_sizes,
    constants,
    cudagraph_bytes,
    default_batch,
    expert_kernel,
    expert_workspace_bytes,
    non_torch_bytes,
    release,
    warmup_bytes,
)
from components.engines.vllm_weights import (
    Parallelism,
    Stage,
    allowed_tensor_parallel,
    effective_dtype,
    online_quantization,
    pipeline_stages,
    stage_weights_bytes,
)

__all__ = ["Extras", "MemoryEstimate", "VllmMemoryInputs", "allowed_tensor_parallel", "estimate"]


def estimate(inputs: VllmMemoryInputs, fit: Fit | None = None) -> MemoryEstimate:
    """The memory of one replica; the rank with the least room for KV decides. `fit`: other fitted constants than the shipped ones.

    Raises ValueError for a version, dtype or KV-cache dtype that isn't known.
    """
    fit = constants()["fit"] if fit is None else fit
    arch, version = inputs.architecture, release(inputs.version)
    total = inputs.total_gib or inputs.gpu.cuda_total_gib
    length = inputs.max_model_len or arch.max_position_embeddings
    defaults = default_batch(version, total, inputs.gpu.name)
    # engine/arg_utils.py, _set_default_max_num_seqs_and_batched_tokens_args
    more = 2 if inputs.performance_mode == "throughput" else 1
    tokens = inputs.max_num_batched_tokens or defaults.tokens * more
    batch = Batch(seqs=inputs.max_num_seqs or min(defaults.seqs * more, tokens), tokens=tokens)
    stages = pipeline_stages(arch.num_hidden_layers, inputs.pipeline_parallel_size)
    ranks = [_rank(inputs, fit, batch, version, stage) for stage in stages]
    budget = math.ceil(total * GIB * inputs.gpu_memory_utilization) / GIB
    fullest = max(ranks, key=lambda rank: rank.overhead)
    kv = inputs.kv_cache_memory_bytes / GIB if inputs.kv_cache_memory_bytes else budget - fullest.overhead
    kv_bytes = max(0, math.floor(kv * GIB))
    # Every rank gets as many blocks as the one with the fewest; which that is depends on its layers as well as on its room.
    blocks, layout = min(((_rank_blocks(inputs, budget, rank), rank.layout) for rank in ranks), key=itemgetter(0))
    usable = blocks - 1 if version >= (0, 29) else blocks  # one block is held back
    needed = layout.request_blocks(length)
    spread, outside = _confidence(inputs, version, fullest, fit)
    given = inputs.kv_cache_memory_bytes is not None
    return MemoryEstimate(
        total_gib=total,
        budget_gib=budget,
        weights_gib=fullest.weights,
        non_torch_gib=fullest.non_torch,
        activation_gib=fullest.activation,
        cudagraph_gib=fullest.graphs,
        kv_gib=kv,
        kv_gib_low=kv if given else kv - spread,
        kv_gib_high=kv if given else kv + spread,
        kv_bytes_per_token=layout.bytes_per_token,
        kv_tokens=layout.printed_tokens(blocks, length, version),
        kv_needed_gib=needed * layout.block_bytes / GIB,
        max_model_len=length,
        largest_max_model_len=layout.largest_length(usable, arch.max_position_embeddings),
        max_concurrency=blocks / needed if needed else 0.0,
        max_num_seqs=batch.seqs,
        max_num_batched_tokens=batch.tokens,
        fits_weights=fullest.weights + fullest.non_torch < total if given else kv_bytes > 0,
        fits_context=needed <= usable,
        warmup_ok=_warmup_fits(inputs, batch, version, total, kv, fullest, fit),
        basis=basis(outside),
        extrapolated=bool(outside),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rank:
    weights: float
    non_torch: float
    activation: float
    graphs: float
    graphs_captured: float
    counted_graphs: float
    layout: KvLayout

    @property
    def overhead(self) -> float:
        """GiB of the budget that the KV cache can't have."""
        return self.weights + self.non_torch + self.activation + self.counted_graphs


def _rank(inputs: VllmMemoryInputs, fit: Fit, batch: Batch, version: Version, stage: Stage) -> _Rank:
    arch, tensor = inputs.architecture, inputs.tensor_parallel_size
    dtype = effective_dtype(inputs.dtype, arch.torch_dtype, bf16=inputs.gpu.bf16)
    parallel = Parallelism(
        tensor=tensor,
        pipeline=inputs.pipeline_parallel_size,
        # Experts are spread over the prefill-context ranks too (config/parallel.py, data_parallel_size).
        data=inputs.data_parallel_size * inputs.prefill_context_parallel_size,
        expert=inputs.enable_expert_parallel,
    )
    quantization = arch.quantization or online_quantization(inputs.quantization)
    workspace = expert_workspace_bytes(
        arch,
        batch,
        width_ranks=1 if parallel.expert else tensor * parallel.data,
        kernel=expert_kernel(inputs.gpu.compute_capability, quantization),
    )
    activation = activation_bytes(
        arch, batch, version, tensor=tensor, last_stage=stage.last, expert_workspace=workspace, fit=fit
    )
    share = stage.layers / arch.num_hidden_layers
    sizes = capture_sizes(batch, capture_limit(arch, version, inputs.gpu.compute_capability))
    graphs = 0.0 if inputs.enforce_eager else cudagraph_bytes(arch, sizes, share, fit) / GIB
    caching = inputs.enable_prefix_caching if inputs.enable_prefix_caching is not None else version >= (0, 26)
    weights = stage_weights_bytes(arch, stage, parallel, quantization, dtype, version) / GIB
    return _Rank(
        weights=max(0.0, weights - inputs.cpu_offload_gb) + inputs.extras.weights_gib,
        non_torch=non_torch_bytes(tensor, inputs.gpu.compute_capability, fit) / GIB,
        activation=activation / GIB,
        graphs=graphs,
        graphs_captured=0.0 if inputs.enforce_eager else cudagraph_bytes(arch, sizes, share, fit, captured=True) / GIB,
        counted_graphs=graphs if version >= (0, 20) else 0.0,
        layout=kv_layout(
            arch,
            layers=stage.layers,
            tensor=tensor,
            kv_cache_dtype=inputs.kv_cache_dtype,
            dtype=dtype,
            # Since 0.26 a window keeps the tokens of two batches in flight (asynchronous scheduling).
            batched_tokens=batch.tokens * (2 if version >= (0, 26) else 1),
            hopper=inputs.gpu.compute_capability == (9, 0),
            state_blocks=2 if caching else 1,
        ).shared(inputs.decode_context_parallel_size, inputs.extras.kv_bytes_per_token),
    )


def _rank_blocks(inputs: VllmMemoryInputs, budget: float, rank: _Rank) -> int:
    room = inputs.kv_cache_memory_bytes or max(0, math.floor((budget - rank.overhead) * GIB))
    return room // rank.layout.block_bytes if rank.layout.block_bytes else 0


def _warmup_fits(
    inputs: VllmMemoryInputs, batch: Batch, version: Version, total: float, kv: float, rank: _Rank, fit: Fit
) -> bool:
    used = rank.weights + rank.non_torch + max(kv, 0.0) + rank.graphs_captured
    needed = (
        warmup_bytes(inputs.architecture, batch, version, inputs.tensor_parallel_size, len(rank.layout.groups), fit)
        / GIB
    )
    return used + needed <= total


def _confidence(inputs: VllmMemoryInputs, version: Version, rank: _Rank, fit: Fit) -> tuple[float, list[str]]:
    """Half the width of the range in GiB, and what lies outside the measurements.

    Inside: the share of everything else that 95 % of the rows stay under. Outside: twice that, and 40 % of what isn't weights.
    """
    table = constants()
    name = f"{version[0]}.{version[1]}"
    outside = [] if name in table["measured_versions"] else [f"vLLM {name}"]
    if inputs.gpu.name not in table["measured_gpus"]:
        outside.append(inputs.gpu.name)
    elif inputs.tensor_parallel_size > 1 and inputs.gpu.compute_capability < (9, 0):
        outside.append(f"tensor parallelism on {inputs.gpu.name}")
    if inputs.pipeline_parallel_size > 1:
        outside.append("pipeline parallelism")
    if inputs.data_parallel_size > 1:
        outside.append("data parallelism")
    if max(inputs.prefill_context_parallel_size, inputs.decode_context_parallel_size) > 1:
        outside.append("context parallelism")
    outside += inputs.extras.names
    inside = fit["kv_spread_share"] * rank.overhead
    return (2 * inside + 0.4 * (rank.overhead - rank.weights) if outside else inside), outside
