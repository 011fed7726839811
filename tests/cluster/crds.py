"""CustomResourceDefinitions for what a stack creates beyond Kubernetes' own kinds, from the folder of reference facts."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.cluster.client import Client, Object, wait


def custom_kinds(objects: Iterable[Object], client: Client) -> set[tuple[str, str]]:
    """Group and kind of the objects that the API server doesn't serve yet."""
    versions = {(one["apiVersion"], one["kind"]) for one in objects}
    return {(version.rpartition("/")[0], kind) for version, kind in versions if not client.serves(version, kind)}


def install(client: Client, kinds: Iterable[tuple[str, str]], folder: Path) -> None:
    """Adds the definitions of some kinds and waits until they are served. Raises LookupError for one that isn't there."""
    names = []
    for group, kind in sorted(kinds):
        definition = _definition(folder, group, kind)
        names.append(client.apply(definition)["metadata"]["name"])
    for name in names:
        wait(f"{name} to be served", lambda name=name: _established(client, name))


def _definition(folder: Path, group: str, kind: str) -> Object:
    for path in sorted(folder.glob(f"*/{kind}_*.yaml")):
        found = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        if found["spec"]["group"] == group:
            return found
    raise LookupError(f"no definition of {kind} in {group} below {folder}")


def _established(client: Client, name: str) -> bool:
    found = client.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    conditions = found["status"]["conditions"] or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
