"""Which resources a change adds, changes, replaces and removes, by URN and alias."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from preview.diff_rules import CLAIM, JOB, REFERENCES, REFUSED, force_new, known
from preview.diff_values import ABSENT, Path, PropertyChange, changes, leaves, parse_path, path_text, value_at
from preview.registered import PROVIDER_PREFIX, make_urn

Action = Literal["add", "change", "replace", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a plan's tree. `parent` is a URN, or ''."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def object_name(self) -> str:
        """The object's name in Kubernetes, or else the resource's."""
        name = value_at(self.inputs, ("metadata", "name"))
        return name if isinstance(name, str) else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one resource."""

    action: Action
    old: Resource | None
    new: Resource | None
    properties: tuple[PropertyChange, ...] = ()
    forced_by: tuple[str, ...] = ()
    """Why it is replaced: property paths, or other resources."""
    refused: tuple[str, ...] = ()
    """Properties whose update the API server refuses."""
    provider_decides: bool = False
    """Whether a change also replaces isn't known here."""

    @property
    def resource(self) -> Resource:
        """The resource as it will be, or as it was."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def renamed_from(self) -> str:
        """The URN before, when an alias keeps the resource under a new one."""
        return self.old.urn if self.old and self.new and self.old.urn != self.new.urn else ""

    def changed(self, path: tuple[str, ...]) -> bool:
        """Whether something at or below a path differs."""
        return any(one.below(path) for one in self.properties)

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        rest = {
            "renamedFrom": self.renamed_from,
            "properties": [one.as_json() for one in self.properties],
            "forcedBy": list(self.forced_by),
            "refused": list(self.refused),
            "providerDecides": self.provider_decides,
        }
        one = self.resource
        return {"action": self.action, "urn": one.urn, "type": one.type, "name": one.name} | {
            key: value for key, value in rest.items() if value
        }


def flat(tree: Iterable[Mapping[str, Any]], parent: str = "") -> dict[str, Resource]:
    """The resources of a plan's tree by URN; those that the program only reads are left out."""
    found = {}
    for node in tree:
        urn = node["urn"]
        if not node.get("read"):
            options = {key: value for key, value in node.items() if key not in ("inputs", "children")}
            found[urn] = Resource(
                urn=urn,
                type=node["type"],
                name=node["name"],
                parent=parent,
                inputs=node.get("inputs", {}),
                options=options,
            )
        found |= flat(node.get("children", ()), urn)
    return found


def compare(before: Mapping[str, Resource], after: Mapping[str, Resource]) -> list[Change]:
    """Every resource that differs, sorted by URN."""
    old_of = _matches(before, after)
    found: dict[str, Change] = {}
    for urn, new in after.items():
        old = before.get(old_of.get(urn, ""))
        if old is None:
            found[urn] = Change(action="add", old=None, new=new)
        elif (change := _change(old, new, after)) is not None:
            found[urn] = change
    kept = set(old_of.values())
    for urn, old in before.items():
        if urn not in kept:
            found[urn] = Change(action="remove", old=old, new=None)
    _spread(found, {urn: before[old] for urn, old in old_of.items()}, after)
    return [found[urn] for urn in sorted(found)]


def _change(old: Resource, new: Resource, after: Mapping[str, Resource]) -> Change | None:
    ignored = [parse_path(path) for path in new.options.get("ignoreChanges", ())]
    differs = [one for one in changes(old.inputs, new.inputs) if not any(one.below(path) for path in ignored)]
    if not differs and old.urn == new.urn:
        return None
    provider = after.get(new.options.get("provider", ""))
    paths: list[Path] = list(force_new(new.type, new.inputs, provider.inputs if provider else {}))
    paths += [parse_path(path) for path in new.options.get("replaceOnChanges", ())]
    forced = _forced(differs, paths)
    return Change(
        action="replace" if forced else "change",
        old=old,
        new=new,
        properties=tuple(differs),
        forced_by=forced,
        refused=() if forced else _refused(new.type, differs),
        provider_decides=bool(differs) and not forced and not _component(new) and not known(new.type),
    )


