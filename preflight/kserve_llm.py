"""KSV020-KSV026: LLMInferenceServices: their controller, engine, nodes, rollout and router."""

from collections.abc import Iterator

from components.resolved import Workload
from components.resolved_kserve import LlmInferenceServiceSettings
from components.service_address import service_name, service_port
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
    text = f"set platform.{_OPERATOR}.llmInferenceServices: true" + ("" if operator else " and platform.certManager: {}")
    for workload, _ in llm_services(facts):
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"{workload.name} is an {KIND}, and the platform section doesn't mention KServe's controller for that kind",
            remedies=(Remedy(text=text, changes=changes),),
        )


def _engine(facts: Facts) -> Iterator[Finding]:
    for workload, _ in llm_services(facts):
        if workload.engine.name != "vllm":
            yield Finding(
                path=workload_path(workload, "engine", "name"),
                message=f"KServe's presets for an {KIND} are for vllm alone: engine {workload.engine.name} would start with vLLM's settings",
                remedies=(
                    Remedy(text="use engine vllm"),
                    Remedy(
                        text="set kind: InferenceService", changes=((workload_path(workload, "kind"), "InferenceService"),)
                    ),
                ),
            )


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
                    f"KServe's Deployment for an {KIND} starts new pods before it stops old ones, whatever the stack says: rollout in-place "
                    f"can't be kept for {workload.name}"
                ),
                remedies=(
                    setting(path, "surge", ", with GPUs free for one more pod"),
                    Remedy(
                        text="set kind: InferenceService", changes=((workload_path(workload, "kind"), "InferenceService"),)
                    ),
                ),
            )
        elif workload.group_size > 1 and workload.max_surge:
            yield Finding(
                path=path,
                message=f"KServe's LeaderWorkerSet replaces one copy at a time in place: rollout surge does nothing for {workload.name}",
                remedies=(setting(path, "in-place"),),
            )


def _router(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR)
    ready = operator is not None and operator.settings["gatewayApi"] == "true"
    flag: Path = ("platform", _OPERATOR, "gatewayApi")
    for workload, settings in llm_services(facts):
        if settings.router is None:
            continue
        path = workload_path(workload, "router")
        if not ready:
            yield Finding(
                path=path,
                message=f"{workload.name}'s route needs the Gateway API's CRDs and a gateway controller, and nothing says that they are there",
                remedies=(
                    Remedy(
                        text="install them, then set platform.kserve.gatewayApi: true",
                        changes=((flag, True),) if operator else (),
                    ),
                    Remedy(text="remove router", changes=((path, None),)),
                ),
            )
        if not _lets_in(workload, settings.router.gateway_namespace):
            allowed = workload_path(workload, "allowFrom")
            namespace = settings.router.gateway_namespace
            peers = facts.inputs.config.workloads[workload.name].allow_from
            changes = ((allowed, [{"namespace": namespace}, {"podLabels": {}}]),) if peers is None else ()
            yield Finding(
                path=allowed,
                message=f"the NetworkPolicy keeps the gateway in namespace {namespace} out: requests end with a time-out",
                remedies=(
                    Remedy(
                        text=f"add {{namespace: {namespace}}} to allowFrom" if peers is not None else f"set allowFrom: [{{namespace: {namespace}}}]",
                        changes=changes,
                    ),
                ),
            )
