"""SGLang: its options in camelCase, and the command line of `sglang.launch_server`. Pure.

Facts: the wheel of sglang 0.5.23 (PyPI, read 2026-11-22); files named below are in sglang/srt.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from catalog.architecture import Architecture
from catalog.options import Overrides
from components.engines.base import Argument, Engine, Launch, Parallelism
from components.engines.kernel_caches import kernel_caches
from components.spec import GIB, DnsLabel

_COUNT = Annotated[int, Field(ge=0)]
_POSITIVE = Annotated[int, Field(ge=1)]


class Sglang(Engine):
    """The SGLang server. Options left out keep the version's own default."""

    name: Literal["sglang"]
    """The engine."""
    tp_size: _POSITIVE = 1
    """GPUs that share every layer."""
    pp_size: _POSITIVE = 1
    """Groups of GPUs that each hold some of the layers."""
    dp_size: _POSITIVE = 1
    """Whole copies of the model inside one pod."""
    attn_dp_size: _POSITIVE = 1
    """Of the tpSize GPUs: groups that each compute attention for other requests, everything else still split."""
    ep_size: _POSITIVE = 1
    """Mixture-of-experts models: of the tpSize GPUs, groups that each hold whole experts."""
    context_length: _POSITIVE | None = None
    """Context length in tokens, prompt and answer together; the model's own when left out."""
    mem_fraction_static: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the GPU's memory for weights and KV cache; computed at start from GPU and options when left out."""
    max_running_requests: _POSITIVE | None = None
    """Most requests that run at the same time."""
    max_queued_requests: _POSITIVE | None = None
    """Most requests that wait; more get an error."""
    chunked_prefill_size: int | None = None
    """Most prompt tokens of one step, -1 for whole prompts; by GPU memory when left out."""
    max_prefill_tokens: _POSITIVE | None = None
    """Most prompt tokens of one batch, at least one whole prompt; 16384 when left out."""
    page_size: _POSITIVE | None = None
    """Tokens of one page of the KV cache."""
    kv_cache_dtype: str | None = None
    """Data type of the KV cache, for example fp8_e4m3; the model's own when left out."""
    quantization: str | None = None
    """Quantization method. Leave it out for checkpoints that are quantized already: SGLang reads it from them."""
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] | None = None
    """Data type of weights and activations."""
    load_format: str | None = None
    """How weights are read, for example safetensors or runai_streamer."""
    attention_backend: str | None = None
    """Attention implementation, for example fa3 or flashinfer; the best for the GPU when left out."""
    grammar_backend: Literal["xgrammar", "outlines", "llguidance", "none"] | None = None
    """Library for answers that follow a grammar; xgrammar when left out."""
    moe_runner_backend: str | None = None
    """Kernels for experts, for example flashinfer_trtllm; the best for GPU and model when left out."""
    moe_a2a_backend: Annotated[str | None, Field(alias="moeA2aBackend")] = None
    """How tokens travel to experts on other GPUs, for example deepep."""
    schedule_policy: str | None = None
    """Order of waiting requests, for example lpm (longest prefix match); fcfs when left out."""
    disable_radix_cache: bool | None = None
    """Don't reuse the KV cache of common prompt beginnings."""
    enable_hierarchical_cache: bool | None = None
    """Keep KV cache that has no room on the GPU in host memory: give hicacheSize, which the pod's memory counts."""
    hicache_size: _COUNT | None = None
    """Gigabytes (10^9 bytes) of host memory for that, of each GPU's rank."""
    hicache_write_policy: Literal["write_back", "write_through", "write_through_selective"] | None = None
    """When KV cache is copied there; write_through when left out."""
    cpu_offload_gb: _COUNT | None = None
    """GiB of weights of each GPU that stay in the pod's memory."""
    cuda_graph_max_bs_decode: _POSITIVE | None = None
    """Largest batch with a CUDA graph for decoding; by GPU memory when left out."""
    cuda_graph_backend_decode: Literal["full", "breakable", "disabled"] | None = None
    """CUDA graphs for decoding; disabled for none."""
    cuda_graph_backend_prefill: Literal["full", "breakable", "disabled"] | None = None
    """CUDA graphs for prompts; disabled for none."""
    trust_remote_code: bool | None = None
    """Run Python code from the model repository. Only for repositories that you have read."""
    tool_call_parser: str | None = None
    """Which parser reads tool calls, for example qwen25; auto finds it in the chat template."""
    reasoning_parser: str | None = None
    """Which parser separates reasoning from the answer, for example deepseek-r1; auto finds it in the chat template."""
    chat_template: str | None = None
    """Name of a built-in template, or file in the container."""
    served_model_name: Annotated[str, Field(pattern=r"^[^:]+$")] | None = None
    """Name that clients send; the model's name in the stack file when left out. Colons separate LoRA adapters."""
    json_model_override_args: str | None = None
    """JSON that changes the model's config.json."""
    speculative_algorithm: str | None = None
    """EAGLE, EAGLE3, NEXTN, STANDALONE, NGRAM and others: how tokens are proposed."""
    speculative_draft_model_path: DnsLabel | None = None
    """The draft model or head: a name of the models section. Models with layers for it (NEXTN) need none."""
    speculative_num_steps: _POSITIVE | None = None
    """Times that the draft runs for one step."""
    speculative_eagle_topk: _POSITIVE | None = None
    """Tokens that the draft tries each time."""
    speculative_num_draft_tokens: _POSITIVE | None = None
    """Tokens that are proposed in one step."""
    lora_paths: Annotated[list[DnsLabel], Field(min_length=1)] | None = None
    """LoRA adapters by their names in the models section; clients name one as `model:adapter`."""
    max_loras_per_batch: _POSITIVE | None = None
    """Most adapters of one batch, the model itself included; 8 when left out."""
    max_lora_rank: _POSITIVE | None = None
    """Highest rank of an adapter; that of loraPaths when left out."""
    lora_target_modules: Annotated[list[str], Field(min_length=1)] | None = None
    """Layers that adapters change; those of loraPaths when left out."""

    REPOSITORY: ClassVar[str] = "lmsysorg/sglang"
    PORT: ClassVar[int] = 30000
    # One route with /health_generate: 503 until the server has warmed up, then a token is generated (entrypoints/http_server.py).
    HEALTH_PATH: ClassVar[str] = "/health"
    METRICS_PATH: ClassVar[str] = "/metrics"
    COMMAND: ClassVar[tuple[str, ...] | None] = ("python3", "-m", "sglang.launch_server")
    # The image has no user of its own. By the source, it writes below SGLANG_CACHE_DIR, HOME and TMPDIR only.
    USER: ClassVar[int] = 1000
    # SIGTERM: health turns 503, running requests are finished without a time limit, then it exits (managers/tokenizer_manager.py,
    # SignalHandler and sigterm_watchdog; a server that failed its health check exits at once).
    DRAINS: ClassVar[bool] = True
    PARALLEL_KEYS: ClassVar[Mapping[str, str]] = {
        "tensor": "tpSize", "pipeline": "ppSize", "data": "dpSize", "expert": "epSize",
    }  # fmt: skip
    # Padded further where the ranks don't divide it (layers/vocab_parallel_embedding.py).
    VOCABULARY_MULTIPLE: ClassVar[int | None] = None
    REFUSES_EXPERTS: ClassVar[bool] = False
    DECIDED: ClassVar[Mapping[str, str]] = {
        "--model-path": "the model of the workload",
        "--revision": "the revision in the models section",
        "--host": "the pod, whose probes and Service need all addresses",
        "--port": "the pod, whose probes and Service use it",
        "--enable-metrics": "the engine, which always has them",
        "--config": "the stack file, whose values a file would hide",
        **dict.fromkeys(("--ssl-keyfile", "--ssl-certfile", "--smg-grpc-mode"), "the pod: probes speak plain HTTP"),
        "--download-dir": "the pod, where only its cache folder is writable",
        **dict.fromkeys(
            ("--nnodes", "--node-rank", "--disaggregation-mode"), "the workload's kind: a pod serves alone"
        ),
        **dict.fromkeys(("--base-gpu-id", "--gpu-id-step"), "the pod: it sees its own GPUs, numbered from 0"),
        "--enable-dp-attention": "attnDpSize, which takes its place",
        "--disable-cuda-graph": "cudaGraphBackendDecode and cudaGraphBackendPrefill, which take its place",
    }

    @property
    def tag(self) -> str:
        """Official tags are the version with a v in front."""
        return f"v{self.version}"

    def parallelism(self) -> Parallelism:
        """Tensor x pipeline x data ranks; experts and attention data parallelism divide the tensor ranks (runtime_context.py)."""
        return Parallelism(
            tensor=self.tp_size,
            pipeline=self.pp_size,
            data=self.dp_size,
            expert=self.ep_size > 1,
            attention_data=self.attn_dp_size,
            experts_span_data=False,
        )

    def client_model(self, launch: Launch) -> str:
        """servedModelName, or the model's name in the stack file."""
        return self.served_model_name or launch.served_name

    def references(self) -> tuple[str, ...]:
        """The draft model and the LoRA adapters."""
        draft = self.speculative_draft_model_path
        return tuple(dict.fromkeys([*([draft] if draft else []), *(self.lora_paths or ())]))

    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The model and what the pod decides, then every option that the stack file sets, in the order of the class."""
        fixed = {
            "--model-path": (launch.model, "model"),
            **({"--revision": (launch.revision, "revision")} if launch.revision else {}),
            "--host": ("0.0.0.0", "host"),
            "--port": (str(self.PORT), "port"),
            "--served-model-name": (self.client_model(launch), "servedModelName"),
        }
        return (
            *(Argument(option=name, values=(value,), key=key) for name, (value, key) in fixed.items()),
            Argument(option="--enable-metrics", values=(), key="enableMetrics"),
            *(one for field, value in self.options().items() for one in self._arguments(field, value, launch)),
        )

    def options(self) -> dict[str, Any]:
        """Typed options that the stack file sets, by field name; sizes of one and flags that are off are the default."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in _NOT_OPTIONS
            and (value := getattr(self, name)) is not None
            and value is not False
            and not (name in _SIZES and value == 1)
        }

    def _arguments(self, field: str, value: Any, launch: Launch) -> list[Argument]:
        option, key = self.option_name(field), self.key_name(field)
        match field, value:
            case "lora_paths", _:
                values = tuple(f"{name}={launch.locations[name]}" for name in value)
            case "speculative_draft_model_path", _:
                values = (launch.locations[value],)
            case _, True:
                values = ()
            case _, list():
                values = tuple(value)
            case _:
                values = (str(value),)
        found = [Argument(option=option, values=values, key=key)]
        if field == "speculative_draft_model_path" and value in launch.revisions:
            found.append(
                Argument(option="--speculative-draft-model-revision", values=(launch.revisions[value],), key=key)
            )
        return found

    def usable_gib(self, total_gib: float) -> float:
        """memFractionStatic of it is for weights and KV cache (arg_groups/memory_hook.py); all of it where the engine decides."""
        return total_gib * (self.mem_fraction_static or 1.0)

    def is_eager(self) -> bool:
        """Without CUDA graphs for decoding; torch.compile is off unless an option asks for it."""
        return self.cuda_graph_backend_decode == "disabled"

    def host_offload_bytes(self) -> int:
        """cpuOffloadGb of every rank."""
        return (self.cpu_offload_gb or 0) * GIB * self.parallelism().ranks

    def host_bytes(self, architecture: Architecture | None, weights_size: int | None) -> int:
        """With hicacheSize of every rank (mem_cache/memory_pool_host.py)."""
        cache = (self.hicache_size or 0) * 10**9 if self.enable_hierarchical_cache else 0
        return self.host_offload_bytes() + cache * self.parallelism().ranks

    def environment(self, launch: Launch) -> dict[str, str]:
        """Caches below `launch.cache_dir`: the compilers' follow SGLANG_CACHE_DIR (environ.py, third_party_cache_defaults)."""
        cache = launch.cache_dir
        return {
            "SGLANG_CACHE_DIR": f"{cache}/sglang",
            "SGLANG_JIT_CACHE_DIR": f"{cache}/sglang/jit",
            **kernel_caches(cache),
            "DO_NOT_TRACK": "1",
        }


_SIZES = frozenset({"tp_size", "pp_size", "dp_size", "attn_dp_size", "ep_size"})
_NOT_OPTIONS = frozenset(Engine.model_fields) | {"served_model_name"}
