"""What vLLM's engine needs of its pod, whichever server it runs behind: options as arguments, memory, caches. Pure.

Its options are in `vllm_options`; the command line follows the option tables in `catalog/data`.
"""

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

from catalog.architecture import Quantization
from catalog.gpus import Gpu
from catalog.models import Architecture
from catalog.options import Overrides, negative
from components.engines.base import Argument, Engine, Launch, Parallelism, Referenced
from components.engines.kernel_caches import kernel_caches
from components.engines.vllm_extra_memory import extras, lora_adapter_bytes
from components.engines.vllm_json import JsonOption, plain, text
from components.engines.vllm_kv_transfer import host_bytes
from components.engines.vllm_memory import MemoryEstimate, VllmMemoryInputs, estimate
from components.engines.vllm_options import VllmOptions
from components.engines.vllm_speculative import draft_model
from components.engines.vllm_weights import online_quantization
from components.spec import GIB

DEFAULT_UTILIZATION = 0.92
"""Default of --gpu-memory-utilization in 0.29, 0.32 and 0.33 (option tables)."""
CHAT_TEMPLATE = "chat-template.jinja"
STREAMER_BYTES = 40 * 10**9
"""Default memory limit of Run:ai's model streamer."""
_estimate = lru_cache(maxsize=1024)(estimate)  # workloads of one stack are often alike


