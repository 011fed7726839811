"""Reads a data file of this package and lays a stack's override rows over it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Row = Mapping[str, Any]
Complete = Callable[[dict[str, Any]], None]

_DATA = Path(__file__).parent / "data"


@cache
def load(file: str) -> Mapping[str, Any]:
    """A data file as it is: `source`, `date`, `notes` and `rows`. The result is shared: don't change it."""
    return json.loads((_DATA / file).read_text(encoding="utf-8"))


def files(pattern: str) -> list[str]:
    """Names of the data files that match a glob pattern."""
    return [path.name for path in _DATA.glob(pattern)]


def table(cls: Callable[..., T], file: str, overrides: Mapping[str, Row] | None, complete: Complete) -> dict[str, T]:
    """Every row of `file` as the dataclass `cls`, by name, in file order; then the rows that only `overrides` has.

    An override patches the fields of a row with the same name, or is a complete new row. `complete` fills what may be
    left out of a row, in place. Field names are those of `cls`; `source` is accepted and dropped.
    Raises ValueError with a line for each wrong row, naming the row and each field that is missing, unknown or wrong.
    """
    shipped = load(file)["rows"]
    result = {name: _build(cls, name, dict(row), complete) for name, row in shipped.items()}
    problems = []
    for name, patch in (overrides or {}).items():
        try:
            result[name] = _checked(cls, name, shipped.get(name, {}), patch, complete)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return result


def _build(cls: Callable[..., T], name: str, row: dict[str, Any], complete: Complete) -> T:
    complete(row)
    row.pop("source", None)
    return cls(name=name, **{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})


def _checked(cls: Any, name: str, shipped: Row, patch: object, complete: Complete) -> Any:
    # Here, not above: only a stack with overrides needs pydantic, whose import takes longer than every table together.
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(patch, Mapping):
        raise ValueError(f"{cls.__name__} {name!r}: is {patch!r}; give a mapping of fields")
    row: dict[str, Any] = {**shipped, **patch}
    complete(row)
    row.pop("source", None)
    try:
        return TypeAdapter(cls).validate_json(json.dumps({**row, "name": name}, default=str))
    except ValidationError as error:
        details = "; ".join(_problem(cls, detail) for detail in error.errors(include_url=False))
        raise ValueError(f"{cls.__name__} {name!r}: {details}") from None


def _problem(cls: Any, detail: Mapping[str, Any]) -> str:
    field = ".".join(map(str, detail["loc"]))
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "missing":
            return f"{field} is missing; a new row needs it"
        case "unexpected_keyword_argument":
            known = ", ".join(sorted(one.name for one in fields(cls) if one.name != "name"))
            return f"{field} is not a field; the fields are {known}"
        case _:
            return f"{field} is {detail['input']!r}: {message}" if field else message
