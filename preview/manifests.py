"""Renders what a program registered as files for `kubectl apply` and `helm`.

Layout of the output folder:

    manifests/<NN>-<kind>-<namespace>-<name>.yaml   `kubectl apply -R -f manifests`; NN orders across the whole apply
    charts/<release>/values.yaml, install.sh        one folder a Helm release; run these first where objects need CRDs
    incomplete/...                                  what can't be applied as it is, wrapped so that kubectl refuses it

An object is incomplete when a value is unknown before the deployment, is secret (it is never written), is null in
a map of strings (Pulumi's provider would drop it silently), or when its name is left to Pulumi.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from preview.charts import release_files, release_gaps
from preview.folder import write_folder
from preview.kinds import api_version_and_kind, is_helm_release, is_kubernetes_object, is_patch, kind_rank
from preview.registered import Registered
from preview.values import Secret, Unknown, join_path, walk
from preview.yaml_text import to_yaml

# Fields of Kubernetes' own types that are maps of strings (or quantities), where null has no meaning.
_STRING_MAPS: Final = frozenset(
    (
        *("annotations", "binaryData", "data", "labels", "limits", "matchLabels", "nodeSelector", "parameters"),
        *("requests", "selector", "stringData"),
    )
)
_LABEL_SELECTOR: Final = ("matchLabels", "matchExpressions")


class RenderError(Exception):
    """The resources can't be rendered together; nothing was written."""


class Incomplete(NamedTuple):
    """A file that can't be applied as it is: its path, the property at fault, and why."""

    file: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What `render` wrote, as paths relative to the output folder, and what it did not.

    `dropped` lists (file, property path) of nulls that were left out because null means "unset" there;
    `not_rendered` lists (URN, reason) of resources that are no Kubernetes object.
    """

    files: tuple[str, ...]
    incomplete: tuple[Incomplete, ...]
    charts: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    not_rendered: tuple[tuple[str, str], ...]
    exit_code: int


def render(resources: Iterable[Registered], out_dir: Path, allow_unknown: bool = False) -> RenderResult:
    """Write every Kubernetes object and Helm release into `out_dir`, the same bytes for the same resources.

    `exit_code` is 1 when something is incomplete and `allow_unknown` is false; the files are the same either way.
    Raises `RenderError` when two resources make the same object, `OutputFolderError` when `out_dir` is not ours.
    """
    files: dict[str, str] = {}
    owners: dict[str, str] = {}
    incomplete: list[Incomplete] = []
    charts: list[str] = []
    dropped: list[tuple[str, str]] = []
    not_rendered: list[tuple[str, str]] = []

    def add(name: str, text: str, urn: str) -> None:
        if name in files:
            raise RenderError(f"{urn} and {owners[name]} make the same object ({name}); rename or remove one")
        files[name], owners[name] = text, urn

    listed = sorted(resources, key=lambda item: item.urn)
    for resource in listed:
        if is_kubernetes_object(resource):
            name, body = _file_name(resource), _object(resource)
            gaps = _object_gaps(body)
            file = f"incomplete/{name}" if gaps else f"manifests/{name}"
            nulls: list[str] = []
            kept = body if gaps else _without_nulls(body, "", nulls)
            dropped += [(file, path) for path in nulls]
            add(file, _text(resource, kept, gaps), resource.urn)
            incomplete += [Incomplete(file, *gap) for gap in gaps]
        elif is_helm_release(resource):
            folder = f"charts/{_release_folder(resource, listed)}"
            gaps = release_gaps(resource)
            if gaps:
                file = f"incomplete/{folder.replace('/', '-', 1)}.yaml"
                add(file, _text(resource, resource.inputs, gaps), resource.urn)
                incomplete += [Incomplete(file, *gap) for gap in gaps]
                continue
            charts.append(folder)
            for name, text in release_files(resource).items():
                add(f"{folder}/{name}", text, resource.urn)
        elif reason := _why_not(resource):
            not_rendered.append((resource.urn, reason))

    write_folder(out_dir, files, executable=[f"{folder}/install.sh" for folder in charts])
    return RenderResult(
        files=tuple(sorted(files)),
        incomplete=tuple(sorted(incomplete)),
        charts=tuple(sorted(charts)),
        dropped=tuple(sorted(dropped)),
        not_rendered=tuple(sorted(not_rendered)),
        exit_code=1 if incomplete and not allow_unknown else 0,
    )


def _release_folder(release: Registered, resources: Iterable[Registered]) -> str:
    """The release's name, with its namespace in front where another namespace has a release of that name."""
    name = release.inputs.get("name") or release.name
    same = [other for other in resources if is_helm_release(other) and other.inputs.get("name") == name]
    return _slug(f"{release.inputs.get('namespace')}-{name}" if len(same) > 1 else str(name))


