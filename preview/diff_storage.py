"""What a change does to data: claims, volumes, storage classes, namespaces and whatever is protected.

Sources, read 22 Nov 2026: reclaim policies, resizing and the protection of claims in use at
https://kubernetes.io/docs/concepts/storage/persistent-volumes/; Pulumi's `protect` in
pkg/resource/deploy/step_generator.go of pulumi/pulumi @1b594989. That a claim stays when its class is replaced under the
same name follows from the provider's `forceNew` (preview/diff_rules.py): only another `storageClassName` replaces a claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from components.spec import to_bytes
from preview.diff_resources import Change, Resource, mounts
from preview.diff_rules import CLAIM, DATA_STORES, JOB, NAMESPACE, POD_TEMPLATES, STORAGE_CLASS
from preview.diff_values import value_at

Level = Literal["data-loss", "blocked", "warning"]
_ORDER = {"data-loss": 0, "blocked": 1, "warning": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEffect:
    """One thing that a reviewer must know before merging.

    `data-loss`: data is deleted or no longer reached. `blocked`: the deployment fails or Pulumi refuses it.
    `warning`: something else than the change seems to say.
    """

    level: Level
    urn: str
    name: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)


Resources = Mapping[str, Resource]


def storage_effects(found: Iterable[Change], before: Resources, after: Resources) -> list[StorageEffect]:
    """Everything that changes do to data, worst first."""
    listed = list(found)
    effects = []
    for change in listed:
        effects += _of(change, listed, before, after)
    return sorted(effects, key=lambda one: (_ORDER[one.level], one.urn, one.text))


def _of(change: Change, found: list[Change], before: Resources, after: Resources) -> Iterable[StorageEffect]:
    one = change.resource

    def effect(level: Level, text: str) -> StorageEffect:
        return StorageEffect(level=level, urn=one.urn, name=one.name, text=text)

    gone = change.action in ("replace", "remove")
    if gone and one.type == CLAIM:
        yield effect("data-loss", _claim(change, found, before, after))
    elif gone and one.type == NAMESPACE:
        yield effect("data-loss", _namespace(change))
    elif gone and one.type in DATA_STORES:
        yield effect("data-loss", f"{_title(one)} is {_done(change)}, with everything in it{_because(change)}.")
    elif change.action == "replace" and one.type == STORAGE_CLASS:
        yield from (effect("warning", text) for text in _kept_claims(change, found, after))
    elif change.action == "change" and one.type == CLAIM:
        yield from (effect(level, text) for level, text in _resize(change, after))
    if gone and _protected(change):
        yield effect(
            "blocked",
            f"{_title(one)} is protected: `pulumi up` stops with an error until the protection is lifted "
            f"(`pulumi state unprotect`, or protect: false in a deployment of its own).",
        )
    if change.refused:
        yield effect(
            "blocked",
            f"{_title(one)}: the API server refuses to change {', '.join(change.refused)}, and Pulumi does not replace the "
            "object for it: the deployment fails. Give the object another name, or replace it by hand.",
        )


def _claim(change: Change, found: list[Change], before: Resources, after: Resources) -> str:
    old = change.old
    assert old is not None
    claim = old.object_name
    sentences = [f"{_title(old)} is {_done(change)}{_because(change)}."]
    if change.action == "remove" and old.options.get("retainOnDelete"):
        return f"{sentences[0]} The object stays in the cluster (retainOnDelete), but nothing manages it any more."
    sentences.append(_what_the_volume_does(old, before))
    if change.action == "replace":
        sentences.append(_who_fills_it(change.resource, found, after))
    pods = sorted(one.name for one in before.values() if one.type in POD_TEMPLATES and mounts(one.inputs, claim))
    if pods:
        sentences.append(
            f"Pods of {', '.join(pods)} mount it, and Kubernetes deletes a claim only when no pod uses it: stop them first."
        )
    return " ".join(sentences)


def _what_the_volume_does(claim: Resource, before: Resources) -> str:
    wanted = value_at(claim.inputs, ("spec", "storageClassName"))
    named = [one for one in before.values() if one.type == STORAGE_CLASS and one.object_name == wanted]
    if not named:
        which = f"class {wanted}" if isinstance(wanted, str) else "the cluster's default class"
        return (
            f"Its volume follows the reclaimPolicy of {which}, which this stack doesn't create: Delete, the default, deletes "
            "the data; Retain keeps the volume, though no new claim finds it by itself."
        )
    if named[0].inputs.get("reclaimPolicy") == "Retain":
        return (
            "The volume and the data on it stay (reclaimPolicy Retain) and are paid for, but nothing uses them any more; "
            "an administrator can bind the volume again or delete it."
        )
    return "The volume and the data on it are deleted (reclaimPolicy Delete)."


def _who_fills_it(claim: Resource, found: list[Change], after: Resources) -> str:
    jobs = {one.urn: one.name for one in after.values() if one.type == JOB and mounts(one.inputs, claim.object_name)}
    running = sorted(
        jobs[change.resource.urn]
        for change in found
        if change.resource.urn in jobs and change.action in ("add", "replace")
    )
    if running:
        return f"The new claim is empty; {', '.join(running)} downloads the models into it again."
    if jobs:
        return f"The new claim is empty, and {', '.join(sorted(jobs.values()))} does not run again by itself."
    return "The new claim is empty, and nothing in this stack fills it."


def _namespace(change: Change) -> str:
    old = change.old
    assert old is not None
    return (
        f"{_title(old)} is {_done(change)}{_because(change)}. Kubernetes deletes every object in it with it, also those that "
        "this stack doesn't know: claims, Secrets, other teams' workloads."
    )


def _kept_claims(change: Change, found: list[Change], after: Resources) -> Iterable[str]:
    replaced = {one.resource.urn for one in found if one.action in ("replace", "add")}
    name = change.resource.object_name
    for claim in after.values():
        if claim.type != CLAIM or claim.urn in replaced:
            continue
        if value_at(claim.inputs, ("spec", "storageClassName")) == name:
            what = ", ".join(f"{one.text} {one.old} -> {one.new}" for one in change.properties)
            yield (
                f"StorageClass {name} is replaced ({what}), but PersistentVolumeClaim {claim.object_name} is not: it keeps the "
                "volume that it has, where it has it. What the class says now counts only for claims that are made later. "
                "To move, give the volume another name: its models are downloaded into a new claim."
            )


def _resize(change: Change, after: Resources) -> Iterable[tuple[Level, str]]:
    path = ("spec", "resources", "requests", "storage")
    assert change.old is not None
    old, new = (value_at(one.inputs, path) for one in (change.old, change.resource))
    if not (isinstance(old, str) and isinstance(new, str)) or to_bytes(old) == to_bytes(new):
        return
    claim = _title(change.resource)
    if to_bytes(new) < to_bytes(old):
        yield (
            "blocked",
            f"{claim} can't shrink from {old} to {new}: the API server refuses it. Make a volume with another name.",
        )
        return
    wanted = value_at(change.resource.inputs, ("spec", "storageClassName"))
    named = [one for one in after.values() if one.type == STORAGE_CLASS and one.object_name == wanted]
    if named and not named[0].inputs.get("allowVolumeExpansion"):
        yield (
            "blocked",
            f"{claim} can't grow from {old} to {new}: StorageClass {wanted} has no allowVolumeExpansion, so the API server "
            "refuses it. Keep the size (on EFS it limits nothing), or make a volume with another name.",
        )
    elif not named:
        yield "warning", f"{claim} grows from {old} to {new}, if StorageClass {wanted} has allowVolumeExpansion."


def _protected(change: Change) -> bool:
    """Pulumi looks at the state for a deletion, at the state and the program for a replacement."""
    assert change.old is not None
    protected = bool(change.old.options.get("protect"))
    if change.new is None:
        return protected
    return protected and bool(change.new.options.get("protect"))


def _done(change: Change) -> str:
    return "deleted" if change.action == "remove" else "deleted and made anew"


def _because(change: Change) -> str:
    return f" (because of {', '.join(change.forced_by)})" if change.forced_by else ""


def _title(resource: Resource) -> str:
    return f"{resource.type.rpartition(':')[2]} {resource.object_name}"
