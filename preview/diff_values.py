"""Property by property differences of two inputs, as the JSON of a plan has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from preview.values import join_path

Path = tuple[str | int, ...]


class Absent:
    """Marks a property that one side doesn't have; `ABSENT` is the only one."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property with another value. `old` or `new` is `ABSENT` where that side doesn't have it.

    Elements of a list that have a name are found by it (`containers.engine.env.HOME`), options of a command line
    by the option (`args["--max-model-len"]`): an element that was put in between doesn't change those after it.
    """

    path: Path
    old: Any
    new: Any

    @property
    def text(self) -> str:
        """The path in Pulumi's notation."""
        return path_text(self.path)

    def below(self, path: Sequence[str | int]) -> bool:
        """Whether the property is `path` or inside of it; `*` stands for one key."""
        return len(path) <= len(self.path) and all(
            wanted in ("*", key) for wanted, key in zip(path, self.path, strict=False)
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data; what is absent has no key."""
        sides = {"old": self.old, "new": self.new}
        return {"path": self.text, **{name: value for name, value in sides.items() if value is not ABSENT}}


def path_text(path: Path) -> str:
    """A property path in Pulumi's notation."""
    text = ""
    for key in path:
        quoted = f'["{key}"]' if isinstance(key, str) and key.startswith("-") else f"[{key}]"
        text = join_path(text, key) if isinstance(key, str) and not key.startswith("-") else text + quoted
    return text


def parse_path(text: str) -> Path:
    """The keys of a path as resource options write it (`scalingConfig.desiredSize`, `spec.ports[0]`, `tags[*]`)."""
    flat = text.replace('["', ".").replace('"]', "").replace("[", ".").replace("]", "")
    return tuple(int(key) if key.isdecimal() else key for key in flat.split(".") if key)


def changes(old: Any, new: Any) -> list[PropertyChange]:
    """What differs, sorted by path."""
    return sorted(_changes((), old, new), key=lambda change: [str(key) for key in change.path])


def value_at(value: Any, path: Sequence[str | int]) -> Any:
    """The value at a path of mapping keys and list indexes, or `ABSENT`."""
    for key in path:
        inside = key in value if isinstance(value, Mapping) else isinstance(value, list) and key in range(len(value))
        if not inside:
            return ABSENT
        value = value[key]
    return value


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each scalar and empty container below `value` with its keys."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def _changes(path: Path, old: Any, new: Any) -> Iterator[PropertyChange]:
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        before, after = _mapping(old), _mapping(new)
        if before is not None and after is not None and (before or after):
            for key in sorted({*before, *after}):
                yield from _changes((*path, key), before.get(key, ABSENT), after.get(key, ABSENT))
            return
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_changes(path, old, new)
        return
    if old != new or isinstance(old, bool) != isinstance(new, bool):  # True == 1 in Python, not in YAML
        yield PropertyChange(path, old, new)


def _mapping(value: Any) -> Mapping[str, Any] | None:
    if value is ABSENT:
        return {}
    return value if isinstance(value, Mapping) else None


def _list_changes(path: Path, old: list[Any], new: list[Any]) -> Iterator[PropertyChange]:
    for key_of in (_name, _option):
        before, after = _keyed(old, key_of), _keyed(new, key_of)
        if before is not None and after is not None and any(isinstance(key, str) for key in (*before, *after)):
            for key in dict.fromkeys([*before, *after]):
                yield from _changes((*path, key), before.get(key, ABSENT), after.get(key, ABSENT))
            if before == after and list(before) != list(after):  # only the order differs
                yield PropertyChange(path, old, new)
            return
    if all(isinstance(item, (Mapping, list)) for item in (*old, *new)):
        for index in range(max(len(old), len(new))):
            pair = [items[index] if index < len(items) else ABSENT for items in (old, new)]
            yield from _changes((*path, index), *pair)
        return
    if old != new:
        yield PropertyChange(path, old, new)


def _keyed(items: list[Any], key_of: Callable[[int, Any], str | int | None]) -> dict[str | int, Any] | None:
    """Elements by key; None when one has no key or two have the same."""
    found: dict[str | int, Any] = {}
    for index, item in enumerate(items):
        key = key_of(index, item)
        if key is None or key in found:
            return None
        found[key] = item
    return found


def _name(_: int, item: Any) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def _option(index: int, item: Any) -> str | int | None:
    """`--port` of `--port=8000`; the position of an argument that is no option."""
    if not isinstance(item, str):
        return None
    return item.partition("=")[0] if item.startswith("--") else index
