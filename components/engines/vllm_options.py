"""The options of `vllm serve` that have a typed key, under vLLM's own names in camelCase. Pure.

Names, types and choices: the option tables in `catalog/data`, read from each release; what one release lacks is refused for it
by ENG002 and ENG030. Sources of the descriptions: vllm/config/*.py and vllm/entrypoints/common/cli_args.py of 0.33.0.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from components.engines.vllm_kv_transfer import KvTransferConfig
from components.engines.vllm_nested import CompilationConfig, EplbConfig, LoraModule, StructuredOutputsConfig
from components.engines.vllm_speculative import SpeculativeConfig
from components.spec import Spec

_POSITIVE = Annotated[int, Field(ge=1)]
_COUNT = Annotated[int, Field(ge=0)]


class VllmOptions(Spec):
    """Options left out keep the version's own default."""

    tensor_parallel_size: _POSITIVE = 1
    """GPUs that share every layer."""
    pipeline_parallel_size: _POSITIVE = 1
    """Groups of GPUs that each hold some of the layers."""
    prefill_context_parallel_size: _POSITIVE = 1
    """Groups of GPUs that share the work on long prompts; each holds all weights of its layers."""
    decode_context_parallel_size: _POSITIVE = 1
    """GPUs, of those that there are, that share the KV cache of one sequence."""
    data_parallel_size: _POSITIVE = 1
    """Whole copies of the model inside one pod."""
    data_parallel_backend: Literal["mp", "ray"] | None = None
    """What starts the copies: processes (mp), or Ray where the pod is part of a Ray cluster."""
    api_server_count: _POSITIVE | None = None
    """Processes that serve HTTP and tokenize; dataParallelSize when left out."""
    enable_expert_parallel: bool | None = None
    """Mixture-of-experts models: place whole experts on GPUs instead of slicing each."""
    all2all_backend: Annotated[str | None, Field(alias="all2allBackend")] = None
    """How tokens travel to experts on other GPUs, for example deepep_low_latency."""
    enable_eplb: bool | None = None
    """Move experts between GPUs so that each has as much work."""
    eplb_config: EplbConfig | None = None
    """Settings of enableEplb."""
    expert_placement_strategy: Literal["linear", "round_robin"] | None = None
    """Which experts a GPU gets."""
    moe_backend: str | None = None
    """Kernels for experts, for example triton or deep_gemm; the best for the GPU when left out."""
    max_model_len: _POSITIVE | Literal["auto"] | None = None
    """Context length in tokens, prompt and answer together; the model's own when left out, "auto" for the most that fits."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the GPU's memory that vLLM may use; 0.92 when left out."""
    kv_cache_memory_bytes: _POSITIVE | None = None
    """Bytes of KV cache on each GPU, instead of what gpuMemoryUtilization leaves."""
    kv_cache_dtype: str | None = None
    """Data type of the KV cache, for example fp8; the model's own when left out."""
    block_size: _POSITIVE | None = None
    """Tokens of one KV-cache block."""
    cpu_offload_gb: Annotated[float, Field(ge=0)] | None = None
    """GiB of weights of each GPU that stay in the pod's memory."""
    kv_offloading_size: Annotated[float, Field(gt=0)] | None = None
    """GiB of the pod's memory for KV cache that left the GPUs, all ranks of one copy together."""
    kv_offloading_backend: Literal["native", "lmcache"] | None = None
    """Who keeps it: vLLM (native), or an LMCache server."""
    kv_transfer_config: KvTransferConfig | None = None
    """Connector that moves KV cache to host memory, to a store, or to other instances."""
    max_num_seqs: _POSITIVE | None = None
    """Most sequences that run at the same time."""
    max_num_batched_tokens: _POSITIVE | None = None
    """Most tokens of one scheduler step."""
    enable_chunked_prefill: bool | None = None
    """Split long prompts over several steps."""
    enable_prefix_caching: bool | None = None
    """Reuse the KV cache of common prompt beginnings."""
    scheduling_policy: Literal["fcfs", "priority"] | None = None
    """Order of waiting requests: first come first served, or the priority that each request names."""
    async_scheduling: bool | None = None
    """Plan the next step while the GPU works."""
    quantization: str | None = None
    """Quantization method. Leave it out for checkpoints that are quantized already: vLLM reads it from them. fp8, fp8_per_tensor,
    fp8_per_block and others quantize a plain checkpoint while it loads."""
    quantization_config: dict[str, JsonValue] | None = None
    """Details of quantizing at load, under vLLM's own names."""
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] | None = None
    """Data type of weights and activations."""
    hf_overrides: dict[str, JsonValue] | None = None
    """Values that replace those of the model's config.json, under its own names."""
    load_format: str | None = None
    """How weights are read, for example safetensors, runai_streamer, runai_streamer_sharded or tensorizer."""
    model_loader_extra_config: dict[str, JsonValue] | None = None
    """Settings of the load format, under its own names: concurrency, memory_limit and distributed of runai_streamer."""
    safetensors_load_strategy: Literal["lazy", "eager", "prefetch", "torchao"] | None = None
    """How safetensors files are read; prefetch helps on network file systems."""
    attention_backend: str | None = None
    """Attention implementation, for example FLASH_ATTN or FLASHINFER; the best for the GPU when left out."""
    enforce_eager: bool | None = None
    """Skip CUDA graphs: less memory and a quicker start, slower answers."""
    optimization_level: Annotated[int, Field(ge=0, le=3)] | None = None
    """0 starts quickest, 2 and 3 answer quickest; 2 when left out."""
    performance_mode: Literal["balanced", "interactivity", "throughput"] | None = None
    """Defaults for quick single answers or for many at once; balanced when left out."""
    compilation_config: CompilationConfig | None = None
    """How the model is compiled and captured."""
    speculative_config: SpeculativeConfig | None = None
    """Speculative decoding: propose several tokens, check them in one step."""
    enable_lora: bool | None = None
    """Serve LoRA adapters beside the model."""
    lora_modules: Annotated[list[LoraModule], Field(min_length=1)] | None = None
    """Adapters that are served from the start; needs enableLora."""
    max_loras: _POSITIVE | None = None
    """Adapters that one batch may use, all held in GPU memory; 1 when left out."""
    max_lora_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] | None = None
    """Largest rank of an adapter; 16 when left out."""
    max_cpu_loras: _POSITIVE | None = None
    """Adapters that are kept in the pod's memory; maxLoras when left out."""
    lora_dtype: Literal["auto", "float16", "bfloat16"] | None = None
    """Data type of adapters; the model's when left out."""
    fully_sharded_loras: bool | None = None
    """Divide adapters over the tensor-parallel ranks entirely, not half of each."""
    enable_sleep_mode: bool | None = None
    """Weights can move to the pod's memory and back without a restart (POST /sleep, /wake_up; with VLLM_SERVER_DEV_MODE: "1")."""
    structured_outputs_config: StructuredOutputsConfig | None = None
    """Answers that follow a schema or a grammar."""
    enable_auto_tool_choice: bool | None = None
    """The model may call tools by itself; needs toolCallParser."""
    tool_call_parser: str | None = None
    """How tool calls stand in the model's answers, for example hermes or llama3_json."""
    reasoning_parser: str | None = None
    """How reasoning stands in the model's answers, for example deepseek_r1 or qwen3."""
    chat_template: Annotated[str, Field(min_length=1)] | None = None
    """Chat template instead of the tokenizer's: the Jinja text itself, or a path inside the container."""
    default_chat_template_kwargs: dict[str, JsonValue] | None = None
    """Variables of the chat template that requests leave out, for example enable_thinking."""
    generation_config: str | None = None
    """auto takes sampling defaults from the model's generation_config.json, vllm takes vLLM's own, else a folder."""
    override_generation_config: dict[str, JsonValue] | None = None
    """Sampling defaults, under their names in requests, for example temperature."""
    max_logprobs: Annotated[int, Field(ge=-1)] | None = None
    """Most log probabilities that a request may ask for at each token; 20 when left out, -1 for all."""
    limit_mm_per_prompt: dict[str, _COUNT] | None = None
    """Most inputs of each kind in a prompt: image, video, audio."""
    language_model_only: bool | None = None
    """Load no parts for images, video or audio."""
    trust_remote_code: bool | None = None
    """Run Python code from the model repository. Only for repositories that you have read."""
    enable_log_requests: bool | None = None
    """Write requests, prompts included, to the log."""
    allow_deprecated_quantization: bool | None = None
    """Accept quantization methods that are about to go."""
    seed: int | None = None
    """Seed of the random number generator."""
    served_model_name: Annotated[list[str], Field(min_length=1)] | None = None
    """Names that clients may send; the model's name in the stack file when left out."""


DECIDED: Mapping[str, str] = {
    "--model": "the model of the workload",
    "--revision": "the revision in the models section",
    "--host": "the pod, whose probes need the default",
    "--port": "the pod, whose probes and Service use it",
    "--uds": "the pod, whose probes need a TCP port",
    "--ssl-keyfile": "the pod, whose probes speak plain HTTP",
    "--ssl-certfile": "the pod, whose probes speak plain HTTP",
    "--shutdown-timeout": "drain.shutdownTimeoutSeconds",
    "--download-dir": "the pod, where only its cache folder is writable",
    "--nnodes": "the kind of workload: a pod of a Deployment runs alone",
    "--node-rank": "the kind of workload: a pod of a Deployment runs alone",
    "--master-addr": "the kind of workload: a pod of a Deployment runs alone",
    "--headless": "the kind of workload: such a server has no API",
    "--data-parallel-size-local": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-start-rank": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-rank": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-address": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-rpc-port": "dataParallelSize: all its ranks run in the pod",
    "--spec-method": "speculativeConfig",
    "--spec-model": "speculativeConfig",
    "--spec-tokens": "speculativeConfig",
}
"""Options that follow from the rest of the stack; a second value would fight with probes, drain or the number of GPUs."""
