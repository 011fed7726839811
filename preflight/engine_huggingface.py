"""ENG090, ENG091: what KServe's Hugging Face runtime makes of vLLM's options."""

from collections.abc import Iterator

from components.engines.huggingface import HuggingFace
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.parallelism_shape import size_path
from preflight.rule import Facts, Finding, Remedy, Rule

_SOURCE = "kserve 1fb7810 (v0.20.0), python/, read 2026-11-23: "
_OTHER_SIZES = ("pipeline", "data", "prefill_context")


def _workloads(facts: Facts) -> Iterator[tuple[Workload, HuggingFace]]:
    for workload in facts.workloads:
        if isinstance(workload.engine, HuggingFace):
            yield workload, workload.engine


def _sizes(facts: Facts) -> Iterator[Finding]:
    for workload, _ in _workloads(facts):
        size = workload.parallelism
        for axis in _OTHER_SIZES:
            count = getattr(size, axis)
            if count == 1:
                continue
            gpus = workload.resources.gpus
            path = size_path(workload, axis) if axis != "prefill_context" else None
            path = path or engine_path(workload, "prefillContextParallelSize")
            tensor = size_path(workload, "tensor")
            yield Finding(
                path=path,
                message=(
                    f"the runtime sets the tensor-parallel size to every GPU of the pod ({gpus}), so with {path[-1]} {count} "
                    f"it would need {gpus * count}"
                ),
                remedies=(
                    *(
                        (
                            Remedy(
                                text=f"remove {path[-1]}, and set {tensor[-1]}: {size.ranks}",
                                changes=((path, None), (tensor, size.ranks)),
                            ),
                        )
                        if size.ranks <= workload.node_group.units_per_node
                        else ()
                    ),
                    Remedy(text=f"remove {path[-1]}, and use more replicas instead"),
                    Remedy(text="use engine vllm, whose own server takes every size"),
                ),
            )


def _name(facts: Facts) -> Iterator[Finding]:
    for workload, engine in _workloads(facts):
        names = engine.served_model_name or []
        path = engine_path(workload, "servedModelName")
        if any("/" in name for name in names[:1]):
            # KSV012 wants the service's own name.
            plain = workload.name if workload.kind == "InferenceService" else names[0].rpartition("/")[2]
            yield Finding(
                path=path,
                message=f"{names[0]} has a slash, so it is no part of a path, and the probes' path names the model",
                remedies=(Remedy(text=f"set servedModelName: [{plain}]", changes=((path, [plain]),)),),
            )
        elif len(names) > 1:
            kept = workload.name if workload.kind == "InferenceService" else names[0]
            yield Finding(
                path=path,
                message=f"the runtime answers to one name: clients that send {', '.join(names[1:])} get an error",
                remedies=(Remedy(text=f"set servedModelName: [{kept}]", changes=((path, [kept]),)),),
            )


RULES = (
    Rule(
        code="ENG090",
        severity="error",
        title="The Hugging Face runtime splits the model by tensor parallelism only",
        why="It sets tensor_parallel_size to torch.cuda.device_count() whatever the arguments say; with another size beside it vLLM "
        f"finds too few GPUs ({_SOURCE}huggingfaceserver/huggingfaceserver/vllm/vllm_model.py, start_engine).",
        check=_sizes,
    ),
    Rule(
        code="ENG091",
        severity="error",
        title="The Hugging Face runtime has one name for the model, without a slash",
        why="Only the first name is registered with the server, and the readiness path /v2/models/<name>/ready has it as one segment "
        f"({_SOURCE}huggingfaceserver/huggingfaceserver/__main__.py, kserve/kserve/protocol/rest/v2_endpoints.py).",
        check=_name,
    ),
)