def _object(resource: Registered) -> dict[str, Any]:
    """The object as Kubernetes wants it; `status` is the cluster's to write."""
    version, kind = api_version_and_kind(resource)
    rest = {key: value for key, value in resource.inputs.items() if key not in ("apiVersion", "kind", "status")}
    return {"apiVersion": version, "kind": kind, **rest}


def _object_gaps(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    gaps = []
    metadata = body.get("metadata")
    if not isinstance(metadata, (Secret, Unknown)) and not (metadata or {}).get("name"):
        gaps.append(("metadata.name", "Pulumi generates the name; set one"))
    for path, value in walk(body):
        if isinstance(value, Unknown):
            gaps.append((path, "known only after the deployment"))
        elif isinstance(value, Secret):
            gaps.append((path, "secret"))
    gaps += _null_gaps(body, "", False)
    return sorted(gaps)


def _null_gaps(value: Any, path: str, strings: bool) -> list[tuple[str, str]]:
    gaps: list[tuple[str, str]] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            below = join_path(path, str(key))
            if item is None and strings:
                gaps.append((below, "null in a map of strings"))
            # A Service's selector is a map of strings, a Deployment's a LabelSelector.
            label_selector = isinstance(item, Mapping) and not item.keys().isdisjoint(_LABEL_SELECTOR)
            gaps += _null_gaps(item, below, not strings and key in _STRING_MAPS and not label_selector)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if item is None:
                gaps.append((f"{path}[{index}]", "null in a list"))
            gaps += _null_gaps(item, f"{path}[{index}]", False)
    return gaps


def _without_nulls(value: Any, path: str, found: list[str]) -> Any:
    if isinstance(value, Mapping):
        kept = {}
        for key, item in value.items():
            below = join_path(path, str(key))
            if item is None:
                found.append(below)
            else:
                kept[key] = _without_nulls(item, below, found)
        return kept
    if isinstance(value, (list, tuple)):
        return [_without_nulls(item, f"{path}[{index}]", found) for index, item in enumerate(value)]
    return value


def _text(resource: Registered, body: Mapping[str, Any], gaps: list[tuple[str, str]]) -> str:
    heading = f"# {resource.urn}\n"
    if not gaps:
        return heading + to_yaml(body)
    # Not an object at its top level: kubectl refuses it, whatever is missing below.
    listed = [{"path": path, "reason": reason} for path, reason in gaps]
    return f"{heading}{to_yaml({'incomplete': listed})}{to_yaml({'object': body})}"


def _file_name(resource: Registered) -> str:
    version, kind = api_version_and_kind(resource)
    metadata = resource.inputs.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    group = version.partition("/")[0] if kind_rank(kind) == kind_rank("*") and "/" in version else ""
    name = metadata.get("name")
    known = name if isinstance(name, str) and name else resource.name
    namespace = metadata.get("namespace")
    parts = [f"{kind_rank(kind):02d}", f"{kind}.{group}" if group else kind, namespace, known]
    return "-".join(_slug(part) for part in parts if isinstance(part, str) and part) + ".yaml"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "unnamed"


def _why_not(resource: Registered) -> str:
    if resource.is_provider or (not resource.custom and not resource.remote):
        return ""
    if resource.read_id:
        return "read, not created"
    if is_patch(resource):
        return "changes an object that something else owns"
    if resource.remote:
        return "its children are made by its provider"
    return "not a Kubernetes object"
