"""ENG001, ENG002, ENG014: the engine's version, its options, and who sets them."""

import json
import re
from collections.abc import Iterator

from catalog import options as tables
from components.resolved import Workload
from preflight.engine_facts import Extra, Table, Tables, engine_path, without
from preflight.rule import Facts, Finding, Path, Remedy, Rule

_HUMAN = re.compile(r"\d+|\d+(\.\d+)?[kKmMgGtT]")


def _version(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        engine = workload.engine
        if shared.of(workload) is not None or engine.version.lower() in ("latest", "nightly"):
            continue
        known = tables.versions(engine.name, facts.stack.option_rows.get(engine.name))
        if not known:
            continue
        path = engine_path(workload, "version")
        yield Finding(
            path=path,
            message=f"{engine.name} {engine.version} has no option table, so its options can't be checked; there are "
            f"{', '.join(known)}",
            remedies=(
                Remedy(text=f"set version: {known[-1]}", changes=((path, known[-1]),)),
                Remedy(
                    text=f"move to one of those, or describe it in catalog.engineVersions.{engine.name}, as like one of them with "
                    "differences"
                ),
            ),
        )


def _options(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        table = shared.of(workload)
        if table is None:
            continue
        own = facts.stack.option_rows.get(workload.engine.name)
        for argument in workload.engine.arguments(workload.launch, own):
            if not argument.option:
                continue
            path = engine_path(workload, argument.key)
            remedies = (Remedy(text=f"remove {argument.key}", changes=((path, None),)),)
            if argument.option in table:
                yield from _values(workload, argument.option, argument.values, table, path, remedies)
            else:
                yield Finding(path=path, message=_absent(facts, workload, argument.option), remedies=remedies)
        for extra in shared.extras(workload):
            yield from _extra(facts, workload, extra, table)


def _extra(facts: Facts, workload: Workload, extra: Extra, table: Table) -> Iterator[Finding]:
    path = engine_path(workload, "extraArgs", extra.index)
    remedies = (Remedy(text=f"remove {extra.name} from extraArgs", changes=(without(workload, extra),)),)
    if not extra.name.startswith("-"):
        yield Finding(
            path=path,
            message=f"{extra.name!r} is no option, and no option before it takes it as a value",
            remedies=remedies,
        )
        return
    if extra.listed is None:
        yield Finding(path=path, message=_absent(facts, workload, extra.name), remedies=remedies)
        return
    option = table[extra.listed]
    if option.nargs == 0:
        if extra.equals:
            yield Finding(path=path, message=f"{extra.name} is a flag and takes no value", remedies=remedies)
        return
    if not extra.values and option.nargs not in ("*", "?"):
        yield Finding(path=path, message=f"{extra.name} needs a value", remedies=remedies)
    if not extra.dotted:
        yield from _values(workload, extra.listed, extra.values, table, path, remedies)


def _values(
    workload: Workload, name: str, values: tuple[str, ...], table: Table, path: Path, remedies: tuple[Remedy, ...]
) -> Iterator[Finding]:
    option = table[name]
    for value in values:
        if option.choices and value not in option.choices:
            yield Finding(
                path=path,
                message=f"{name} of {workload.engine.name} {workload.engine.version} doesn't take {value!r}; it "
                f"takes {', '.join(option.choices)}",
                remedies=remedies,
            )
        elif wanted := _misread(option.type, value):
            yield Finding(path=path, message=f"{name} takes {wanted}, not {value!r}", remedies=remedies)


def _misread(kind: str, value: str) -> str | None:
    """What the parser's conversion takes, where it fails on `value`."""
    match kind:
        case "int":
            return None if re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", value) else "a whole number"
        case "float":
            try:
                float(value)
            except ValueError:
                return "a number"
        case "human_readable_int":
            return None if _HUMAN.fullmatch(value) else "a whole number such as 8192 or 8k"
        case "human_readable_int_or_auto":
            return (
                None
                if value in ("auto", "-1") or _HUMAN.fullmatch(value)
                else "a whole number such as 8192 or 8k, or auto"
            )
        case "loads":
            try:
                json.loads(value)
            except ValueError:
                return "JSON"
    return None


def _absent(facts: Facts, workload: Workload, option: str) -> str:
    engine = workload.engine
    own = facts.stack.option_rows.get(engine.name)
    plain = option if engine.EXACT_OPTIONS else option.partition(".")[0].replace("_", "-")
    present, _ = tables.absent(engine.name, plain, own)
    if present:
        where = f"present in {', '.join(present)}, absent in {engine.version}"
    else:
        where = f"{engine.name} {engine.version} has no such option"
    if replacement := tables.replacements(engine.name).get(plain):
        return f"{option}: {where}; {replacement}"
    near = tables.nearest(engine.name, engine.version, plain, own)
    return f"{option}: {where}" + (f"; did you mean {near}?" if near else "")


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
        why="Engines exit at start on an unknown argument, a wrong choice or a value that doesn't convert (argparse, clap and click; "
        "option tables made from each release). Abbreviated options, which argparse accepts while they are unique, are refused: the "
        "next release may make them ambiguous.",
        check=_options,
    ),
)
