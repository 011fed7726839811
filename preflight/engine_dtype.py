"""ENG005, ENG006: the data type of weights and activations against the GPU and the model."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_BF16_FROM = (8, 0)
_NO_FLOAT16 = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})
"""Model types that vLLM refuses in float16 (config/model.py, _FLOAT16_NOT_SUPPORTED_MODELS of 0.29-0.33)."""
_NO_FLOAT32 = frozenset({"awq", "gptq", "awq-marlin", "gptq-marlin"})
"""Checkpoint methods whose kernels take 16-bit activations only (get_supported_act_dtypes)."""


def _chosen(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        gpu, wanted = workload.node_group.gpu, engine.dtype or "auto"
        if gpu is None:
            continue
        path = engine_path(workload, "dtype")
        name = f"{gpu.name} (compute capability {gpu.compute_capability[0]}.{gpu.compute_capability[1]})"
        if wanted == "bfloat16" and gpu.compute_capability < _BF16_FROM:
            message = f"dtype bfloat16 needs compute capability 8.0, and the nodes have {name}"
        elif wanted in ("half", "float16") and _no_float16(workload):
            message = f"vLLM refuses float16 for {workload.model.id}: models of type {_type(workload)} overflow in it"
        elif _no_type_left(workload, engine):
            message = (
                f"{workload.model.id} can't run on {name}: the GPU has no bfloat16, models of type {_type(workload)} no float16, "
                f"and {workload.model.quantization} kernels no float32"
            )
        else:
            continue
        yield Finding(
            path=path,
            message=message,
            remedies=(
                Remedy(text="remove dtype: vLLM then takes one that the GPU has", changes=((path, None),)),
                Remedy(text="use GPUs of compute capability 8.0 or later"),
            ),
        )


def _fallback(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        gpu, shape = workload.node_group.gpu, workload.model.architecture
        if gpu is None or shape is None or gpu.compute_capability >= _BF16_FROM or engine.dtype not in (None, "auto"):
            continue
        if shape.torch_dtype == "float16" and not _no_float16(workload):
            continue
        taken = "float32, which doubles weights and KV cache," if _no_float16(workload) else "float16"
        yield Finding(
            path=engine_path(workload, "dtype"),
            message=f"{gpu.name} has no bfloat16: dtype auto becomes {taken} for {workload.model.id}",
        )


def _no_type_left(workload: Workload, engine: Vllm) -> bool:
    gpu = workload.node_group.gpu
    return (
        gpu is not None
        and gpu.compute_capability < _BF16_FROM
        and engine.dtype in (None, "auto", "float", "float32")
        and _no_float16(workload)
        and workload.model.quantization in _NO_FLOAT32
    )


def _no_float16(workload: Workload) -> bool:
    return _type(workload) in _NO_FLOAT16


def _type(workload: Workload) -> str | None:
    return workload.model.architecture.model_type if workload.model.architecture else None


RULES = (
    Rule(
        code="ENG005",
        severity="error",
        title="The GPU and the model support the data type",
        why='vLLM exits with "Bfloat16 is only supported on GPUs with compute capability of at least 8.0" (platforms/cuda.py, '
        'check_if_supports_dtype), or "The model type .. does not support float16" (config/model.py).',
        check=_chosen,
    ),
    Rule(
        code="ENG006",
        severity="notice",
        title="dtype auto stays what the checkpoint has",
        why="Below compute capability 8.0 vLLM falls back to float16, or float32 for models that overflow in float16 "
        "(config/model.py, _resolve_auto_dtype): it works, with other numbers.",
        check=_fallback,
    ),
)
