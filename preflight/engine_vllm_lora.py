"""ENG033, ENG048: LoRA adapters."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_KEYS = ("lora_modules", "max_loras", "max_lora_rank", "max_cpu_loras", "lora_dtype", "fully_sharded_loras")
_VOCABULARY = 258048
"""Most tokens of a vocabulary under LoRA (lora/layers/logits_processor.py, all three versions)."""


def _adapters(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        enable = engine_path(workload, "enableLora")
        set_keys = [engine.key_name(field) for field in _KEYS if getattr(engine, field) is not None]
        if set_keys and not engine.enable_lora:
            yield Finding(
                path=engine_path(workload, set_keys[0]),
                message=f"{', '.join(set_keys)} without enableLora: vLLM serves no adapters",
                remedies=(Remedy(text="set enableLora: true", changes=((enable, True),)),),
                severity=None if "loraModules" in set_keys else "warning",
            )
        if engine.enable_lora:
            yield from _limits(workload, engine)


def _limits(workload: Workload, engine: Vllm) -> Iterator[Finding]:
    slots, kept = engine.max_loras or 1, engine.max_cpu_loras
    if kept is not None and kept < slots:
        path = engine_path(workload, "maxCpuLoras")
        yield Finding(
            path=path,
            message=f"maxCpuLoras {kept} is less than maxLoras {slots}: adapters of the GPU are kept in host memory too",
            remedies=(Remedy(text=f"set maxCpuLoras: {slots}", changes=((path, slots),)),),
        )
    names = [one.name for one in engine.lora_modules or ()]
    taken = [*(engine.served_model_name or [workload.model.name]), *names]
    if twice := sorted({name for name in names if taken.count(name) > 1}):
        yield Finding(
            path=engine_path(workload, "loraModules"),
            message=f"{', '.join(twice)} names two things: clients choose an adapter by its name",
            remedies=(Remedy(text="give each adapter a name of its own, other than the model's"),),
        )
    shape = workload.model.architecture
    if shape is not None and shape.vocab_size > _VOCABULARY:
        path = engine_path(workload, "enableLora")
        yield Finding(
            path=path,
            message=f"{workload.model.id} has {shape.vocab_size:,} tokens, and vLLM takes at most {_VOCABULARY:,} under LoRA",
            remedies=(Remedy(text="merge the adapter into the model's weights, and remove enableLora"),),
        )


def _unpinned(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        for index, one in enumerate(engine.lora_modules or ()):
            model = facts.stack.models[one.model]
            path = engine_path(workload, "loraModules", index, "model")
            if model.storage_uri is not None:
                yield Finding(
                    path=path,
                    message=f"adapter {one.name} is in {model.storage_uri}: vLLM reads adapters from folders and from the Hub only",
                    remedies=(Remedy(text="keep the adapter on a volume, beside the model's weights"),),
                    severity="error",
                )
            elif model.volume is None:
                yield Finding(
                    path=path,
                    message=f"adapter {one.name} is downloaded from {model.id} without a revision: vLLM has no option for one, so the "
                    "next pod may get other weights",
                    remedies=(Remedy(text="keep model and adapter on a volume, which is filled at their revisions"),),
                )


RULES = (
    Rule(
        code="ENG033",
        severity="error",
        title="LoRA options fit together",
        why='Adapters fail to load with "LoRA is not enabled" (v1/worker/lora_model_runner_mixin.py); "max_cpu_loras (..) must be >= '
        'max_loras" (config/lora.py); "When using LoRA, vocab size must be <= 258048" (lora/layers/logits_processor.py).',
        check=_adapters,
    ),
    Rule(
        code="ENG048",
        severity="warning",
        title="LoRA adapters are pinned",
        why="vLLM downloads an adapter with snapshot_download(repo_id) and no revision (lora/utils.py, get_adapter_absolute_path).",
        check=_unpinned,
    ),
)
