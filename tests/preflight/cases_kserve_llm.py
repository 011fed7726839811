"""KSV020-KSV029: stacks that break each rule, and the nearest ones that don't."""

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


SPLIT: dict[str, Any] = {
    "router": {"gateway": {"name": "inference", "namespace": "ml-serving"}, "scheduler": True},
    "prefill": {"replicas": 2},
}
"""Two copies that prefill for two that decode."""


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
    Case(
        code="KSV026",
        breaks=llm(**{**SPLIT, "router": {"gateway": SPLIT["router"]["gateway"]}}),
        says=("only the router's scheduler", "every pod would prefill and decode"),
        remedy="set workloads.chat.router.scheduler: true",
        passes=llm(**SPLIT),
    ),
    Case(
        code="KSV026",
        breaks=llm(prefill=SPLIT["prefill"]),
        remedy="remove prefill",
        # Without prefill no scheduler is needed.
        passes=llm(router={"gateway": SPLIT["router"]["gateway"]}),
    ),
    Case(
        code="KSV027",
        breaks=llm(rollout="in-place", replicas=1, engine=NODES, **{**SPLIT, "prefill": {"replicas": 1}}),
        says=("a copy of chat spans 2 nodes",),
        remedy="remove prefill",
        passes=llm(**SPLIT, engine={"tensorParallelSize": 4}),
    ),
    Case(
        code="KSV027",
        breaks=llm(**SPLIT, engine={"tensorParallelSize": 2, "pipelineParallelSize": 2}),
        says=("pipelineParallelSize 2",),
        remedy="remove prefill",
        # Stages alone are fine.
        passes=llm(engine={"tensorParallelSize": 2, "pipelineParallelSize": 2}),
    ),
    Case(
        code="KSV027",
        breaks=llm(**SPLIT, engine={"tensorParallelSize": 2, "prefillContextParallelSize": 2}),
        says=("prefillContextParallelSize 2",),
        remedy="remove prefillContextParallelSize",
        passes=llm(**SPLIT, engine={"tensorParallelSize": 2}),
    ),
    Case(
        code="KSV028",
        breaks=llm(**SPLIT, engine={"kvTransferConfig": {"kvConnector": "NixlConnector", "kvRole": "kv_both"}}),
        says=("prefill decides kvTransferConfig",),
        remedy="remove kvTransferConfig",
        passes=llm(**SPLIT),
    ),
    Case(
        code="KSV028",
        breaks=llm(**SPLIT, env={"VLLM_NIXL_SIDE_CHANNEL_HOST": "localhost"}),
        says=("VLLM_NIXL_SIDE_CHANNEL_HOST",),
        remedy="remove VLLM_NIXL_SIDE_CHANNEL_HOST",
        # The port is the user's to choose.
        passes=llm(**SPLIT, env={"VLLM_NIXL_SIDE_CHANNEL_PORT": "5700"}),
    ),
    Case(
        code="KSV029",
        breaks=llm(**SPLIT),
        says=("NIXL", "vllm/vllm-openai:v0.33.0"),
        # Nothing goes from copy to copy.
        passes=llm(router=SPLIT["router"]),
    ),
]
