"""Ways to make a model fit, each with the change it means. Pure."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.engines.vllm_engine import DEFAULT_UTILIZATION
from components.resolved import Workload
from preflight.parallelism_shape import other_sizes
from preflight.rule import Remedy, workload_path


def more_gpus(workload: Workload) -> tuple[Remedy, ...]:
    """Larger tensor-parallel sizes that the model's shape and the node allow, smallest first."""
    return other_sizes(workload, larger_only=True)


def larger_share(workload: Workload) -> Iterator[Remedy]:
    """More of the GPU for vLLM, up to 0.95: the rest is for the CUDA context and fragmentation."""
    now = getattr(workload.engine, "gpu_memory_utilization", None) or DEFAULT_UTILIZATION
    path = workload_path(workload, "engine", "gpuMemoryUtilization")
    for value in (0.92, 0.95):
        if now < value:
            yield Remedy(text=f"set gpuMemoryUtilization: {value:.2f}", changes=((path, value),))


def shorter_context(workload: Workload) -> Iterator[Remedy]:
    """The longest context of which one request fits, in steps of 256 tokens."""
    if workload.memory is None:
        return
    largest = workload.memory.largest_max_model_len // 256 * 256
    if largest >= 512:
        path = workload_path(workload, "engine", "maxModelLen")
        yield Remedy(text=f"set maxModelLen: {largest}", changes=((path, largest),))


def online_quantization(workload: Workload) -> Iterator[Remedy]:
    """Half the weights: FP8 made from a plain checkpoint at load."""
    engine = workload.engine
    if isinstance(engine, Vllm) and workload.model.quantization == "none" and not engine.quantization:
        path = workload_path(workload, "engine", "quantization")
        yield Remedy(text="set quantization: fp8 (8-bit weights, made at load)", changes=((path, "fp8"),))


def smaller_model() -> Remedy:
    """Advice where no change to this file helps."""
    return Remedy(text="use GPUs with more memory, or a quantized checkpoint of the model")
