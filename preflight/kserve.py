"""KSV001-KSV006: KServe and its runtimes: operator, cert-manager, one runtime for one engine, keys that a mode lacks."""

from collections.abc import Iterator
from typing import Any

from components.kserve_spec import CONTAINER, runtime_spec
from components.resolved import Workload
from components.resolved_kserve import InferenceServiceSettings, LlmInferenceServiceSettings
from components.service_address import service_name, service_port
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

KIND = "InferenceService"
_OPERATOR, _NEEDED = "kserve", "certManager"
_TEMPLATE = "{{"
_KNATIVE_ONLY = {
    "canary_traffic_percent": "canaryTrafficPercent",
    "container_concurrency": "containerConcurrency",
    "timeout_seconds": "timeoutSeconds",
}


def services(facts: Facts) -> Iterator[tuple[Workload, InferenceServiceSettings]]:
    """The InferenceServices with their settings."""
    for workload in facts.workloads:
        if isinstance(workload.settings, InferenceServiceSettings):
            yield workload, workload.settings


def stored(facts: Facts) -> Iterator[Workload]:
    """The workloads whose weights and Service are KServe's, of both kinds."""
    for workload in facts.workloads:
        if isinstance(workload.settings, InferenceServiceSettings | LlmInferenceServiceSettings):
            yield workload


def mode(facts: Facts) -> str:
    """KServe's deployment mode; its own default where the section is missing."""
    operator = facts.stack.operators.get(_OPERATOR)
    return operator.settings["deploymentMode"] if operator else "Standard"


def _operator(facts: Facts) -> Iterator[Finding]:
    if _OPERATOR in facts.stack.operators:
        return
    for workload, _ in services(facts):
        path: Path = ("platform", _OPERATOR)
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"{workload.name} is an {KIND}, and the platform section doesn't mention KServe",
            remedies=(
                Remedy(
                    text=f"set platform.{_OPERATOR}: {{}} and platform.{_NEEDED}: {{}}, each with install: false where the cluster has it",
                    changes=((path, {}), (("platform", _NEEDED), {})),
                ),
            ),
        )


def _cert_manager(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR)
    if operator is None or not operator.charts or _NEEDED in facts.stack.operators:
        return
    path: Path = ("platform", _NEEDED)
    yield Finding(
        path=("platform", _OPERATOR),
        message="KServe's chart has Certificates and an Issuer of cert-manager, which the platform section doesn't mention",
        remedies=(
            Remedy(
                text=f"set platform.{_NEEDED}: {{}}, or {{install: false}} where the cluster has it",
                changes=((path, {}),),
            ),
        ),
    )


def _runtime(facts: Facts) -> Iterator[Finding]:
    first: dict[str, tuple[Workload, Any]] = {}
    for workload, settings in services(facts):
        spec = runtime_spec(workload)
        other, its = first.setdefault(settings.runtime, (workload, spec))
        if spec == its:
            continue
        path = workload_path(workload, "runtime")
        differs = _difference(its, spec)
        yield Finding(
            path=path,
            message=f"runtime {settings.runtime} can't be {other.name}'s and {workload.name}'s: {differs}",
            remedies=(
                setting(path, f"{settings.runtime}-{workload.name}"),
                Remedy(text="give both services the same engine, version and image"),
            ),
        )


def _difference(one: Any, other: Any) -> str:
    left, right = one["containers"][0], other["containers"][0]
    if left["image"] != right["image"]:
        return f"their images are {left['image']} and {right['image']}"
    if ("workerSpec" in one) != ("workerSpec" in other):
        return "one of them spans nodes, and needs a worker in it"
    if keys := [key for key in left if left.get(key) != right.get(key)]:
        return f"the {CONTAINER} differs in {', '.join(keys)}"
    return f"they differ in {', '.join(sorted(key for key in {*one, *other} if one.get(key) != other.get(key)))}"


def _modes(facts: Facts) -> Iterator[Finding]:
    if mode(facts) == "Knative":
        return
    for workload, settings in services(facts):
        for field, key in _KNATIVE_ONLY.items():
            if getattr(settings, field) is not None:
                path = workload_path(workload, key)
                yield Finding(
                    path=path,
                    message=f"{key} is for the deployment mode Knative, which this stack doesn't offer: in Standard it does nothing",
                    remedies=(Remedy(text=f"remove {key}", changes=((path, None),)),),
                )
        scaling = settings.autoscaling
        if scaling is None:
            continue
        if scaling.metric in ("concurrency", "rps"):
            path = workload_path(workload, "autoscaling", "scaleMetric")
            yield Finding(
                path=path,
                message=f"scaleMetric {scaling.metric} is for the deployment mode Knative: KServe refuses it for an HPA",
                remedies=(Remedy(text="use prometheus with KEDA, for example sum(vllm:num_requests_waiting)"),),
            )
        if scaling.min_replicas == 0 and scaling.prometheus is None:
            path = workload_path(workload, "autoscaling", "minReplicas")
            yield Finding(
                path=path,
                message="minReplicas 0 needs KEDA in the deployment mode Standard: a HorizontalPodAutoscaler never goes below 1",
                remedies=(setting(path, 1),),
            )


