"""ENG003, ENG004: the quantization method against the checkpoint, the version and the GPU."""

from collections.abc import Iterator, Mapping
from typing import cast

from catalog.engine_support import Capability, Support, table
from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_SAME_NAME = {
    "awq-marlin": "awq",
    "gptq-marlin": "gptq",
    "fbgemm-fp8": "fp8",
    "deepseek-v4-fp8": "fp8",
    "gpt-oss-mxfp4": "mxfp4",
}


def _flag(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_workloads(facts):
        known = shared.support(workload)
        if workload.model.architecture is None:
            continue
        stored = _stored(workload)
        path = engine_path(workload, "quantization")
        problem = _mismatch(workload, engine, stored, known)
        if problem is None:
            continue
        remedies = [Remedy(text="remove quantization: vLLM reads it from the checkpoint", changes=((path, None),))]
        if stored is None and engine.quantization:
            online = Remedy(
                text="set quantization: fp8, which quantizes a plain checkpoint at load", changes=((path, "fp8"),)
            )
            remedies = [Remedy(text="remove quantization", changes=((path, None),)), online]
        remedies.append(Remedy(text="name a checkpoint that is quantized with a method of this version"))
        yield Finding(
            path=path, message=problem, remedies=tuple(remedies) if engine.quantization else tuple(remedies[-1:])
        )


def _mismatch(workload: Workload, engine: Vllm, stored: str | None, known: Support | None) -> str | None:
    facts = table()
    families = cast("Mapping[str, list[str]]", facts["checkpoint_flags"])
    replaced = cast("list[str]", facts["flag_replaced"])
    flag, model = engine.quantization, workload.model.id
    # True of every release, so it is said for a version without tables too.
    if stored is None and flag in (*cast("list[str]", facts["needs_checkpoint"]), "marlin"):
        return f"quantization {flag} needs a checkpoint quantized so, and {model} isn't quantized: vLLM finds no quantization config"
    if known is None:
        return None
    if stored is not None and stored not in families and stored not in replaced and stored != "nvfp4":
        return f"the checkpoint of {model} is quantized with {stored}, which vLLM {engine.version} doesn't know"
    if flag is None:
        return None
    if flag not in known.quantization and flag != "marlin":
        return f"quantization {flag} isn't a method of vLLM {engine.version}; it has {', '.join(sorted(known.quantization))}"
    if flag in ("fbgemm_fp8", "fp_quant") and not _takes_deprecated(engine):
        return (
            f"quantization {flag} is deprecated: vLLM {engine.version} refuses it without allowDeprecatedQuantization"
        )
    if stored is None or stored in replaced or stored == "nvfp4" or flag in families[stored]:
        return None
    return f"quantization {flag} contradicts the checkpoint of {model}, which is {stored}: vLLM exits because the two don't match"


def _takes_deprecated(engine: Vllm) -> bool:
    return bool(engine.allow_deprecated_quantization) or any("allow-deprecated" in word for word in engine.extra_args)


def _capability(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_workloads(facts):
        gpu, known = workload.node_group.gpu, shared.support(workload)
        stored = _stored(workload)
        if gpu is None or known is None:
            continue
        if _mismatch(workload, engine, stored, known) is not None:
            continue
        method = _method(workload, engine, stored)
        needed = known.quantization.get(method or "")
        if method is None or needed is None or gpu.compute_capability >= needed:
            continue
        path = engine_path(workload, "quantization")
        yield Finding(
            path=path,
            message=f"{method} needs compute capability {_text(needed)}, and {gpu.name} has {_text(gpu.compute_capability)}",
            remedies=(
                *(
                    (Remedy(text="remove quantization", changes=((path, None),)),)
                    if engine.quantization and stored is None
                    else ()
                ),
                Remedy(
                    text=f"use GPUs of compute capability {_text(needed)} or later, or a checkpoint quantized with AWQ or GPTQ"
                ),
            ),
        )


def _stored(workload: Workload) -> str | None:
    """The checkpoint's method, as vLLM spells it; None for plain weights."""
    method = workload.model.quantization
    if method == "none":
        return None
    return _SAME_NAME.get(method, method)


def _method(workload: Workload, engine: Vllm, stored: str | None) -> str | None:
    """The method whose capability counts: the checkpoint's own, since a flag that fits it changes nothing there."""
    shape = workload.model.architecture
    if stored is None:
        return engine.quantization
    if stored == "modelopt" and shape is not None and shape.quantization is not None and shape.quantization.bits == 4:
        return "modelopt_fp4"
    if stored == "auto-round":
        return "inc"
    return "modelopt_fp4" if stored == "nvfp4" else stored


def _text(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"


RULES = (
    Rule(
        code="ENG003",
        severity="error",
        title="The quantization flag fits the checkpoint",
        why='vLLM exits with "Quantization method specified in the model config (..) does not match" '
        "(config/model.py, _verify_quantization), "
        "or finds no quantization config for a plain checkpoint (model_loader/weight_utils.py, get_quant_config). awq, awq_marlin and "
        "auto_awq are one method, so are gptq, gptq_marlin and auto_gptq.",
        check=_flag,
    ),
    Rule(
        code="ENG004",
        severity="error",
        title="The GPU's compute capability is enough for the quantization method",
        why='vLLM exits with "The quantization method .. is not supported for the current GPU" (config/vllm.py, '
        "_get_quantization_config; "
        "get_min_capability of each method). FP8 weights run from 7.5 on through weight-only Marlin kernels, NVFP4 "
        "from 7.5 on emulated.",
        check=_capability,
    ),
)
