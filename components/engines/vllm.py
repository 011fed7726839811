"""vLLM: its options in camelCase, and the `vllm serve` command line for an exact version. Pure.

Option names, types and defaults: the option tables in `catalog/data`, read from each release's own argument parser.
"""

from functools import cache, lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from catalog.gpus import Gpu
from catalog.models import Architecture
from catalog.options import Overrides, negative
from components.engines.base import Argument, Engine, Launch, Parallelism
from components.engines.vllm_memory import MemoryEstimate, VllmMemoryInputs, estimate
from components.spec import GIB

DEFAULT_UTILIZATION = 0.92
"""Default of --gpu-memory-utilization in 0.29, 0.32 and 0.33 (option tables)."""
# Workloads of one stack are often alike.
_camel, _estimate = cache(to_camel), lru_cache(maxsize=1024)(estimate)
_POSITIVE = Annotated[int, Field(ge=1)]


class Vllm(Engine):
    """The vLLM OpenAI-compatible server. Options left out keep the version's own default."""

    name: Literal["vllm"]
    """The engine."""
    tensor_parallel_size: _POSITIVE = 1
    """GPUs that share every layer."""
    pipeline_parallel_size: _POSITIVE = 1
    """Groups of GPUs that each hold some of the layers."""
    data_parallel_size: _POSITIVE = 1
    """Whole copies of the model inside one pod."""
    enable_expert_parallel: bool | None = None
    """Mixture-of-experts models: place whole experts on GPUs instead of slicing each."""
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
    max_num_seqs: _POSITIVE | None = None
    """Most sequences that run at the same time."""
    max_num_batched_tokens: _POSITIVE | None = None
    """Most tokens of one scheduler step."""
    enable_chunked_prefill: bool | None = None
    """Split long prompts over several steps."""
    enable_prefix_caching: bool | None = None
    """Reuse the KV cache of common prompt beginnings."""
    quantization: str | None = None
    """Quantization method. Leave it out for checkpoints that are quantized already: vLLM reads it from them."""
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] | None = None
    """Data type of weights and activations."""
    load_format: str | None = None
    """How weights are read, for example safetensors or runai_streamer."""
    safetensors_load_strategy: Literal["lazy", "eager", "prefetch", "torchao"] | None = None
    """How safetensors files are read; prefetch helps on network file systems."""
    attention_backend: str | None = None
    """Attention implementation, for example FLASH_ATTN or FLASHINFER; the best for the GPU when left out."""
    enforce_eager: bool | None = None
    """Skip CUDA graphs: less memory and a quicker start, slower answers."""
    trust_remote_code: bool | None = None
    """Run Python code from the model repository. Only for repositories that you have read."""
    seed: int | None = None
    """Seed of the random number generator."""
    served_model_name: Annotated[list[str], Field(min_length=1)] | None = None
    """Names that clients may send; the model's name in the stack file when left out."""

    REPOSITORY: ClassVar[str] = "vllm/vllm-openai"
    PORT: ClassVar[int] = 8000
    HEALTH_PATH: ClassVar[str] = "/health"
    METRICS_PATH: ClassVar[str] = "/metrics"
    # The official entrypoint has changed between releases; this command is the documented one in all of them.
    COMMAND: ClassVar[tuple[str, ...] | None] = ("vllm", "serve")
    # The `vllm` user of the official image: https://github.com/vllm-project/vllm/pull/40275 and
    # https://github.com/ai-dynamo/dynamo/pull/12457 (read 2026-11-22).
    USER: ClassVar[int] = 2000
    # --shutdown-timeout: requests go on for that long after SIGTERM (option tables; conventions.md section 0, finding 6).
    DRAINS: ClassVar[bool] = True

    @property
    def tag(self) -> str:
        """Official tags are the version with a v in front."""
        return f"v{self.version}"

    def parallelism(self) -> Parallelism:
        """Tensor x pipeline x data ranks."""
        return Parallelism(
            tensor=self.tensor_parallel_size,
            pipeline=self.pipeline_parallel_size,
            data=self.data_parallel_size,
            expert=bool(self.enable_expert_parallel),
        )

    def client_model(self, launch: Launch) -> str:
        """The first served name."""
        return self.served_model_name[0] if self.served_model_name else launch.served_name

    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The model and what the pod decides, then every option that the stack file sets, in the order of the class."""
        revision = (launch.revision,) if launch.revision else ()
        fixed = (
            Argument(option="", values=(launch.model,), key="model"),
            *(Argument(option="--revision", values=(commit,), key="revision") for commit in revision),
            Argument(option="--port", values=(str(self.PORT),), key="port"),
            Argument(option="--shutdown-timeout", values=(str(launch.shutdown_timeout_seconds),), key="drain"),
            Argument(
                option="--served-model-name",
                values=tuple(self.served_model_name or [launch.served_name]),
                key="servedModelName",
            ),
        )
        return fixed + tuple(self._argument(field, value, overrides) for field, value in self.options().items())

    def options(self) -> dict[str, Any]:
        """Typed options that the stack file sets, by field name; sizes of one are the default of every version."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in _NOT_OPTIONS
            and name in self.model_fields_set
            and (value := getattr(self, name)) is not None
            and not (name.endswith("_parallel_size") and value == 1)
        }

    def _argument(self, field: str, value: Any, overrides: Overrides | None) -> Argument:
        option, key = option_name(field), _camel(field)
        if value is False:
            off = negative(self.name, self.table_version(overrides), option, overrides)
            return Argument(option=off or f"--no-{option.removeprefix('--')}", values=(), key=key)
        return Argument(option=option, values=() if value is True else (str(value),), key=key)

    def memory(self, architecture: Architecture, gpu: Gpu, total_gib: float | None) -> MemoryEstimate | None:
        """The estimate of `vllm_memory` for these options; None for a version or data type that it doesn't know."""
        inputs = VllmMemoryInputs(
            architecture=architecture,
            gpu=gpu,
            total_gib=total_gib,
            version=self.version,
            tensor_parallel_size=self.tensor_parallel_size,
            pipeline_parallel_size=self.pipeline_parallel_size,
            data_parallel_size=self.data_parallel_size,
            enable_expert_parallel=bool(self.enable_expert_parallel),
            gpu_memory_utilization=self.gpu_memory_utilization or DEFAULT_UTILIZATION,
            kv_cache_memory_bytes=self.kv_cache_memory_bytes,
            max_model_len=self.max_model_len if isinstance(self.max_model_len, int) else None,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            kv_cache_dtype=self.kv_cache_dtype or "auto",
            dtype=self.dtype or "auto",
            quantization=self.quantization,
            enforce_eager=bool(self.enforce_eager),
            enable_prefix_caching=self.enable_prefix_caching,
            cpu_offload_gb=self.cpu_offload_gb or 0,
        )
        try:
            return _estimate(inputs)
        except ValueError:
            return None  # rules ENG001, ENG009 and MEM006 say so

    def is_eager(self) -> bool:
        """With enforceEager."""
        return bool(self.enforce_eager)

    def host_offload_bytes(self) -> int:
        """cpuOffloadGb of every rank."""
        return int((self.cpu_offload_gb or 0) * GIB) * self.parallelism().ranks

    def environment(self, launch: Launch) -> dict[str, str]:
        """Caches below `launch.cache_dir`, and a readiness time-out as long as the startup budget.

        VLLM_ENGINE_READY_TIMEOUT_S is 600 by default, too short for large models (facts: vllm/envs.py 0.33.0).
        """
        cache = launch.cache_dir
        return {
            "VLLM_CACHE_ROOT": f"{cache}/vllm",
            "VLLM_CONFIG_ROOT": f"{cache}/vllm-config",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_ENGINE_READY_TIMEOUT_S": str(launch.startup_seconds),
            "TORCHINDUCTOR_CACHE_DIR": f"{cache}/torchinductor",
            "TRITON_CACHE_DIR": f"{cache}/triton",
            "FLASHINFER_WORKSPACE_BASE": f"{cache}/flashinfer",
            "NUMBA_CACHE_DIR": f"{cache}/numba",
            "CUDA_CACHE_PATH": f"{cache}/cuda",
        }


_NOT_OPTIONS = frozenset(Engine.model_fields) | {"served_model_name"}


def option_name(field: str) -> str:
    """The command-line option of a field: `max_model_len` -> `--max-model-len`."""
    return "--" + field.replace("_", "-")
