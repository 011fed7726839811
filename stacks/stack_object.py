"""Checks the value of `llm-serving:stack`, and the files that it names: every mistake at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stacks.config import Catalog, ReferencedCluster, StackConfig
from stacks.messages import Found, found
from stacks.named_files import config_files, row_errors
from stacks.overrides import option_rows
from stacks.problem import Path, Problem
from stacks.references import Names, names_in, reference_errors, unresolved
from stacks.secret_values import encrypted, plain_secrets

if TYPE_CHECKING:
    from stacks.loader import Loaded

Sibling = Callable[[str], "Loaded | str"]
"""Loads the stack file of a name in the same folder, or says why it can't be used."""


@dataclass(slots=True)
class Checked:
    """A stack that holds what it should, or what is wrong with it."""

    config: StackConfig | None = None
    infrastructure: StackConfig | None = None
    config_files: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    config_secret: str | None = None
    """The key that `huggingFaceToken.configSecret` names."""
    found: list[Found] = field(default_factory=list)
    """Mistakes; paths start below `llm-serving:stack`."""
    elsewhere: list[Problem] = field(default_factory=list)
    """Problems of the sibling file."""


def checked(value: Any, folder: FilePath, sibling: Sibling | None) -> Checked:
    """Everything that can be told of a stack without the rules.

    `folder` is the project's. Without `sibling` the stack may not refer to another one.
    """
    result = Checked(config_secret=_config_secret(value))
    result.found += _secrets(value)
    closed = [one.path for one in result.found]
    try:
        result.config = StackConfig.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        tables = _tables(value)
        result.found += [one for one in found(error, value, tables) if not _is_below(one.path, closed)]
    _read_sibling(value, sibling, result)
    if result.config is None:
        _references(unresolved(*_raw_names(value, result)), result)
        return result
    if _is_referenced(result.config) and result.infrastructure is None:
        names = names_in(value)
        _references(unresolved(names, _anything(names)), result)
    else:
        _references(reference_errors(result.config, result.infrastructure), result)
    result.found += row_errors(result.config.catalog)
    result.config_files, unusable = config_files(result.config, folder)
    result.found += unusable
    return result


def _secrets(value: Any) -> Iterable[Found]:
    for path in encrypted(value):
        yield Found(
            code="CFG009",
            path=path,
            message="a secret inside llm-serving:stack, which would reach the program as plain text",
            remedy="name an existing Kubernetes Secret, or a key of its own under huggingFaceToken.configSecret",
            at_key=True,
        )
    for path in plain_secrets(value):
        yield Found(
            code="CFG009",
            path=path,
            message="this looks like a secret, and would stand in plain text in the state and in the cluster",
            remedy="revoke it if the file was shared; name a Kubernetes Secret instead (huggingFaceToken.secretName)",
        )


def _references(errors: Iterable[tuple[Path, str]], result: Checked) -> None:
    known = {one.path for one in result.found}
    for path, message in errors:
        if path not in known:
            result.found.append(Found(code="CFG008", path=path, message=message, at_key=len(path) == 2))


def _read_sibling(value: Any, sibling: Sibling | None, result: Checked) -> None:
    cluster = value.get("cluster") if isinstance(value, dict) else None
    name = cluster.get("stackFile") if isinstance(cluster, dict) and "stackReference" in cluster else None
    path: Path = ("cluster", "stackFile")
    if not isinstance(name, str) or _is_below(path, [one.path for one in result.found]):
        return
    if sibling is None:
        words = "a stack that another one refers to must name its cluster itself, not refer to a third stack"
        result.found.append(Found(code="CFG010", path=("cluster", "stackReference"), message=words))
        return
    loaded = sibling(name)
    if isinstance(loaded, str):
        result.found.append(Found(code="CFG010", path=path, message=loaded))
        return
    result.elsewhere += loaded.problems
    if loaded.inputs is not None:
        result.infrastructure = loaded.inputs.config


def _raw_names(value: Any, result: Checked) -> tuple[Names, Names | None]:
    names = names_in(value)
    cluster = value.get("cluster") if isinstance(value, dict) else None
    if (
        isinstance(cluster, dict)
        and ("stackReference" in cluster or "stackFile" in cluster)
        and not result.infrastructure
    ):
        return names, _anything(names)
    other = result.infrastructure
    return names, names_in(other.model_dump(by_alias=True)) if other else None


def _anything(names: Names) -> Names:
    """What a file that can't be read would have to declare."""
    groups = {group for _, group in names.workloads.values() if group is not None}
    volumes = {volume for volume, _ in names.models.values() if volume is not None}
    return Names(node_groups=frozenset(groups - names.node_groups), volumes=frozenset(volumes - names.volumes))


def _tables(value: Any) -> Mapping[str, Mapping[str, Any]]:
    """Option tables of the stack's own, by engine, where they are valid."""
    rows = value.get("catalog") if isinstance(value, dict) else None
    if not isinstance(rows, dict) or "engineVersions" not in rows:
        return {}
    try:
        given = {"engineVersions": rows["engineVersions"]}
        return option_rows(Catalog.model_validate(given, by_alias=True, by_name=False))
    except ValidationError:
        return {}


def _config_secret(value: Any) -> str | None:
    token = value.get("huggingFaceToken") if isinstance(value, dict) else None
    name = token.get("configSecret") if isinstance(token, dict) else None
    return name if isinstance(name, str) and name else None


def _is_referenced(config: StackConfig) -> bool:
    return isinstance(config.cluster, ReferencedCluster)


def _is_below(path: Path, above: Iterable[Path]) -> bool:
    return any(path[: len(one)] == one for one in above)