def _unused(facts: Facts) -> Iterator[Finding]:
    for workload in stored(facts):
        spec = facts.inputs.config.workloads[workload.name]
        if "service_port" in spec.model_fields_set:
            path = workload_path(workload, "servicePort")
            yield Finding(
                path=path,
                message=f"servicePort does nothing: KServe's Service {service_name(workload)} has port {service_port(workload)}",
                remedies=(Remedy(text="remove servicePort", changes=((path, None),)),),
            )


def _container(facts: Facts) -> Iterator[Finding]:
    for workload in stored(facts):
        for index, word in enumerate(workload.engine.extra_args):
            if _TEMPLATE in word:
                yield Finding(
                    path=workload_path(workload, "engine", "extraArgs", index),
                    message=f"KServe runs the container through a Go template, and {_TEMPLATE} begins an action of it: {word}",
                    remedies=(
                        Remedy(text=f"write it without {_TEMPLATE}, for example with a space between the braces"),
                    ),
                )
        for name, value in workload.env.items():
            path = workload_path(workload, "env", name)
            if name == "PYTHONPATH" and isinstance(workload.settings, InferenceServiceSettings):
                yield Finding(
                    path=path,
                    message="KServe's webhook refuses an InferenceService that sets PYTHONPATH",
                    remedies=(Remedy(text="remove PYTHONPATH", changes=((path, None),)),),
                )
            elif _TEMPLATE in value:
                yield Finding(
                    path=path,
                    message=f"KServe runs the container through a Go template, and {_TEMPLATE} begins an action of it",
                    remedies=(
                        Remedy(text=f"write it without {_TEMPLATE}, for example with a space between the braces"),
                    ),
                )


_CONTROLLER = "kserve pkg/controller/v1beta1/inferenceservice (1fb7810 (v0.20.0), read 2026-11-23)"

RULES = (
    Rule(
        code="KSV001",
        severity="error",
        title="Somebody installs KServe",
        why="Without its CustomResourceDefinitions the API server refuses an InferenceService.",
        check=_operator,
    ),
    Rule(
        code="KSV002",
        severity="error",
        title="cert-manager comes before KServe",
        why="The chart kserve-resources has a Certificate and an Issuer for its webhooks: without cert-manager's "
        "CustomResourceDefinitions Helm fails (kserve charts/kserve-resources v0.20.0).",
        check=_cert_manager,
    ),
    Rule(
        code="KSV003",
        severity="error",
        title="Services that share a runtime have the same engine",
        why="The runtime holds image, command, port, probes and security of the container; services only add to it "
        f"({_CONTROLLER}/utils/utils.go).",
        check=_runtime,
    ),
    Rule(
        code="KSV004",
        severity="error",
        title="Keys exist in KServe's deployment mode",
        why="Standard makes a Deployment without revisions (its own spec.canary isn't offered here), and the webhook refuses other HPA "
        "metrics than "
        f"cpu and memory ({_CONTROLLER}/components/predictor.go; pkg/apis/serving/v1beta1/inference_service_validation.go).",
        check=_modes,
    ),
    Rule(
        code="KSV005",
        severity="error",
        title="Keys of our Service aren't set where KServe makes its own",
        why=f"An InferenceService's has port 80 for the container's port ({_CONTROLLER}/reconcilers/service/service_reconciler.go), an "
        "LLMInferenceService's has port 8000 (pkg/controller/v1alpha2/llmisvc/workload.go).",
        check=_unused,
    ),
    Rule(
        code="KSV006",
        severity="error",
        title="KServe takes the container as it is",
        why=f"Placeholders such as {{{{.Name}}}} are replaced in the whole container ({_CONTROLLER}/utils/utils.go, "
        "ReplacePlaceholders), and in the whole spec of an LLMInferenceService (pkg/controller/v1alpha2/llmisvc/config_merge.go, "
        "ReplaceVariables); and the webhook blocks PYTHONPATH (pkg/apis/serving/v1beta1/inference_service_validation.go).",
        check=_container,
    ),
)
