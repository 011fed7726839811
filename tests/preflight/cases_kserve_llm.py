"""KSV020-KSV025: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case, merged

PLATFORM: dict[str, Any] = {
    "kserve": {"llmInferenceServices": True, "gatewayApi": True},
    "certManager": {},
    "leaderWorkerSet": {},
}
LLM: dict[str, Any] = {
    "platform": PLATFORM,
    "workloads": {"chat": {"kind": "LLMInferenceService", "rollout": "surge"}},
}
NODES: dict[str, Any] = {"tensorParallelSize": 8, "pipelineParallelSize": 2}
ROUTER: dict[str, Any] = {"gateway": {"name": "inference", "namespace": "gateways"}}


def llm(patch: dict[str, Any] | None = None, **chat: Any) -> dict[str, Any]:
    """An LLMInferenceService with weights in a volume; `chat` changes the workload."""
    return merged(merged(LLM, {"workloads": {"chat": chat}}), patch or {})


CASES = [
    Case(
        code="KSV020",
        breaks=llm({"platform": {"kserve": None, "certManager": None}}),
        says=("chat is an LLMInferenceService",),
        remedy="set platform.kserve.llmInferenceServices: true and platform.certManager: {}",
        passes=llm(),
    ),
    Case(
        code="KSV020",
        breaks=llm({"platform": {"kserve": {"llmInferenceServices": False}}}),
        remedy="set platform.kserve.llmInferenceServices: true",
        passes=llm({"platform": {"kserve": {"install": False}}}),
    ),
    Case(
        code="KSV021",
        breaks=llm(engine={"name": "sglang", "version": "0.5.23", "maxModelLen": None}),
        says=("sglang",),
        remedy="set kind: InferenceService",
        passes=llm(),
    ),
    Case(
        code="KSV022",
        breaks=llm(rollout="in-place", replicas=1, engine={"tensorParallelSize": 16}),
        says=("needs 2 nodes (tensor 16 x pipeline 1 x data 1, 8 GPUs on a node)",),
        passes=llm(rollout="in-place", replicas=1, engine=NODES),
    ),
    Case(
        code="KSV022",
        breaks=llm(rollout="in-place", replicas=1, engine={"tensorParallelSize": 4, "pipelineParallelSize": 4}),
        says=("needs 2 nodes",),
        remedy="set pipelineParallelSize: 2 and tensorParallelSize: 8",
        # Four stages on one node are the engine's own affair.
        passes=llm(engine={"tensorParallelSize": 2, "pipelineParallelSize": 4}),
    ),
    Case(
        code="KSV023",
        breaks=llm({"platform": {"leaderWorkerSet": None}}, rollout="in-place", replicas=1, engine=NODES),
        says=("a copy of chat has 2 pods",),
        remedy="set platform.leaderWorkerSet: {}",
        passes=llm({"platform": {"leaderWorkerSet": None}}),
    ),
    Case(
        code="KSV024",
        breaks=llm(rollout="in-place"),
        says=("rollout in-place can't be kept for chat",),
        remedy="set workloads.chat.rollout: surge",
        passes=llm(),
    ),
    Case(
        code="KSV024",
        breaks=llm(rollout="surge", replicas=1, engine=NODES),
        remedy="set workloads.chat.rollout: in-place",
        passes=llm(rollout="in-place", replicas=1, engine=NODES),
    ),
    Case(
        code="KSV025",
        breaks=llm(
            {"platform": {"kserve": {"gatewayApi": False}}}, router=ROUTER, allowFrom=[{"namespace": "gateways"}]
        ),
        says=("Gateway API",),
        remedy="set platform.kserve.gatewayApi: true",
        passes=llm(router=ROUTER, allowFrom=[{"namespace": "gateways"}]),
    ),
    Case(
        code="KSV025",
        breaks=llm(router=ROUTER),
        says=("keeps the gateway in namespace gateways out",),
        remedy="set workloads.chat.allowFrom",
        # Pods of the same namespace may call it anyway.
        passes=llm(router={"gateway": {"name": "inference", "namespace": "ml-serving"}}),
    ),
]
