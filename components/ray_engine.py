"""A workload's engine options as `engine_kwargs` of Ray Serve LLM: the field names of vLLM's AsyncEngineArgs and FrontendArgs. Pure.

Every option of `vllm serve` is a field under the same name with underscores, except those of `catalog.ray.not_engine_arguments` (compared
for vllm 0.29.0, 2026-11-22). Ray sets the model, the served name and the executor itself and refuses others
(ray 2.60.0, llm/_internal/serve/engines/vllm/vllm_models.py, get_initialization_kwargs).
"""

from typing import Any

from components.engines.vllm import Vllm
from components.engines.vllm_engine import CHAT_TEMPLATE
from components.engines.vllm_json import plain
from components.resolved import Workload

RAY_DECIDES = {
    "model": "the model of the workload",
    "served_model_name": "the model's name, or the first of engine.servedModelName",
    "distributed_executor_backend": "Ray",
    "tensor_parallel_size": "engine.tensorParallelSize",
    "pipeline_parallel_size": "engine.pipelineParallelSize",
    "revision": "the revision in the models section",
}
"""Engine arguments that follow from the rest of the stack, and from what."""


def engine_kwargs(workload: Workload) -> dict[str, Any]:
    """Typed options that the stack file sets, then `engineKwargs`; nothing for an engine that Ray Serve LLM doesn't have."""
    engine = workload.engine
    if not isinstance(engine, Vllm):
        return {}
    typed = {name: _value(name, value, workload) for name, value in engine.options().items()}
    revision = {"revision": workload.launch.revision} if workload.launch.revision else {}
    return {**revision, **typed, **workload.settings.engine_kwargs}


def _value(name: str, value: Any, workload: Workload) -> Any:
    launch = workload.launch
    if name == "chat_template" and workload.engine.files(launch):
        return f"{launch.files_dir}/{CHAT_TEMPLATE}"
    return plain(value, launch)
