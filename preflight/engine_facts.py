"""What the engine rules share: vLLM workloads, the option table of each, and `extraArgs` read as argparse reads them. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog import options as tables
from catalog.engine_support import Support, support
from components.engines.vllm import Vllm
from components.engines.vllm_engine import VllmEngine
from components.resolved import Workload
from preflight.rule import Facts, Path, workload_path

Table = Mapping[str, tables.Option]
_NOT_JSON = frozenset({"int", "float", "human_readable_int", "human_readable_int_or_auto"})
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """One option of `extraArgs` with its values."""

    index: int
    words: int
    """How many words of `extraArgs` it takes."""
    name: str
    """As it was written, without `=value`."""
    listed: str | None
    """The first name of the option in the version's table, or None where it isn't there."""
    dotted: bool
    """One key of a JSON option, such as `--compilation-config.mode`."""
    equals: bool
    """Written as `--option=value`."""
    values: tuple[str, ...]


def vllm_engines(facts: Facts) -> Iterator[tuple[Workload, VllmEngine]]:
    """Workloads with vLLM's engine, whichever server it runs behind: for what has long been so, or is in the option table."""
    for workload in facts.workloads:
        if isinstance(workload.engine, VllmEngine):
            yield workload, workload.engine


def vllm_workloads(facts: Facts) -> Iterator[tuple[Workload, Vllm]]:
    """Workloads with vLLM's own server: for what was read in the releases that have option tables."""
    for workload in facts.workloads:
        if isinstance(workload.engine, Vllm):
            yield workload, workload.engine


class Tables:
    """Option tables of the versions in a stack, each built once."""

    def __init__(self, facts: Facts) -> None:
        self._own = facts.stack.option_rows
        self._known: dict[tuple[str, str], Table | None] = {}

    def of(self, workload: Workload) -> Table | None:
        """The table of the workload's engine and version, or None where there is none."""
        key = (workload.engine.name, workload.engine.version)
        if key not in self._known:
            own = self._own.get(key[0])
            self._known[key] = tables.options(*key, own) if key[1] in tables.versions(key[0], own) else None
        return self._known[key]

    def extras(self, workload: Workload) -> tuple[Extra, ...]:
        """The options of `extraArgs`; nothing where the version has no table."""
        table = self.of(workload)
        words, engine = workload.engine.extra_args, workload.engine
        if table is None or not words:
            return ()
        return tuple(parsed(words, table, tables.aliases(engine.name), exact=engine.EXACT_OPTIONS))

    def support(self, workload: Workload) -> Support | None:
        """What the version supports besides options; None where that isn't known."""
        return support(workload.engine.version, self._own.get(workload.engine.name))


def parsed(words: list[str], table: Table, aliases: Mapping[str, str], *, exact: bool) -> Iterator[Extra]:
    """`extraArgs` as a parser reads them that takes `--option value` and `--option=value`; abbreviations aren't followed.

    Unless `exact`, as vLLM's own reads them (utils/argparse_utils.py, FlexibleArgumentParser): underscores count as dashes, `-O3` as
    `--optimization-level=3`, and `--json-option.key value` sets one key. A word that no option takes comes out as an option without a
    listed name.
    """
    index = 0
    while index < len(words):
        start, (name, equals, value) = index, _split(words[index], exact)
        index += 1
        listed, dotted = _listed(name, table, exact)
        option = table.get(listed) if listed else None
        values = [value] if equals else []
        # What follows an unknown option is taken for its values, so that it is reported and removed with them.
        wants = "*" if option is None else option.nargs
        if equals or wants == 0 or not name.startswith("-"):
            pass
        elif dotted and index < len(words):
            values.append(words[index])
            index += 1
        else:
            while index < len(words) and _is_value(words[index], table, exact):
                values.append(words[index])
                index += 1
                if wants in (None, "?"):
                    break
        first = aliases.get(listed, listed) if listed else None
        yield Extra(
            index=start,
            words=index - start,
            name=name,
            listed=first,
            dotted=dotted,
            equals=bool(equals),
            values=tuple(values),
        )


def _split(word: str, exact: bool) -> tuple[str, str, str]:
    short = None if exact else re.fullmatch(r"-O=?(\w+)", word)
    return ("--optimization-level", "=", short[1]) if short else word.partition("=")


def _listed(name: str, table: Table, exact: bool) -> tuple[str | None, bool]:
    if exact:
        return (name if name in table else None), False
    head, dot, _ = name.partition(".")
    plain = head.replace("_", "-") if head.startswith("--") else head
    if plain == "-O":
        plain = "--optimization-level"
    found = plain if plain in table else _hidden(plain, table)
    if found and dot and (table[found].nargs is not None or table[found].type in _NOT_JSON):
        return None, True
    return found, bool(dot)


def _hidden(name: str, table: Table) -> str | None:
    """The listed negative of a flag whose `--no-` form is accepted without being listed (0.33.0)."""
    positive = name.replace("--no-", "--", 1)
    if positive == name or positive not in table:
        return None
    for one, other in (("--enable-", "--disable-"), ("--disable-", "--enable-")):
        inverse = positive.replace(one, other, 1)
        if positive.startswith(one) and inverse in table:
            return inverse
    return None


def _is_value(word: str, table: Table, exact: bool) -> bool:
    """argparse: a word with a dash in front is a value only when it is a number, or has a space and isn't an option."""
    if not word.startswith("-") or word == "-":
        return True
    return bool(_NUMBER.fullmatch(word)) or (" " in word and _listed(_split(word, exact)[0], table, exact)[0] is None)


def engine_path(workload: Workload, *keys: str | int) -> Path:
    """Path of a key of a workload's engine."""
    return workload_path(workload, "engine", *keys)


def without(workload: Workload, extra: Extra) -> tuple[Path, Any]:
    """The change that takes an option out of `extraArgs`."""
    words = workload.engine.extra_args
    left = [*words[: extra.index], *words[extra.index + extra.words :]]
    return engine_path(workload, "extraArgs"), left or None
