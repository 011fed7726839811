"""Why a workload isn't ready, from what the cluster says of its objects. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_STARTING = frozenset({"PodInitializing", "ContainerCreating"})
_SAID_BETTER = frozenset({"FailedScheduling", "BackOff", "Unhealthy", "Failed"})
"""Reasons of events that the pod's own status explains."""
_LINES, _WIDTH, _EVENTS = 3, 500, 3
_SUMMARIES = frozenset({"Ready", "Available", "IngressReady"})
"""Conditions that only repeat what another one says."""
_MADE = frozenset({"ReplicaSet", "StatefulSet", "RayCluster"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One workload."""

    name: str
    kind: str
    ready: int
    """Pods that are ready."""
    wanted: int
    """Pods that there should be."""
    reasons: tuple[str, ...]
    """What the cluster says of those that aren't."""

    @property
    def fine(self) -> bool:
        """Every pod is there and ready, and nothing is said against it."""
        return self.ready >= self.wanted and not self.reasons


def diagnose(name: str, kind: str, wanted: int | None, found: Sequence[Object]) -> Status:
    """The status of a workload among the objects of its namespace; `wanted` None: as many pods as there are."""
    mine = [one for one in found if one["kind"] != "Event" and _belongs(one, name)]
    pods = [one for one in mine if one["kind"] == "Pod" and one.get("status", {}).get("phase") != "Succeeded"]
    ready = [one for one in pods if _condition(one, "Ready") == "True"]
    waiting = [one for one in pods if one not in ready]
    owners = [one for one in mine if one["kind"] != "Pod"]
    reasons = [*_conditions(owners), *(line for one in waiting for line in _pod(one))]
    names = {one["metadata"]["name"] for one in (*owners, *waiting)}
    missing = len(ready) < (len(pods) if wanted is None else wanted)
    if missing or waiting:
        told = " ".join(reasons)
        reasons += [line for line in _events(name, names, found) if line.rpartition(": ")[2] not in told]
    if not mine:
        reasons.append(f"the namespace has nothing of {name}: it isn't deployed, or what comes before it failed")
    return Status(
        name=name,
        kind=kind,
        ready=len(ready),
        wanted=len(pods) if wanted is None else wanted,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _belongs(one: Object, name: str) -> bool:
    labels = one["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/instance") == name and labels.get("app.kubernetes.io/managed-by") == "pulumi"


def _condition(one: Object, kind: str) -> str | None:
    conditions = one.get("status", {}).get("conditions", ())
    return next((found["status"] for found in conditions if found["type"] == kind), None)


def _conditions(owners: Iterable[Object]) -> Iterator[str]:
    """What controllers say against their objects: quotas, Pod Security, rollouts that don't go on, weights that don't load."""
    for one in owners:
        where = f"{one['kind']} {one['metadata']['name']}"
        status = one.get("status", {})
        failure = status.get("modelStatus", {}).get("lastFailureInfo") or {}
        if failure:
            yield f"{where}: {_said(failure.get('reason'), failure.get('message'))}"
        bad = [found for found in status.get("conditions", ()) if found["status"] == _refusing(found["type"])]
        telling = [found for found in bad if found["type"] not in _SUMMARIES] or bad
        for found in telling:
            yield f"{where}: {found['type']} is {found['status']}: {_said(found.get('reason'), found.get('message'))}"


def _refusing(kind: str) -> str:
    return "True" if kind == "ReplicaFailure" else "False"


def _pod(pod: Object) -> Iterator[str]:
    where, status = f"Pod {pod['metadata']['name']}", pod.get("status", {})
    for one in status.get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield f"{where} has no node: {one.get('message') or one.get('reason')}"
            return
    if status.get("phase") == "Failed":
        yield f"{where} failed: {_said(status.get('reason'), status.get('message'))}"
    said = False
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        for line in _container(one):
            said = True
            yield f"{where}, container {one['name']}, {line}"
    if not said and status.get("phase") != "Failed":
        yield f"{where} {_stage(pod)}"


def _stage(pod: Object) -> str:
    """How far a pod has come of which nothing bad is known."""
    status, initial = pod.get("status", {}), pod.get("spec", {}).get("initContainers", ())
    sidecars = {one["name"] for one in initial if one.get("restartPolicy") == "Always"}
    for one in status.get("initContainerStatuses", ()):
        if one.get("state", {}).get("running") and one["name"] not in sidecars:
            return f"is in its init container {one['name']}"
        if one.get("state", {}).get("waiting"):
            return "is starting"
    running = any(one.get("state", {}).get("running") for one in status.get("containerStatuses", ()))
    return "has started and isn't ready yet" if running else "is starting"


def _container(one: Object) -> Iterator[str]:
    waiting = one.get("state", {}).get("waiting", {})
    ended = one.get("state", {}).get("terminated") or one.get("lastState", {}).get("terminated") or {}
    reason = waiting.get("reason")
    if reason and reason not in _STARTING and not (reason == "CrashLoopBackOff" and ended):
        yield f"waits: {_said(reason, waiting.get('message'))}"
    if ended.get("exitCode"):
        times = f" after {one['restartCount']} restarts" if one.get("restartCount") else ""
        end = _said(ended.get("reason"), ended.get("message"))
        yield f"ended with exit code {ended['exitCode']}{times}: {end}"


def _events(name: str, names: set[str], found: Iterable[Object]) -> Iterator[str]:
    """The newest warnings about objects of the workload, those that controllers made of it included."""
    warnings = [
        one
        for one in found
        if one["kind"] == "Event"
        and one.get("type") == "Warning"
        and one.get("reason") not in _SAID_BETTER
        and _about(one["involvedObject"], name, names)
    ]
    newest = sorted(warnings, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "", reverse=True)
    lines = dict.fromkeys(
        f"{one['involvedObject']['kind']} {one['involvedObject']['name']}: {_said(one.get('reason'), one.get('message'))}"
        for one in newest
    )
    yield from list(lines)[:_EVENTS]


def _about(given: Object, name: str, names: set[str]) -> bool:
    """An object of the workload, or one that a controller made of it, with a hash behind its name."""
    made = given.get("kind") in _MADE and given.get("name", "").rpartition("-")[0] in names | {name}
    return made or given.get("name") in names


def _said(reason: str | None, message: str | None) -> str:
    """Reason and the end of the message: of a log, the last lines say why."""
    lines = [line.strip() for line in (message or "").strip().splitlines() if line.strip()][-_LINES:]
    text = " | ".join(lines)
    end = text if len(text) <= _WIDTH else f"...{text[-_WIDTH:]}"
    return ": ".join(part for part in (reason, end) if part)
