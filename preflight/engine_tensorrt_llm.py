"""ENG070, ENG071, ENG074, ENG075: TensorRT-LLM's backend options and sizes."""

import difflib
from collections.abc import Iterator

from catalog.llm_args import TOP, fields
from components.engines.tensorrt_llm import TensorRtLlm
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.rule import Facts, Finding, Remedy, Rule

_DECIDED = {
    "model": "the model of the workload",
    "revision": "the revision in the models section",
    "backend": "the engine: the PyTorch backend",
    "return_perf_metrics": "the engine, whose Prometheus metrics need it",
    "context_parallel_size": "the number of GPUs of the pod, which doesn't count it",
    "gpus_per_node": "the pod: it sees its own GPUs",
    "orchestrator_type": "the kind of workload: a pod starts its ranks with MPI",
}
_DEFAULT_MAX_NUM_TOKENS = 8192
"""TorchLlmArgs.max_num_tokens."""


def tensorrt_llm_workloads(facts: Facts) -> Iterator[tuple[Workload, TensorRtLlm]]:
    """Workloads that TensorRT-LLM serves, with their engine."""
    for workload in facts.workloads:
        if isinstance(workload.engine, TensorRtLlm):
            yield workload, workload.engine


def _fields(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        known = fields(engine.version, facts.stack.option_rows.get(engine.name))
        for name, value in engine.extra_llm_api_options.items():
            path = engine_path(workload, "extraLlmApiOptions", name)
            remove = Remedy(text=f"remove {name} from extraLlmApiOptions", changes=((path, None),))
            if name in _DECIDED:
                yield Finding(path=path, message=f"{name} is decided by {_DECIDED[name]}", remedies=(remove,))
            elif name in TensorRtLlm.model_fields:
                key = engine.key_name(name)
                remedies = (Remedy(text=f"use the key {key} instead"),)
                yield Finding(path=path, message=f"{name} has a key of its own, {key}", remedies=remedies)
            elif known and name not in known[TOP]:
                message = f"TorchLlmArgs of TensorRT-LLM {engine.version} has no field {name}{_near(name, known[TOP])}"
                yield Finding(path=path, message=message, remedies=(remove,))
            elif known and name in known and isinstance(value, dict):
                for inner in sorted(set(value) - known[name]):
                    where = (*path, inner)
                    yield Finding(
                        path=where,
                        message=f"{name} of TensorRT-LLM {engine.version} has no field {inner}{_near(inner, known[name])}",
                        remedies=(Remedy(text=f"remove {inner}", changes=((where, None),)),),
                    )


def _near(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _experts(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        tensor, expert = engine.tensor_parallel_size, engine.moe_expert_parallel_size or 1
        if tensor % expert:
            path = engine_path(workload, "moeExpertParallelSize")
            sizes = [size for size in range(tensor, 0, -1) if tensor % size == 0]
            yield Finding(
                path=path,
                message=f"moeExpertParallelSize {expert} doesn't divide tensorParallelSize {tensor}, whose GPUs it groups",
                remedies=tuple(
                    Remedy(text=f"set moeExpertParallelSize: {size}", changes=((path, size),)) for size in sizes
                ),
            )


def _graphs(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        config = engine.cuda_graph_config
        if not config or config.batch_sizes is None or config.max_batch_size is None:
            continue
        path = engine_path(workload, "cudaGraphConfig", "maxBatchSize")
        yield Finding(
            path=path,
            message=f"cudaGraphConfig has batchSizes {config.batch_sizes} and maxBatchSize {config.max_batch_size}, from which other "
            "sizes follow",
            remedies=(Remedy(text="remove maxBatchSize", changes=((path, None),)),),
        )


def _prompts(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tensorrt_llm_workloads(facts):
        tokens = engine.max_num_tokens or _DEFAULT_MAX_NUM_TOKENS
        if engine.enable_chunked_prefill or engine.max_seq_len is None or engine.max_seq_len <= tokens:
            continue
        origin = "" if engine.max_num_tokens else ", the default"
        yield Finding(
            path=engine_path(workload, "maxSeqLen"),
            message=f"without enableChunkedPrefill prompts of more than maxNumTokens {tokens:,}{origin} get an error, though maxSeqLen "
            f"{engine.max_seq_len:,} has room for them",
            remedies=(
                Remedy(
                    text="set enableChunkedPrefill: true",
                    changes=((engine_path(workload, "enableChunkedPrefill"), True),),
                ),
            ),
        )


RULES = (
    Rule(
        code="ENG070",
        severity="error",
        title="extraLlmApiOptions has fields of the exact version that nothing else sets",
        why="TorchLlmArgs forbids other fields, and trtllm-serve exits (llmapi/llm_args.py, BaseLlmArgs.model_config); a field of the file "
        "replaces the command line's value, so a key of its own would be without effect.",
        check=_fields,
    ),
    Rule(
        code="ENG071",
        severity="error",
        title="TensorRT-LLM: moeExpertParallelSize divides tensorParallelSize",
        why='trtllm-serve exits with "tp_size must equal to moe_tp_size * moe_ep_size * moe_cluster_size" (tensorrt_llm/mapping.py).',
        check=_experts,
    ),
    Rule(
        code="ENG074",
        severity="error",
        title="TensorRT-LLM: cudaGraphConfig has batchSizes or maxBatchSize",
        why='trtllm-serve exits with "Please don\'t set both cuda_graph_config.batch_sizes and cuda_graph_config.max_batch_size" '
        "(llmapi/llm_args.py), unless both mean the same sizes.",
        check=_graphs,
    ),
    Rule(
        code="ENG075",
        severity="warning",
        title="TensorRT-LLM: prompts that maxSeqLen allows are not refused",
        why='Without chunked prefill a prompt runs in one step: "The sum of prompt length (..), query length (..) should not exceed '
        'max_num_tokens (..)", HTTP 400 (llmapi/llm.py, _check_arguments).',
        check=_prompts,
    ),
)
