"""Which pods and nodes a change restarts, how, and for how long at most."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from preview.diff_kserve import services_of_changed_runtimes, stuck
from preview.diff_resources import Change, Resource
from preview.diff_rules import (
    LAUNCH_TEMPLATE,
    NO_NEW_VERSION,
    NODE_GROUP,
    POD_TEMPLATES,
    REPLICAS,
    ROLLS_NODES,
)
from preview.diff_values import ABSENT, leaves, value_at

Resources = Mapping[str, Resource]
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Pods or nodes that stop, start, or both."""

    what: Literal["pods", "nodes", "scale"]
    urn: str
    name: str
    count: int | None
    """Pods before the change, or the most nodes that there can be; None where unknown."""
    minutes: int | None
    """How long it takes at most: Pulumi's timeout for the operation. None where there is none."""
    text: str

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)


def restarts(
    found: Iterable[Change], before: Resources, after: Resources, workloads: Mapping[str, str]
) -> list[Restart]:
    """Pods that restart, then nodes, then changes of scale. `workloads`: node group of each workload, before the change."""
    listed = list(found)
    result = [one for change in listed if (one := _pods(change)) is not None]
    told = {one.urn for one in result if one.what == "pods"}
    result += [_through_runtime(one) for one in services_of_changed_runtimes(listed, after) if one.urn not in told]
    result += [one for change in listed if (one := _nodes(change, workloads)) is not None]
    result += _rolled(listed, before, after, workloads)
    order = {"pods": 0, "nodes": 1, "scale": 2}
    return sorted(result, key=lambda one: (order[one.what], one.urn))


def _pods(change: Change) -> Restart | None:
    one = change.resource
    templates = POD_TEMPLATES.get(one.type)
    if templates is None or change.old is None:
        return None
    count, minutes = _replicas(change.old), _minutes(one, "update")
    kind = f"{one.type.rpartition(':')[2]} {one.object_name}"
    pods = _plural(count, "pod")

    def restart(what: Literal["pods", "scale"], text: str) -> Restart:
        return Restart(
            what=what, urn=one.urn, name=one.object_name, count=count, minutes=minutes, text=f"{kind}: {text}"
        )

    if change.action == "remove":
        return restart("pods", f"removed; {pods} stop{'s' if count == 1 else ''} for good")
    if change.action == "replace":
        return restart(
            "pods",
            f"{pods} deleted and made anew (because of {', '.join(change.forced_by)}): down until the new ones are ready",
        )
    if why := stuck(change):
        return restart("pods", f"{why}: delete it first")
    if any(change.changed(template) for template in templates):
        return restart("pods", f"{pods} restart{'s' if count == 1 else ''}, {_how(change, count)}{_at_most(minutes)}")
    if any(change.changed(path) for path in REPLICAS):
        new = _replicas(change.resource)
        return restart("scale", f"from {count} to {_plural(new, 'pod')}; the others keep running")
    return None


def _through_runtime(one: Resource) -> Restart:
    count, minutes = _replicas(one), _minutes(one, "update")
    pods = f"{_plural(count, 'pod')} restart{'s' if count == 1 else ''}"
    text = f"InferenceService {one.object_name}: {pods}, because its runtime changes{_at_most(minutes)}"
    return Restart(what="pods", urn=one.urn, name=one.object_name, count=count, minutes=minutes, text=text)


def _how(change: Change, count: int | None) -> str:
    one = change.resource
    if not one.type.startswith("kubernetes:apps/"):
        return "as its controller does it"
    if one.type.endswith(":StatefulSet"):
        return "one after another, each down until it is ready again"
    strategy = value_at(one.inputs, ("spec", "strategy"))
    strategy = strategy if isinstance(strategy, Mapping) else {}
    if strategy.get("type") == "Recreate":
        return "all at once: down until the new ones are ready"
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), count, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), count, up=False)
    if surge:
        spare = f"with {_gpus(one, surge)}spare for {_plural(surge, 'new pod')} at a time"
        return f"surge, {spare}" + ("" if not unavailable else f", {unavailable} at a time may be down")
    if count is not None and count <= (unavailable or 1):
        return (
            "in place: down until the new one is ready"
            if count == 1
            else "in place: all down until the new ones are ready"
        )
    return f"in place, {unavailable or 1} of {count} down at a time"


