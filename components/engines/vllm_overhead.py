"""What vLLM needs on a GPU beside weights and KV cache: activation peak, memory outside torch, CUDA graphs.

The forms follow vLLM's profile run; constants and their sources: `catalog/data/memory_vllm.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from catalog.architecture import Architecture

GIB = 1024**3
BLOCK_FP8_ALIGNMENT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The largest batch that vLLM profiles: sequences that are sampled and tokens of one forward pass."""

    seqs: int
    tokens: int


@cache
def constants() -> Mapping[str, Any]:
    """The table of constants, as stored."""
    return json.loads((files("catalog") / "data" / "memory_vllm.json").read_text(encoding="utf-8"))


def release(version: str) -> tuple[int, int]:
    """Major and minor number of a vLLM version such as 0.33.0 or 0.18.0+rhaiv.7. Raises ValueError on anything else."""
    major, _, rest = version.lstrip("v").partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdigit() and minor.isdigit()):
        raise ValueError(f"vLLM version {version!r} isn't a version number: use for example 0.33.0")
    return int(major), int(minor)


def default_batch(version: tuple[int, int], total_gib: float, gpu_name: str) -> Batch:
    """`max_num_seqs` and `max_num_batched_tokens` of the API server (engine/arg_utils.py `get_batch_defaults`)."""
    if total_gib >= 160 and version >= (0, 29):
        return Batch(seqs=1024, tokens=16384)
    if total_gib >= 70 and "A100" not in gpu_name.upper():
        return Batch(seqs=1024, tokens=8192)
    return Batch(seqs=256, tokens=2048)


def sampler_bytes(arch: Architecture, batch: Batch, version: tuple[int, int]) -> float:
    """Bytes of the sampler's tensors when every sequence is sampled at once: all over the whole vocabulary, on every rank."""
    table = constants()
    per_logit = next(row["bytes"] for row in reversed(table["sampler_bytes_per_logit"]) if release(row["from"]) <= version)
    seqs = min(batch.seqs, batch.tokens)
    scratch = min(table["sampler_programs"], seqs) * arch.vocab_size * 4 if version >= (0, 17) else 0
    return per_logit * seqs * arch.vocab_size + scratch


def activation_bytes(
    arch: Architecture, batch: Batch, version: tuple[int, int], *, tensor: int, last_stage: bool, expert_workspace: float, base_gib: float
) -> float:
    """Peak of torch allocations above the weights in the profile run: the larger of forward pass and sampler.

    At the sampler's peak the hidden states of all tokens, those of the sampled ones (twice) and the resident workspaces live too.
    """
    seqs = min(batch.seqs, batch.tokens)
    resident = expert_workspace + _attention_workspace(arch, batch) + _encoder_cache(arch, batch)
    width = _widest(arch, tensor)
    forward = batch.tokens * 2 * (3 * arch.hidden_size + width)
    if not last_stage:
        return forward + resident + base_gib * GIB
    hidden = (batch.tokens + 2 * seqs) * arch.hidden_size * 2
    return max(forward, sampler_bytes(arch, batch, version) + hidden) + resident + base_gib * GIB


def expert_workspace_bytes(arch: Architecture, batch: Batch, *, expert_ranks: int, kernel: str) -> float:
    """The resident workspace of the fused-experts kernel in bytes (`workspace_shapes` in fused_moe/).

    `kernel`: triton (unquantized, per-channel FP8), deep_gemm (block FP8 on compute capability 9.0) or fused (Marlin, MXFP4,
    FlashInfer on Blackwell: no workspace of this size).
    """
    if not arch.num_experts or kernel == "fused":
        return 0
    routed = batch.tokens * (arch.num_experts_per_tok or 1)
    hidden = arch.hidden_size
    if kernel == "deep_gemm":
        local = -(-arch.num_experts // expert_ranks) if expert_ranks < 0 else arch.num_experts
        rows = -(-(routed + local * (BLOCK_FP8_ALIGNMENT - 1)) // BLOCK_FP8_ALIGNMENT) * BLOCK_FP8_ALIGNMENT
        return 2 * rows * hidden * 2
    width = -(-(arch.moe_intermediate_size or 0) // max(1, expert_ranks))
    gate_up = (arch.mlp_matrices - 1) * width
    return routed * (max(gate_up, hidden) + width) * 2


def non_torch_bytes(version: tuple[int, int], world: int, fit: Mapping[str, float]) -> float:
    """Memory outside torch that appears between the first snapshot and the end of profiling: context, NCCL, all-reduce buffers."""
    if world == 1:
        return fit["non_torch_single_gib"] * GIB
    return (fit["non_torch_parallel_gib"] + fit["non_torch_per_rank_gib"] * world) * GIB


def capture_sizes(arch: Architecture, batch: Batch) -> int:
    """How many batch sizes are captured as CUDA graphs (config/vllm.py `_set_cudagraph_sizes`)."""
    most = 1024 if arch.model_type == "gpt_oss" else 512
    largest = min(batch.seqs * 2, most, batch.tokens)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + len(range(8, min(largest, 255) + 1, 8)) + len(range(256, largest + 1, 16))


def cudagraph_bytes(arch: Architecture, batch: Batch, layers: int, fit: Mapping[str, float]) -> float:
    """The CUDA-graph memory that vLLM estimates in profiling: grows with captured sizes and layers."""
    sizes = capture_sizes(arch, batch) / 51
    return (fit["cudagraph_base_gib"] + fit["cudagraph_per_layer_gib"] * layers * sizes) * GIB


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
