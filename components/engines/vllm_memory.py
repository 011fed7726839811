"""Estimates the GPU memory of a vLLM start-up: weights, activation peak, CUDA graphs and what is left for the KV cache.

`total x gpu_memory_utilization = weights + non-torch + activation + CUDA graphs (from 0.20) + KV cache`, per GPU, as
vLLM's own profiling computes it (v1/worker/gpu_worker.py `determine_available_memory`). How exact: docs/memory.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from catalog.architecture import Architecture, Quantization
from catalog.gpus import Gpu
from components.engines.vllm_kv import KvLayout, kv_layout
from components.engines.vllm_overhead import (
    GIB,
    Batch,
    activation_bytes,
    constants,
    cudagraph_bytes,
    default_batch,
    expert_workspace_bytes,
    non_torch_bytes,
    release,
    sampler_bytes,
)
from components.engines.vllm_weights import Parallelism, pipeline_stages, stage_weights_bytes

ONLINE_BITS: Mapping[str, int] = {
    "fp8": 8, "fp8_per_tensor": 8, "fp8_per_block": 8, "fp8_per_channel": 8, "int8_per_channel_weight_only": 8, "mxfp8": 8,
    "experts_int8": 8, "nvfp4_per_token": 4,
}  # fmt: skip
"""Bits per weight of the online quantizations of an unquantized checkpoint (--quantization, vLLM 0.33.0)."""
_KEPT_ONLINE = ("embedding", "lm_head", "router", "norm", "vision", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmMemoryInputs:
    """What decides the memory of one vLLM replica. Names are vLLM's own; None: vLLM's default for that GPU and version.

    `total_gib`: memory that torch sees, when the pod gets only a share of a GPU (MIG slice, MPS). `quantization`: the flag, for
    quantizing an unquantized checkpoint at load; a quantized checkpoint's own format is used in any case.
    """

    architecture: Architecture
    gpu: Gpu
    version: str
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    enable_expert_parallel: bool = False
    gpu_memory_utilization: float = 0.92
    kv_cache_memory_bytes: int | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: str = "auto"
    dtype: str = "auto"
    quantization: str | None = None
    enforce_eager: bool = False
    enable_prefix_caching: bool | None = None
    total_gib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Memory per GPU of the fullest rank, in GiB, and what the KV cache holds."""

    total_gib: float
    budget_gib: float
    weights_gib: float
    non_torch_gib: float
    activation_gib: float
    cudagraph_gib: float
    kv_gib: float
    """Left for the KV cache; negative when the rest alone exceeds the budget."""
    kv_gib_low: float
    kv_gib_high: float
    kv_bytes_per_token: int
    kv_tokens: int
    kv_needed_gib: float
    """KV cache of one request of `max_model_len`."""
    max_model_len: int
    largest_max_model_len: int
    max_concurrency: float
    max_num_seqs: int
    max_num_batched_tokens: int
    fits_weights: bool
    fits_context: bool
    warmup_ok: bool
    """Whether the sampler's warm-up after KV allocation finds room in what the budget leaves of the GPU."""
    basis: str
    extrapolated: bool


