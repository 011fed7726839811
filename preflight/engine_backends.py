"""ENG009, ENG010, ENG011: KV-cache type and attention backend against the GPU, and the GPU against the engine."""

import difflib
from collections.abc import Iterator

from catalog.architecture import Architecture
from catalog.engine_support import AttentionBackend, Capability, Support
from catalog.gpus import Gpu
from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_AUTOMATIC = ("FLASH_ATTN", "FLASHINFER", "TRITON_ATTN", "FLEX_ATTENTION", "TURBOQUANT")
"""What vLLM chooses from on NVIDIA GPUs for other attention than MLA (platforms/cuda.py, _get_backend_priorities)."""
_NATIVE = frozenset({"auto", "float16", "bfloat16"})


def _kv_dtype(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_workloads(facts):
        gpu, shape, known = workload.node_group.gpu, workload.model.architecture, shared.support(workload)
        table, wanted = shared.of(workload), engine.kv_cache_dtype
        if gpu is None or shape is None or known is None or table is None or wanted in (None, "auto"):
            continue
        if wanted not in (table["--kv-cache-dtype"].choices or (wanted,)) or _backend_problem(
            engine, gpu, shape, known
        ):
            continue
        if problem := _kv_problem(workload, engine, wanted, gpu, shape, known):
            path = engine_path(workload, "kvCacheDtype")
            yield Finding(
                path=path,
                message=problem,
                remedies=(
                    Remedy(text="set kvCacheDtype: fp8", changes=((path, "fp8"),)),
                    Remedy(text="remove kvCacheDtype", changes=((path, None),)),
                    Remedy(
                        text="remove attentionBackend", changes=((engine_path(workload, "attentionBackend"), None),)
                    ),
                ),
            )


def _kv_problem(
    workload: Workload, engine: Vllm, dtype: str, gpu: Gpu, shape: Architecture, known: Support
) -> str | None:
    if dtype == "fp8_e5m2" and workload.model.quantization in ("fp8", "modelopt"):
        return f"kvCacheDtype fp8_e5m2 isn't supported with FP8 checkpoints such as {workload.model.id}"
    chosen = (engine.attention_backend or "auto").upper()
    if chosen != "AUTO":
        backends = [known.attention_backends[chosen]] if chosen in known.attention_backends else []
        whose = f"attention backend {chosen}"
    else:
        backends = [one for one in known.attention_backends.values() if _candidate(one, shape)]
        whose = f"no attention backend of vLLM {engine.version}"
    if not backends or any(_takes(one, dtype, gpu.compute_capability, shape, known) for one in backends):
        return None
    verb = "doesn't take" if chosen != "AUTO" else "takes"
    card = f"{gpu.name} (compute capability {_text(gpu.compute_capability)})"
    return f"{whose} {verb} KV-cache type {dtype} for {workload.model.id} on {card}"


def _candidate(backend: AttentionBackend, shape: Architecture) -> bool:
    """Whether vLLM considers it by itself."""
    if shape.mla:
        return bool(backend.mla) and backend.sparse == (shape.index_head_dim is not None)
    return backend.name in _AUTOMATIC


def _takes(backend: AttentionBackend, dtype: str, capability: Capability, shape: Architecture, known: Support) -> bool:
    """A KV-cache type on one backend; true where the facts are missing."""
    if not _serves(backend, capability, shape):
        return False
    if backend.kv_cache_dtypes is not None and dtype not in backend.kv_cache_dtypes:
        return False
    if dtype in _NATIVE:
        return dtype != "bfloat16" or capability >= (8, 0)
    if dtype.startswith("nvfp4") and backend.name == "FLASHINFER":
        return _nvfp4(dtype, capability, shape, known)
    if dtype.startswith("fp8"):
        # FlashAttention 3 on Hopper and 4 on Blackwell read FP8 keys (attention/backends/fa_utils.py).
        return capability >= backend.fp8_from and (backend.name != "FLASH_ATTN" or capability[0] in (9, 10))
    return True


def _nvfp4(dtype: str, capability: Capability, shape: Architecture, known: Support) -> bool:
    """FlashInfer's NVFP4 cache: Blackwell data-centre GPUs, and since 0.32 plain nvfp4 on Ampere to Hopper and GB20x."""
    if capability[0] == 10:
        return True
    return known.version != "0.29.0" and dtype == "nvfp4" and shape.head_dim != 64 and not _sinks(shape)


def _serves(backend: AttentionBackend, capability: Capability, shape: Architecture) -> bool:
    if not backend.nvidia or not backend.runs_on(capability):
        return False
    if backend.mla is not None and (backend.mla != shape.mla or backend.sparse != (shape.index_head_dim is not None)):
        return False
    sizes = {shape.head_dim, shape.sliding_head_dim or shape.head_dim}
    if backend.head_sizes is not None and not sizes <= backend.head_sizes:
        return False
    return not _sinks(shape) or {"FLASH_ATTN": capability >= (9, 0), "FLASHINFER": capability[0] == 10}.get(
        backend.name, True
    )


def _sinks(shape: Architecture) -> bool:
    return shape.model_type == "gpt_oss"


def _backend(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_workloads(facts):
        gpu, known = workload.node_group.gpu, shared.support(workload)
        if known is None or (problem := _backend_problem(engine, gpu, workload.model.architecture, known)) is None:
            continue
        path = engine_path(workload, "attentionBackend")
        near = difflib.get_close_matches(
            (engine.attention_backend or "").upper(), list(known.attention_backends), n=1, cutoff=0.6
        )
        yield Finding(
            path=path,
            message=problem,
            remedies=(
                *(Remedy(text=f"set attentionBackend: {name}", changes=((path, name),)) for name in near),
                Remedy(text="remove attentionBackend: vLLM chooses the best for the GPU", changes=((path, None),)),
            ),
        )


def _backend_problem(engine: Vllm, gpu: Gpu | None, shape: Architecture | None, known: Support) -> str | None:
    name = (engine.attention_backend or "auto").upper()
    if name in ("AUTO", "CUSTOM"):
        return None
    backend = known.attention_backends.get(name)
    if backend is None:
        usable = sorted(one.name for one in known.attention_backends.values() if one.nvidia and one.mla is not None)
        return f"attention backend {engine.attention_backend} isn't in vLLM {engine.version}; for NVIDIA GPUs it has {', '.join(usable)}"
    if not backend.nvidia:
        return f"attention backend {name} isn't for NVIDIA GPUs"
    if gpu is None:
        return None
    if not backend.runs_on(gpu.compute_capability):
        assert backend.capability is not None
        low, high = backend.capability
        needs = (
            _text(low)
            if low == high
            else (f"{_text(low)} or later" if high == (99, 0) else f"{_text(low)} to {_text(high)}")
        )
        return f"attention backend {name} needs compute capability {needs}, and {gpu.name} has {_text(gpu.compute_capability)}"
    if shape is not None and not _serves(backend, gpu.compute_capability, shape):
        return f"attention backend {name} doesn't serve the attention of this model ({_attention(shape)}) on {gpu.name}"
    return None


def _attention(shape: Architecture) -> str:
    kind = "multi-head latent" if shape.mla else "grouped heads"
    extra = ", sparse" if shape.index_head_dim else (", with sinks" if _sinks(shape) else "")
    return f"{kind}{extra}, head size {shape.head_dim}"


def _oldest(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_workloads(facts):
        gpu, known = workload.node_group.gpu, shared.support(workload)
        if (
            gpu is None
            or known is None
            or engine.image is not None
            or gpu.compute_capability >= known.minimum_capability
        ):
            continue
        yield Finding(
            path=engine_path(workload, "version"),
            message=f"vLLM {engine.version} has no code for {gpu.name}: the official image starts at compute capability "
            f"{_text(known.minimum_capability)}, and the GPU has {_text(gpu.compute_capability)}",
            remedies=(
                Remedy(
                    text=f"use GPUs of compute capability {_text(known.minimum_capability)} or later, or an image built for {gpu.name}"
                ),
            ),
        )


def _text(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"


RULES = (
    Rule(
        code="ENG009",
        severity="error",
        title="An attention backend takes the KV-cache type on this GPU",
        why='vLLM exits with "No valid attention backend found" (platforms/cuda.py, get_attn_backend_cls), or the '
        'Triton backends with "FP8 KV cache '
        'is not supported" below 8.9 (v1/attention/backends/triton_attn.py). On Ampere FlashInfer reads FP8, for '
        "head sizes 64, 128, 256, 512.",
        check=_kv_dtype,
    ),
    Rule(
        code="ENG010",
        severity="error",
        title="The attention backend exists and runs on the GPU",
        why='vLLM exits with "Unknown attention backend" or "Selected backend .. is not valid for this configuration" '
        "(v1/attention/backends/registry.py, platforms/cuda.py).",
        check=_backend,
    ),
    Rule(
        code="ENG011",
        severity="error",
        title="The official image has code for the GPU",
        why='CUDA fails with "no kernel image is available for execution on the device". The images of 0.29-0.33 are '
        "built with CUDA 13, which "
        "knows no GPU before compute capability 7.5 (https://github.com/vllm-project/vllm/pull/39878; code "
        "architectures inside the wheels).",
        check=_oldest,
    ),
)
