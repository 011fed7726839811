"""ENG030, ENG031, ENG032, ENG043: what vLLM reads after its parser: keys of JSON options, names, parsers that need each other."""

import difflib
from collections.abc import Iterator, Mapping

from pydantic.alias_generators import to_camel

from catalog.vllm_details import VllmDetails, details
from components.engines.vllm_engine import VllmEngine
from components.engines.vllm_json import JsonOption
from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, vllm_engines, without
from preflight.rule import Facts, Finding, Remedy, Rule

_NAMED = ("tool_call_parser", "reasoning_parser", "load_format")


def known_details(facts: Facts, workload: Workload) -> VllmDetails | None:
    """What is known of the workload's version."""
    engine = workload.engine
    return details(engine.version, facts.stack.option_rows.get(engine.name), engine.name)


def _keys(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_engines(facts):
        known = known_details(facts, workload)
        if known is None:
            continue
        for extra in shared.extras(workload):
            allowed = known.keys.get(extra.listed or "") if extra.dotted else None
            name = extra.name.split(".")[1].rstrip("+").replace("-", "_") if extra.dotted else ""
            if allowed is not None and name not in allowed:
                yield Finding(
                    path=engine_path(workload, "extraArgs", extra.index),
                    message=f"{extra.listed} of vLLM {engine.release} has no key {name}",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(without(workload, extra),)),),
                )
        for field in type(engine).model_fields:
            value = getattr(engine, field)
            allowed = known.keys.get(engine.option_name(field))
            if isinstance(value, JsonOption) and allowed is not None:
                yield from _option(workload, engine, field, value, allowed)


def _option(
    workload: Workload, engine: VllmEngine, field: str, value: JsonOption, allowed: Mapping[str, tuple[str, ...] | None]
) -> Iterator[Finding]:
    for name in sorted(value.model_fields_set):
        given = getattr(value, name)
        if given is None:
            continue
        path = engine_path(workload, engine.key_name(field), to_camel(name))
        remedies = (Remedy(text=f"remove {to_camel(name)}", changes=((path, None),)),)
        option = engine.option_name(field)
        if name not in allowed:
            message = f"{option} of vLLM {engine.release} has no key {name}"
            yield Finding(path=path, message=message, remedies=remedies)
        elif (choices := allowed[name]) and isinstance(given, str) and given not in choices:
            message = (
                f"{name} of {option} in vLLM {engine.release} doesn't take {given!r}; it takes {', '.join(choices)}"
            )
            yield Finding(path=path, message=message, remedies=remedies)


def _names(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_engines(facts):
        known = known_details(facts, workload)
        if known is None:
            continue
        plugins = any("parser-plugin" in word for word in engine.extra_args)
        for field in _NAMED:
            given, names = getattr(engine, field), known.names[engine.option_name(field)]
            ours = given is None or given in names or (plugins and field != "load_format")
            if ours or (field == "reasoning_parser" and given.lower() in ("none", "")):
                continue
            yield _unknown(workload, engine, (engine.key_name(field),), given, names)
        config = engine.kv_transfer_config
        if config and config.kv_connector not in known.connectors and config.kv_connector_module_path is None:
            path = ("kvTransferConfig", "kvConnector")
            yield _unknown(workload, engine, path, config.kv_connector, known.connectors)


def _unknown(
    workload: Workload, engine: VllmEngine, keys: tuple[str, ...], given: str, names: frozenset[str]
) -> Finding:
    path = engine_path(workload, *keys)
    near = difflib.get_close_matches(given, sorted(names), n=1, cutoff=0.6)
    return Finding(
        path=path,
        message=f"vLLM {engine.release} has no {keys[-1]} {given}; it has {', '.join(sorted(names))}",
        remedies=(
            *(Remedy(text=f"set {keys[-1]}: {name}", changes=((path, name),)) for name in near),
            Remedy(text=f"remove {keys[0]}", changes=((engine_path(workload, keys[0]), None),)),
        ),
    )


def _tools(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_engines(facts):
        extras = {extra.listed for extra in shared.extras(workload)}
        if not engine.enable_auto_tool_choice or engine.tool_call_parser or "--tool-call-parser" in extras:
            continue
        path = engine_path(workload, "enableAutoToolChoice")
        yield Finding(
            path=path,
            message="enableAutoToolChoice needs toolCallParser, which says how the model writes tool calls",
            remedies=(
                Remedy(text="set toolCallParser to the model's, for example hermes or llama3_json"),
                Remedy(text="remove enableAutoToolChoice", changes=((path, None),)),
            ),
        )


def _structured(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_engines(facts):
        config = engine.structured_outputs_config
        if config is None:
            continue
        backend = config.backend or "auto"
        rows = (
            ("disableAnyWhitespace", config.disable_any_whitespace, ("xgrammar", "guidance")),
            ("disableAdditionalProperties", config.disable_additional_properties, ("guidance",)),
        )
        for key, given, backends in rows:
            if not given or backend in backends:
                continue
            section = ("structuredOutputsConfig",)
            yield Finding(
                path=engine_path(workload, *section, key),
                message=f"{key} works with backend {' or '.join(backends)} only, and backend is {backend}",
                remedies=(
                    Remedy(
                        text=f"set backend: {backends[0]}",
                        changes=((engine_path(workload, *section, "backend"), backends[0]),),
                    ),
                    Remedy(text=f"remove {key}", changes=((engine_path(workload, *section, key), None),)),
                ),
            )


RULES = (
    Rule(
        code="ENG030",
        severity="error",
        title="Every key of a JSON option exists in the exact version",
        why="The parser takes the JSON, and the configuration class then refuses an unknown key or value (pydantic; fields read "
        "from each release's wheel by catalog/read_vllm_wheel.py).",
        check=_keys,
    ),
    Rule(
        code="ENG031",
        severity="error",
        title="Parsers, load format and KV connector exist in the exact version",
        why='vLLM exits with "invalid tool call parser", "Load format .. is not supported" or "Unsupported connector type" '
        "(entrypoints/common/cli_args.py, model_executor/model_loader, kv_connector/factory.py).",
        check=_names,
    ),
    Rule(
        code="ENG032",
        severity="error",
        title="Tools that the model calls by itself have a parser",
        why='vLLM exits with "--enable-auto-tool-choice requires --tool-call-parser" (entrypoints/common/cli_args.py, '
        "validate_parsed_serve_args).",
        check=_tools,
    ),
    Rule(
        code="ENG043",
        severity="error",
        title="Options of structured outputs fit their backend",
        why='vLLM exits with "disable_any_whitespace is only supported for xgrammar and guidance backends" '
        "(config/structured_outputs.py).",
        check=_structured,
    ),
)