class VllmEngine(VllmOptions, Engine):
    """vLLM's engine. Options left out keep the version's own default."""

    MEMORY_KEY: ClassVar[str | None] = "gpuMemoryUtilization"

    @property
    @abstractmethod
    def release(self) -> str:
        """vLLM's own release."""

    @abstractmethod
    def fixed(self, launch: Launch) -> tuple[Argument, ...]:
        """The model, and what the pod decides."""

    def parallelism(self) -> Parallelism:
        """Tensor x pipeline x prefill-context x data ranks."""
        return Parallelism(
            tensor=self.tensor_parallel_size,
            pipeline=self.pipeline_parallel_size,
            prefill_context=self.prefill_context_parallel_size,
            decode_context=self.decode_context_parallel_size,
            data=self.data_parallel_size,
            expert=bool(self.enable_expert_parallel),
        )

    def client_model(self, launch: Launch) -> str:
        """The first served name."""
        return self.served_model_name[0] if self.served_model_name else launch.served_name

    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The model and what the pod decides, then every option that the stack file sets, in the order of the class."""
        return self.fixed(launch) + tuple(
            self._argument(field, value, launch, overrides) for field, value in self.options().items()
        )

    def options(self) -> dict[str, Any]:
        """Typed options that the stack file sets, by field name; sizes of one are the default of every version."""
        return {
            name: value
            for name in VllmOptions.model_fields
            if name != "served_model_name"
            and name in self.model_fields_set
            and (value := getattr(self, name)) is not None
            and not (name.endswith("_parallel_size") and value == 1)
        }

    def _argument(self, field: str, value: Any, launch: Launch, overrides: Overrides | None) -> Argument:
        option, key = self.option_name(field), self.key_name(field)
        if value is False:
            off = negative(self.name, self.table_version(overrides), option, overrides)
            return Argument(option=off or f"--no-{option.removeprefix('--')}", values=(), key=key)
        if field == "chat_template" and _is_template(value):
            value = f"{launch.files_dir}/{CHAT_TEMPLATE}"
        if field == "lora_modules":
            return Argument(option=option, values=tuple(text(plain(one, launch)) for one in value), key=key)
        if isinstance(value, JsonOption | dict):
            value = text(plain(value, launch))
        return Argument(option=option, values=() if value is True else (str(value),), key=key)

    def references(self) -> tuple[str, ...]:
        """The draft model and the LoRA adapters."""
        draft = draft_model(self.speculative_config)
        return tuple(dict.fromkeys([*([draft] if draft else []), *(one.model for one in self.lora_modules or ())]))

    def files(self, launch: Launch) -> dict[str, str]:
        """The chat template, where the stack file has its text."""
        template = self.chat_template
        return {CHAT_TEMPLATE: template} if template and _is_template(template) else {}

    def memory(
        self,
        architecture: Architecture,
        gpu: Gpu,
        total_gib: float | None,
        referenced: Mapping[str, Referenced] = MappingProxyType({}),
    ) -> MemoryEstimate | None:
        """The estimate of `vllm_memory` for these options; None for a version or data type that it doesn't know."""
        try:
            return _estimate(self._memory_inputs(architecture, gpu, total_gib, referenced))
        except ValueError:
            return None  # rules ENG001, ENG009 and MEM006 say so

    def _memory_inputs(
        self, architecture: Architecture, gpu: Gpu, total_gib: float | None, referenced: Mapping[str, Referenced]
    ) -> VllmMemoryInputs:
        draft = referenced.get(draft_model(self.speculative_config) or "")
        return VllmMemoryInputs(
            architecture=architecture,
            gpu=gpu,
            total_gib=total_gib,
            version=self.release,
            tensor_parallel_size=self.tensor_parallel_size,
            pipeline_parallel_size=self.pipeline_parallel_size,
            prefill_context_parallel_size=self.prefill_context_parallel_size,
            decode_context_parallel_size=self.decode_context_parallel_size,
            data_parallel_size=self.data_parallel_size,
            enable_expert_parallel=bool(self.enable_expert_parallel),
            extras=extras(self, self.release, architecture, draft, bf16=gpu.bf16),
            gpu_memory_utilization=self.gpu_memory_utilization or DEFAULT_UTILIZATION,
            kv_cache_memory_bytes=self.kv_cache_memory_bytes,
            max_model_len=self.max_model_len if isinstance(self.max_model_len, int) else None,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            kv_cache_dtype=self.kv_cache_dtype or "auto",
            dtype=self.dtype or "auto",
            quantization=self.quantization,
            enforce_eager=self.is_eager() or self._captures_nothing(),
            performance_mode=self.performance_mode or "balanced",
            enable_prefix_caching=self.enable_prefix_caching,
            cpu_offload_gb=self.cpu_offload_gb or 0,
        )

    def usable_gib(self, total_gib: float) -> float:
        """gpuMemoryUtilization of it."""
        return total_gib * (self.gpu_memory_utilization or DEFAULT_UTILIZATION)

    def quantized_at_load(self) -> Quantization | None:
        """What `quantization` makes of a plain checkpoint."""
        return online_quantization(self.quantization)

    def is_eager(self) -> bool:
        """With enforceEager, or optimizationLevel 0."""
        return bool(self.enforce_eager) or self.optimization_level == 0

    def _captures_nothing(self) -> bool:
        return self.compilation_config is not None and self.compilation_config.cudagraph_mode == "NONE"

    def host_offload_bytes(self) -> int:
        """cpuOffloadGb of every rank, and what a KV connector keeps outside /dev/shm."""
        weights = int((self.cpu_offload_gb or 0) * GIB) * self.parallelism().ranks
        return weights + self._connector_bytes()[1]

    def host_bytes(self, architecture: Architecture | None, weights_size: int | None) -> int:
        """The same, with LoRA adapters of `maxCpuLoras`, all weights where they may sleep, and the streamer's buffers."""
        ranks = self.parallelism().ranks
        adapters = (self.max_cpu_loras or self.max_loras or 1) if self.enable_lora and architecture else 0
        each = lora_adapter_bytes(self, architecture) if architecture else 0
        asleep = (weights_size or 0) * self.data_parallel_size if self.enable_sleep_mode else 0
        streaming = ranks * self._streamer_bytes(weights_size or 0)
        return self.host_offload_bytes() + int(adapters * each) * ranks + max(asleep, streaming)

    def _streamer_bytes(self, weights_size: int) -> int:
        """Of each rank, while it loads: https://github.com/run-ai/runai-model-streamer docs/src/env-vars.md (read 2026-11-22)."""
        if not (self.load_format or "").startswith("runai_streamer"):
            return 0
        given = (self.model_loader_extra_config or {}).get("memory_limit")
        limit = given if isinstance(given, int) and given >= 0 else STREAMER_BYTES
        return min(limit, weights_size)

    def shared_memory_bytes(self) -> int:
        """KV cache that kvOffloadingSize or a connector keeps: a file in /dev/shm (v1/kv_offload/cpu/shared_offload_region.py)."""
        native = self.kv_offloading_backend in (None, "native")
        offload = int((self.kv_offloading_size or 0) * GIB) * self.data_parallel_size if native else 0
        return offload or self._connector_bytes()[0]

    def _connector_bytes(self) -> tuple[int, int]:
        engines = self.data_parallel_size
        return host_bytes(self.kv_transfer_config, workers=self.parallelism().ranks // engines, engines=engines)

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
            **kernel_caches(cache),
        }


def _is_template(value: str) -> bool:
    """The text of a template, not a path, as vLLM tells them apart (renderers/chat_utils.py, load_chat_template)."""
    return any(sign in value for sign in "{}\n")
