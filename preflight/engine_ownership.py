"""ENG014: options in `extraArgs` that a key of the stack file, or the pod, sets already."""

import json
from collections.abc import Iterator

from pydantic import ValidationError

from components.engines.base import Engine
from components.resolved import Workload
from components.resolved_kserve import splits
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
            if by := _decided(workload, name):
                yield Finding(
                    path=path,
                    message=f"{extra.name} is decided by {by}",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(dropped,)),),
                )
                continue
            field, value = _typed(engine, name, extra)
            if field is None or (extra.dotted and field not in engine.model_fields_set):
                continue
            key = engine.key_name(field)
            twice = field in engine.model_fields_set
            given = "twice" if twice else "where the rules for that key don't look"
            moved = (engine_path(workload, key), value)
            move = Remedy(text=f"set {key}: {_yaml(value)} instead", changes=(dropped, moved))
            yield Finding(
                path=path,
                message=f"{extra.name} sets the option of the key {key} {given}",
                remedies=(*(() if extra.dotted else (move,)), Remedy(text=f"use the key {key} instead")),
                severity="error" if twice or _counts(workload, key, value) else "warning",
            )


def _decided(workload: Workload, name: str) -> str | None:
    if splits(workload) and name == "--kv-transfer-config":
        return "prefill: its pods produce KV cache, the others take it"
    return workload.engine.DECIDED.get(name)


def _counts(workload: Workload, key: str, value: object) -> bool:
    """The key would change what we compute for the pod: GPUs, GPU memory, host memory or start-up."""
    engine = workload.engine
    given = engine.model_dump(by_alias=True, exclude_unset=True)
    try:
        moved = type(engine).model_validate({**given, key: value}, by_alias=True, by_name=False)
    except ValidationError:
        return True
    return _computed(workload, engine) != _computed(workload, moved)


def _computed(workload: Workload, engine: Engine) -> tuple[object, ...]:
    shape, gpu = workload.model.architecture, workload.node_group.gpu
    return (
        engine.parallelism(),
        engine.is_eager(),
        engine.host_bytes(shape, workload.model.weights_size),
        engine.shared_memory_bytes(),
        engine.usable_gib(1.0),
        engine.quantized_at_load(),
        engine.memory(shape, gpu, None, workload.referenced) if shape and gpu else None,
    )


def _typed(engine: Engine, name: str, extra: Extra) -> tuple[str | None, object]:
    """The field that `extra` sets, and the value that its key would have."""
    fields = {engine.option_name(one): one for one in type(engine).model_fields if one not in Engine.model_fields}
    for positive in (name, name.replace("--no-", "--", 1), name.replace("--disable-", "--enable-", 1)):
        if positive in fields:
            if not extra.values:
                return fields[positive], positive == name
            value = list(extra.values) if positive == "--served-model-name" else _plain(extra.values[0])
            return fields[positive], value
    return None, None


def _plain(text: str) -> object:
    """A word of the command line as the stack file has it: numbers and JSON as such."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | dict | list) else text


def _yaml(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


RULES = (
    Rule(
        code="ENG014",
        severity="error",
        title="extraArgs don't set what a key or the pod sets",
        why="Of two values the last on the command line wins, and probes, drain, GPU requests and memory checks know "
        "only the other one. A warning where nothing that is computed for the pod depends on the option.",
        check=_set_twice,
    ),
)
