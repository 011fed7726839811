"""RAY004-RAY006: what Ray Serve LLM takes of a model."""

from collections.abc import Iterator

from catalog import options as tables
from catalog.ray import http_server_options, not_engine_arguments
from components.engines.vllm import Vllm
from components.ray_engine import RAY_DECIDES
from components.resolved import Workload
from preflight.engine_facts import Table, Tables, engine_path
from preflight.placement_nodes import setting
from preflight.ray_releases import SERVICE, ray_workloads
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path


def _shapes(facts: Facts) -> Iterator[Finding]:
    for workload, _ in ray_workloads(facts):
        size = workload.parallelism
        for axis, key, ranks in (
            ("data", "dataParallelSize", size.data),
            ("prefill_context", "prefillContextParallelSize", size.prefill_context),
        ):
            if ranks == 1 or not isinstance(workload.engine, Vllm):
                continue
            path = engine_path(workload, key)
            copies = workload_path(workload, "replicas")
            more = (
                Remedy(
                    text=f"set {key}: 1 and replicas: {workload.replicas * ranks}",
                    changes=((path, 1), (copies, workload.replicas * ranks)),
                ),
            )
            yield Finding(
                path=path,
                message=f"Ray reserves tensor x pipeline GPUs for each copy of {workload.name}, {size.tensor} x {size.pipeline}, and "
                f"{key} {ranks} needs {size.ranks}",
                remedies=(*(more if axis == "data" else ()), setting(path, 1)),
            )


def _arguments(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, settings in ray_workloads(facts):
        engine, table = workload.engine, shared.of(workload)
        if not isinstance(engine, Vllm) or workload.kind != SERVICE:
            continue
        if engine.extra_args:
            yield Finding(
                path=engine_path(workload, "extraArgs"),
                message="extraArgs are words of a command line, and Ray Serve LLM starts vLLM without one",
                remedies=(Remedy(text="move them to engineKwargs, such as {mm_processor_cache_gb: 8}"),),
            )
        typed = set(engine.options())
        for name in sorted(typed & (not_engine_arguments() | {"lora_modules"})):
            path = engine_path(workload, engine.key_name(name))
            instead = "lora" if name == "lora_modules" else "nothing: Ray Serve has its own"
            yield Finding(
                path=path,
                message=f"Ray Serve LLM doesn't take {path[-1]}; instead of it there is {instead}",
                remedies=(Remedy(text=f"remove {path[-1]}", changes=((path, None),)),),
            )
        if len(engine.served_model_name or ()) > 1:
            path = engine_path(workload, "servedModelName")
            first = (engine.served_model_name or [""])[0]
            yield Finding(
                path=path,
                message=f"Ray Serve LLM gives a model one name, and servedModelName has {len(engine.served_model_name or ())}",
                remedies=(setting(path, [first]),),
            )
        for name in settings.engine_kwargs:
            path = workload_path(workload, "engineKwargs", name)
            problem = _refused(name, workload, typed, table)
            if problem:
                yield Finding(
                    path=path, message=problem, remedies=(Remedy(text=f"remove {name}", changes=((path, None),)),)
                )


def _refused(name: str, workload: Workload, typed: set[str], table: Table | None) -> str | None:
    engine = workload.engine
    if name in RAY_DECIDES:
        return f"{name} is decided by {RAY_DECIDES[name]}"
    if name in typed or name in type(engine).model_fields:
        return f"{name} has a typed key: engine.{engine.key_name(name)}"
    if name in http_server_options():
        return f"{name} is for the HTTP server of `vllm serve`, which doesn't run under Ray Serve"
    if name in not_engine_arguments():
        return f"{name} is an option of `vllm serve` alone, no engine argument"
    option = engine.option_name(name)
    if table is not None and option not in table:
        near = tables.nearest(engine.name, engine.version, option)
        meant = f"; did you mean {near.removeprefix('--').replace('-', '_')}?" if near else ""
        return f"vllm {engine.version} has no engine argument {name}{meant}"
    return None


def _storage(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        if workload.model.storage_uri:
            yield Finding(
                path=("models", workload.model.name, "storageUri"),
                message=f"{workload.name} runs on Ray, which would copy {workload.model.storage_uri} to every node before vLLM starts, and "
                "nothing here sizes the disks for that",
                remedies=(Remedy(text="read the model from a volume"),),
            )
        if settings.lora and not getattr(workload.engine, "enable_lora", None):
            path = engine_path(workload, "enableLora")
            yield Finding(
                path=workload_path(workload, "lora"),
                message="lora loads adapters by request, and vLLM takes none without enableLora",
                remedies=(setting(path, True),),
            )


_RAY = "ray 2.60.0"

RULES = (
    Rule(
        code="RAY004",
        severity="error",
        title="A copy has tensor x pipeline ranks",
        why=f"build_openai_app reserves so many bundles for each copy ({_RAY}, "
        "llm/_internal/serve/engines/vllm/vllm_models.py, num_devices).",
        check=_shapes,
    ),
    Rule(
        code="RAY005",
        severity="error",
        title="Every engine argument is one that Ray Serve LLM passes on, and this release of vLLM has",
        why=f'The replica fails with "Unknown engine argument" ({_RAY}, llm/_internal/serve/engines/vllm/vllm_models.py, from_llm_config); '
        "options of vLLM's own HTTP server are taken and do nothing.",
        check=_arguments,
    ),
    Rule(
        code="RAY006",
        severity="error",
        title="Ray can load the model and its adapters",
        why="Ray downloads a model from an object store to the cache folder of every node; LoRA is an option of vLLM.",
        check=_storage,
    ),
)