def _forced(differs: list[PropertyChange], paths: Iterable[Path]) -> tuple[str, ...]:
    """What of the changes replaces: the property itself where it is one, what holds them all where they are several."""
    found = {}
    for path in paths:
        below = [one for one in differs if one.below(path)]
        if below and not any(one in kept for kept in found.values() for one in below):
            found[below[0].text if len(below) == 1 else path_text(path)] = below
    return tuple(found)


def _refused(token: str, differs: Iterable[PropertyChange]) -> tuple[str, ...]:
    return tuple(one.text for one in differs if any(one.below(path) for path in REFUSED.get(token, ())))


def _component(resource: Resource) -> bool:
    return not resource.inputs and not resource.type.startswith(PROVIDER_PREFIX)


def _spread(found: dict[str, Change], old_of: Mapping[str, Resource], after: Mapping[str, Resource]) -> None:
    """Replacements that follow from others, until there are no more."""
    while True:
        replaced = {urn: change for urn, change in found.items() if change.action == "replace"}
        more = {}
        for urn, new in after.items():
            if urn in replaced or urn not in old_of or _component(new):
                continue
            if causes := sorted({name for cause in replaced.values() if (name := _follows(new, cause))}):
                now = found.get(urn) or Change(action="replace", old=old_of[urn], new=new)
                more[urn] = replace(now, action="replace", forced_by=tuple(causes), refused=(), provider_decides=False)
        if not more:
            return
        found |= more


def _follows(new: Resource, cause: Change) -> str:
    """How the replacement of one resource replaces another, or ''.

    Every resource of a replaced provider is replaced. Otherwise a property that replaces must hold an output that the
    replacement changes: the ID or ARN of a new AWS resource. An object of Kubernetes keeps its name, so what refers to it
    stays; but one that is deleted first takes along those whose `replaceOnChanges` has the referring property
    (`calculateDependentReplacements` in pkg/resource/deploy/step_generator.go of pulumi/pulumi @1b594989, read
    22 Nov 2026): the download Job of a claim.
    """
    root = cause.resource
    label = f"{root.type.rpartition(':')[2]} {root.name}"
    if new.options.get("provider") == root.urn:
        return f"its provider {root.name} is replaced"
    if root.urn not in new.options.get("dependencies", ()):
        return ""
    for path, token in REFERENCES.get(new.type, {}).items():
        if token == root.type and value_at(new.inputs, path) is not ABSENT:
            return f"{'.'.join(path)}, from {label}"
    covers_spec = any(parse_path(path)[:1] in (("spec",), ("*",)) for path in new.options.get("replaceOnChanges", ()))
    if new.type == JOB and root.type == CLAIM and covers_spec and mounts(new.inputs, root.object_name):
        return f"spec, from {label}"
    return ""


def mounts(inputs: Mapping[str, Any], claim: str) -> bool:
    """Whether pods made from these inputs mount a claim."""
    return any(path[-1:] == ("claimName",) and value == claim for path, value in leaves(inputs))


def _matches(before: Mapping[str, Resource], after: Mapping[str, Resource]) -> dict[str, str]:
    """URN before by URN after. A resource's own URN comes first, then its aliases, then those of its parents."""
    taken = {urn: urn for urn in after if urn in before}
    used = set(taken)
    for urn, new in after.items():
        if urn in taken:
            continue
        for old in _aliases(new, after):
            if old in before and old not in used and old not in after:
                taken[urn] = old
                used.add(old)
                break
    return taken


def _aliases(resource: Resource, after: Mapping[str, Resource]) -> Iterator[str]:
    """Every URN that stands for a resource, parents' aliases included (`inheritedChildAlias` of Pulumi's SDKs)."""
    own = [resource.urn, *resource.options.get("aliases", ())]
    yield from own[1:]
    parent = after.get(resource.parent)
    if parent is None:
        return
    stack, project = resource.urn.removeprefix("urn:pulumi:").split("::", 2)[:2]
    for above in _aliases(parent, after):
        old_parent_name = above.rpartition("::")[2]
        for one in own:
            token = one.split("::")[2].rpartition("$")[2]
            name = one.rpartition("::")[2]
            if name.startswith(parent.name):
                yield make_urn(stack, project, above, token, old_parent_name + name.removeprefix(parent.name))
            yield make_urn(stack, project, above, token, name)
