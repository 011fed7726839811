"""KSV026-KSV029, KSV050: copies of an LLMInferenceService that only prefill."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.resolved import Workload
from components.resolved_kserve import splits
from preflight.engine_facts import engine_path
from preflight.kserve_llm import llm_services
from preflight.parallelism_shape import size_path
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_DECIDED = ("VLLM_NIXL_SIDE_CHANNEL_HOST",)
_LAYOUT, _MOVABLE = "VLLM_SSM_CONV_STATE_LAYOUT", "DS"


def _split(facts: Facts) -> Iterator[tuple[Workload, Path, Remedy]]:
    """Workloads with such copies, the path of the key, and what takes it away."""
    for workload, _ in llm_services(facts):
        if splits(workload):
            path = workload_path(workload, "prefill")
            yield (
                workload,
                path,
                Remedy(text="remove prefill: every copy prefills and decodes", changes=((path, None),)),
            )


def _scheduler(facts: Facts) -> Iterator[Finding]:
    for workload, path, without in _split(facts):
        router = workload.settings.router
        if router is not None and router.scheduler:
            continue
        key = workload_path(workload, "router", "scheduler")
        add = Remedy(text=f"set workloads.{workload.name}.router.scheduler: true", changes=((key, True),))
        yield Finding(
            path=path,
            message=f"only the router's scheduler sends requests of {workload.name} to a copy that prefills first, and it has none: every "
            "pod would prefill and decode its own requests",
            remedies=(add, without) if router else (without, _ROUTER_TOO),
        )


_ROUTER_TOO = Remedy(text="add router with its gateway and scheduler: true")


def _one_pod(facts: Facts) -> Iterator[Finding]:
    for workload, path, without in _split(facts):
        size = workload.parallelism
        if workload.group_size > 1:
            yield Finding(
                path=path,
                message=f"a copy of {workload.name} spans {workload.group_size} nodes: prefill is offered for copies of one pod",
                remedies=(without,),
            )
        elif size.pipeline > 1:
            yield Finding(
                path=size_path(workload, "pipeline"),
                message=f"vLLM refuses pipelineParallelSize {size.pipeline} where KV cache is taken from other copies",
                remedies=(without, Remedy(text="use tensorParallelSize instead")),
            )
        elif size.prefill_context > 1:
            key = engine_path(workload, "prefillContextParallelSize")
            yield Finding(
                path=key,
                message=f"vLLM refuses prefillContextParallelSize {size.prefill_context} where KV cache is taken from other copies",
                remedies=(
                    Remedy(text="remove prefillContextParallelSize", changes=((key, None),)),
                    without,
                ),
            )


def _decided(facts: Facts) -> Iterator[Finding]:
    for workload, _, _ in _split(facts):
        given = facts.inputs.config.workloads[workload.name].engine
        if isinstance(given, Vllm) and given.kv_transfer_config is not None:
            key = engine_path(workload, "kvTransferConfig")
            yield Finding(
                path=key,
                message="prefill decides kvTransferConfig: NixlConnector, on each side with its own role",
                remedies=(Remedy(text="remove kvTransferConfig", changes=((key, None),)),),
            )
        for name in _DECIDED:
            if name in workload.env:
                place = workload_path(workload, "env", name)
                yield Finding(
                    path=place,
                    message=f"prefill decides {name}: the address of each pod",
                    remedies=(Remedy(text=f"remove {name}", changes=((place, None),)),),
                )


def _layout(facts: Facts) -> Iterator[Finding]:
    for workload, _, without in _split(facts):
        shape = workload.model.architecture
        if shape is None or shape.linear_attention is None or workload.env.get(_LAYOUT) == _MOVABLE:
            continue
        key = workload_path(workload, "env", _LAYOUT)
        yield Finding(
            path=key,
            message=f"{shape.linear_attention.layers} layers of {workload.model.id} keep a state instead of keys and values, and NIXL "
            f"moves it in the layout {_MOVABLE} only, which isn't the default",
            remedies=(Remedy(text=f"set env {_LAYOUT}: {_MOVABLE}", changes=((key, _MOVABLE),)), without),
        )


def _library(facts: Facts) -> Iterator[Finding]:
    for workload, path, _ in _split(facts):
        if not workload.replicas:
            continue
        image = workload.engine.image_reference()
        yield Finding(
            path=path,
            message=f"the KV cache between copies of {workload.name} goes through NIXL, and nobody looked whether {image} has it; without "
            f'it vLLM exits with "NIXL is not available"; to look: docker run --rm --entrypoint python3 {image} -c "import nixl"',
            remedies=(Remedy(text="look, and allow KSV029 for this workload"),),
        )


_KSERVE = "kserve 1fb7810 (v0.20.0), pkg/controller/v1alpha2/llmisvc"
_ROUTER = "llm-d/llm-d-router v0.9.0 (5f4e762)"
_VLLM = "vllm 0.29.0, 0.32.0 and 0.33.0, distributed/kv_transfer/kv_connector/v1/nixl"

RULES = (
    Rule(
        code="KSV026",
        severity="error",
        title="Copies that only prefill have a scheduler that sends them prompts",
        why="The sidecar of a pod that decodes asks another to prefill only where the header x-prefiller-host-port says which "
        f"({_ROUTER}, pkg/sidecar/proxy/chat_completions.go), and only the scheduler's disagg-profile-handler writes it (pkg/epp); KServe "
        f"configures that one with the scheduler ({_KSERVE}/scheduler.go, schedulerConfigText). The Service picks any pod (workload.go, "
        "GetWorkloadLabelSelector). Read 2026-11-23.",
        check=_scheduler,
    ),
    Rule(
        code="KSV027",
        severity="error",
        title="Copies that share prefill and decode are one pod each, without pipeline stages",
        why='vLLM exits with "consumer (decode) does not support pipeline_parallel_size > 1" and "Consumers and kv_both require '
        f'prefill_context_parallel_size=1" ({_VLLM}/base_worker.py, connector.py). Copies that span nodes have '
        f"pipeline stages here (KSV022), and KServe's charts have no presets for those ({_KSERVE}/config_merge.go). Read 2026-11-23.",
        check=_one_pod,
    ),
    Rule(
        code="KSV028",
        severity="error",
        title="What moves KV cache between the copies is set by prefill alone",
        why=f"Roles differ between the two sides (kv_both is deprecated: {_VLLM}/connector.py); the sidecar speaks NIXL's protocol "
        f"({_ROUTER}, connector_nixlv2.go); a copy gives others the address of VLLM_NIXL_SIDE_CHANNEL_HOST, localhost by default "
        "(base_scheduler.py). In extraArgs: ENG014. Read 2026-11-23.",
        check=_decided,
    ),
    Rule(
        code="KSV029",
        severity="notice",
        title="The engine's image has NIXL",
        why=f"Without it every pod ends with \"NIXL is not available\" ({_VLLM}/base_worker.py); vLLM's wheel doesn't depend on it "
        "(METADATA of 0.33.0). What the official images were built with isn't known here. Read 2026-11-23.",
        check=_library,
    ),
    Rule(
        code="KSV050",
        severity="error",
        title="States of linear attention have the layout that NIXL moves",
        why='vLLM exits with "3-read Mamba conv transfer requires DS conv state layout. Set VLLM_SSM_CONV_STATE_LAYOUT=DS" '
        f"({_VLLM}/base_worker.py; the default is SD: model_executor/layers/mamba/mamba_utils.py). Read 2026-11-23.",
        check=_layout,
    ),
)
