"""KServe's Hugging Face runtime: ENG090, ENG091, and what the rules for every engine say of it."""

from typing import Any

from tests.preflight.case import Case
from tests.preflight.cases_kserve import kserve, second

BIG = {"nodeGroups": {"gpu": {"instanceTypes": ["g6e.12xlarge"]}}}


def runtime(patch: dict[str, Any] | None = None, /, **options: Any) -> dict[str, Any]:
    """The workload on the Hugging Face runtime."""
    engine = {"name": "huggingface", "version": "0.20.0", **options}
    return {"workloads": {"chat": {"engine": engine}}, **(patch or {})}


CASES = [
    Case(
        code="ENG090",
        breaks=runtime(BIG, pipelineParallelSize=4),
        says=("every GPU of the pod (4)", "it would need 16"),
        remedy="remove pipelineParallelSize, and set tensorParallelSize: 4",
        passes=runtime(BIG, tensorParallelSize=4),
    ),
    Case(
        code="ENG090",
        breaks=runtime(BIG, prefillContextParallelSize=2),
        says=("prefillContextParallelSize 2",),
        remedy="remove prefillContextParallelSize, and set tensorParallelSize: 2",
        passes=runtime(BIG, tensorParallelSize=2, decodeContextParallelSize=1),
    ),
    Case(
        code="ENG091",
        breaks=runtime(servedModelName=["meta-llama/chat"]),
        says=("no part of a path",),
        remedy="set servedModelName: [chat]",
        passes=runtime(servedModelName=["chat"]),
    ),
    Case(
        code="ENG091",
        breaks=runtime(servedModelName=["chat", "other"]),
        says=("clients that send other get an error",),
        remedy="set servedModelName: [chat]",
        passes=runtime(servedModelName=["chat"]),
    ),
    Case(
        code="ENG002",
        breaks=runtime(defaultChatTemplateKwargs={"enable_thinking": False}),
        says=("huggingface 0.20.0",),
        remedy="remove defaultChatTemplateKwargs",
        passes=runtime(reasoningParser="qwen3"),
    ),
    Case(code="ENG002", breaks=runtime(extraArgs=["--api_key=x"]), passes=runtime(extraArgs=["--disable_lower_case"])),
    Case(
        code="ENG014",
        breaks=runtime(extraArgs=["--workers=2"]),
        says=("one server process",),
        remedy="remove --workers from extraArgs",
        passes=runtime(),
    ),
    Case(
        code="ENG031",
        breaks=runtime(toolCallParser="hermess"),
        says=("vLLM 0.24.0 has no toolCallParser hermess",),
        remedy="set toolCallParser: hermes",
        passes=runtime(toolCallParser="hermes"),
    ),
    Case(
        code="SEC007",
        breaks=runtime(),
        says=("vllm 0.24.0 in the image of huggingface 0.20.0",),
        passes={"workloads": {"chat": {"engine": {"version": "0.33.0"}}}},
    ),
    Case(
        code="KSV012",
        breaks=kserve(engine={"name": "huggingface", "version": "0.20.0", "servedModelName": ["llama"]}),
        says=("llama",),
        remedy="set workloads.chat.engine.servedModelName: ['chat']",
        passes=kserve(engine={"name": "huggingface", "version": "0.20.0"}),
    ),
    Case(
        code="KSV003",
        breaks=kserve(second(runtime="vllm-0-33-0", engine={"name": "huggingface", "version": "0.20.0"})),
        says=("their images are",),
        passes=kserve(second(engine={"name": "huggingface", "version": "0.20.0"})),
    ),
]
