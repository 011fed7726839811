"""KSV034-KSV038: InferenceServices whose copy spans two nodes: keys that KServe can't keep for them, and what the loss of a pod means."""

from collections.abc import Iterator

from preflight.kserve import mode
from preflight.kserve_worker import CODE, WEBHOOK, leader_worker_set, llm_inference_service, workers
from preflight.multi_node import spans
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_OPERATOR = "kserve"
_OWN_VARIABLES = (
    "HEAD_SVC",
    "ISVC_NAME",
    "MODEL_DIR",
    "MODEL_NAME",
    "PIPELINE_PARALLEL_SIZE",
    "RAY_NODE_COUNT",
    "REQUEST_GPU_COUNT",
    "TENSOR_PARALLEL_SIZE",
    "WORKER_SVC",
)
_ENDING = "-predictor"
_GIVES_UP = 300
"""Seconds after which vLLM's leader gives up a step (VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS)."""


def _copies(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        scaling, replicas = workload_path(workload, "autoscaling"), workload_path(workload, "replicas")
        if workload.settings.autoscaling is not None:
            yield Finding(
                path=scaling,
                message=f"KServe's webhook refuses an autoscaler for {workload.name}, whose copy spans {workload.group_size} nodes",
                remedies=(
                    Remedy(text="remove autoscaling, and set replicas: 1", changes=((scaling, None), (replicas, 1))),
                ),
            )
        elif workload.replicas != 1:
            there = (
                f"{workload.replicas} leaders for one worker, of which only one ever starts"
                if workload.replicas
                else "no leader, and a worker that holds its GPUs and waits"
            )
            yield Finding(
                path=replicas,
                message=(
                    f"replicas {workload.replicas} is the number of leaders: KServe makes workers for one copy whatever it says, so "
                    f"{workload.name} would have {there}"
                ),
                remedies=(setting(replicas, 1), *leader_worker_set(workload, facts)),
            )


def _mode(facts: Facts) -> Iterator[Finding]:
    if mode(facts) == "Standard":
        return
    path: Path = ("platform", _OPERATOR, "deploymentMode")
    for workload in workers(facts):
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"a copy of {workload.name} has {workload.group_size} pods, and in the deployment mode Knative KServe makes no worker",
            remedies=(setting(path, "Standard"), *leader_worker_set(workload, facts)),
        )


def _rollout(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        if workload.max_surge:
            path = workload_path(workload, "rollout")
            yield Finding(
                path=path,
                message=(
                    f"an update takes the Service in front of the old leader away, and the old worker of {workload.name} ends without it "
                    "long before the new pods serve: rollout surge can't be kept"
                ),
                remedies=(setting(path, "in-place"), *leader_worker_set(workload, facts)),
            )


def _own(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        for name in _OWN_VARIABLES:
            if name in workload.env:
                path = workload_path(workload, "env", name)
                yield Finding(
                    path=path,
                    message=f"{name} is set for each pod of a copy that spans nodes: KServe refuses or replaces yours",
                    remedies=(Remedy(text="remove it", changes=((path, None),)),),
                )
        if workload.name.endswith(_ENDING):
            yield Finding(
                path=("workloads", workload.name),
                message=(
                    f"KServe takes {_ENDING} off the name that it gives the worker for its leader, and leaves it in the name of the "
                    f"leader's Service: the worker of {workload.name} would never find it"
                ),
                remedies=(Remedy(text=f"rename the workload, for example to {workload.name.removesuffix(_ENDING)}"),),
            )


def _lost(facts: Facts) -> Iterator[Finding]:
    for workload in filter(spans, workers(facts)):
        yield Finding(
            path=workload_path(workload, "kind"),
            message=(
                f"KServe's two Deployments don't restart together: when only the worker of {workload.name} restarts, its leader goes on "
                f"answering /health, and gives up {_GIVES_UP} s after the next request; a LeaderWorkerSet starts both again at once"
            ),
            remedies=(*llm_inference_service(workload, facts), *leader_worker_set(workload, facts)),
        )


RULES = (
    Rule(
        code="KSV034",
        severity="error",
        title="An InferenceService that spans nodes has one copy",
        why=f"The leader's Deployment has minReplicas pods, the worker's those of one copy ({CODE}/reconcilers/deployment, "
        f"createRawDeployment), and an autoscaler is refused ({WEBHOOK}).",
        check=_copies,
    ),
    Rule(
        code="KSV035",
        severity="error",
        title="An InferenceService spans nodes in the deployment mode Standard",
        why=f"For Knative only the leader's pod is made ({CODE}/components/predictor.go, reconcileKnativeDeployment).",
        check=_mode,
    ),
    Rule(
        code="KSV036",
        severity="error",
        title="An InferenceService that spans nodes is replaced in place",
        why="The worker finds its leader by a Service of each generation of the InferenceService, and only the current one's is kept "
        "(https://github.com/kserve/kserve/pull/5899, read at 3ec1e0f). In place is Recreate for both Deployments; every rolling update "
        f"of the worker is a surge of 100 % ({CODE}/reconcilers/deployment, createRawWorkerDeployment).",
        check=_rollout,
    ),
    Rule(
        code="KSV037",
        severity="error",
        title="What KServe sets in the pods of a copy that spans nodes is left to it",
        why=f"{CODE}/components/predictor.go, multiNodeProcess: HEAD_SVC and the other variables, from the service's name; "
        f"pkg/constants, GetHeadServiceName; {WEBHOOK}.",
        check=_own,
    ),
    Rule(
        code="KSV038",
        severity="notice",
        title="The loss of one pod of a copy is seen at once",
        why="vLLM's ranks find each other once, when they start. The worker's liveness probe asks the leader, so a worker without its "
        "leader restarts; of a lost worker the leader learns by VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS only.",
        check=_lost,
    ),
)
