"""ENG014: options in `extraArgs` that a key of the stack file, or the pod, sets already."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from components.engines.vllm import Vllm, option_name
from preflight.engine_facts import Extra, Tables, engine_path, without
from preflight.rule import Facts, Finding, Remedy, Rule

_FIELDS = {
    option_name(field): field
    for field in Vllm.model_fields
    if field not in {"name", "version", "image", "image_digest", "extra_args"}
}
_DECIDED = {
    "--model": "the model of the workload",
    "--revision": "the revision in the models section",
    "--host": "the pod, whose probes need the default",
    "--port": "the pod, whose probes and Service use it",
    "--uds": "the pod, whose probes need a TCP port",
    "--ssl-keyfile": "the pod, whose probes speak plain HTTP",
    "--ssl-certfile": "the pod, whose probes speak plain HTTP",
    "--shutdown-timeout": "drain.shutdownTimeoutSeconds",
    "--download-dir": "the pod, where only its cache folder is writable",
    "--nnodes": "the kind of workload: a pod of a Deployment runs alone",
    "--node-rank": "the kind of workload: a pod of a Deployment runs alone",
    "--master-addr": "the kind of workload: a pod of a Deployment runs alone",
    "--headless": "the kind of workload: such a server has no API",
    "--data-parallel-size-local": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-start-rank": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-rank": "dataParallelSize: all its ranks run in the pod",
    "--data-parallel-address": "dataParallelSize: all its ranks run in the pod",
}
"""Options that follow from the rest of the stack; a second value would fight with probes, drain or the number of GPUs."""


def _set_twice(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        for extra in shared.extras(workload):
            path = engine_path(workload, "extraArgs", extra.index)
            name = extra.listed or ""
            if name in _DECIDED:
                yield Finding(
                    path=path,
                    message=f"{extra.name} is decided by {_DECIDED[name]}",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(without(workload, extra),)),),
                )
                continue
            positive, value = _typed(name, extra)
            if positive is None or not isinstance(workload.engine, Vllm):
                continue
            key = to_camel(_FIELDS[positive])
            given = (
                "twice"
                if _FIELDS[positive] in workload.engine.model_fields_set
                else "where memory and parallelism rules don't look"
            )
            moved = (engine_path(workload, key), value)
            yield Finding(
                path=path,
                message=f"{extra.name} sets the option of the key {key} {given}",
                remedies=(
                    Remedy(text=f"set {key}: {_yaml(value)} instead", changes=(without(workload, extra), moved)),
                    Remedy(text=f"use the key {key} instead"),
                ),
            )


def _typed(name: str, extra: Extra) -> tuple[str | None, object]:
    """The positive option of a typed key that `extra` sets, and the value that the key would have."""
    if extra.dotted:
        return None, None
    for positive in (name, name.replace("--no-", "--", 1), name.replace("--disable-", "--enable-", 1)):
        if positive in _FIELDS:
            if not extra.values:
                return positive, positive == name
            value = list(extra.values) if positive == "--served-model-name" else _number(extra.values[0])
            return positive, value
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
