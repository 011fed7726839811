"""Names that one section of a stack uses and another one declares. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.models import models
from components.engines.base import Engine
from stacks.config import StackConfig
from stacks.messages import shown
from stacks.nearest import closest
from stacks.problem import Path
from stacks.secret_values import looks_secret

_MOST_NAMES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Declared names, and uses of them. A use that is None is left out in the stack file."""

    node_groups: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()
    """Rows that the stack itself adds to the catalogue."""
    models: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Volume and architecture by model."""
    workloads: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Model and node group by workload."""
    engines: Mapping[str, tuple[tuple[Path, str], ...]] = field(default_factory=dict)
    """Models that the engine's options name, and where below the engine, by workload."""


def reference_errors(config: StackConfig, infrastructure: StackConfig | None) -> list[tuple[Path, str]]:
    """Uses of names that stand for nothing, and names that both stacks declare: the place and what is wrong."""
    return unresolved(_names(config), None if infrastructure is None else _names(infrastructure))


def unresolved(names: Names, infrastructure: Names | None) -> list[tuple[Path, str]]:
    """`reference_errors` for names that were collected from anywhere."""
    return list(_errors(names, infrastructure or Names()))


def _errors(names: Names, other: Names) -> Iterator[tuple[Path, str]]:
    for section, here, there in (
        ("nodeGroups", names.node_groups, other.node_groups),
        ("volumes", names.volumes, other.volumes),
    ):
        for name in sorted(here & there):
            yield (section, name), "the stack of stackReference has this name too; rename one of them"
    groups, volumes = names.node_groups | other.node_groups, names.volumes | other.volumes
    for name, (volume, architecture) in names.models.items():
        if volume is not None and volume not in volumes:
            yield ("models", name, "volume"), _absent("volume", volume, volumes, "volumes")
        if architecture is not None and architecture not in names.architectures and architecture not in models():
            known = {*models(), *names.architectures}
            yield ("models", name, "architecture"), _absent("architecture", architecture, known, "catalogue")
    for name, (model, group) in names.workloads.items():
        if model is not None and model not in names.models:
            yield ("workloads", name, "model"), _absent("model", model, names.models, "models")
        if group is not None and group not in groups:
            yield ("workloads", name, "nodeGroup"), _absent("node group", group, groups, "nodeGroups")
    for name, used in names.engines.items():
        for place, model in used:
            if model not in names.models:
                yield ("workloads", name, "engine", *place), _absent("model", model, names.models, "models")


def _absent(kind: str, name: str, known: Iterable[str], section: str) -> str:
    there = sorted(known)
    if near := closest(name, there):
        return f"there is no {kind} {shown(name)}; did you mean {_plain(near)}?"
    if section == "catalogue":
        return (
            f"there is no {kind} {shown(name)} in the catalogue; name the model's config.json under config, "
            "or add a row under catalog.models"
        )
    if not there:
        return f"there is no {kind} {shown(name)}: {section} is empty"
    listed = ", ".join(_plain(one) for one in there[:_MOST_NAMES]) + (", ..." if len(there) > _MOST_NAMES else "")
    return f"there is no {kind} {shown(name)}; {section} has {listed}"


def _plain(name: str) -> str:
    return name if name.isprintable() and not looks_secret(name) else shown(name)


def _names(config: StackConfig) -> Names:
    return Names(
        node_groups=frozenset(config.node_groups),
        volumes=frozenset(config.volumes),
        architectures=frozenset(config.catalog.models),
        models={name: (one.volume, one.architecture) for name, one in config.models.items()},
        workloads={name: (one.model, one.node_group) for name, one in config.workloads.items()},
        engines={name: tuple(_engine_models(one.engine)) for name, one in config.workloads.items()},
    )


def _engine_models(engine: Engine) -> Iterator[tuple[Path, str]]:
    written = engine.model_dump(by_alias=True, exclude_unset=True)
    for model in engine.references():
        yield next(_places(written, model), ()), model


def _places(value: Any, name: str) -> Iterator[Path]:
    """Where a text stands in what was written."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        if one == name:
            yield (key,)
        else:
            yield from ((key, *rest) for rest in _places(one, name))


def names_in(data: Any) -> Names:
    """The names in a stack that doesn't hold what it should: whatever has the right form."""
    rows = _mapping(_mapping(data).get("catalog"))
    return Names(
        node_groups=frozenset(_mapping(_mapping(data).get("nodeGroups"))),
        volumes=frozenset(_mapping(_mapping(data).get("volumes"))),
        architectures=frozenset(_mapping(rows.get("models"))),
        models=_uses(_mapping(data).get("models"), "volume", "architecture"),
        workloads=_uses(_mapping(data).get("workloads"), "model", "nodeGroup"),
    )


def _uses(section: Any, first: str, second: str) -> dict[str, tuple[str | None, str | None]]:
    return {
        name: (_text(_mapping(one).get(first)), _text(_mapping(one).get(second)))
        for name, one in _mapping(section).items()
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
