"""ENG072, ENG073, ENG076: TensorRT-LLM's checkpoints, and the models that propose tokens for them."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from catalog.architecture import Quantization
from components.engines.tensorrt_llm_configs import SpeculativeConfig
from preflight.engine_facts import engine_path
from preflight.engine_tensorrt_llm import tensorrt_llm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_NEEDED = {
    "Eagle": ("max_draft_len", "speculative_model"),
    "DraftTarget": ("max_draft_len", "speculative_model"),
    "NGram": ("max_draft_len", "max_matching_ngram_size"),
}
_OWN = {
    "eagle3_one_model": "Eagle",
    "num_nextn_predict_layers": "MTP",
    "use_relaxed_acceptance_for_thinking": "MTP",
    "relaxed_topk": "MTP",
    "relaxed_delta": "MTP",
    "max_matching_ngram_size": "NGram",
    "is_public_pool": "NGram",
}
_READ = ("modelopt", "fp8", "mxfp4", "nvfp4")


def _speculation(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        config = engine.speculative_config
        if config is None:
            continue
        kind, path = config.decoding_type, engine_path(workload, "speculativeConfig")
        missing = [_key(name) for name in _NEEDED.get(kind, ()) if getattr(config, name) is None]
        if missing:
            text = " and ".join(missing)
            remedies = (Remedy(text=f"give speculativeConfig.{text}"),)
            yield Finding(path=path, message=f"decodingType {kind} needs {text}", remedies=remedies)
        for name, owner in _OWN.items():
            if getattr(config, name) is not None and owner != kind:
                key = _key(name)
                where = (*path, key)
                yield Finding(
                    path=where,
                    message=f"{key} belongs to decodingType {owner}, and {kind} refuses it",
                    remedies=(Remedy(text=f"remove {key}", changes=((where, None),)),),
                )


def _key(field: str) -> str:
    return SpeculativeConfig.model_fields[field].alias or to_camel(field)


def _checkpoint(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        method, shape, gpu = workload.model.quantization, workload.model.architecture, workload.node_group.gpu
        path = engine_path(workload)
        if method == "none" or shape is None:
            continue
        if method not in _READ:
            yield Finding(
                path=path,
                message=f"the checkpoint of {workload.model.id} is quantized with {method}, and the PyTorch backend of TensorRT-LLM "
                f"{engine.version} reads ModelOpt, block-wise FP8 and MXFP4 ones",
                remedies=(
                    Remedy(
                        text="name a checkpoint made with NVIDIA ModelOpt, such as those of the organisation nvidia"
                    ),
                    Remedy(text="serve it with engine vllm"),
                ),
            )
            continue
        needed = _capability(method, shape.quantization)
        if gpu is None or needed is None or gpu.compute_capability >= needed[1]:
            continue
        name, (major, minor) = needed
        have = ".".join(map(str, gpu.compute_capability))
        yield Finding(
            path=path,
            message=f"{name} weights need compute capability {major}.{minor} in TensorRT-LLM, and {gpu.name} has {have}: it has no "
            "weight-only kernels for them",
            remedies=(
                Remedy(
                    text=f"use GPUs of compute capability {major}.{minor} or later, or a checkpoint without quantization"
                ),
                Remedy(text="serve it with engine vllm"),
            ),
        )


def _capability(method: str, quantization: Quantization | None) -> tuple[str, tuple[int, int]] | None:
    bits, group = (quantization.bits, quantization.group_size) if quantization else (None, None)
    if method == "nvfp4" or (method == "modelopt" and bits == 4 and group == 16):
        return "NVFP4", (10, 0)
    if method == "fp8" or (method == "modelopt" and bits == 8):
        return "FP8", (8, 9)
    return None


def _draft(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        for name in engine.references():
            if not workload.launch.locations.get(name, "/").startswith("/"):
                yield Finding(
                    path=engine_path(workload, "speculativeConfig", "speculativeModel"),
                    message=f"TensorRT-LLM downloads {name} without a revision: every start may bring other weights",
                    remedies=(Remedy(text=f"give the model {name} a volume, which keeps its commit"),),
                )


RULES = (
    Rule(
        code="ENG072",
        severity="error",
        title="TensorRT-LLM: speculativeConfig has what its type needs, and nothing of another type",
        why="TorchLlmArgs.validate_speculative_config asserts them, and each type forbids other fields (llmapi/llm_args.py).",
        check=_speculation,
    ),
    Rule(
        code="ENG073",
        severity="error",
        title="TensorRT-LLM reads the checkpoint's quantization, and the GPU runs it",
        why='Other formats end in "NotImplementedError: Unsupported quantization_config" (llmapi/llm_utils.py). FP8 runs from Ada on, '
        "NVFP4 on Blackwell (hardware support matrix in docs/source/features/quantization.md).",
        check=_checkpoint,
    ),
    Rule(
        code="ENG076",
        severity="warning",
        title="TensorRT-LLM: the draft model is pinned to a commit",
        why="DecodingBaseConfig has no field for the revision of speculative_model (llmapi/llm_args.py).",
        check=_draft,
    ),
)
