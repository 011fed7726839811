"""KSV030-KSV038: InferenceServices whose copy spans nodes: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case, merged
from tests.preflight.cases_kserve import BUCKET, HUB, ROLE, SCALING, image, kserve, second

WORKS: dict[str, Any] = {"platform": {"kserve": {"version": "v0.21.0", "install": False}}}
"""A release of KServe that can run the worker."""
NODES: dict[str, Any] = {"tensorParallelSize": 8, "pipelineParallelSize": 2}
ENGINE: dict[str, Any] = {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192, **NODES}
MORE: dict[str, Any] = {"nodeGroups": {"gpu": {"maxSize": 4}}}


def two(patch: dict[str, Any] | None = None, **chat: Any) -> dict[str, Any]:
    """An InferenceService whose one copy spans both nodes; `chat` changes the workload."""
    keys = {"replicas": 1, **chat, "engine": {**NODES, **chat.get("engine", {})}}
    return merged(kserve(WORKS, **keys), patch or {})


PINNED = {"platform": {"kserve": {"version": None}}}

CASES = [
    Case(
        code="KSV030",
        breaks=two(PINNED),
        says=("a copy of chat has 2 pods", "KServe v0.20.0 deletes the worker's Deployment", "kserve#6113"),
        remedy="set kind: LLMInferenceService (and platform.kserve.llmInferenceServices: true and platform.leaderWorkerSet: {})",
        passes=two(),
    ),
    Case(
        code="KSV030",
        # Stages don't divide by nodes, so that no LLMInferenceService can take it.
        breaks=two(PINNED, engine={"tensorParallelSize": 16, "pipelineParallelSize": None}),
        remedy="set kind: LeaderWorkerSet (and platform.leaderWorkerSet: {})",
        passes=two(engine={"tensorParallelSize": 16, "pipelineParallelSize": None}),
    ),
    Case(
        code="KSV030",
        breaks=two(
            merged(BUCKET, PINNED), awsRole=ROLE, engine={"tensorParallelSize": 16, "pipelineParallelSize": None}
        ),
        remedy="install KServe v0.21.0 or newer",
        # One node holds this copy: no worker.
        passes=two(PINNED, engine={"tensorParallelSize": 4}),
    ),
    Case(
        code="KSV030",
        breaks=two({"platform": {"kserve": {"version": "v0.20.0", "install": False}}}),
        passes=two({"platform": {"kserve": {"install": False}}}),
    ),
    Case(
        code="KSV030",
        breaks=two({"platform": {"kserve": {"version": "v0.19.0", "install": False}}}),
        says=("KServe v0.19.0 never says Ready of two Deployments (kserve#5703)",),
        passes=two({"platform": {"kserve": {"version": "v0.22.1", "install": False}}}),
    ),
    Case(
        code="KSV031",
        breaks=two(
            engine={
                "name": "sglang",
                "version": "0.5.23",
                "maxModelLen": None,
                "tensorParallelSize": None,
                "pipelineParallelSize": None,
                "tpSize": 16,
            }
        ),
        says=("engine sglang aren't offered over several nodes", "needs 2"),
        remedy="set tpSize: 8",
        passes=two(),
    ),
    Case(
        code="KSV032",
        breaks=two(MORE, engine={"pipelineParallelSize": 3}),
        says=("a copy of chat needs 3 nodes", "only with 2 nodes"),
        remedy="set kind: LLMInferenceService",
        passes=two(MORE),
    ),
    Case(
        code="KSV032",
        breaks=two(engine={"dataParallelSize": 2, "tensorParallelSize": 8, "pipelineParallelSize": 1}),
        says=("counts tensor 8 x pipeline 1 = 8 GPUs for a copy of chat, which needs 16",),
        remedy="set kind: LeaderWorkerSet",
        passes=two(engine={"tensorParallelSize": 16, "pipelineParallelSize": None}),
    ),
    Case(
        code="KSV033",
        breaks=two(HUB),
        says=("pvc:// and oci:// only",),
        remedy="give models.llama a volume",
        passes=two(),
    ),
    Case(
        code="KSV033",
        breaks=two(BUCKET),
        passes=two(BUCKET, engine={"pipelineParallelSize": 1}),
    ),
    Case(code="KSV033", breaks=two(image("oci+native")), passes=two()),
    Case(
        code="KSV034",
        breaks=two(MORE, replicas=2),
        says=("2 leaders for one worker",),
        remedy="set workloads.chat.replicas: 1",
        passes=two(MORE),
    ),
    Case(
        code="KSV034",
        breaks=two(replicas=0),
        says=("no leader, and a worker that holds its GPUs",),
        remedy="set workloads.chat.replicas: 1",
        # Without a worker, none is a way to switch the service off.
        passes=two(replicas=0, engine={"pipelineParallelSize": 1}),
    ),
    Case(
        code="KSV034",
        breaks=two(MORE, replicas=None, autoscaling=SCALING),
        says=("refuses an autoscaler for chat",),
        remedy="remove autoscaling, and set replicas: 1",
        passes=two(MORE, replicas=None, autoscaling=SCALING, engine={"pipelineParallelSize": 1}),
    ),
    Case(
        code="KSV035",
        breaks=two({"platform": {"kserve": {"deploymentMode": "Knative"}}}),
        says=("in the deployment mode Knative KServe makes no worker",),
        remedy="set platform.kserve.deploymentMode: Standard",
        passes=two(),
    ),
    Case(
        code="KSV036",
        breaks=two(MORE, rollout="surge"),
        says=("rollout surge can't be kept",),
        remedy="set workloads.chat.rollout: in-place",
        passes=two(MORE),
    ),
    Case(
        code="KSV037",
        breaks=two(env={"TENSOR_PARALLEL_SIZE": "8", "HEAD_SVC": "elsewhere"}),
        says=("TENSOR_PARALLEL_SIZE is set for each pod", "HEAD_SVC"),
        remedy="remove it",
        passes=two(env={"NCCL_DEBUG": "INFO"}),
    ),
    Case(
        code="KSV037",
        breaks=merged(
            two(),
            {
                "workloads": {
                    "chat": None,
                    "chat-predictor": two()["workloads"]["chat"]
                    | {
                        "model": "llama",
                        "nodeGroup": "gpu",
                        "engine": ENGINE,
                    },
                }
            },
        ),
        says=("the worker of chat-predictor would never find it",),
        remedy="rename the workload, for example to chat",
        passes=two(),
    ),
    Case(
        code="KSV038",
        breaks=two(),
        says=("don't restart together", "300 s after the next request"),
        remedy="set kind: LLMInferenceService",
        passes=two(engine={"pipelineParallelSize": 1}),
    ),
    Case(
        code="KSV003",
        breaks=merged(two(MORE, runtime="mine"), second(runtime="mine")),
        says=("one of them spans nodes, and needs a worker in it",),
        passes=merged(two(MORE), second()),
    ),
    Case(
        code="KSV003",
        breaks=merged(two(MORE, runtime="mine"), second(runtime="mine", metrics="none", replicas=1, engine=ENGINE)),
        says=("they differ in annotations",),
        passes=merged(two(MORE), second(replicas=1, engine=ENGINE)),
    ),
    Case(
        code="VOL001",
        breaks=two({"volumes": {"weights": {"storage": "ebs", "fileSystemId": None, "zone": "us-east-1a"}}}),
        passes=two(),
    ),
    # What holds for every kind with several pods for a copy.
    Case(
        code="LWS008",
        breaks=two(env={"VLLM_HOST_IP": "10.0.0.1"}),
        says=("VLLM_HOST_IP",),
        remedy="remove it",
        passes=two(),
    ),
    Case(
        code="LWS008",
        breaks=two(engine={"extraArgs": ["--distributed-executor-backend=ray"]}),
        remedy="remove --distributed-executor-backend",
        passes=two(),
    ),
    Case(
        code="PAR012",
        breaks=two(engine={"tensorParallelSize": 1, "pipelineParallelSize": 15}),
        says=("15 ranks can't be divided evenly over 2 pods",),
        remedy="set pipelineParallelSize: 16",
        passes=two(engine={"tensorParallelSize": 1, "pipelineParallelSize": 16}),
    ),
    Case(
        code="PAR015",
        breaks=two(),
        says=("one node of gpu holds a copy",),
        remedy="set tensorParallelSize: 8, pipelineParallelSize: 1, replicas: 2",
        passes=two(engine={"pipelineParallelSize": 1}),
    ),
    Case(
        code="ROL002",
        breaks=two(),
        remedy="accept it: of an InferenceService that spans nodes KServe runs one copy",
        passes=two(MORE, engine={"pipelineParallelSize": 1}, replicas=2),
    ),
]
