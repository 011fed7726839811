"""What an unknown key of `engine` means: an option without a typed key, or one that the version lacks. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from catalog.options import REPLACEMENTS, absent, nearest, negative, options, versions
from stacks.secret_values import looks_secret


def option_advice(
    key: str, value: Any, engine: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[str, str] | None:
    """What to say of a key that isn't typed, and what to do instead; None when it is no option that any version knows.

    `engine` is the whole `engine` mapping as written, `tables` are the option tables that the stack adds.
    """
    name, version = engine.get("name"), engine.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    try:
        known = versions(name, tables)
        if not known:
            return None
        here = version if version in known else known[-1]
        option = "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).replace("_", "-").lower()
        if option in options(name, here, tables):
            return "no typed key", f"use extraArgs: [{_words(name, here, option, value, tables)}]"
        present, _ = absent(name, option, tables)
        if present:
            instead = REPLACEMENTS.get(option)
            return f"{option} is in {name} {', '.join(present)}, not in {here}", instead or "leave it out"
        if option in REPLACEMENTS:
            return f"{option} is gone from {name}", REPLACEMENTS[option]
        close = nearest(name, here, option, tables)
        return None if close is None else ("unknown key", f"did you mean the option {close}? It goes into extraArgs")
    except ValueError:  # an option table of the stack's own is wrong, which is reported where it stands
        return None


def _words(engine: str, version: str, option: str, value: Any, tables: Mapping[str, Mapping[str, Any]] | None) -> str:
    if looks_secret(str(value)):
        return f'"{option}=..."'
    if isinstance(value, bool):
        return option if value else negative(engine, version, option, tables) or option
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join([option, *(str(one) for one in value)])
    if isinstance(value, str | int | float) and re.fullmatch(r"[\w./:-]{1,60}", str(value)):
        return f"{option}={value}"
    return f'"{option}=..."'
