"""Where a workload's API listens inside the cluster: the Service of each kind, ours or its controller's. Pure."""

from components.resolved import Workload
from components.resolved_kserve import InferenceServiceSettings, LlmInferenceServiceSettings
from components.resolved_ray import RayModel, host

_KSERVE_PORT = 80
"""KServe's Service of a predictor (kserve 1fb7810 (v0.20.0), pkg/controller/v1beta1/inferenceservice/reconcilers/service)."""
_LLM_PORT = 8000
"""KServe's Service of an LLMInferenceService (same commit, pkg/controller/v1alpha2/llmisvc/workload.go, reconcileWorkloadService)."""


def service_name(workload: Workload) -> str:
    """Name of the Service: the workload's own name, or what KServe and KubeRay make of it (ray-operator/controllers/ray/utils/util.go,
    GenerateServeServiceName)."""
    settings = workload.settings
    if isinstance(settings, RayModel):
        return f"{host(workload)}-serve-svc"
    if isinstance(settings, InferenceServiceSettings):
        return f"{workload.name}-predictor"
    if isinstance(settings, LlmInferenceServiceSettings):
        return f"{workload.name}-kserve-workload-svc"
    return workload.name


def service_port(workload: Workload) -> int:
    """Port of the Service."""
    if isinstance(workload.settings, InferenceServiceSettings):
        return _KSERVE_PORT
    return _LLM_PORT if isinstance(workload.settings, LlmInferenceServiceSettings) else workload.service_port
