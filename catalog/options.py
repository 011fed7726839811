"""Command-line options of each engine, by version, and what became of the options that are gone."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from catalog import rows

Overrides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option string as the engine's argument parser knows it."""

    __pydantic_config__ = {"extra": "forbid", "strict": True}  # noqa: RUF012 (read by pydantic when it checks overrides)

    name: str
    """Exactly as it is written, such as `--max-model-len` or `-tp`."""
    nargs: int | str | None = None
    """0: a flag without a value; None: one value; `+`, `*`, `?`: as argparse has it."""
    choices: tuple[str, ...] | None = None
    """The values allowed; None: not limited by the parser."""
    type: str = "str"
    """Name of the parser's conversion, such as `int`."""
    default: str = "None"
    """The parser's default as text; `None`: decided at start."""


@cache
def replacements(engine: str) -> Mapping[str, str]:
    """What to do instead of an option that is gone, by its name; empty for an engine of which no such list is kept.

    vLLM: gone since 0.6.0. Data and source: data/vllm_names.json.
    """
    return {option: row["replacement"] for option, row in _names(engine).get("rows", {}).items()}


def aliases(engine: str) -> Mapping[str, str]:
    """Short or second name of an option -> its first name, such as vLLM's `-tp` -> `--tensor-parallel-size`.

    Data: <engine>_names.json, or the newest option table.
    """
    known = versions(engine)
    return _names(engine).get("aliases") or (rows.load(_files(engine)[known[-1]]).get("aliases", {}) if known else {})


def versions(engine: str = "vllm", overrides: Overrides | None = None) -> tuple[str, ...]:
    """The versions of an engine with an option table, oldest first; empty for an engine without any."""
    return tuple(sorted({*_files(engine), *(overrides or {})}, key=_order))


def options(engine: str, version: str, overrides: Overrides | None = None) -> Mapping[str, Option]:
    """Every option of one version by its exact name, negatives and short names included.

    `overrides` by version: `like` (the table to start from; may be left out where this version has one), `add` (option
    -> fields of `Option`) and `remove` (option names).
    Raises ValueError when the version is not known, or an override is wrong.
    """
    if not overrides or version not in overrides:
        return _known(engine, version)
    row = overrides[version]
    where = f"options of {engine} {version}"
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: is {row!r}; give a mapping of like, add, remove")
    if unknown := sorted(set(row) - {"like", "add", "remove"}):
        raise ValueError(f"{where}: {unknown[0]} is not a field; the fields are like, add, remove")
    base, add, remove = row.get("like", version), row.get("add", {}), row.get("remove", ())
    if not isinstance(base, str) or not isinstance(add, Mapping) or not isinstance(remove, list | tuple):
        raise ValueError(f"{where}: like takes a version in quotes, add a mapping of options, remove a list of names")
    table = dict(_known(engine, base))
    for name in remove:
        if not isinstance(name, str) or table.pop(name, None) is None:
            raise ValueError(f"{where}: remove has {name!r}, which {base} does not have")
    return table | {name: _added(where, name, fields) for name, fields in add.items()}


def absent(engine: str, option: str, overrides: Overrides | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The versions that have an option and the versions that lack it, each oldest first."""
    known = versions(engine, overrides)
    present = tuple(version for version in known if option in options(engine, version, overrides))
    return present, tuple(version for version in known if version not in present)


def nearest(engine: str, version: str, name: str, overrides: Overrides | None = None) -> str | None:
    """The option that a misspelt name most likely means, or None. Underscores count as dashes, as vLLM reads them."""
    bare = name.replace("_", "-").strip("-")
    names = {listed.lstrip("-").replace("_", "-"): listed for listed in options(engine, version, overrides)}
    # A beginning first: argparse takes it for the option, and short words are alike by chance.
    near = [one for one in names if one.startswith(f"{bare}-")] if bare else []
    return (
        names[near[0]]
        if len(near) == 1
        else next((names[one] for one in difflib.get_close_matches(bare, names, n=1, cutoff=0.7)), None)
    )


def negative(engine: str, version: str, name: str, overrides: Overrides | None = None) -> str | None:
    """The listed option that switches the flag `name` off, or None when it has none.

    vLLM lists `--no-x` in every version, but for `--enable-x` from 0.33.0 on `--disable-x` (and the other way round).
    """
    table = options(engine, version, overrides)
    candidates = [f"--no-{name.removeprefix('--')}", _flipped(name), name.replace("--no-", "--", 1)]
    return next((other for other in candidates if other != name and other in table), None)


def listed(engine: str, version: str, name: str, overrides: Overrides | None = None) -> str | None:
    """The listed spelling of an option that the version accepts, or None when it does not accept it.

    Itself for a listed option. vLLM also takes underscores for dashes, `--json-option.key` for a key of a JSON value,
    and in 0.33.0, hidden, `--no-enable-x` for `--disable-x` and `--no-disable-x` for `--enable-x`.
    """
    table = options(engine, version, overrides)
    if name.startswith("--"):
        name = name.split(".", 1)[0].replace("_", "-")
    if name in table:
        return name
    positive = name.replace("--no-", "--", 1)
    inverse = _flipped(positive)
    return inverse if len({name, positive, inverse}) == 3 and {positive, inverse} <= table.keys() else None


def _flipped(name: str) -> str:
    if name.startswith("--enable-"):
        return name.replace("--enable-", "--disable-", 1)
    return name.replace("--disable-", "--enable-", 1)


@cache
def _names(engine: str) -> Mapping[str, Any]:
    file = f"{engine}_names.json"
    return rows.load(file) if file in rows.files(file) else {}


@cache
def _files(engine: str) -> dict[str, str]:
    prefix = f"{engine}_options_"
    return {file.removeprefix(prefix).removesuffix(".json"): file for file in rows.files(f"{prefix}*.json")}


@cache
def _known(engine: str, version: str) -> Mapping[str, Option]:
    found = _files(engine)
    if version not in found:
        have = ", ".join(sorted(found, key=_order)) or "none"
        raise ValueError(
            f"no option table for {engine} {version} (there are: {have}); override it with `like` one of these"
        )
    table = rows.load(found[version])["rows"].items()
    return MappingProxyType(
        {
            name: Option(
                name=name,
                nargs=row["nargs"],
                choices=None if row["choices"] is None else tuple(row["choices"]),
                type=row["type"],
                default=row["default"],
            )
            for name, row in table
        }
    )


def _added(where: str, name: object, fields: object) -> Option:
    from pydantic import TypeAdapter, ValidationError  # only a stack with overrides needs it

    if not isinstance(fields, Mapping):
        raise ValueError(
            f"{where}: {name} is {fields!r}: give a mapping of nargs, choices, type, default; {{}} for none"
        )
    if not isinstance(name, str) or not name.startswith("-"):
        raise ValueError(
            f"{where}: {name!r} is no option name; write it as on the command line, such as --max-model-len"
        )
    try:
        return TypeAdapter(Option).validate_json(json.dumps({**fields, "name": name}, default=str))
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise ValueError(f"{where}: {name}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}") from None


def _order(version: str) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in version.split("."))
