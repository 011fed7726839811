"""What vLLM needs on a GPU beside weights and KV cache: activation peak, memory outside torch, CUDA graphs.

The forms follow vLLM's profile run; constants and their sources: `catalog/data/memory_vllm.json`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import rows
from catalog.architecture import Architecture, Quantization

GIB = 1024**3
BLOCK_FP8_ALIGNMENT = 128
DEFAULT_CAPTURE_SIZES = 51
"""Captured batch sizes up to 512, the default; the fitted constants are per this many."""
Version = tuple[int, ...]
Fit = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The largest batch that vLLM profiles: sequences that are sampled and tokens of one forward pass."""

    seqs: int
    tokens: int


def constants() -> Mapping[str, Any]:
    """The table of constants, as stored."""
    return rows.load("memory_vllm.json")


def release(version: str) -> Version:
    """The numbers of a vLLM version such as 0.33.0 or 0.18.0+rhaiv.7: (0, 33, 0). Raises ValueError on anything else."""
    match = _VERSION.match(version)
    if not match:
        raise ValueError(f"vLLM version {version!r} isn't a version number: use for example 0.33.0")
    return tuple(int(part or 0) for part in match.groups())


_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def default_batch(version: Version, total_gib: float, gpu_name: str) -> Batch:
    """`max_num_seqs` and `max_num_batched_tokens` of the API server (engine/arg_utils.py `get_batch_defaults`)."""
    if total_gib >= 160 and version >= (0, 28):
        return Batch(seqs=1024, tokens=16384)
    if total_gib >= 70 and "A100" not in gpu_name.upper():
        return Batch(seqs=1024, tokens=8192)
    return Batch(seqs=256, tokens=2048)


def sampler_bytes(arch: Architecture, batch: Batch, version: Version) -> float:
    """Bytes of the sampler's tensors when every sequence is sampled at once: all over the whole vocabulary, on every rank."""
    table = constants()["sampler_bytes_per_logit"]
    per_logit = next(row["bytes"] for row in reversed(table) if release(row["from"]) <= version)
    return per_logit * min(batch.seqs, batch.tokens) * arch.vocab_size


def sampler_scratch_bytes(arch: Architecture, batch: Batch, version: Version) -> float:
    """The top-k/top-p kernel's buffer, one row of the vocabulary for each of its programs; it stays allocated."""
    if version < (0, 17):
        return 0
    return min(constants()["sampler_programs"], batch.seqs) * arch.vocab_size * 4


def activation_bytes(
    arch: Architecture,
    batch: Batch,
    version: Version,
    *,
    tensor: int,
    last_stage: bool,
    expert_workspace: float,
    fit: Fit,
) -> float:
    """Peak of torch allocations above the weights in the profile run: the larger of forward pass and sampler.

    At the sampler's peak the hidden states of all tokens, those of the sampled ones (twice) and the resident workspaces live too.
    """
    seqs = min(batch.seqs, batch.tokens)
    resident = expert_workspace + _attention_workspace(arch, batch) + _encoder_cache(arch, batch)
    width = _widest(arch, tensor)
    forward = batch.tokens * 2 * (3 * arch.hidden_size + width)
    if not last_stage:
        return forward + resident + fit["activation_base_gib"] * GIB
    hidden = (batch.tokens + 2 * seqs) * arch.hidden_size * 2
    sampler = sampler_bytes(arch, batch, version) + sampler_scratch_bytes(arch, batch, version)
    return max(forward, sampler + hidden) + resident + fit["activation_base_gib"] * GIB


def expert_kernel(compute_capability: tuple[int, int], quantization: Quantization | None) -> str:
    """Which fused-experts kernel runs (fused_moe/oracle of 0.19.0); it decides whether a workspace stays resident.

    triton (unquantized, per-channel FP8), deep_gemm (block FP8 on compute capability 9.0) or fused (Marlin, MXFP4, FlashInfer).
    """
    if quantization is None or not quantization.quantized_share("experts"):
        return "triton"
    if quantization.bits < 8 or compute_capability >= (10, 0) or quantization.method == "modelopt":
        return "fused"
    return "deep_gemm" if quantization.block and compute_capability == (9, 0) else "triton"


