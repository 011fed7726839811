"""pydantic's errors as problems in words: where, which value, what is allowed, and the nearest match. Pure."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType

from components.engines.base import Engine
from components.spec import Spec
from stacks.engine_keys import nearest_option, option_advice
from stacks.nearest import closest, same_letters
from stacks.problem import Path, Severity, quoted
from stacks.secret_values import looks_secret
from stacks.shape import Spot, Type, follow, hints, is_spec, naming_key
from stacks.words import expected

_LONGEST_LIST = 30
_NOT_OURS = frozenset(get_args(ErrorType))
"""Types of pydantic's own errors; the messages of every other one are written for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One mistake below `llm-serving:stack`."""

    code: str
    path: Path
    message: str
    remedy: str = ""
    at_key: bool = False
    """The key is at fault, not its value."""
    severity: Severity = "error"


def found(error: ValidationError, data: Any, tables: Mapping[str, Mapping[str, Any]] | None = None) -> list[Found]:
    """Every mistake once, in pydantic's order. `data` was validated; `tables` are option tables of the stack's own."""
    result: dict[tuple[Path, bool], Found] = {}
    for detail in error.errors(include_url=False, include_context=True):
        one = _found(detail, data, tables or {})
        result.setdefault((one.path, one.at_key), one)
    return list(result.values())


def _found(detail: Any, data: Any, tables: Mapping[str, Mapping[str, Any]]) -> Found:
    kind, value = detail["type"], detail["input"]
    spot = follow(detail["loc"], unknown_key=kind == "extra_forbidden")
    match kind:
        case "extra_forbidden":
            return _unknown(spot, value, data, tables)
        case "missing":
            words = f"missing; give {expected(spot.type)}" if spot.type else "missing"
            return Found(code="CFG005", path=spot.path, message=words, remedy=_other_form(spot), at_key=True)
        case "union_tag_not_found" | "union_tag_invalid":
            return _tag(spot, value)
    if kind not in _NOT_OURS or spot.type is None:
        return Found(code="CFG007", path=spot.path, message=_own_words(detail["msg"]))
    return _value(spot, value)


def _value(spot: Spot, value: Any) -> Found:
    wanted = spot.type
    assert wanted is not None
    text = isinstance(value, str) and (wanted.base is str or any(one.base is str for one in wanted.members))
    choices = _choices(wanted)
    fits = (
        text
        or (choices and isinstance(value, str))
        or (_is_number(value) and expected(wanted).startswith(("a whole number", "a number")))
    )
    got = shown(value) if fits else described(value)
    remedy = _retyped(wanted, value)
    if not remedy and isinstance(value, str) and not looks_secret(value) and (near := closest(value, choices)):
        remedy = f"did you mean {near}?"
    return Found(
        code="CFG007" if fits and not remedy.startswith("write") else "CFG006",
        path=spot.path,
        message=f"expected {expected(wanted)}, got {got}",
        remedy=remedy,
        at_key=spot.is_key,
    )


def _unknown(spot: Spot, value: Any, data: Any, tables: Mapping[str, Mapping[str, Any]]) -> Found:
    key, owner = str(spot.path[-1]), spot.owner
    assert owner is not None
    keys = list(hints(owner))
    near = same_letters(key, keys)
    decided = owner.DECIDED if issubclass(owner, Engine) else {}
    engine = _at(data, spot.path[:-1]) if issubclass(owner, Engine) and not near else None
    table = tables.get(str(engine.get("name"))) if isinstance(engine, dict) else None
    if isinstance(engine, dict) and (advice := option_advice(key, value, engine, decided, table)):
        message, remedy = advice
    else:
        message, remedy = "unknown key", ""
        if near := near or closest(key, keys):
            remedy = f"did you mean {near}?"
        elif other := next((one for one in spot.siblings if key in hints(one)), None):
            remedy = f"it goes with {_form(other, owner)}"
        elif inner := _inside(key, owner):
            remedy = f"it belongs in {inner}"
        elif isinstance(engine, dict) and (option := nearest_option(key, engine, table)):
            remedy = f"did you mean the option {option}? It goes into extraArgs"
        else:
            remedy = f"allowed: {_listed(keys)}"
    return Found(code="CFG004", path=spot.path, message=message, remedy=remedy, at_key=True)


