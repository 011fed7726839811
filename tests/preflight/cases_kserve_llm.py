"""KSV020-KSV029, KSV050: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case, merged
from tests.preflight.cases_storage import claim

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


HYBRID: dict[str, Any] = {"llama": {"id": "Qwen/Qwen3.5-27B"}}
"""A model with layers of linear attention."""


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
    Case(
        code="KSV050",
        breaks=llm({"models": HYBRID}, **SPLIT, engine={"tensorParallelSize": 2}),
        says=("48 layers of Qwen/Qwen3.5-27B",),
        remedy="set env VLLM_SSM_CONV_STATE_LAYOUT: DS",
        # Without prefill nothing is moved.
        passes=llm({"models": HYBRID}, engine={"tensorParallelSize": 2}),
    ),
    # Rules of other families that count the copies which prefill, or know what prefill decides.
    Case(
        code="POD006",
        breaks=llm(**SPLIT, engine={"tensorParallelSize": 8}),
        says=("chat: 4 x 8",),
        passes=llm(router=SPLIT["router"], replicas=1, engine={"tensorParallelSize": 8}),
    ),
    Case(
        code="ROL001",
        breaks=llm(**SPLIT, replicas=6, engine={"tensorParallelSize": 2}),
        says=("16 of 16 GPUs are taken",),
        passes=llm(**SPLIT, replicas=5, engine={"tensorParallelSize": 2}),
    ),
    Case(
        code="VOL002",
        breaks=llm(
            {"volumes": {"weights": claim("ReadWriteOncePod")}}, **{**SPLIT, "prefill": {"replicas": 1}}, replicas=1
        ),
        # One of each, and one more of each while they are replaced.
        says=("4 pods would mount it at the same time",),
        passes=llm(**SPLIT),
    ),
    Case(
        code="ENG014",
        breaks=llm(**SPLIT, engine={"extraArgs": ["--kv-transfer-config", '{"kv_connector":"NixlConnector"}']}),
        says=("--kv-transfer-config is decided by prefill",),
        remedy="remove --kv-transfer-config from extraArgs",
        passes=llm(**SPLIT),
    ),
    Case(
        code="ENG041",
        breaks=llm(**SPLIT, engine={"enableSleepMode": True}),
        says=("NixlConnector can't follow the KV cache through sleep mode",),
        remedy="remove enableSleepMode",
        passes=llm(**SPLIT),
    ),
    Case(
        code="ENG034",
        breaks=llm(**SPLIT, engine={"kvOffloadingSize": 8}),
        says=("kvOffloadingSize replaces the connector NixlConnector",),
        passes=llm(**SPLIT),
    ),
    Case(
        code="ENG047",
        breaks=llm(engine={"kvTransferConfig": {"kvConnector": "NixlConnector", "kvRole": "kv_both"}}),
        # With prefill the ports between the pods are open.
        passes=llm(**SPLIT),
    ),
    Case(
        code="ENG047",
        breaks=llm(replicas=0, engine={"kvTransferConfig": {"kvConnector": "NixlConnector", "kvRole": "kv_both"}}),
        # Nor is there anything to say while no copy runs.
        passes=llm(**SPLIT, replicas=0),
    ),
]
