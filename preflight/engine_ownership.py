"""ENG014: options in `extraArgs` that a key of the stack file, or the pod, sets already."""

from collections.abc import Iterator

from components.engines.base import Engine
from preflight.engine_facts import Extra, Tables, engine_path, without
from preflight.rule import Facts, Finding, Remedy, Rule


def _set_twice(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        engine = workload.engine
        for extra in shared.extras(workload):
            path = engine_path(workload, "extraArgs", extra.index)
            name = extra.listed or ""
            dropped = without(workload, extra)
            if name in engine.DECIDED:
                yield Finding(
                    path=path,
                    message=f"{extra.name} is decided by {engine.DECIDED[name]}",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(dropped,)),),
                )
                continue
            field, value = _typed(engine, name, extra)
            if field is None or (extra.dotted and field not in engine.model_fields_set):
                continue
            key = engine.key_name(field)
            given = "twice" if field in engine.model_fields_set else "where memory and parallelism rules don't look"
            moved = (engine_path(workload, key), value)
            move = Remedy(text=f"set {key}: {_yaml(value)} instead", changes=(dropped, moved))
            yield Finding(
                path=path,
                message=f"{extra.name} sets the option of the key {key} {given}",
                remedies=(*(() if extra.dotted else (move,)), Remedy(text=f"use the key {key} instead")),
            )


def _typed(engine: Engine, name: str, extra: Extra) -> tuple[str | None, object]:
    """The field that `extra` sets, and the value that its key would have."""
    fields = {engine.option_name(one): one for one in type(engine).model_fields if one not in Engine.model_fields}
    for positive in (name, name.replace("--no-", "--", 1), name.replace("--disable-", "--enable-", 1)):
        if positive in fields:
            if not extra.values:
                return fields[positive], positive == name
            value = list(extra.values) if positive == "--served-model-name" else _number(extra.values[0])
            return fields[positive], value
    return None, None


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


RULES = (
    Rule(
        code="ENG014",
        severity="error",
        title="extraArgs don't set what a key or the pod sets",
        why="Of two values the last on the command line wins, and probes, drain, GPU requests and memory checks know "
        "only the other one.",
        check=_set_twice,
    ),
)
