"""The resource tree of a run, as text and as JSON-ready data. Registration order plays no part in either."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from preview.kinds import api_version_and_kind, kind_rank
from preview.registered import Registered
from preview.values import plain


def tree(resources: Iterable[Registered]) -> list[str]:
    """One line a resource: its short type under its parent's, then its name; `(read)` and `(protected)` where so."""
    rows: list[tuple[str, str]] = []
    below = _children(resources)

    def visit(parent: str, indent: str) -> None:
        children = below.get(parent, ())
        for index, resource in enumerate(children):
            last = index == len(children) - 1
            branch = ("└─ " if last else "├─ ") if parent else ""
            rows.append((f"{indent}{branch}{short_type(resource.type)}", _label(resource)))
            visit(resource.urn, indent + (("   " if last else "│  ") if parent else ""))

    visit("", "")
    width = max((len(left) for left, _ in rows), default=0)
    return [f"{left:<{width}}  {name}" for left, name in rows]


def tree_json(resources: Iterable[Registered]) -> list[dict[str, Any]]:
    """The same tree as nested dicts with inputs and options; markers are text (`<computed>`, `<secret>`)."""
    below = _children(resources)

    def node(resource: Registered) -> dict[str, Any]:
        options: dict[str, Any] = {
            "provider": resource.provider,
            "dependencies": list(resource.dependencies),
            "protect": resource.protect,
            "retainOnDelete": resource.retain_on_delete,
            "deleteBeforeReplace": resource.delete_before_replace,
            "ignoreChanges": list(resource.ignore_changes),
            "replaceOnChanges": list(resource.replace_on_changes),
            "aliases": list(resource.aliases),
            "customTimeouts": dict(resource.custom_timeouts),
            "read": resource.read_id,
        }
        return {
            "type": resource.type,
            "name": resource.name,
            "urn": resource.urn,
            "inputs": plain(resource.inputs),
            **{key: value for key, value in options.items() if value},
            "children": [node(child) for child in below.get(resource.urn, ())],
        }

    return [node(resource) for resource in below.get("", ())]


def urns(resources: Iterable[Registered]) -> list[str]:
    """Every URN, sorted. They are a contract: a changed URN replaces the resource."""
    return sorted(resource.urn for resource in resources)


def short_type(token: str) -> str:
    """The token as the Pulumi CLI prints it: `aws:eks/nodeGroup:NodeGroup` is `aws:eks:NodeGroup`."""
    parts = token.split(":")
    if len(parts) != 3:
        return token
    module, _, file = parts[1].partition("/")
    return ":".join((parts[0], module, parts[2])) if file and file.lower() == parts[2].lower() else token


def _children(resources: Iterable[Registered]) -> dict[str, list[Registered]]:
    """Children by parent URN, sorted; a resource whose parent isn't in the list stands at the top."""
    listed = list(resources)
    known = {resource.urn for resource in listed}
    below: dict[str, list[Registered]] = {}
    for resource in sorted(listed, key=_order):
        below.setdefault(resource.parent if resource.parent in known else "", []).append(resource)
    return below


def _order(resource: Registered) -> tuple[int, int, str, str]:
    """Providers, then components and clouds, then Kubernetes objects in their order of creation; by type and name."""
    if resource.is_provider:
        return (0, 0, resource.type, resource.name)
    if resource.package != "kubernetes":
        return (1, 0, resource.type, resource.name)
    return (2, kind_rank(api_version_and_kind(resource)[1]), resource.type, resource.name)


def _label(resource: Registered) -> str:
    notes = [text for text, shown in (("read", resource.read_id), ("protected", resource.protect)) if shown]
    return f"{resource.name} ({', '.join(notes)})" if notes else resource.name
