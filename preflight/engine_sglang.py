"""ENG080-ENG082, ENG084-ENG087: SGLang's parallel sizes, context length, speculation, host cache and adapters."""

from collections.abc import Iterator

from components.engines.sglang import Sglang
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.rule import Facts, Finding, Remedy, Rule

_OWN_DRAFT = ("EAGLE3", "STANDALONE", "DFLASH")
"""Algorithms whose draft is never part of the model's own checkpoint (arg_groups/speculative_hook.py)."""
_ALGORITHMS = (
    "DFLASH", "UNO", "DSPARK", "EAGLE", "EAGLE3", "FROZEN_KV_MTP", "STANDALONE", "NGRAM", "NONE", "NEXTN",
)  # fmt: skip
"""What SpeculativeAlgorithm.from_string knows without plugins (speculative/spec_info.py, spec_registry.py)."""


def sglang_workloads(facts: Facts) -> Iterator[tuple[Workload, Sglang]]:
    """Workloads that SGLang serves, with their engine."""
    for workload in facts.workloads:
        if isinstance(workload.engine, Sglang):
            yield workload, workload.engine


def _attention(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        groups, path = engine.attn_dp_size, engine_path(workload, "attnDpSize")
        remove = Remedy(text="remove attnDpSize", changes=((path, None),))
        if groups > 1 and engine.dp_size > 1:
            yield Finding(
                path=path,
                message=f"attnDpSize {groups} and dpSize {engine.dp_size}: SGLang has no attention groups inside copies",
                remedies=(remove, Remedy(text="remove dpSize", changes=((engine_path(workload, "dpSize"), None),))),
            )
        if engine.tp_size % groups:
            sizes = [size for size in range(engine.tp_size, 1, -1) if engine.tp_size % size == 0]
            yield Finding(
                path=path,
                message=f"attnDpSize {groups} doesn't divide tpSize {engine.tp_size}, whose GPUs it groups",
                remedies=(
                    *(Remedy(text=f"set attnDpSize: {size}", changes=((path, size),)) for size in sizes),
                    remove,
                ),
            )


def _experts(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        if engine.tp_size % engine.ep_size:
            path = engine_path(workload, "epSize")
            yield Finding(
                path=path,
                message=f"epSize {engine.ep_size} doesn't divide tpSize {engine.tp_size}, whose GPUs it groups",
                remedies=(Remedy(text=f"set epSize: {engine.tp_size}", changes=((path, engine.tp_size),)),),
            )


def _pipeline(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        if engine.pp_size > 1 and engine.speculative_algorithm is not None:
            if workload.env.get("SGLANG_ENABLE_PP_SPEC", "0").lower() in ("1", "true", "yes"):
                continue
            path = engine_path(workload, "speculativeAlgorithm")
            yield Finding(
                path=path,
                message=f"speculativeAlgorithm {engine.speculative_algorithm} with ppSize {engine.pp_size}: SGLang speculates in "
                "pipelines only on prefill servers",
                remedies=(
                    Remedy(
                        text="remove speculativeAlgorithm and its options",
                        changes=tuple(
                            (engine_path(workload, engine.key_name(name)), None)
                            for name in sorted(engine.model_fields_set)
                            if name.startswith("speculative_")
                        ),
                    ),
                ),
            )


def _context(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        shape, wanted = workload.model.architecture, engine.context_length
        if (
            shape is None
            or wanted is None
            or wanted <= shape.max_position_embeddings
            or engine.json_model_override_args
        ):
            continue
        if workload.env.get("SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN", "0").lower() in ("1", "true", "yes"):
            continue
        limit, path = shape.max_position_embeddings, engine_path(workload, "contextLength")
        yield Finding(
            path=path,
            message=f"contextLength {wanted:,} is more than the {limit:,} positions of {workload.model.id}",
            remedies=(Remedy(text=f"set contextLength: {limit}", changes=((path, limit),)),),
        )


def _speculation(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        algorithm = (engine.speculative_algorithm or "").upper()
        if algorithm and algorithm not in _ALGORITHMS and engine.image is None:  # another image may have plugins
            path = engine_path(workload, "speculativeAlgorithm")
            yield Finding(
                path=path,
                message=f"SGLang {engine.version} doesn't know speculativeAlgorithm {engine.speculative_algorithm}; it takes "
                f"{', '.join(_ALGORITHMS)}",
                remedies=(
                    Remedy(text="set speculativeAlgorithm: NGRAM, which needs no weights", changes=((path, "NGRAM"),)),
                ),
            )
        if algorithm in _OWN_DRAFT and engine.speculative_draft_model_path is None:
            yield Finding(
                path=engine_path(workload, "speculativeAlgorithm"),
                message=f"speculativeAlgorithm {algorithm} needs weights of its own",
                remedies=(Remedy(text="name them in the models section, and there in speculativeDraftModelPath"),),
            )
        sized = [name for name in ("speculative_eagle_topk", "speculative_num_draft_tokens") if getattr(engine, name)]
        if algorithm in ("EAGLE", "EAGLE3", "NEXTN", "STANDALONE") and sized and engine.speculative_num_steps is None:
            keys = [engine.key_name(name) for name in sized]
            path = engine_path(workload, keys[0])
            yield Finding(
                path=path,
                message=f"{' and '.join(keys)} without speculativeNumSteps: SGLang takes all of them or chooses all of them",
                remedies=(
                    Remedy(
                        text=f"remove {' and '.join(keys)}",
                        changes=tuple((engine_path(workload, key), None) for key in keys),
                    ),
                    Remedy(text="give speculativeNumSteps"),
                ),
            )


def _host_cache(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        if engine.enable_hierarchical_cache and not engine.hicache_size:
            path = engine_path(workload, "hicacheSize")
            yield Finding(
                path=path,
                message="without hicacheSize the cache in host memory is twice that on each GPU, which the pod's memory of "
                f"{workload.resources.memory / 2**30:.0f} GiB doesn't count",
                remedies=(Remedy(text="set hicacheSize to gigabytes of each GPU's rank"),),
            )


def _adapters(facts: Facts) -> Iterator[Finding]:
    for workload, engine in sglang_workloads(facts):
        for name in engine.lora_paths or ():
            if not workload.launch.locations.get(name, "/").startswith("/"):
                yield Finding(
                    path=engine_path(workload, "loraPaths"),
                    message=f"SGLang downloads the adapter {name} without a revision: every start may bring other weights",
                    remedies=(Remedy(text=f"give the model {name} a volume, which keeps its commit"),),
                )


RULES = (
    Rule(
        code="ENG080",
        severity="error",
        title="SGLang: attnDpSize divides tpSize, and stands without dpSize",
        why='It exits with "data-parallel replicas combined with attention data parallelism are not supported", or at `assert tp_size % '
        "attn_dp_size == 0` (arg_groups/parallel_hook.py, handle_data_parallelism).",
        check=_attention,
    ),
    Rule(
        code="ENG081",
        severity="error",
        title="SGLang: epSize divides tpSize",
        why="Experts are split over tpSize // epSize ranks (runtime_context.py, derive_parallel_widths): ranks that are left "
        "over belong to no group, and the start fails.",
        check=_experts,
    ),
    Rule(
        code="ENG082",
        severity="error",
        title="SGLang: no speculation in a pipeline",
        why='It exits with "PP + speculative decoding (MTP) is only supported on prefill nodes" (arg_groups/validation_hook.py).',
        check=_pipeline,
    ),
    Rule(
        code="ENG084",
        severity="error",
        title="SGLang: contextLength lies within the model's own maximum",
        why='It exits with "context_length (..) is greater than the derived context_length (..)", unless '
        "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 is set (configs/model_config.py).",
        check=_context,
    ),
    Rule(
        code="ENG085",
        severity="error",
        title="SGLang: speculation has its weights, and all of its sizes or none",
        why='It exits with "Unknown speculative algorithm name: .." (speculative/spec_info.py). The draft is loaded from '
        "speculative_draft_model_path (managers/scheduler.py), and without speculative_num_steps the other sizes must not be set "
        "(arg_groups/speculative_hook.py, _handle_eagle_family).",
        check=_speculation,
    ),
    Rule(
        code="ENG086",
        severity="warning",
        title="SGLang: the cache in host memory has a size",
        why="hicache_ratio, 2.0 by default, takes it from the cache on the GPU (arg_groups/fields/memory.py); beyond its memory limit the "
        "pod is killed.",
        check=_host_cache,
    ),
    Rule(
        code="ENG087",
        severity="warning",
        title="SGLang: LoRA adapters are pinned to a commit",
        why="--lora-paths has no revision (arg_groups/fields/lora.py).",
        check=_adapters,
    ),
)
