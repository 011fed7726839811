"""A resource that a program registers, and the pod templates in it, whatever kind holds them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.spec import to_millis
from policies.view import View
from stacks.resolve_nodes import GPU_RESOURCE

_MIG_PREFIX = "nvidia.com/mig-"

# Where each kind has its pod templates ("*": each item of a list), by API group and kind.
_RAY_GROUPS = (("headGroupSpec", "template"), ("workerGroupSpecs", "*", "template"))
_TEMPLATES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("core", "Pod"): ((),),
    ("core", "ReplicationController"): (("spec", "template"),),
    **{
        ("apps", kind): (("spec", "template"),)
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
    ("batch", "Job"): (("spec", "template"),),
    ("batch", "CronJob"): (("spec", "jobTemplate", "spec", "template"),),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    ("ray.io", "RayCluster"): tuple(("spec", *one) for one in _RAY_GROUPS),
    ("ray.io", "RayJob"): tuple(("spec", "rayClusterSpec", *one) for one in _RAY_GROUPS),
    ("ray.io", "RayService"): tuple(("spec", "rayClusterConfig", *one) for one in _RAY_GROUPS),
}  # fmt: skip
_INFERENCE_SERVICE = ("serving.kserve.io", "InferenceService")
_LLM_INFERENCE_SERVICE = ("serving.kserve.io", "LLMInferenceService")
_LLM_SPECS = (("template",), ("worker",), ("prefill", "template"), ("prefill", "worker"))
"""Pod specs whose labels stand beside them; KServe adds its own."""
_INLINE = (("spec", "predictor"), ("spec", "predictor", "workerSpec"), ("spec", "transformer"), ("spec", "explainer"))
"""KServe puts the fields of a pod spec beside its own, and one container more under `model`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource: its inputs when looked at alone, its state when the whole stack is looked at."""

    urn: str
    type: str
    name: str
    props: View
    protect: bool = False
    region: Any = None
    """AWS region of its provider; None where it has none."""

    def is_a(self, *kinds: tuple[str, str]) -> bool:
        """Whether it is a Kubernetes object of one of these (API group, kind). A `...Patch` of another's object isn't."""
        return self.group_and_kind() in kinds

    def group_and_kind(self) -> tuple[str, str]:
        """API group (`core` for the first) and kind from the type token `kubernetes:apps/v1:Deployment`; else ('', '')."""
        package, _, rest = self.type.partition(":")
        module, _, kind = rest.rpartition(":")
        if package != "kubernetes" or "/" not in module:
            return "", ""
        return module.rpartition("/")[0], kind

    def namespace(self) -> str:
        """Its namespace; `default` where it names none."""
        return self.props.at("metadata", "namespace").text() or "default"

    def object_name(self) -> str:
        """The name of the object; '' where Pulumi chooses it."""
        return self.props.at("metadata", "name").text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """The pods that a resource makes from one template."""

    owner: Resource
    spec: View
    labels: View

    def containers(self, *, init: bool = True) -> Iterator[View]:
        """Its containers: `init` and ephemeral ones too, or only those that run on."""
        keys = ("initContainers", "containers", "ephemeralContainers") if init else ("containers",)
        for key in keys:
            yield from self.spec.at(key).each()
        if self.owner.group_and_kind() == _INFERENCE_SERVICE and self.spec.at("model").exists():
            yield self.spec.at("model")

    def gpus(self) -> int:
        """GPUs of its running containers together."""
        return sum(gpus(one) for one in self.containers(init=False))


def pods(resource: Resource) -> Iterator[Pod]:
    """The pod templates of a resource."""
    kind = resource.group_and_kind()
    if kind == _INFERENCE_SERVICE:
        for path in _INLINE:
            spec = resource.props.at(*path)
            if spec.exists():
                yield Pod(owner=resource, spec=spec, labels=resource.props.at("metadata", "labels"))
        return
    if kind == _LLM_INFERENCE_SERVICE:
        for path in _LLM_SPECS:
            spec = resource.props.at("spec", *path)
            if spec.exists():
                yield Pod(owner=resource, spec=spec, labels=resource.props.at("spec", *path[:-1], "labels"))
        return
    for path in _TEMPLATES.get(kind, ()):
        for template in _below(resource.props, path):
            if template.exists():
                yield Pod(owner=resource, spec=template.at("spec"), labels=template.at("metadata", "labels"))


def _below(view: View, path: tuple[str, ...]) -> Iterator[View]:
    if "*" not in path:
        yield view.at(*path)
        return
    star = path.index("*")
    for item in view.at(*path[:star]).each():
        yield from _below(item, path[star + 1 :])


def replicas(resource: Resource) -> View:
    """How many pods of each template run, where the kind says so; an autoscaler may change it."""
    return resource.props.at("spec", "replicas")


def gpu_resources(container: View) -> Iterator[str]:
    """Names of the GPU resources that a container asks for: whole GPUs and MIG slices."""
    found = dict.fromkeys(
        name for part in ("limits", "requests") for name, _ in container.at("resources", part).items()
    )
    yield from (name for name in found if name == GPU_RESOURCE or name.startswith(_MIG_PREFIX))


def gpus(container: View) -> int:
    """GPUs (or slices) that a container gets: its limit, which for extended resources is also its request."""
    count = 0
    for name in gpu_resources(container):
        limit = container.at("resources", "limits", name)
        given = limit if limit.exists() else container.at("resources", "requests", name)
        count += amount(given, to_millis) // 1000
    return count


def amount(view: View, read: Any) -> int:
    """A quantity by `components.spec.to_bytes` or `to_millis`; 0 when absent or no quantity (the API refuses those)."""
    try:
        return read(view.text()) if view.exists() else 0
    except ValueError:
        return 0