def estimate(inputs: VllmMemoryInputs, fit: Mapping[str, float] | None = None) -> MemoryEstimate:
    """The memory of one replica; the rank with the least room for KV decides. `fit`: other fitted constants than the shipped ones.

    Raises ValueError for a version or dtype that isn't known.
    """
    fit = constants()["fit"] if fit is None else fit
    arch, version = inputs.architecture, release(inputs.version)
    total = inputs.total_gib or inputs.gpu.cuda_total_gib
    length = inputs.max_model_len or arch.max_position_embeddings
    defaults = default_batch(version, inputs.gpu.cuda_total_gib, inputs.gpu.name)
    tokens = inputs.max_num_batched_tokens or defaults.tokens
    batch = Batch(seqs=inputs.max_num_seqs or min(defaults.seqs, tokens), tokens=tokens)
    dtype = _dtype(inputs)
    ranks = [_rank(inputs, fit, batch, dtype, version, stage) for stage in range(inputs.pipeline_parallel_size)]
    budget = total * inputs.gpu_memory_utilization
    fullest = max(ranks, key=lambda rank: rank.overhead)
    kv = inputs.kv_cache_memory_bytes / GIB if inputs.kv_cache_memory_bytes else budget - fullest.overhead
    layout = max((rank.layout for rank in ranks), key=lambda item: item.block_bytes)
    kv_bytes = max(0, math.floor(kv * GIB))
    blocks = kv_bytes // layout.block_bytes if layout.block_bytes else 0
    concurrency = blocks / layout.request_blocks(length) if layout.block_bytes else 0.0
    spread, extrapolated, basis = _confidence(inputs, version, fullest)
    return MemoryEstimate(
        total_gib=total,
        budget_gib=budget,
        weights_gib=fullest.weights,
        non_torch_gib=fullest.non_torch,
        activation_gib=fullest.activation,
        cudagraph_gib=fullest.graphs,
        kv_gib=kv,
        kv_gib_low=kv if inputs.kv_cache_memory_bytes else kv - spread,
        kv_gib_high=kv if inputs.kv_cache_memory_bytes else kv + spread,
        kv_bytes_per_token=layout.bytes_per_token,
        kv_tokens=_tokens(layout, blocks, concurrency, length, version),
        kv_needed_gib=layout.request_bytes(length) / GIB,
        max_model_len=length,
        largest_max_model_len=layout.largest_length(kv_bytes, arch.max_position_embeddings),
        max_concurrency=concurrency,
        max_num_seqs=batch.seqs,
        max_num_batched_tokens=batch.tokens,
        fits_weights=fullest.overhead < budget if inputs.kv_cache_memory_bytes is None else fullest.weights < total,
        fits_context=layout.request_blocks(length) <= blocks,
        warmup_ok=_warmup_fits(arch, batch, version, total, kv, fullest),
        basis=basis,
        extrapolated=extrapolated,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rank:
    weights: float
    non_torch: float
    activation: float
    graphs: float
    counted_graphs: float
    layout: KvLayout

    @property
    def overhead(self) -> float:
        return self.weights + self.non_torch + self.activation + self.counted_graphs


def _rank(inputs: VllmMemoryInputs, fit: Mapping[str, float], batch: Batch, dtype: str, version: tuple[int, int], index: int) -> _Rank:
    arch, tensor = inputs.architecture, inputs.tensor_parallel_size
    stage = pipeline_stages(arch.num_hidden_layers, inputs.pipeline_parallel_size)[index]
    parallel = Parallelism(
        tensor=tensor, pipeline=inputs.pipeline_parallel_size, data=inputs.data_parallel_size, expert=inputs.enable_expert_parallel
    )
    quantization = arch.quantization or _online(inputs.quantization)
    workspace = expert_workspace_bytes(
        arch, batch, expert_ranks=1 if parallel.expert else tensor * parallel.data, kernel=_expert_kernel(inputs.gpu, quantization)
    )
    activation = activation_bytes(
        arch, batch, version, tensor=tensor, last_stage=stage.last, expert_workspace=workspace, base_gib=fit["activation_base_gib"]
    )
    graphs = 0.0 if inputs.enforce_eager else cudagraph_bytes(arch, batch, stage.layers, fit) / GIB
    layout = kv_layout(
        arch, layers=stage.layers, tensor=tensor, kv_cache_dtype=inputs.kv_cache_dtype, dtype=dtype, batched_tokens=batch.tokens,
        hopper=inputs.gpu.compute_capability == (9, 0),
    )  # fmt: skip
    return _Rank(
        weights=stage_weights_bytes(arch, stage, parallel, quantization, dtype) / GIB,
        non_torch=non_torch_bytes(version, tensor * inputs.pipeline_parallel_size, fit) / GIB,
        activation=activation / GIB,
        graphs=graphs,
        counted_graphs=graphs if version >= (0, 20) else 0.0,
        layout=layout,
    )


def _dtype(inputs: VllmMemoryInputs) -> str:
    """The dtype in effect: `auto` takes the checkpoint's, float16 where the GPU has no bfloat16, 16 bit for float32 checkpoints."""
    wanted = {"half": "float16", "float": "float32"}.get(inputs.dtype, inputs.dtype)
    if wanted != "auto":
        return wanted
    stored = inputs.architecture.torch_dtype
    if stored == "float32":
        stored = "bfloat16"
    return "float16" if stored == "bfloat16" and not inputs.gpu.bf16 else stored


def _online(flag: str | None) -> Quantization | None:
    if flag is None or flag not in ONLINE_BITS:
        return None
    return Quantization(method=flag, bits=ONLINE_BITS[flag], unquantized=_KEPT_ONLINE)


def _expert_kernel(gpu: Gpu, quantization: Quantization | None) -> str:
    """Which fused-experts kernel runs (fused_moe/oracle of 0.19.0): decides whether a workspace stays resident."""
    if quantization is None or "experts" in quantization.unquantized:
        return "triton"
    if quantization.bits < 8 or gpu.compute_capability >= (10, 0):
        return "fused"
    if quantization.block and gpu.compute_capability == (9, 0):
        return "deep_gemm"
    return "triton"


def _tokens(layout: KvLayout, blocks: int, concurrency: float, length: int, version: tuple[int, int]) -> int:
    """The token count that vLLM prints. Until 0.20.0: blocks per group; since: concurrency x max_model_len."""
    if len(layout.groups) == 1 or version < (0, 20):
        smallest = min(group.block_tokens for group in layout.groups if group.block_tokens)
        return blocks // len(layout.groups) * smallest
    return int(concurrency * length)


def _warmup_fits(arch: Architecture, batch: Batch, version: tuple[int, int], total: float, kv: float, rank: _Rank) -> bool:
    used = rank.weights + rank.non_torch + kv + rank.graphs
    return used + sampler_bytes(arch, batch, version) / GIB <= total


def _confidence(inputs: VllmMemoryInputs, version: tuple[int, int], rank: _Rank) -> tuple[float, bool, str]:
    """Half the width of the range in GiB, whether the case lies outside the measurements, and a sentence that says on what it rests."""
    table = constants()
    name = f"{version[0]}.{version[1]}"
    outside = []
    if name not in table["measured_versions"]:
        outside.append(f"vLLM {name}")
    if inputs.gpu.name not in table["measured_gpus"]:
        outside.append(inputs.gpu.name)
    if inputs.pipeline_parallel_size > 1:
        outside.append("pipeline parallelism")
    measured = f"fit on {', '.join(table['measured_gpus'])} with vLLM {table['measured_versions'][0]}-{table['measured_versions'][-1]}"
    if not outside:
        return 0.4 + 0.005 * rank.weights, False, f"computed from the architecture, constants {measured}"
    spread = 0.8 + 0.02 * rank.weights + 0.25 * (rank.activation + rank.non_torch)
    return spread, True, f"extrapolated to {', '.join(outside)}: constants {measured}"


def allowed_tensor_parallel(arch: Architecture, limit: int) -> tuple[int, ...]:
    """Tensor-parallel sizes up to `limit` that vLLM accepts for the model.

    Attention heads, MLP widths and the padded vocabulary must divide; KV heads divide, or are replicated a whole number of times
    (vLLM config/model.py, layers/linear.py, layers/vocab_parallel_embedding.py).
    """
    return tuple(size for size in range(1, limit + 1) if _divides(arch, size))


def _divides(arch: Architecture, size: int) -> bool:
    vocab = -(-arch.vocab_size // 64) * 64
    widths = [arch.num_attention_heads, vocab]
    widths += [width for width in (arch.intermediate_size, arch.moe_intermediate_size) if width]
    if linear := arch.linear_attention:
        widths += [linear.key_heads, linear.value_heads]
    if any(width % size for width in widths):
        return False
    if arch.mla:
        return True
    kv = arch.num_key_value_heads
    return kv % size == 0 if kv >= size else size % kv == 0


def with_length(inputs: VllmMemoryInputs, length: int) -> VllmMemoryInputs:
    """The same inputs with another context length."""
    return replace(inputs, max_model_len=length)
