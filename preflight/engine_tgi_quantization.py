"""ENG055-ENG058: TGI's quantization, data type and attention against checkpoint and GPU."""

from collections.abc import Iterator

from components.engines import tgi_facts
from components.engines.tgi import Tgi
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.engine_tgi_facts import attention, tgi_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_WITH_DTYPE = frozenset({None, "bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4"})
_BF16_FROM = (8, 0)


def _checkpoint(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        if workload.model.architecture is None:
            continue
        path, wanted, stored = engine_path(workload, "quantize"), engine.quantize, _stored(workload)
        problem = _mismatch(workload, wanted, stored)
        if problem is None:
            continue
        removed = Remedy(text="remove quantize: TGI reads the method from the checkpoint", changes=((path, None),))
        plain = (
            Remedy(text="remove quantize", changes=((path, None),)),
            Remedy(
                text="set quantize: fp8, which quantizes a plain checkpoint while loading", changes=((path, "fp8"),)
            ),
        )
        yield Finding(
            path=path,
            message=problem,
            remedies=(
                *(() if wanted is None else plain if stored is None else (removed,)),
                Remedy(text="name a checkpoint that is quantized with a method of TGI"),
            ),
        )


def _mismatch(workload: Workload, wanted: str | None, stored: str | None) -> str | None:
    model = workload.model.id
    if stored is None:
        if wanted is None or wanted in tgi_facts.AT_LOAD:
            return None
        return f"quantize {wanted} needs a checkpoint quantized so, and {model} isn't quantized"
    if wanted is None:
        known = stored in tgi_facts.READ_FROM_CHECKPOINT
        return (
            None if known else f"the checkpoint of {model} is quantized with {stored}, which TGI doesn't find by itself"
        )
    if stored in tgi_facts.CHECKPOINTS.get(wanted, ()):
        return None
    return f"quantize {wanted} contradicts the checkpoint of {model}, which is {stored}"


def _combinations(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        method = engine.quantize or _stored(workload)
        if engine.quantize == "exl2" and engine.num_shard > 1:
            path = engine_path(workload, "numShard")
            yield Finding(
                path=path,
                message=f"exl2 weights can't be split, and numShard is {engine.num_shard}",
                remedies=(Remedy(text="set numShard: 1", changes=((path, 1),)),),
            )
        if engine.dtype is not None and method not in _WITH_DTYPE:
            path = engine_path(workload, "dtype")
            yield Finding(
                path=path,
                message=f"dtype {engine.dtype} and quantization {method}: TGI takes only one of them",
                remedies=(Remedy(text="remove dtype", changes=((path, None),)),),
            )


def _capability(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        gpu, method = workload.node_group.gpu, engine.quantize or _stored(workload)
        if gpu is None:
            continue
        has = f"{gpu.name} has {gpu.compute_capability[0]}.{gpu.compute_capability[1]}"
        least, why = tgi_facts.LEAST_CAPABILITY.get(method or "", ((0, 0), ""))
        if gpu.compute_capability < least:
            path = engine_path(workload, "quantize")
            converted = Remedy(
                text="set quantize: gptq, whose kernels also read AWQ weights", changes=((path, "gptq"),)
            )
            yield Finding(
                path=path,
                message=f"{method} needs compute capability {least[0]}.{least[1]}, and {has}: {why}",
                remedies=(
                    *((converted,) if method == "awq" else ()),
                    Remedy(text=f"use GPUs of compute capability {least[0]}.{least[1]} or later"),
                ),
            )
        if engine.dtype == "bfloat16" and gpu.compute_capability < _BF16_FROM:
            path = engine_path(workload, "dtype")
            yield Finding(
                path=path,
                message=f"dtype bfloat16 needs compute capability 8.0, and {has}",
                remedies=(Remedy(text="set dtype: float16", changes=((path, "float16"),)),),
            )


def _attention(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        for key, message in _attention_problems(workload, engine):
            path = engine_path(workload, key)
            yield Finding(path=path, message=message, remedies=(Remedy(text=f"remove {key}", changes=((path, None),)),))


def _attention_problems(workload: Workload, engine: Tgi) -> Iterator[tuple[str, str]]:
    kind, gpu = attention(workload, engine), workload.node_group.gpu
    if engine.kv_cache_dtype and kind == "flashdecoding":
        yield (
            "kvCacheDtype",
            f"kvCacheDtype {engine.kv_cache_dtype} works with flashinfer and paged attention, and here it is {kind}",
        )
    if engine.prefix_caching and kind == "paged":
        yield "prefixCaching", "prefixCaching works with flashinfer and flashdecoding, and here attention is paged"
    if engine.attention == "flashdecoding" and gpu is not None and gpu.compute_capability < (8, 0):
        major, minor = gpu.compute_capability
        yield "attention", f"attention flashdecoding needs compute capability 8.0, and {gpu.name} has {major}.{minor}"


def _stored(workload: Workload) -> str | None:
    return None if workload.model.quantization == "none" else workload.model.quantization


RULES = (
    Rule(
        code="ENG055",
        severity="error",
        title="TGI's quantization fits the checkpoint",
        why="awq, gptq, exl2, marlin and compressed-tensors read weights that were quantized before; eetq, bitsandbytes and fp8 "
        "quantize plain ones while loading (docs/source/conceptual/quantization.md, utils/quantization.py). Otherwise the shards stop at "
        "the first tensor that isn't there.",
        check=_checkpoint,
    ),
    Rule(
        code="ENG056",
        severity="error",
        title="TGI's quantization goes with its other options",
        why='The launcher exits with "Sharding is currently not supported with `exl2` quantization" (launcher/src/main.rs), the shards '
        'with "Only 1 can be set between `dtype` and `quantize`" (server/text_generation_server/cli.py): the launcher passes the '
        "checkpoint's own method on as `quantize` too.",
        check=_combinations,
    ),
    Rule(
        code="ENG057",
        severity="error",
        title="The GPU's compute capability is enough for TGI's kernels",
        why="Kernels are missing in the image below what they were built for; the source stands in each message. bfloat16: flash "
        "attention has it from 8.0 on (https://github.com/Dao-AILab/flash-attention).",
        check=_capability,
    ),
    Rule(
        code="ENG058",
        severity="error",
        title="TGI's attention supports what is asked of it",
        why='The shards exit with "FP8 KV cache is currently only supported for flashinfer on CUDA and paged attention .." '
        '(layers/attention/kv_cache.py), "Prefix caching is only supported with flashinfer" (models/globals.py) or "Flash decoding '
        'requires Flash Attention V2" (layers/attention/cuda.py).',
        check=_attention,
    ),
)
