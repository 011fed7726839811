"""KSV018, KSV019, KSV051, KSV052: KServe's deployment mode and release, names that it takes, and what an adopted one must have."""

from collections.abc import Iterator

from components.local_model_spec import JOB_NAMESPACE, local_models
from components.resolved import Workload
from components.resolved_kserve import InferenceServiceSettings, LlmInferenceServiceSettings
from preflight.kserve import mode, services, stored
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule

_OPERATOR: Path = ("platform", "kserve")
_READ = ("v0.20.", (0, 20))
"""The minor release whose charts this stack installs."""
_PINNED = "v0.20.0"
_STANDARD, _LATER_KINDS = (0, 16), (0, 17)
"""First releases with the mode Standard, and with LLMInferenceService v1alpha2 and LocalModelCache as charts have them."""


def _modes(facts: Facts) -> Iterator[Finding]:
    if mode(facts) != "Knative" or not any(True for _ in services(facts)):
        return
    path: Path = (*_OPERATOR, "deploymentMode")
    yield Finding(
        path=path,
        message=(
            "InferenceServices of this stack can't run in the deployment mode Knative: KServe refuses their deploymentStrategy there, and "
            "Knative Serving their preStop hook, termination grace period and port name"
        ),
        remedies=(setting(path, "Standard"),),
    )


def _release(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR[1])
    if operator is None:
        return
    path: Path = (*_OPERATOR, "version")
    number = tuple(int(part) for part in operator.version.removeprefix("v").split("."))[:2]
    if operator.charts and number != _READ[1]:
        yield Finding(
            path=path,
            message=f"this stack installs the charts of KServe {_READ[0]}x: those of {operator.version} have other names and values",
            remedies=(
                setting(path, _PINNED),
                Remedy(text=f"install {operator.version} yourself, and set platform.kserve.install: false"),
            ),
        )
    wanted: list[tuple[bool, tuple[int, int], str]] = [
        (any(True for _ in services(facts)), _STANDARD, "the deployment mode Standard"),
        (operator.settings["llmInferenceServices"] == "true", _LATER_KINDS, "LLMInferenceService v1alpha2"),
        (operator.settings["localModels"] == "true", _LATER_KINDS, "local models as they are used here"),
    ]
    for needed, first, what in wanted:
        if needed and not operator.charts and number < first:
            yield Finding(
                path=path,
                message=f"KServe {operator.version} doesn't have {what}: it came with v{first[0]}.{first[1]}.0",
                remedies=(
                    Remedy(text=f"upgrade KServe to {_PINNED}, and set platform.kserve.version to what is there"),
                ),
            )


def _made(workload: Workload) -> tuple[str, ...]:
    """Names of Deployments and Services that KServe makes for it."""
    name = workload.name
    if isinstance(workload.settings, InferenceServiceSettings):
        return (f"{name}-predictor", f"{name}-predictor-worker")
    if isinstance(workload.settings, LlmInferenceServiceSettings):
        return (f"{name}-kserve", f"{name}-kserve-prefill", f"{name}-kserve-mn", f"{name}-kserve-workload-svc")
    return ()


def _names(facts: Facts) -> Iterator[Finding]:
    others = {one.name: one for one in facts.workloads}
    for workload in stored(facts):
        for name in _made(workload):
            if name in others:
                yield Finding(
                    path=("workloads", name),
                    message=(
                        f"KServe makes objects of the name {name} for the {workload.kind} {workload.name}: it would take over those of the "
                        f"{others[name].kind} {name}"
                    ),
                    remedies=(Remedy(text=f"give the {others[name].kind} another name"),),
                )


def _adopted(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR[1])
    if operator is None or operator.charts or operator.settings["localModels"] != "true":
        return
    if local_models(facts.stack):
        yield Finding(
            path=(*_OPERATOR, "localModels"),
            message=(
                f"KServe isn't this stack's: the namespace {JOB_NAMESPACE} must be there, localModel.enabled true in its ConfigMap "
                "inferenceservice-config, and a ClusterStorageContainer of workloadType localModelDownloadJob with memory for the download"
            ),
            remedies=(
                Remedy(
                    text=f"look: kubectl get namespace {JOB_NAMESPACE}; kubectl get clusterstoragecontainers -o "
                    "custom-columns=:metadata.name,:spec.workloadType"
                ),
            ),
        )


_SOURCE = "kserve 1fb7810 (v0.20.0), read 2026-11-23: "

RULES = (
    Rule(
        code="KSV018",
        severity="error",
        title="InferenceServices run in the deployment mode Standard",
        why='KServe answers "customizing deploymentStrategy is only supported for raw deployment mode" '
        f"({_SOURCE}pkg/apis/serving/v1beta1/inference_service_validation.go, validateScalingKPACompExtension), and Knative Serving's "
        "masks refuse lifecycle and terminationGracePeriodSeconds (knative/serving 98e5ef9, pkg/apis/serving/fieldmask.go).",
        check=_modes,
    ),
    Rule(
        code="KSV019",
        severity="error",
        title="KServe's release is one that this stack knows",
        why="Charts were renamed in v0.17 and their values with them; the mode was called RawDeployment until v0.15 (kserve/kserve at the "
        "tags v0.15.2, v0.16.0, v0.17.0 and v0.20.0: charts, pkg/constants/constants.go, pkg/apis/serving; read 2026-11-23).",
        check=_release,
    ),
    Rule(
        code="KSV051",
        severity="error",
        title="No workload has a name that KServe gives to its own objects",
        why=f"It looks its Deployment and Service up by name and updates what it finds ({_SOURCE}"
        "pkg/controller/v1beta1/inferenceservice/reconcilers/deployment, checkDeploymentExist; reconcilers/service).",
        check=_names,
    ),
    Rule(
        code="KSV052",
        severity="notice",
        title="An adopted KServe can keep copies of models on nodes",
        why=f"No chart makes the Jobs' namespace, and without a container of that type the Jobs have no memory or security of their own "
        f"({_SOURCE}charts/kserve-localmodel-resources; pkg/controller/v1alpha1/localmodelnode/controller.go).",
        check=_adopted,
    ),
)
