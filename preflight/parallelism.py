"""PAR: parallel sizes against the shape of the model and of the node."""

from collections.abc import Iterator

from components.resolved import Workload
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

_SIZES = (1, 2, 4, 8, 16, 32)


def _heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.tensor
        if shape is None or shape.num_attention_heads % size == 0:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=f"{shape.num_attention_heads} attention heads of {workload.model.id} can't be divided by tensorParallelSize {size}",
            remedies=_other_sizes(workload),
        )


def _kv_heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.tensor
        # MLA keeps one latent head, copied to every rank: any size that divides the attention heads works.
        if shape is None or shape.kv_lora_rank or shape.num_attention_heads % size:
            continue
        heads = shape.num_key_value_heads
        if max(heads, size) % min(heads, size) == 0:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=(
                f"{heads} key-value heads of {workload.model.id} and tensorParallelSize {size}: one must divide the other, "
                "since vLLM either splits or copies KV heads"
            ),
            remedies=_other_sizes(workload),
        )


def _world_size(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        size, node = workload.parallelism, workload.node_group
        if not node.units_per_node or size.ranks <= node.units_per_node:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=(
                f"a pod needs {size.ranks} GPUs (tensor {size.tensor} x pipeline {size.pipeline} x data {size.data}) and a node of "
                f"{node.name} has {node.units_per_node}: the pod would stay Pending"
            ),
            remedies=(
                *_other_sizes(workload),
                Remedy(text=f"use a node group whose nodes have at least {size.ranks} GPUs"),
            ),
        )


def _layers(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.pipeline
        if shape is None or size <= shape.num_hidden_layers:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "pipelineParallelSize"),
            message=f"{workload.model.id} has {shape.num_hidden_layers} layers, too few for pipelineParallelSize {size}",
            remedies=(
                Remedy(
                    text=f"set pipelineParallelSize: {shape.num_hidden_layers}",
                    changes=((workload_path(workload, "engine", "pipelineParallelSize"), shape.num_hidden_layers),),
                ),
            ),
        )


def _experts(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape = workload.model.architecture
        if shape is None or not workload.parallelism.expert or shape.num_experts:
            continue
        path = workload_path(workload, "engine", "enableExpertParallel")
        yield Finding(
            path=path,
            message=f"{workload.model.id} has no experts, and vLLM refuses enableExpertParallel for such a model",
            remedies=(Remedy(text="remove enableExpertParallel", changes=((path, None),)),),
        )


def _other_sizes(workload: Workload) -> tuple[Remedy, ...]:
    """Nearest tensor-parallel sizes first, larger before smaller."""
    size = workload.parallelism
    others = sorted((one for one in _SIZES if one != size.tensor), key=lambda one: (abs(one - size.tensor), -one))
    limit = workload.node_group.units_per_node // (size.ranks // size.tensor) or 1
    return tuple(
        Remedy(
            text=f"set tensorParallelSize: {one}",
            changes=((workload_path(workload, "engine", "tensorParallelSize"), one),),
        )
        for one in others
        if one <= limit
    )


RULES = (
    Rule(
        code="PAR001",
        severity="error",
        title="tensorParallelSize divides the attention heads",
        why='vLLM exits with "Total number of attention heads (..) must be divisible by tensor parallel size (..)" (vllm/config/model.py).',
        check=_heads,
    ),
    Rule(
        code="PAR002",
        severity="error",
        title="tensorParallelSize divides the key-value heads, or they divide it",
        why="vLLM splits KV heads over the ranks, or copies each to several ranks; both need whole numbers "
        "(vllm/model_executor/layers/linear.py, QKVParallelLinear).",
        check=_kv_heads,
    ),
    Rule(
        code="PAR003",
        severity="error",
        title="All ranks of a pod fit on one node",
        why='A pod runs on one node. vLLM would exit with "World size (..) is larger than the number of available GPUs (..)" '
        "(vllm/config/parallel.py), and the scheduler never places the pod.",
        check=_world_size,
    ),
    Rule(
        code="PAR004",
        severity="error",
        title="Each pipeline stage has a layer",
        why="vLLM can't give a stage no layer (vllm/distributed/utils.py, get_pp_indices).",
        check=_layers,
    ),
    Rule(
        code="PAR005",
        severity="error",
        title="Expert parallelism is for mixture-of-experts models",
        why="vLLM refuses --enable-expert-parallel for a model without experts (vllm/config/model.py, verify_with_parallel_config).",
        check=_experts,
    ),
)
