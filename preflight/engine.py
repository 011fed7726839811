"""ENG: engine versions and options."""

from collections.abc import Iterator, Mapping

from catalog import options as tables
from components.resolved import Workload
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_OWNED = frozenset(
    {"--model", "--revision", "--host", "--port", "--shutdown-timeout", "--api-key", "--hf-token", "--download-dir"}
)
"""Options that the pod decides; a second value would fight with probes, drain or secrets."""


Table = Mapping[str, tables.Option]


def _version(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        engine = workload.engine
        known = versions(facts, engine.name)
        if engine.version in known or engine.version.lower() in ("latest", "nightly"):
            continue
        path = workload_path(workload, "engine", "version")
        yield Finding(
            path=path,
            message=f"{engine.name} {engine.version} has no option table, so its options can't be checked; there are {', '.join(known)}",
            remedies=(
                Remedy(text=f"set version: {known[-1]}", changes=((path, known[-1]),)),
                Remedy(text=f"describe it in catalog.{engine.name}Versions"),
            ),
        )


def _options(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        if workload.engine.version not in versions(facts, workload.engine.name):
            continue
        own = facts.stack.option_rows.get(workload.engine.name)
        table = tables.options(workload.engine.name, workload.engine.version, own)
        arguments = workload.engine.arguments(workload.launch, own)
        for argument in arguments:
            if not argument.option:
                continue
            if argument.option in table:
                yield from _choice(workload, argument.option, argument.values, table, workload_path(workload, "engine", argument.key))
            else:
                path = workload_path(workload, "engine", argument.key)
                yield Finding(
                    path=path,
                    message=_absent(workload, argument.option),
                    remedies=(Remedy(text=f"remove {argument.key}", changes=((path, None),)),),
                )
        yield from _extra(workload, table, frozenset(one.option for one in arguments))


def _extra(workload: Workload, table: Table, emitted: frozenset[str]) -> Iterator[Finding]:
    words = workload.engine.extra_args
    index = 0
    while index < len(words):
        path = workload_path(workload, "engine", "extraArgs", index)
        name, equals, value = words[index].partition("=")
        option = table.get(name)
        index += 1
        if not name.startswith("-"):
            yield Finding(path=path, message=f"{name!r} is no option, and no option before it takes it as a value")
            continue
        if option is None:
            yield Finding(path=path, message=_absent(workload, name))
            continue
        if (first := tables.ALIASES.get(name, name)) in _OWNED or first in emitted:
            yield Finding(path=path, message=f"{name} is set by this program already: use the typed key instead")
        values = [value] if equals else []
        if option.nargs != 0 and not equals:
            while index < len(words) and not words[index].startswith("--"):
                values.append(words[index])
                index += 1
                if option.nargs is None:
                    break
            if not values and option.nargs not in ("*", "?"):
                yield Finding(path=path, message=f"{name} needs a value")
        elif option.nargs == 0 and equals:
            yield Finding(path=path, message=f"{name} is a flag and takes no value")
        yield from _choice(workload, name, tuple(values), table, path)


def _choice(workload: Workload, name: str, values: tuple[str, ...], table: Table, path: Path) -> Iterator[Finding]:
    option = table[name]
    for value in values:
        if option.choices and value not in option.choices:
            yield Finding(
                path=path,
                message=f"{name} of {workload.engine.name} {workload.engine.version} doesn't take {value}; it takes {', '.join(option.choices)}",
            )
        elif not _parses(option.type, value):
            yield Finding(path=path, message=f"{name} takes {'a whole number' if option.type == 'int' else 'a number'}, not {value!r}")


def _parses(kind: str, value: str) -> bool:
    parser = {"int": int, "float": float}.get(kind)
    if parser is None:
        return True
    try:
        parser(value)
    except ValueError:
        return False
    return True


def _absent(workload: Workload, option: str) -> str:
    engine = workload.engine
    present, _ = tables.absent(engine.name, option)
    replacement = tables.REPLACEMENTS.get(option)
    where = f"present in {', '.join(present)}, absent in {engine.version}" if present else f"{engine.name} {engine.version} has no such option"
    near = tables.nearest(engine.name, engine.version, option)
    hint = f"; {replacement}" if replacement else (f"; did you mean {near}?" if near and not present else "")
    return f"{option}: {where}{hint}"


def versions(facts: Facts, engine: str) -> tuple[str, ...]:
    """Versions with an option table, the catalogue's and the stack's own."""
    return tables.versions(engine, facts.stack.option_rows.get(engine))


RULES = (
    Rule(
        code="ENG001",
        severity="error",
        title="The engine's version has an option table",
        why="Options come and go with every release; without the table of the exact version nothing can be promised.",
        check=_version,
    ),
    Rule(
        code="ENG002",
        severity="error",
        title="Every argument is an option of the exact version, with a value it takes",
        why="vLLM exits at start on an unknown argument or a wrong choice; argparse prefixes are accepted by it and not by us.",
        check=_options,
    ),
)
