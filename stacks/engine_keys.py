"""What an unknown key of `engine` means: an option without a typed key, or one that the version lacks. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from catalog.options import absent, nearest, negative, options, replacements, versions
from stacks.secret_values import looks_secret

Tables = Mapping[str, Mapping[str, Any]] | None
"""Option tables of the stack's own, by version."""


def option_advice(
    key: str, value: Any, engine: Mapping[str, Any], decided: Mapping[str, str], tables: Tables = None
) -> tuple[str, str] | None:
    """What to say of a key that isn't typed, and what to do instead; None when it is no option that any version had.

    `engine` is the whole `engine` mapping as written, `decided` what `Engine.DECIDED` says of its options.
    """
    try:
        name, here = _version(engine, tables)
        option = _option(key)
        if option in decided:
            return f"decided by {decided[option]}", "leave it out"
        if option in options(name, here, tables):
            return "no typed key", f"use extraArgs: [{_words(name, here, option, value, tables)}]"
        present, _ = absent(name, option, tables)
        instead = replacements(name).get(option)
        if present:
            return f"{option} is in {name} {', '.join(present)}, not in {here}", instead or "leave it out"
        return (f"{option} is gone from {name}", instead) if instead else None
    except ValueError:  # no such engine; or a table of the stack's own is wrong, which is reported where it stands
        return None


def nearest_option(key: str, engine: Mapping[str, Any], tables: Tables = None) -> str | None:
    """The option that a key most likely means; None when none is near."""
    try:
        name, here = _version(engine, tables)
        return nearest(name, here, _option(key), tables)
    except ValueError:
        return None


def _version(engine: Mapping[str, Any], tables: Tables) -> tuple[str, str]:
    name, version = engine.get("name"), engine.get("version")
    known = versions(name, tables) if isinstance(name, str) else ()
    if not isinstance(name, str) or not known:
        raise ValueError("no engine with option tables")
    return name, version if isinstance(version, str) and version in known else known[-1]


def _option(key: str) -> str:
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).replace("_", "-").lower()


def _words(engine: str, version: str, option: str, value: Any, tables: Tables) -> str:
    if looks_secret(str(value)):
        return f'"{option}=..."'
    if isinstance(value, bool):
        return option if value else negative(engine, version, option, tables) or option
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join([option, *(str(one) for one in value)])
    if isinstance(value, str | int | float) and re.fullmatch(r"[\w./:-]{1,60}", str(value)):
        return f"{option}={value}"
    return f'"{option}=..."'
