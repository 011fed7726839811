"""What goes into the memory estimate of vLLM, and what comes out. Pure."""

from dataclasses import dataclass

from catalog.architecture import Architecture
from catalog.gpus import Gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What the fullest GPU holds besides the model itself, such as a draft model; `vllm_extra_memory` computes it."""

    weights_gib: float = 0
    kv_bytes_per_token: int = 0
    """KV cache of a draft for each token."""
    names: tuple[str, ...] = ()
    """What it is, in words: none of it was measured."""


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
    cpu_offload_gb: float = 0  # GiB of weights of each GPU that stay in host memory
    prefill_context_parallel_size: int = 1
    decode_context_parallel_size: int = 1
    extras: Extras = Extras()
    performance_mode: str = "balanced"
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
