"""KSV015: weights in an image."""

from collections.abc import Iterator

from preflight.kserve import stored
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_SIDECAR, _VOLUME = "oci://", "oci+native://"
_IMAGE_VOLUMES = 35
"""Minor version of Kubernetes that has image volumes on by default (pkg/features/kube_features.go of Kubernetes v1.36.3)."""


def _mountable(facts: Facts) -> Iterator[Finding]:
    mounting = {workload.name for workload in stored(facts)}
    version = facts.stack.cluster.kubernetes_version
    for workload in facts.workloads:
        uri, model = workload.model.storage_uri, workload.model.name
        if uri is None or not uri.startswith((_SIDECAR, _VOLUME)):
            continue
        path: Path = ("models", model, "storageUri")
        if workload.name not in mounting:
            yield Finding(
                path=workload_path(workload, "model"),
                message=f"a {workload.kind} doesn't mount {uri}: only KServe's kinds do",
                remedies=(Remedy(text=f"give models.{model} a volume instead of storageUri"),),
            )
        elif uri.startswith(_SIDECAR):
            yield Finding(
                path=path,
                message=(
                    f"for {uri} KServe adds a container of the image without a security context, which Pod Security restricted refuses: "
                    f"no pod of {workload.name} is ever created"
                ),
                remedies=(setting(path, _VOLUME + uri.removeprefix(_SIDECAR), ", an image volume"),),
            )
        elif version is not None and int(version.split(".")[1]) < _IMAGE_VOLUMES:
            yield Finding(
                path=path,
                message=f"Kubernetes {version} has no image volumes, which {uri} needs: they are on by default since 1.{_IMAGE_VOLUMES}",
                remedies=(
                    Remedy(
                        text=f"upgrade the cluster to 1.{_IMAGE_VOLUMES} or newer, and set cluster.kubernetesVersion"
                    ),
                    Remedy(text=f"give models.{model} a volume instead of storageUri"),
                ),
            )


RULES = (
    Rule(
        code="KSV015",
        severity="error",
        title="Images with weights can be mounted",
        why="oci:// adds a sidecar with nothing but a user in its security context, and shares the pod's processes; oci+native:// is a "
        "Kubernetes image volume, which restricted allows (kserve 1fb7810 (v0.20.0), pkg/utils/storage.go: CreateModelcarContainer and "
        "ConfigureOciNativeToContainer; Kubernetes v1.36.3, pod-security-admission/policy/check_restrictedVolumes.go; read 2026-11-23).",
        check=_mountable,
    ),
)
