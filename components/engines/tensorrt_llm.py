"""TensorRT-LLM: `trtllm-serve serve` with the PyTorch backend, and its file of backend options. Pure.

Facts: release 1.2.1, commit 376f7e1 of https://github.com/NVIDIA/TensorRT-LLM: its command line and its `llm_args.py` as published at
https://nvidia.github.io/TensorRT-LLM/1.2.1/ (read 2026-11-22); other files of that repository are named below.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue
from pydantic.alias_generators import to_camel

from catalog.architecture import Architecture
from catalog.options import Overrides
from components.engines.base import Argument, Engine, Launch, Parallelism
from components.engines.kernel_caches import kernel_caches
from components.engines.tensorrt_llm_configs import CudaGraphConfig, KvCacheConfig, MoeConfig, SpeculativeConfig

OPTIONS_FILE = "llm-api-options.yaml"
_POSITIVE = Annotated[int, Field(ge=1)]
_SHARE = Annotated[float, Field(ge=0, le=1)]


class TensorRtLlm(Engine):
    """NVIDIA TensorRT-LLM with its PyTorch backend: no engine is built. Options left out keep the version's own default."""

    name: Literal["tensorrt-llm"]
    """The engine."""
    tensor_parallel_size: _POSITIVE = 1
    """GPUs that share every layer."""
    pipeline_parallel_size: _POSITIVE = 1
    """Groups of GPUs that each hold some of the layers."""
    moe_expert_parallel_size: _POSITIVE | None = None
    """Mixture-of-experts models: groups, of the tensorParallelSize GPUs, that each hold whole experts; 1 when left out."""
    max_batch_size: _POSITIVE | None = None
    """Most requests that run at the same time; 2048 when left out."""
    max_num_tokens: _POSITIVE | None = None
    """Most tokens of one step; 8192 when left out. Without enableChunkedPrefill also the longest prompt."""
    max_seq_len: _POSITIVE | None = None
    """Longest request in tokens, prompt and answer together; the model's own when left out."""
    max_beam_width: _POSITIVE | None = None
    """Most beams of beam search; 1 when left out."""
    kv_cache_free_gpu_memory_fraction: _SHARE | None = None
    """Share for the KV cache of the GPU memory that is free after loading weights, not of all memory; 0.9 when left out."""
    num_postprocess_workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that turn tokens into answers; 0, in the server itself, when left out."""
    trust_remote_code: bool | None = None
    """Run Python code from the model repository. Only for repositories that you have read."""
    enable_chunked_prefill: bool | None = None
    """Split long prompts over several steps; off when left out."""
    reasoning_parser: str | None = None
    """Which parser separates reasoning from the answer, for example deepseek-r1."""
    tool_parser: str | None = None
    """Which parser reads tool calls, for example qwen3."""
    chat_template: str | None = None
    """File in the container, or one-line text, of another chat template."""
    tokenizer: str | None = None
    """Folder or repository of another tokenizer."""
    custom_tokenizer: str | None = None
    """Alias or Python path of a tokenizer class, for example deepseek_v32."""
    log_level: Literal["internal_error", "error", "warning", "info", "verbose", "debug", "trace"] | None = None
    """What is logged; info when left out."""
    fail_fast_on_attention_window_too_large: bool | None = None
    """Exit at start when the KV cache can't hold one whole attention window."""
    otlp_traces_endpoint: str | None = None
    """OpenTelemetry collector for traces."""
    kv_cache_config: KvCacheConfig | None = None
    """The KV cache, besides its size."""
    cuda_graph_config: CudaGraphConfig | Literal[False] | None = None
    """CUDA graphs of decoding steps; false for none: less memory and a quicker start, slower answers."""
    moe_config: MoeConfig | None = None
    """Kernels for mixture-of-experts models."""
    speculative_config: SpeculativeConfig | None = None
    """Speculative decoding."""
    attn_backend: str | None = None
    """Attention implementation, for example FLASHINFER; TRTLLM when left out."""
    enable_attention_dp: bool | None = None
    """Attention data-parallel over the tensorParallelSize GPUs, everything else still split."""
    guided_decoding_backend: Literal["xgrammar", "llguidance"] | None = None
    """Library for answers that follow a grammar; none when left out."""
    disable_overlap_scheduler: bool | None = None
    """Prepare the next step only after the last one."""
    stream_interval: _POSITIVE | None = None
    """Tokens of one streamed message; 1 when left out."""
    enable_iter_perf_stats: bool | None = None
    """Statistics of every step: JSON at /metrics, and gauges of queue and KV cache from 1.3 on. Costs a little."""
    extra_llm_api_options: dict[str, JsonValue] = Field(default_factory=dict)
    """More fields of the version's TorchLlmArgs under their own names, such as enable_autotuner; checked against that version."""

    REPOSITORY: ClassVar[str] = "nvcr.io/nvidia/tensorrt-llm/release"
    PORT: ClassVar[int] = 8000
    HEALTH_PATH: ClassVar[str] = "/health"
    # /metrics is JSON that empties a queue; Prometheus has its own path, with return_perf_metrics (tensorrt_llm/serve/openai_server.py).
    METRICS_PATH: ClassVar[str] = "/prometheus/metrics"
    COMMAND: ClassVar[tuple[str, ...] | None] = ("trtllm-serve", "serve")
    # `ubuntu` of the base image. Without root it is known from NVIDIA Dynamo, whose TensorRT-LLM pods have no user of root
    # (https://github.com/ai-dynamo/dynamo/pull/6772, Kubernetes 1.31); MPI asks for a switch only as root. Session folders: TMPDIR.
    USER: ClassVar[int] = 1000
    # uvicorn.Server without timeout_graceful_shutdown: it answers what runs, then the lifespan ends the workers (openai_server.py).
    DRAINS: ClassVar[bool] = True
    PARALLEL_KEYS: ClassVar[Mapping[str, str]] = {
        "tensor": "tensorParallelSize",
        "pipeline": "pipelineParallelSize",
        "expert": "moeExpertParallelSize",
    }
    # Padded to a multiple of the ranks (_torch/modules/embedding.py).
    VOCABULARY_MULTIPLE: ClassVar[int | None] = None
    REFUSES_EXPERTS: ClassVar[bool] = False
    DECIDED: ClassVar[Mapping[str, str]] = {
        "--host": "the pod, whose probes and Service need all addresses",
        "--port": "the pod, whose probes and Service use it",
        "--backend": "the engine: the PyTorch backend, whose options these are",
        "--revision": "the revision in the models section",
        "--config": "kvCacheConfig, cudaGraphConfig, extraLlmApiOptions and so on, whose file it is",
        "--context_parallel_size": "the number of GPUs of the pod, which doesn't count it",
        "--gpus_per_node": "the pod: it sees its own GPUs",
        "--server_role": "the kind of workload: a pod serves alone",
        "--disagg_cluster_uri": "the kind of workload: a pod serves alone",
        "--metadata_server_config_file": "the kind of workload: a pod serves alone",
    }

    @property
    def tag(self) -> str:
        """Official tags are the version."""
        return self.version

    @classmethod
    def option_name(cls, field: str) -> str:
        """Options have underscores: `max_num_tokens` is --max_num_tokens."""
        return f"--{field}"

    def parallelism(self) -> Parallelism:
        """Tensor x pipeline ranks; experts and attention data parallelism divide the tensor ranks (_ParallelConfig, llm_args.py)."""
        return Parallelism(
            tensor=self.tensor_parallel_size,
            pipeline=self.pipeline_parallel_size,
            expert=(self.moe_expert_parallel_size or 1) > 1,
            attention_data=self.tensor_parallel_size if self.enable_attention_dp else 1,
        )

    def client_model(self, launch: Launch) -> str:
        """Any name is answered; /v1/models lists the last folder of the path, which 1.2 has no option for (openai_server.py)."""
        return launch.served_name

    def references(self) -> tuple[str, ...]:
        """The draft model."""
        draft = self.speculative_config.speculative_model if self.speculative_config else None
        return (draft,) if draft else ()

    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The model and what the pod decides, then every option of the command line that the stack file sets."""
        fixed = {
            "": (launch.model, "model"),
            "--host": ("0.0.0.0", "host"),
            "--port": (str(self.PORT), "port"),
            **({"--revision": (launch.revision, "revision")} if launch.revision else {}),
            "--config": (f"{launch.files_dir}/{OPTIONS_FILE}", "extraLlmApiOptions"),
        }
        return (
            *(Argument(option=name, values=(value,), key=key) for name, (value, key) in fixed.items()),
            *(
                Argument(
                    option=self.option_name(name), values=() if value is True else (str(value),), key=to_camel(name)
                )
                for name, value in self._given().items()
                if name not in _IN_FILE and value is not False and not self._moved(name)
            ),
        )

    def files(self, launch: Launch) -> dict[str, str]:
        """Fields of TorchLlmArgs. A field here replaces the whole value of the command line, so no field is in both."""
        import yaml  # takes time to import, and only this engine needs it

        return {OPTIONS_FILE: yaml.safe_dump(self.llm_args(launch), sort_keys=True)}

    def llm_args(self, launch: Launch) -> dict[str, Any]:
        """What is in the file, under the engine's own names."""
        given = {name: value for name, value in self._given().items() if name in _IN_FILE}
        found = {name: value.content(launch) if isinstance(value, _CONFIGS) else value for name, value in given.items()}
        if found.get("cuda_graph_config") is False:
            found["cuda_graph_config"] = None  # null is none; left out is the default
        if self.kv_cache_config and (share := self.kv_cache_free_gpu_memory_fraction) is not None:
            found["kv_cache_config"] = {**found["kv_cache_config"], "free_gpu_memory_fraction": share}
        # Without it there is no /prometheus/metrics.
        return {"return_perf_metrics": True, **found, **self.extra_llm_api_options}

    def _given(self) -> dict[str, Any]:
        """Typed options that the stack file sets, by field name."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in _NOT_OPTIONS
            and (value := getattr(self, name)) is not None
            and not (name.endswith("_parallel_size") and value == 1)
        }

    def _moved(self, field: str) -> bool:
        return field == "kv_cache_free_gpu_memory_fraction" and self.kv_cache_config is not None

    def is_eager(self) -> bool:
        """With cudaGraphConfig: false; the PyTorch backend compiles nothing unless torch_compile_config says so."""
        return self.cuda_graph_config is False

    def host_bytes(self, architecture: Architecture | None, weights_size: int | None) -> int:
        """kvCacheConfig.hostCacheSize: every rank pins so much for its own blocks."""
        each = self.kv_cache_config.host_cache_size if self.kv_cache_config else None
        return (each or 0) * self.parallelism().ranks

    def environment(self, launch: Launch) -> dict[str, str]:
        """Caches below `launch.cache_dir`, telemetry off.

        The autotuner's choices outlast a restart of the container in TLLM_AUTOTUNER_CACHE_PATH (_torch/pyexecutor/model_engine.py).
        TLLM_LLMAPI_BUILD_CACHE_ROOT is for engines of the TensorRT backend (llmapi/build_cache.py); the PyTorch backend builds none.
        """
        cache = launch.cache_dir
        return {
            "TLLM_AUTOTUNER_CACHE_PATH": f"{cache}/autotuner.json",
            "TLLM_LLMAPI_BUILD_CACHE_ROOT": f"{cache}/tensorrt-llm",
            **kernel_caches(cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        }


_CONFIGS = (KvCacheConfig, CudaGraphConfig, MoeConfig, SpeculativeConfig)
_IN_FILE = frozenset(
    {
        "kv_cache_config", "cuda_graph_config", "moe_config", "speculative_config", "attn_backend", "enable_attention_dp",
        "guided_decoding_backend", "disable_overlap_scheduler", "stream_interval", "enable_iter_perf_stats",
    }
)  # fmt: skip
"""Fields that have no option on the command line."""
_NOT_OPTIONS = frozenset(Engine.model_fields) | {"extra_llm_api_options"}