def _share(value: Any, count: int | None, *, up: bool) -> int:
    """A number, or a percentage of the replicas: rounded up for maxSurge and down for maxUnavailable, as Kubernetes does."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal():
        share = int(value[:-1]) * (count or 1)
        return -(-share // 100) if up else share // 100
    return value if isinstance(value, int) else 0


def _gpus(resource: Resource, pods: int) -> str:
    found = 0
    for path, value in leaves(resource.inputs):
        if path[-2:-1] == ("limits",) and str(path[-1]).startswith("nvidia.com/") and str(value).isdecimal():
            found += int(value)
    return f"{_plural(found * pods, 'GPU')} " if found else ""


def _nodes(change: Change, workloads: Mapping[str, str]) -> Restart | None:
    one = change.resource
    if one.type != NODE_GROUP or change.old is None:
        return None
    rolls = sorted({str(each.path[0]) for each in change.properties if any(each.below(path) for path in ROLLS_NODES)})
    if change.action == "replace":
        first = (
            "deleted, then made anew"
            if one.options.get("deleteBeforeReplace")
            else "made anew, then the old one deleted"
        )
        text = (
            f"node group {one.name} is {first} (because of {', '.join(change.forced_by)}): every node and every pod on them is "
            "replaced" + ("" if one.options.get("deleteBeforeReplace") else "; both groups' nodes run for a while")
        )
    elif change.action == "remove":
        text = f"node group {one.name} is removed with its nodes"
    elif rolls:
        text = f"node group {one.name} replaces its nodes one batch after another ({', '.join(rolls)})"
    else:
        return None
    operations = {"remove": ("delete",), "replace": ("create", "delete")}.get(change.action, ("update",))
    return _of_nodes(one, change.old, text, workloads, operations)


def _rolled(found: list[Change], before: Resources, after: Resources, workloads: Mapping[str, str]) -> list[Restart]:
    """Groups whose launch template gets a new version: its number is only known afterwards, so no property differs here."""
    result = []
    spoken_for = {change.resource.urn for change in found if change.action in ("replace", "add")}
    for change in found:
        if change.resource.type != LAUNCH_TEMPLATE or change.action != "change":
            continue
        differs = [one.text for one in change.properties if not any(one.below(path) for path in NO_NEW_VERSION)]
        for group in after.values():
            named = change.resource.urn in group.options.get("dependencies", ())
            if not differs or group.type != NODE_GROUP or not named or group.urn in spoken_for:
                continue
            text = f"node group {group.name} replaces its nodes one batch after another (new launch template: {', '.join(differs)})"
            result.append(_of_nodes(group, before.get(group.urn, group), text, workloads, ("update",)))
    return result


def _of_nodes(
    one: Resource, old: Resource, text: str, workloads: Mapping[str, str], operations: tuple[str, ...]
) -> Restart:
    most = value_at(old.inputs, ("scalingConfig", "maxSize"))
    there = sorted(name for name, group in workloads.items() if group == one.name)
    each = [_minutes(one, operation) for operation in operations]
    minutes = None if None in each else sum(filter(None, each))
    pods = f"; pods of {', '.join(there)} restart with them" if there else ""
    return Restart(
        what="nodes",
        urn=one.urn,
        name=one.name,
        count=most if isinstance(most, int) else None,
        minutes=minutes,
        text=f"{text}{pods}{_at_most(minutes)}",
    )


def _replicas(resource: Resource) -> int | None:
    if resource.type.endswith(":DaemonSet"):
        return None
    found = [value for path in REPLICAS if (value := value_at(resource.inputs, path)) is not ABSENT]
    if not found:
        return 1 if resource.type.startswith("kubernetes:apps/") else None
    return sum(found) if all(isinstance(value, int) for value in found) else None


def _minutes(resource: Resource, operation: str) -> int | None:
    """Pulumi's own timeout for an operation, in whole minutes."""
    text = resource.options.get("customTimeouts", {}).get(operation, "")
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 60 + minutes + -(-seconds // 60)


def _at_most(minutes: int | None) -> str:
    return "" if minutes is None else f"; {minutes} min at most, then Pulumi gives up"


def _plural(count: int | None, one: str) -> str:
    if count is None:
        return f"its {one}s"
    return f"{count} {one}{'' if count == 1 else 's'}"
