"""KSV020-KSV024: LLMInferenceServices: their controller, engine, nodes and rollout."""

from collections.abc import Iterator

from components.resolved import Workload
from components.resolved_kserve import LlmInferenceServiceSettings
from preflight.parallelism_shape import size_path
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

KIND = "LLMInferenceService"
_OPERATOR = "kserve"


def llm_services(facts: Facts) -> Iterator[tuple[Workload, LlmInferenceServiceSettings]]:
    """The LLMInferenceServices with their settings."""
    for workload in facts.workloads:
        if isinstance(workload.settings, LlmInferenceServiceSettings):
            yield workload, workload.settings


def _controller(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR)
    if operator is not None and operator.settings["llmInferenceServices"] == "true":
        return
    flag: Path = ("platform", _OPERATOR, "llmInferenceServices")
    missing = (("platform", "certManager"), {})
    changes = ((flag, True),) if operator else ((flag[:2], {"llmInferenceServices": True}), missing)
    text = f"set platform.{_OPERATOR}.llmInferenceServices: true" + (
        "" if operator else " and platform.certManager: {}"
    )
    for workload, _ in llm_services(facts):
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"{workload.name} is an {KIND}, and the platform section doesn't mention its controller",
            remedies=(Remedy(text=text, changes=changes),),
        )


def _engine(facts: Facts) -> Iterator[Finding]:
    for workload, _ in llm_services(facts):
        if workload.engine.name != "vllm":
            yield Finding(
                path=workload_path(workload, "engine", "name"),
                message=f"KServe's presets for an {KIND} are vllm's: {workload.engine.name} would start with vLLM's settings",
                remedies=(
                    Remedy(text="set kind: InferenceService", changes=_inference_service(workload)),
                    Remedy(text="use engine vllm"),
                ),
            )


def _inference_service(workload: Workload) -> tuple[tuple[Path, object], ...]:
    own = ((workload_path(workload, key), None) for key in ("router", "prefill"))
    return (workload_path(workload, "kind"), "InferenceService"), *own


def _stages(facts: Facts) -> Iterator[Finding]:
    for workload, _ in llm_services(facts):
        size, pods = workload.parallelism, workload.group_size
        if pods == 1 or workload.engine.name != "vllm" or (size.pipeline == pods and size.data == 1):
            continue
        units = workload.node_group.units_per_node
        fits = size.ranks == pods * units and size.data == 1
        path = size_path(workload, "pipeline")
        tensor = size_path(workload, "tensor")
        yield Finding(
            path=path,
            message=(
                f"a copy of {workload.name} needs {pods} nodes (tensor {size.tensor} x pipeline {size.pipeline} x data {size.data}, "
                f"{units} GPUs on a node), and KServe makes one pod for each pipeline stage"
            ),
            remedies=(
                *(
                    (
                        Remedy(
                            text=f"set pipelineParallelSize: {pods} and tensorParallelSize: {units}",
                            changes=((path, pods), (tensor, units)),
                        ),
                    )
                    if fits
                    else ()
                ),
                Remedy(text="use kind: LeaderWorkerSet, whose pods are counted by GPUs"),
            ),
        )


def _groups(facts: Facts) -> Iterator[Finding]:
    operator: Path = ("platform", "leaderWorkerSet")
    if operator[1] in facts.stack.operators:
        return
    for workload, _ in llm_services(facts):
        if workload.group_size > 1:
            yield Finding(
                path=workload_path(workload, "kind"),
                message=(
                    f"a copy of {workload.name} has {workload.group_size} pods, for which KServe makes a LeaderWorkerSet, and the platform "
                    "section doesn't mention its controller"
                ),
                remedies=(
                    Remedy(
                        text="set platform.leaderWorkerSet: {}, or {install: false} where the cluster has it",
                        changes=((operator, {}),),
                    ),
                ),
            )


def _rollout(facts: Facts) -> Iterator[Finding]:
    for workload, _ in llm_services(facts):
        path = workload_path(workload, "rollout")
        if workload.group_size == 1 and not workload.max_surge:
            yield Finding(
                path=path,
                message=(
                    f"KServe's Deployment for an {KIND} starts new pods before it stops old ones: rollout in-place can't be kept for "
                    f"{workload.name}"
                ),
                remedies=(
                    setting(path, "surge", ", with GPUs free for one more pod"),
                    Remedy(text="set kind: InferenceService", changes=_inference_service(workload)),
                ),
            )
        elif workload.group_size > 1 and workload.max_surge:
            yield Finding(
                path=path,
                message=f"KServe's LeaderWorkerSet replaces copies in place: rollout surge does nothing for {workload.name}",
                remedies=(setting(path, "in-place"),),
            )


_SOURCE = "kserve 1fb7810 (v0.20.0), read 2026-11-22: "
_CODE = f"{_SOURCE}pkg/controller/v1alpha2/llmisvc"

RULES = (
    Rule(
        code="KSV020",
        severity="error",
        title="Somebody installs KServe's controller for LLMInferenceServices",
        why="It is a controller of its own with its own CustomResourceDefinitions and presets; without the presets a service stays at the "
        f"condition ConfigNotFound ({_CODE}/config_merge.go).",
        check=_controller,
    ),
    Rule(
        code="KSV021",
        severity="error",
        title="LLMInferenceServices run vLLM",
        why="The presets' variables, probes and metrics, and the scheduler that reads them, are vLLM's "
        f"({_SOURCE}config/llmisvcconfig/config-llm-template.yaml).",
        check=_engine,
    ),
    Rule(
        code="KSV022",
        severity="error",
        title="An LLMInferenceService has as many pipeline stages as nodes",
        why="The size of its LeaderWorkerSet is `parallelism.pipeline` (ParallelismSpec.GetSize in "
        f"{_SOURCE}pkg/apis/serving/v1alpha2/llm_inference_service_types_func.go). For data parallelism the preset adds capabilities that "
        "Pod Security restricted refuses and a template can't take back (config/llmisvcconfig/config-llm-worker-data-parallel.yaml).",
        check=_stages,
    ),
    Rule(
        code="KSV023",
        severity="error",
        title="LLMInferenceServices on several nodes have the LeaderWorkerSet controller",
        why=f"Their pods are a LeaderWorkerSet's ({_CODE}/workload_multi_node.go).",
        check=_groups,
    ),
    Rule(
        code="KSV024",
        severity="error",
        title="The rollout of an LLMInferenceService is the one that KServe makes",
        why="Without a strategy of KServe's the Deployment has Kubernetes' 25 %: with up to three replicas it waits for a spare GPU. "
        f"The LeaderWorkerSet's default is in-place ({_CODE}/workload_single_node.go, workload_multi_node.go).",
        check=_rollout,
    ),
)
