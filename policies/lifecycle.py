"""Policies on how GPU workloads start, stop and are updated. Pure."""

import math
import re
from collections.abc import Iterator

from policies.arguments import option, words
from policies.objects import Pod, Resource, gpus, pods, replicas
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View

DEPLOYMENT = ("apps", "Deployment")
_SERVERS = (DEPLOYMENT, ("apps", "StatefulSet"), ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"))
# Kubernetes' defaults: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/ and pod-v1/
_PROGRESS_DEADLINE, _GRACE, _PERIOD, _FAILURES, _PART = 600, 30, 10, 3, "25%"
_SLEEP = re.compile(r"(?:^|[\s;&|/])sleep\s+(\d+(?:\.\d+)?)")
_WHOLE, _PERCENT = re.compile(r"\d+"), re.compile(r"(\d+)%")


def _rollout(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if not resource.is_a(DEPLOYMENT) or not _gpus(resource):
        return
    strategy = resource.props.at("spec", "strategy")
    count = replicas(resource).integer(1)
    if strategy.at("type").text() == "Recreate" or count == 0:
        return
    surge, unavailable = (strategy.at("rollingUpdate", key) for key in ("maxSurge", "maxUnavailable"))
    # Both rounded to nothing count as maxUnavailable 1 (deployment/util, ResolveFenceposts).
    going = share(unavailable.text() or _PART, count, up=False)
    coming = share(surge.text() or _PART, count, up=True)
    explicit = surge.exists() and unavailable.exists() and settings["allowSurge"]
    if going == 0 and coming > 0 and not explicit:
        yield Finding(
            message=f"spec.strategy: an update of {count} replicas starts {coming} pod before an old one goes; without "
            f"{_gpus(resource)} spare GPUs it stays Pending and the update never ends"
        )


def share(text: str, count: int, *, up: bool) -> int:
    """A number or percentage of `count` pods, rounded as Kubernetes does: surge up, unavailable down."""
    if match := _PERCENT.fullmatch(text):
        part = int(match[1]) * count / 100
        return math.ceil(part) if up else math.floor(part)
    return int(text) if _WHOLE.fullmatch(text) else 0


def _gpus(resource: Resource) -> int:
    return sum(pod.gpus() for pod in pods(resource))


def _startup_probe(resource: Resource, settings: Settings) -> Iterator[Finding]:
    yield from decide(*(_has_startup_probe(one) for _, one in _candidates(resource)))


def _has_startup_probe(container: View) -> Iterator[Finding]:
    if _is_server(container) and not container.at("startupProbe").exists():
        yield Finding(
            message=f"{container.path}: a model server without a startupProbe is killed by its livenessProbe while it "
            "loads, or without one counts as started at once"
        )


def _progress(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.is_a(DEPLOYMENT):
        yield from decide(*(_progresses(resource, one) for _, one in _candidates(resource)))


def _progresses(resource: Resource, container: View) -> Iterator[Finding]:
    if not _is_server(container) or not container.at("startupProbe").exists():
        return
    probe = container.at("startupProbe")
    failures, period = probe.at("failureThreshold").integer(_FAILURES), probe.at("periodSeconds").integer(_PERIOD)
    budget = probe.at("initialDelaySeconds").integer(0) + failures * period
    deadline = resource.props.at("spec", "progressDeadlineSeconds").integer(_PROGRESS_DEADLINE)
    if deadline < budget:
        yield Finding(
            message=f"spec.progressDeadlineSeconds is {deadline}, and {probe.path} gives the server {budget} s to start: "
            "the update fails while it still loads"
        )


def _drain(resource: Resource, settings: Settings) -> Iterator[Finding]:
    yield from decide(*(_drains(pod, one) for pod, one in _candidates(resource)))


def _drains(pod: Pod, container: View) -> Iterator[Finding]:
    if not gpus(container):
        return
    wait, shutdown = _pre_stop(container), _seconds(option(words(container), "--shutdown-timeout"))
    grace = pod.spec.at("terminationGracePeriodSeconds").integer(_GRACE)
    if wait + shutdown > 0 and grace <= wait + shutdown:
        yield Finding(
            message=f"{pod.spec.path}.terminationGracePeriodSeconds is {grace}, and {container.path} takes {wait:g} s in "
            f"preStop and {shutdown:g} s to shut down: running requests are cut off"
        )


def _pre_stop(container: View) -> float:
    hook = container.at("lifecycle", "preStop")
    command = " ".join(one.text() for one in hook.at("exec", "command").each())
    found = _SLEEP.search(command)
    return float(found[1]) if found else float(hook.at("sleep", "seconds").integer(0))


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:  # filled in from a variable
        return 0.0


def _candidates(resource: Resource) -> Iterator[tuple[Pod, View]]:
    if resource.is_a(*_SERVERS):
        for pod in pods(resource):
            for container in pod.containers(init=False):
                yield pod, container


def _is_server(container: View) -> bool:
    listens = any(True for _ in container.at("ports").each()) or container.at("livenessProbe").exists()
    return listens and gpus(container) > 0


_ALLOW_SURGE = {
    "type": "boolean",
    "default": True,
    "description": "Accept a rollout with maxSurge and maxUnavailable both written down: then somebody has counted GPUs.",
}

RULES = (
    Rule(
        name="gpu-rollout-progresses",
        level="mandatory",
        severity="high",
        codes=("ROL001",),
        title="Updates of GPU Deployments need no spare GPUs, or say that they do.",
        why="The default (25 % surge, 25 % unavailable) starts a new pod first below four replicas; it waits for GPUs that "
        "only the old pod can free (https://github.com/ai-runway/airunway/issues/400).",
        remedy="Set rollingUpdate: {maxSurge: 0, maxUnavailable: 1}, or write both down where spare GPUs exist.",
        namespaced=True,
        settings={"allowSurge": _ALLOW_SURGE},
        check=_rollout,
    ),
    Rule(
        name="model-server-startup-probe",
        level="mandatory",
        severity="medium",
        title="Model servers have a startup probe.",
        why="Loading weights takes minutes, during which a liveness probe would restart the container for ever "
        "(https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).",
        remedy="Add a startupProbe whose failureThreshold x periodSeconds covers loading, compiling and CUDA graphs.",
        namespaced=True,
        check=_startup_probe,
    ),
    Rule(
        name="progress-deadline-covers-startup",
        level="mandatory",
        severity="medium",
        title="The progress deadline is no shorter than the startup probe.",
        why="After progressDeadlineSeconds (600 by default) the Deployment counts as failed, and Pulumi's update with it "
        "(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment).",
        remedy="Set progressDeadlineSeconds to the startup probe's time plus node start, image pull and grace period.",
        namespaced=True,
        check=_progress,
    ),
    Rule(
        name="grace-period-covers-drain",
        level="mandatory",
        severity="medium",
        title="The grace period is longer than preStop and the engine's shutdown together.",
        why="The kubelet counts preStop into the grace period and then kills "
        "(https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/).",
        remedy="Raise terminationGracePeriodSeconds above preStop plus --shutdown-timeout.",
        namespaced=True,
        check=_drain,
    ),
)
