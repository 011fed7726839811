"""The nested parts of TensorRT-LLM's backend options, under the engine's own names in camelCase. Pure.

Fields: KvCacheConfig, CudaGraphConfig, MoeConfig and the DecodingConfig classes in tensorrt_llm/llmapi/llm_args.py of 1.2.1 (commit
376f7e1, read 2026-11-22).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from components.engines.base import Launch
from components.spec import DnsLabel, Spec

_POSITIVE = Annotated[int, Field(ge=1)]
_COUNT = Annotated[int, Field(ge=0)]


class _Config(Spec):
    """One mapping of the file."""

    def content(self, launch: Launch) -> dict[str, Any]:
        """What the stack file sets, under the engine's own names."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


class KvCacheConfig(_Config):
    """The KV cache. Its size is kvCacheFreeGpuMemoryFraction, a key of the engine, or less by maxTokens and maxGpuTotalBytes."""

    dtype: str | None = None
    """Data type, for example fp8; that of the checkpoint when left out."""
    enable_block_reuse: bool | None = None
    """Reuse the KV cache of common prompt beginnings; on when left out."""
    enable_partial_reuse: bool | None = None
    """Reuse blocks that fit only in part; on when left out."""
    copy_on_partial_reuse: bool | None = None
    """Copy such blocks where another request uses them; on when left out."""
    max_tokens: _POSITIVE | None = None
    """Most tokens in the cache."""
    max_gpu_total_bytes: _COUNT | None = None
    """Most bytes of it on one GPU; 0 for no limit."""
    max_attention_window: Annotated[list[_POSITIVE], Field(min_length=1)] | None = None
    """Tokens that each layer looks back, repeated over the layers."""
    sink_token_length: _COUNT | None = None
    """First tokens of a request that stay in such a window."""
    tokens_per_block: _POSITIVE | None = None
    """Tokens of one block; 32 when left out."""
    host_cache_size: _COUNT | None = None
    """Bytes of host memory that each GPU's rank pins for blocks it has no room for; the pod's memory counts them for all ranks."""
    onboard_blocks: bool | None = None
    """Copy blocks back from host memory before they are used; on when left out."""
    secondary_offload_min_priority: _COUNT | None = None
    """Only blocks of a higher priority move to host memory."""
    event_buffer_max_size: _COUNT | None = None
    """Events about blocks that are kept for routers; 0, none, when left out."""
    mamba_ssm_cache_dtype: Literal["auto", "float16", "bfloat16", "float32"] | None = None
    """Data type of the states of Mamba layers."""


class CudaGraphConfig(_Config):
    """CUDA graphs, each of up to 200 MB: batchSizes, or maxBatchSize from which the sizes follow."""

    batch_sizes: Annotated[list[_POSITIVE], Field(min_length=1)] | None = None
    """Batch sizes with a graph."""
    max_batch_size: _POSITIVE | None = None
    """Largest batch with a graph; 128 when neither is set."""
    enable_padding: bool | None = None
    """Fill batches up to the next size with a graph; off when left out, though mostly a win."""


class MoeConfig(_Config):
    """Mixture-of-experts layers."""

    backend: Literal["CUTLASS", "CUTEDSL", "WIDEEP", "TRTLLM", "DEEPGEMM", "VANILLA", "TRITON"] | None = None
    """Kernels; CUTLASS when left out."""
    max_num_tokens: _POSITIVE | None = None
    """Most tokens that go through the experts at once; more are cut in parts."""
    load_balancer: dict[str, JsonValue] | None = None
    """Where experts are, under the engine's own names, such as num_slots and layer_updates_per_iter."""
    disable_finalize_fusion: bool | None = None
    """The same result on every run, with CUTLASS; slower."""
    use_low_precision_moe_combine: bool | None = None
    """NVFP4 models: add experts' answers in lower precision."""


class SpeculativeConfig(_Config):
    """Speculative decoding: which fields a type needs, and takes, is rule ENG072."""

    decoding_type: Literal["MTP", "Eagle", "NGram", "DraftTarget", "AUTO"]
    """How tokens are proposed: layers of the model itself, an EAGLE-3 head, n-grams of the prompt, a smaller model, or engine's choice."""
    max_draft_len: _POSITIVE | None = None
    """Tokens that are proposed in one step."""
    speculative_model: DnsLabel | None = None
    """Eagle and DraftTarget: the head or the smaller model, a name of the models section. One without a volume comes from the Hub, and
    the engine has no option for its revision."""
    max_concurrency: _POSITIVE | None = None
    """Larger batches go without."""
    allow_advanced_sampling: bool | None = None
    """Honour a request's sampling options also while proposing."""
    eagle3_one_model: Annotated[bool | None, Field(alias="eagle3OneModel")] = None
    """Eagle: run the head inside the model's own graph; on when left out."""
    num_nextn_predict_layers: _POSITIVE | None = None
    """MTP: layers of the checkpoint that propose; 1 when left out."""
    use_relaxed_acceptance_for_thinking: bool | None = None
    """MTP: accept more proposals in the reasoning part."""
    relaxed_topk: _POSITIVE | None = None
    """MTP: how many of the likeliest tokens count there."""
    relaxed_delta: Annotated[float, Field(ge=0)] | None = None
    """MTP: how much less likely they may be there."""
    max_matching_ngram_size: _POSITIVE | None = None
    """NGram: longest run of tokens to look for."""
    is_public_pool: bool | None = None
    """NGram: requests share what they saw; on when left out."""

    def content(self, launch: Launch) -> dict[str, Any]:
        """With the folder of the draft's weights, or its repository."""
        found = super().content(launch)
        if self.speculative_model:
            found["speculative_model"] = launch.locations[self.speculative_model]
        return found