def expert_workspace_bytes(arch: Architecture, batch: Batch, *, width_ranks: int, kernel: str) -> float:
    """The resident workspace of the fused-experts kernel in bytes (`workspace_shapes` in fused_moe/).

    `width_ranks`: ranks that divide one expert's width. `kernel`: as `expert_kernel` names it; fused keeps none of this size.
    """
    if not arch.num_experts or kernel == "fused":
        return 0
    routed = batch.tokens * (arch.num_experts_per_tok or 1)
    hidden = arch.hidden_size
    if kernel == "deep_gemm":
        aligned = (
            -(-(routed + arch.num_experts * (BLOCK_FP8_ALIGNMENT - 1)) // BLOCK_FP8_ALIGNMENT) * BLOCK_FP8_ALIGNMENT
        )
        return 2 * aligned * hidden * 2
    width = -(-(arch.moe_intermediate_size or 0) // width_ranks)
    gate_up = (arch.mlp_matrices - 1) * width
    return routed * (max(gate_up, hidden) + width) * 2


def non_torch_bytes(tensor: int, compute_capability: tuple[int, int], fit: Fit) -> float:
    """Memory outside torch that appears between the first snapshot and the end of profiling: context, NCCL, all-reduce buffers.

    Tensor parallelism brings symmetric-memory and FlashInfer all-reduce buffers from compute capability 9.0, else only NCCL's.
    Pipeline stages only exchange hidden states (0.07 GiB measured, not added).
    """
    if tensor == 1:
        return fit["non_torch_single_gib"] * GIB
    if compute_capability < (9, 0):
        return (fit["non_torch_single_gib"] + constants()["non_torch_nccl_gib"]) * GIB
    return (fit["non_torch_parallel_gib"] + fit["non_torch_per_rank_gib"] * tensor) * GIB


def capture_limit(arch: Architecture, version: Version, compute_capability: tuple[int, int]) -> int:
    """The largest batch that is captured as a CUDA graph by default (config/vllm.py, models/config.py)."""
    blackwell = compute_capability[0] == 10 and version >= (0, 28)
    return 1024 if blackwell or arch.model_type == "gpt_oss" else 512


def capture_sizes(batch: Batch, limit: int) -> int:
    """How many batch sizes are captured as CUDA graphs (config/vllm.py `_set_cudagraph_sizes`)."""
    largest = min(batch.seqs * 2, limit, batch.tokens)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + len(range(8, min(largest, 255) + 1, 8)) + len(range(256, largest + 1, 16))


def cudagraph_bytes(arch: Architecture, sizes: int, stage_share: float, fit: Fit, *, captured: bool = False) -> float:
    """CUDA-graph memory: what vLLM estimates while profiling, or (`captured`) an upper bound of what capturing takes.

    Grows with the captured `sizes` and the layers; a mixture of experts launches more kernels a layer. Models with chunked
    local attention capture no full graphs.
    """
    kind = "captured" if captured else "estimated"
    experts = arch.expert_layers
    dense = arch.num_hidden_layers - experts
    layers = dense * fit[f"graph_{kind}_per_layer_gib"] + experts * fit[f"graph_{kind}_per_expert_layer_gib"]
    share = sizes / DEFAULT_CAPTURE_SIZES * stage_share / (2 if arch.sliding_chunked and captured else 1)
    return max(0.0, fit[f"graph_{kind}_base_gib"] + layers * share) * GIB


def warmup_bytes(arch: Architecture, batch: Batch, version: Version, tensor: int, groups: int, fit: Fit) -> float:
    """What the sampler's warm-up needs beside weights, KV cache and graphs (gpu_worker.py `compile_or_warm_up_model`, until 0.28).

    The sampler's tensors, memory in use before vLLM's first snapshot (on one GPU; several use 1 to 1.5 GiB more, which varies and
    isn't counted, so that only what surely fails is refused), and segments of torch's cache that can't be reused: small tensors
    that stay allocated pin up to two of the sampler's fp32 tensors when the KV cache has several groups (seen on one and two GPUs).
    From 0.28 vLLM counts pinned segments itself, from 0.29 it no longer samples the whole batch here.
    """
    before = fit["before_gib"]
    if version >= (0, 28):
        return before * GIB
    seqs = min(batch.seqs, batch.tokens)
    pinned = 2 * seqs * arch.vocab_size * 4 if groups > 1 and tensor <= 2 else 0
    scratch = sampler_scratch_bytes(arch, batch, version)
    sampler = sampler_bytes(arch, batch, version) + 3 * seqs * arch.hidden_size * 2
    return (before + constants()["pinned_base_gib"]) * GIB + pinned + scratch + sampler


def _widest(arch: Architecture, tensor: int) -> float:
    """Elements per token of the widest pair of intermediate tensors of a layer on one rank."""
    dense = (arch.mlp_matrices * (arch.intermediate_size or 0)) / tensor
    shared = arch.mlp_matrices * arch.shared_expert_intermediate_size / tensor
    heads = arch.num_attention_heads * (arch.qk_nope_head_dim or arch.head_dim) / tensor
    return max(dense, shared, 3 * heads)


def _attention_workspace(arch: Architecture, batch: Batch) -> float:
    """MLA's buffer for chunked context: 64 Ki latent vectors (mla/common.py `determine_chunked_prefill_workspace_size`)."""
    if not arch.mla:
        return 0
    return 64 * 1024 * ((arch.kv_lora_rank or 0) + (arch.qk_rope_head_dim or 0)) * 2


def _encoder_cache(arch: Architecture, batch: Batch) -> float:
    """A multimodal model keeps one batch of encoder outputs while the language model is profiled."""
    return batch.tokens * arch.hidden_size * 2 if arch.vision_params else 0


def basis(outside: list[str]) -> str:
    """One sentence: on what an estimate rests, and what of it lies `outside` the measurements."""
    table = constants()
    versions = table["measured_versions"]
    measured = f"{', '.join(table['measured_gpus'])} with vLLM {versions[0]} to {versions[-1]}"
    if outside:
        return f"Extrapolated to {', '.join(outside)}: computed from the architecture, constants fit on {measured}."
    return f"Computed from the architecture, constants fit on {measured}."
