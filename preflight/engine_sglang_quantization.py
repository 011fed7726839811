"""ENG083, ENG088: SGLang's quantization method against the checkpoint and the GPU."""

from collections.abc import Iterator, Mapping

from components.engines.sglang import Sglang
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.engine_sglang import sglang_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_CAPABILITIES = {
    "awq": (7, 5), "awq_marlin": (8, 0), "gptq": (8, 0), "gptq_marlin": (8, 0), "fp8": (8, 0), "mxfp8": (10, 0),
    "w8a8_int8": (7, 5), "w8a8_fp8": (8, 9), "modelopt_fp8": (8, 9), "modelopt_fp4": (8, 0), "nvfp4_online": (10, 0),
    "mxfp4": (8, 0), "moe_wna16": (7, 0), "w4afp8": (9, 0), "bitsandbytes": (7, 0), "gguf": (6, 0), "auto-round": (6, 0),
    "compressed-tensors": (7, 0),
}  # fmt: skip
"""get_min_capability of each method on CUDA (layers/quantization of 0.5.23); model_loader/loader.py refuses GPUs below it.
GPTQ runs on CUDA as gptq_marlin only (layers/quantization/__init__.py)."""
_NEED_CHECKPOINT = frozenset({"awq", "awq_marlin", "gptq_marlin", "moe_wna16"})
"""Methods that read a file of the checkpoint: "Cannot find the config file for .." (get_config_filenames in layers/quantization)."""
_ANY = frozenset({"humming", "quark_mxfp4"})
_ACCEPTED: Mapping[str, frozenset[str]] = {
    "awq": _ANY | {"awq", "awq_marlin", "moe_wna16"},
    "gptq": _ANY | {"gptq_marlin", "moe_wna16"},
    "fp8": _ANY | {"fp8", "modelopt_fp4", "nvfp4_online", "w4afp8", "mxfp8"},
    "compressed-tensors": _ANY | {"compressed-tensors", "w8a8_int8", "w8a8_fp8", "auto-round-int8"},
}
"""Values of --quantization that such a checkpoint may have beside it (configs/model_config.py, _verify_quantization and each method's
override_quantization_method). Other checkpoints aren't looked at."""


def _checkpoint(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        stored, flag, model = workload.model.quantization, engine.quantization, workload.model.id
        if flag is None or workload.model.architecture is None:
            continue
        path = engine_path(workload, "quantization")
        if flag == "gptq":
            message = (
                f"quantization gptq: SGLang {engine.version} has it for other hardware, and gptq_marlin for NVIDIA GPUs"
            )
        elif stored == "none" and flag in _NEED_CHECKPOINT:
            message = f"quantization {flag} needs a checkpoint quantized so, and {model} isn't quantized"
        elif stored in _ACCEPTED and flag not in _ACCEPTED[stored]:
            message = f"quantization {flag} contradicts the checkpoint of {model}, which is {stored}"
        else:
            continue
        yield Finding(
            path=path, message=message, remedies=(Remedy(text="remove quantization", changes=((path, None),)),)
        )


def _capability(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        gpu, method = workload.node_group.gpu, _method(workload, engine)
        needed = _CAPABILITIES.get(method or "")
        if gpu is None or needed is None or gpu.compute_capability >= needed:
            continue
        path = engine_path(workload, "quantization")
        wanted, have = (".".join(map(str, one)) for one in (needed, gpu.compute_capability))
        plain = engine.quantization is not None and workload.model.quantization == "none"
        yield Finding(
            path=path,
            message=f"{method} needs compute capability {wanted} in SGLang, and {gpu.name} has {have}",
            remedies=(
                *((Remedy(text="remove quantization", changes=((path, None),)),) if plain else ()),
                Remedy(text=f"use GPUs of compute capability {wanted} or later"),
            ),
        )


def _method(workload: Workload, engine: Sglang) -> str | None:
    """The checkpoint's own method, as SGLang spells it, or what quantizes a plain one at load."""
    stored, shape = workload.model.quantization, workload.model.architecture
    if stored == "none":
        return engine.quantization
    if stored == "modelopt":
        bits = shape.quantization.bits if shape is not None and shape.quantization else None
        return {4: "modelopt_fp4", 8: "modelopt_fp8"}.get(bits or 0)
    return stored


RULES = (
    Rule(
        code="ENG083",
        severity="error",
        title="SGLang: the GPU's compute capability is enough for the quantization method",
        why='It exits with "The quantization method .. is not supported for the current GPU" (model_loader/loader.py; '
        "get_min_capability in layers/quantization).",
        check=_capability,
    ),
    Rule(
        code="ENG088",
        severity="error",
        title="SGLang: quantization fits the checkpoint",
        why='It exits with "Cannot find the config file for .." (model_loader/weight_utils.py), "Quantization method specified in the '
        'model config (..) does not match ..", or, with gptq in place of gptq_marlin, "Unknown quantization method" '
        "(configs/model_config.py, _verify_quantization).",
        check=_checkpoint,
    ),
)
