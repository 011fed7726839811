"""Text Generation Inference: its options in camelCase, and the command line of `text-generation-launcher`. Pure.

Facts: tag v3.3.7 of https://github.com/huggingface/text-generation-inference (2025-12-18), files named below. It is in maintenance
mode upstream (README: small fixes only, vLLM and SGLang are recommended); `stacks/migrate_tgi.py` has the way to vLLM.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from catalog.architecture import Architecture, Quantization
from catalog.options import Overrides
from components.engines import tgi_facts
from components.engines.base import Argument, Engine, Launch, Parallelism
from components.spec import DnsLabel

_COUNT = Annotated[int, Field(ge=0)]
_POSITIVE = Annotated[int, Field(ge=1)]
Quantize = Literal[
    "awq", "compressed-tensors", "eetq", "exl2", "gptq", "marlin", "bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4", "fp8",
]  # fmt: skip
_VARIABLES = {"attention": "ATTENTION", "prefix_caching": "PREFIX_CACHING", "prefill_chunking": "PREFILL_CHUNKING"}
"""Fields that are environment variables, not options (launcher/src/main.rs, resolve_attention; models/globals.py)."""


class Tgi(Engine):
    """Hugging Face's Text Generation Inference 3.3, in maintenance mode. Options left out keep the launcher's own default."""

    name: Literal["tgi"]
    """The engine."""
    num_shard: _POSITIVE = 1
    """GPUs that share every layer; the launcher's own default, all GPUs that it sees, isn't used."""
    sharded: bool | None = None
    """true makes the launcher refuse a numShard of 1; numShard alone is enough."""
    quantize: Quantize | None = None
    """Quantization method: eetq, bitsandbytes and fp8 quantize plain weights while loading, the others need such a checkpoint.
    Leave it out for checkpoints that are quantized already: TGI reads it from them."""
    dtype: Literal["float16", "bfloat16"] | None = None
    """Data type of weights and activations; the model's own when left out. Not together with quantize."""
    kv_cache_dtype: Literal["fp8_e4m3fn", "fp8_e5m2"] | None = None
    """Data type of the KV cache; that of the model when left out."""
    speculate: _COUNT | None = None
    """Tokens to guess ahead, with the checkpoint's Medusa heads or else from n-grams. Switches chunked prefill off."""
    trust_remote_code: bool | None = None
    """Run Python code from the model repository. Only for repositories that you have read."""
    max_concurrent_requests: _POSITIVE | None = None
    """Requests that are taken at the same time, waiting ones included; more get HTTP 429. 128 when left out."""
    max_best_of: _POSITIVE | None = None
    """Highest `best_of` of a request; 2 when left out."""
    max_stop_sequences: _COUNT | None = None
    """Most stop sequences of a request; 4 when left out."""
    max_top_n_tokens: _COUNT | None = None
    """Highest `top_n_tokens` of a request; 5 when left out."""
    max_client_batch_size: _POSITIVE | None = None
    """Most inputs of one request; 4 when left out."""
    max_input_tokens: _POSITIVE | None = None
    """Longest prompt in tokens; less than maxTotalTokens. As long as memory and model allow when left out."""
    max_total_tokens: _POSITIVE | None = None
    """Prompt and answer together, in tokens; their KV cache must fit. As long as memory and model allow when left out."""
    waiting_served_ratio: Annotated[float, Field(ge=0)] | None = None
    """Waiting requests for each running one, from which on running ones pause to let them in; 0.3 when left out."""
    max_batch_prefill_tokens: _POSITIVE | None = None
    """Most prompt tokens of one prefill step; computed from GPU and model when left out."""
    max_batch_total_tokens: _POSITIVE | None = None
    """Tokens of all requests of a batch. Models with flash attention ignore it: TGI measures the memory itself."""
    max_waiting_tokens: _COUNT | None = None
    """Tokens that are generated before waiting requests are forced in; 20 when left out."""
    max_batch_size: _POSITIVE | None = None
    """Most requests of a batch. Only for hardware that pads its batches (Gaudi, Neuron), never for NVIDIA GPUs."""
    validation_workers: _POSITIVE | None = None
    """Tokenizer threads; 2 when left out."""
    cuda_graphs: Annotated[list[_COUNT], Field(min_length=1)] | None = None
    """Batch sizes with a CUDA graph, [0] for none; 1, 2, 4, 8, 16, 32 when left out."""
    cuda_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the GPU's memory that TGI may use; 1.0 when left out."""
    rope_scaling: Literal["linear", "dynamic"] | None = None
    """How positions beyond the model's own are scaled; goes with ropeFactor."""
    rope_factor: Annotated[float, Field(gt=0)] | None = None
    """Factor of the scaling; linear without ropeScaling."""
    lora_adapters: Annotated[list[DnsLabel], Field(min_length=1)] | None = None
    """LoRA adapters by their names in the models section. From a volume, clients ask for one by that name; else by its repository."""
    disable_grammar_support: bool | None = None
    """Refuse requests that constrain the answer with a grammar."""
    enable_prefill_logprobs: bool | None = None
    """Let requests ask for the prompt's log probabilities, which takes much GPU memory."""
    disable_custom_kernels: bool | None = None
    """Leave out TGI's own CUDA kernels, made for a few older models."""
    attention: Literal["flashinfer", "flashdecoding", "paged"] | None = None
    """Attention implementation; the best for model and GPU when left out. The variable ATTENTION."""
    prefix_caching: bool | None = None
    """Reuse the KV cache of common prompt beginnings; on where attention and model allow it when left out. PREFIX_CACHING."""
    prefill_chunking: bool | None = None
    """Split long prompts over several steps; on where attention allows it when left out. PREFILL_CHUNKING."""
    usage_stats: Literal["on", "off", "no-stack"] | None = None
    """Anonymous usage statistics to Hugging Face; off when left out, other than the launcher's own default."""
    payload_limit: _POSITIVE | None = None
    """Largest request in bytes; 2,000,000 when left out."""
    json_output: bool | None = None
    """Logs as JSON."""
    tokenizer_config_path: str | None = None
    """Another tokenizer_config.json in the container, for its chat template."""
    cors_allow_origin: list[str] | None = None
    """Origins that browsers may call from."""
    otlp_endpoint: str | None = None
    """OpenTelemetry collector for traces."""
    otlp_service_name: str | None = None
    """Service name of the traces."""

    REPOSITORY: ClassVar[str] = "ghcr.io/huggingface/text-generation-inference"
    # The image's own PORT=80 needs a capability that Pod Security "restricted" drops.
    PORT: ClassVar[int] = 8080
    HEALTH_PATH: ClassVar[str] = "/health"
    # On the API's port: --prometheus-port is bound, but its exporter never runs (router/src/server.rs, PrometheusBuilder).
    METRICS_PATH: ClassVar[str] = "/metrics"
    # Any user id: the image has none of its own (Dockerfile). Rule ENG050 says what the official image lacks for that.
    USER: ClassVar[int] = 1000
    # At start the router saves the tokenizer in `out` of its working folder, and serves with a slow one where it can't
    # (router/src/server.rs, py_resolve_tokenizer).
    WRITABLE_PATHS: ClassVar[tuple[str, ...]] = ("/usr/src/out",)
    # The launcher is process 1 (exec in tgi-entrypoint.sh). On SIGTERM it stops the router, which answers what runs, waits for
    # --graceful-termination-timeout, and then stops the shards (launcher/src/main.rs, terminate; server.rs, with_graceful_shutdown).
    DRAINS: ClassVar[bool] = True
    PARALLEL_KEYS: ClassVar[Mapping[str, str]] = {"tensor": "numShard"}
    MEMORY_KEY: ClassVar[str | None] = "cudaMemoryFraction"
    # models/custom_modeling/flash_llama_modeling.py; the head is loaded whole where it can't be split (layers/tensor_parallel.py).
    COPIES_KV_HEADS: ClassVar[bool] = False
    VOCABULARY_MULTIPLE: ClassVar[int | None] = None
    DECIDED: ClassVar[Mapping[str, str]] = tgi_facts.DECIDED

    @property
    def tag(self) -> str:
        """Official tags are the version."""
        return self.version

    def parallelism(self) -> Parallelism:
        """Tensor-parallel shards; TGI has no other kind."""
        return Parallelism(tensor=self.num_shard)

    def client_model(self, launch: Launch) -> str:
        """`tgi`: every other name is looked up as a LoRA adapter first (router/src/lib.rs)."""
        return "tgi"

    def references(self) -> tuple[str, ...]:
        """The LoRA adapters."""
        return tuple(self.lora_adapters or ())

    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The model and what the pod decides, then every option that the stack file sets, in the order of the class."""
        fixed = {
            "--model-id": (launch.model, "model"),
            **({"--revision": (launch.revision, "revision")} if launch.revision else {}),
            # Kubernetes sets HOSTNAME to the pod's name, which the launcher would read.
            "--hostname": ("0.0.0.0", "hostname"),
            "--port": (str(self.PORT), "port"),
            "--graceful-termination-timeout": (str(launch.shutdown_timeout_seconds), "drain"),
            "--num-shard": (str(self.num_shard), "numShard"),
            "--usage-stats": (self.usage_stats or "off", "usageStats"),
        }
        return (
            *(Argument(option=name, values=(value,), key=key) for name, (value, key) in fixed.items()),
            *(one for field, value in self.options().items() for one in self._arguments(field, value, launch)),
        )

    def options(self) -> dict[str, Any]:
        """Typed options that the stack file sets, by field name; those that are always there and variables left out."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in _NOT_OPTIONS and (value := getattr(self, name)) is not None
        }

    def _arguments(self, field: str, value: Any, launch: Launch) -> list[Argument]:
        option, key = self.option_name(field), self.key_name(field)
        match field, value:
            case "sharded", _:
                values = [("true" if value else "false",)]
            case "lora_adapters", _:
                values = [(",".join(_adapter(name, launch) for name in value),)]
            case "cuda_graphs", _:
                values = [(",".join(str(size) for size in value),)]
            case "cors_allow_origin", _:
                values = [(origin,) for origin in value]
            case _, True:
                values = [()]
            case _, False:  # flags are off by default, and have no negative
                values = []
            case _:
                values = [(str(value),)]
        return [Argument(option=option, values=one, key=key) for one in values]

    def usable_gib(self, total_gib: float) -> float:
        """torch.cuda.set_per_process_memory_fraction (server/text_generation_server/utils/dist.py)."""
        return total_gib * (self.cuda_memory_fraction or 1.0)

    def quantized_at_load(self) -> Quantization | None:
        """eetq, bitsandbytes and fp8."""
        if self.quantize is None or self.quantize not in tgi_facts.AT_LOAD:
            return None
        kept = ("embedding", "lm_head", "router", "norm", "vision", "other")
        return Quantization(method=self.quantize, bits=tgi_facts.AT_LOAD[self.quantize], unquantized=kept)

    def least_kv_bytes(self, architecture: Architecture) -> int:
        """Of one request of maxTotalTokens; without that key the router takes what fits."""
        fp8 = self.kv_cache_dtype is not None
        return tgi_facts.kv_bytes(architecture, self.max_total_tokens or 0, self.num_shard, fp8)

    def is_eager(self) -> bool:
        """With cudaGraphs: [0], or with LoRA adapters (server/text_generation_server/cli.py)."""
        return bool(self.lora_adapters) or (self.cuda_graphs is not None and not any(self.cuda_graphs))

    def environment(self, launch: Launch) -> dict[str, str]:
        """Kernel caches below `launch.cache_dir`, no telemetry, and the options that are variables."""
        given = {name: getattr(self, field) for field, name in _VARIABLES.items()}
        return {
            "TRITON_CACHE_DIR": f"{launch.cache_dir}/triton",
            "CUDA_CACHE_PATH": f"{launch.cache_dir}/cuda",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
            **{name: _text(value) for name, value in given.items() if value is not None},
        }


_NOT_OPTIONS = frozenset(Engine.model_fields) | {"name", "num_shard", "usage_stats", *_VARIABLES}


def _adapter(name: str, launch: Launch) -> str:
    """`id=path` of a local adapter, or `repository@revision` of one that the launcher downloads."""
    place = launch.locations[name]
    return f"{name}={place}" if place.startswith("/") else f"{place}@{launch.revisions[name]}"


def _text(value: bool | str) -> str:
    return str(int(value)) if isinstance(value, bool) else value