def _tag(spot: Spot, value: Any) -> Found:
    wanted = spot.type
    assert wanted is not None
    forms = wanted.tagged()
    key = next((key for tag, one in forms.items() if (key := _tag_key(one.base, tag))), None)
    named = [tag for tag, one in forms.items() if _tag_key(one.base, tag) == key]
    others = [tag for tag in forms if tag not in named]
    instead = f", or give {' or '.join(others)}" if others else ""
    given = value.get(key) if isinstance(value, dict) and key else None
    if key is None or not isinstance(value, dict):
        return Found(code="CFG006", path=spot.path, message=f"expected a mapping, got {described(value)}")
    path = (*spot.path, key)
    if key not in value:
        return Found(code="CFG005", path=path, message=f"missing; give one of {', '.join(named)}{instead}", at_key=True)
    near = closest(given, named) if isinstance(given, str) else None
    return Found(
        code="CFG007" if isinstance(given, str) else "CFG006",
        path=path,
        message=f"expected one of {', '.join(named)}{instead}, got {shown(given)}",
        remedy=f"did you mean {near}?" if near else "",
    )


def _tag_key(section: type[Spec], tag: str) -> str | None:
    """The key whose value is the tag; None where the tag is itself the name of a key."""
    literals = ((key, get_args(kind.base)) for key, kind in hints(section).items() if get_origin(kind.base) is not None)
    return next((key for key, values in literals if tag in values), None)


def _form(section: type[Spec], owner: type[Spec]) -> str:
    """`provisioner: existing`, or the keys that make the difference."""
    if key := naming_key(section, owner):
        return f"{key}: {' or '.join(get_args(hints(section)[key].base))}"
    return " and ".join(key for key in hints(section) if key not in hints(owner))


def _other_form(spot: Spot) -> str:
    """Another way to write a section whose forms have no key that names them."""
    own = hints(spot.owner) if spot.owner else {}
    if spot.owner is None or spot.path[-1] != next(iter(own), None):
        return ""
    if any(naming_key(spot.owner, one) for one in spot.siblings):
        return ""
    keys = [next(iter(one.model_fields.values())).alias for one in spot.siblings]
    return f"or {' or '.join(str(key) for key in keys)} instead" if keys else ""


def _inside(key: str, owner: type[Spec]) -> str | None:
    for name, kind in hints(owner).items():
        if any(is_spec(one.base) and key in hints(one.base) for one in (kind, *kind.members)):
            return name
    return None


def _choices(wanted: Type) -> list[str]:
    kinds = wanted.members or (wanted,)
    return [
        str(one)
        for kind in kinds
        if get_origin(kind.base) is not None
        for one in get_args(kind.base)
        if isinstance(one, str)
    ]


def _retyped(wanted: Type, value: Any) -> str:
    """The same value in the type that is wanted, where only the type is wrong."""
    bases = {one.base for one in wanted.members or (wanted,)}
    cli = "`pulumi config set --path` writes strings unless you pass --type"
    if isinstance(value, str) and not looks_secret(value):
        if int in bases and re.fullmatch(r"[+-]?[0-9]+", value):
            return f"write {value} without quotes; {cli} int"
        if float in bases and re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+", value):
            return f"write {value} without quotes; {cli} float"
        if bool in bases and value.lower() in ("true", "false"):
            return f"write {value.lower()} without quotes; {cli} bool"
        if bool in bases and value.lower() in ("yes", "on", "no", "off"):
            return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
        if get_origin(wanted.base) is list and not wanted.members:
            return f"write [{value}]" if re.fullmatch(r"[\w./-]{1,60}", value) else ""
    elif isinstance(value, bool | int | float | datetime.date) and (str in bases or _choices(wanted)):
        return "put it in quotes"
    return ""


def shown(value: Any) -> str:
    """A value as it may be printed: a secret never is."""
    if isinstance(value, str):
        return "a value that looks like a secret" if looks_secret(value) else quoted(value)
    return _number(value) if _is_number(value) else described(value)


def described(value: Any) -> str:
    """A value with its type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return shown(value) if looks_secret(value) else f"the string {quoted(value)}"
        case int() | float():
            return f"the number {_number(value)}"
        case datetime.date():
            return f"the date {value}"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
    return f"a value of type {type(value).__name__}"


def _number(value: float) -> str:
    return repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "of more than 30 digits"


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) <= _LONGEST_LIST else ", ".join([*keys[:_LONGEST_LIST], "..."])


def _own_words(message: str) -> str:
    return "a value that looks like a secret can't stand here" if looks_secret(message) else message[:500]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(data: Any, path: Path) -> Any:
    for key in path:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    return data
