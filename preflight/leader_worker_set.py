"""LWS: what a LeaderWorkerSet needs of its cluster, its engine and its own settings."""

from collections.abc import Iterator

from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, without
from preflight.multi_node import spans
from preflight.placement_nodes import GPU, setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

KIND = "LeaderWorkerSet"
_OPERATOR = "leaderWorkerSet"
_HOSTNAME, _ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
_NATIVE = frozenset({KIND, "InferenceService", "LLMInferenceService"})
"""Kinds that tell vLLM's own processes of each other; Ray's do it themselves."""
_OWN_VARIABLES = ("LWS_LEADER_ADDRESS", "LWS_GROUP_SIZE", "LWS_WORKER_INDEX", "VLLM_HOST_IP")
_OWN_OPTIONS = {
    "--distributed-timeout-seconds": "the start-up time (startupTimeoutSeconds): the pods of a group wait for each other that long",
    "--distributed-executor-backend": "the kind: vLLM refuses every backend but its own processes where there are several nodes",
    "--master-port": "the kind: leader and workers agree on one",
}


def _sets(facts: Facts) -> Iterator[Workload]:
    return (one for one in facts.workloads if one.kind == KIND)


def _operator(facts: Facts) -> Iterator[Finding]:
    if _OPERATOR in facts.stack.operators:
        return
    for workload in _sets(facts):
        path: Path = ("platform", _OPERATOR)
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"{workload.name} is a LeaderWorkerSet, and the platform section doesn't mention their controller",
            remedies=(
                Remedy(
                    text=f"set platform.{_OPERATOR}: {{}}, or {{install: false}} where the cluster has it",
                    changes=((path, {}),),
                ),
            ),
        )


def _engine(facts: Facts) -> Iterator[Finding]:
    for workload in _sets(facts):
        if workload.group_size > 1 and not spans(workload):
            yield Finding(
                path=workload_path(workload, "engine", "name"),
                message=f"{workload.engine.name} can't share one copy of a model between the {workload.group_size} pods of a group",
                remedies=(
                    Remedy(text="use engine vllm, or nodes with enough GPUs for a whole copy and kind: Deployment"),
                ),
            )


def _leader_ready(facts: Facts) -> Iterator[Finding]:
    for workload in _sets(facts):
        path = workload_path(workload, "startupPolicy")
        if workload.settings.startup_policy == "LeaderReady" and workload.group_size > 1:
            yield Finding(
                path=path,
                message=(
                    f"startupPolicy LeaderReady creates the workers of {workload.name} once the leader is ready, and the leader is "
                    "ready once its workers have joined: no group ever starts"
                ),
                remedies=(setting(path, "LeaderCreated"),),
            )


def _alone(facts: Facts) -> Iterator[Finding]:
    for workload in _sets(facts):
        path = workload_path(workload, "restartPolicy")
        if workload.settings.restart_policy == "None" and workload.group_size > 1:
            yield Finding(
                path=path,
                message=(
                    "restartPolicy None restarts one pod of a group alone, and the processes of the others never take it back: "
                    f"{workload.name} would hang until somebody deletes the group"
                ),
                remedies=(setting(path, "RecreateGroupOnPodRestart"),),
            )


def _names(facts: Facts) -> Iterator[Finding]:
    names = set(facts.stack.workloads)
    for workload in _sets(facts):
        copies = max(workload.replicas + workload.max_surge, 1)
        for index in range(copies):
            taken = f"{workload.name}-{index}"
            if taken in names:
                yield Finding(
                    path=("workloads", taken),
                    message=(
                        f"the controller gives the name {taken} to a Service and a StatefulSet of group {index} of {workload.name}, "
                        f"and the workload {taken} has it for its own"
                    ),
                    remedies=(Remedy(text=f"rename the workload {taken}"),),
                )


def _topology(facts: Facts) -> Iterator[Finding]:
    for workload in _sets(facts):
        label, group = workload.settings.exclusive_topology, workload.node_group
        path = workload_path(workload, "exclusiveTopology")
        pods, copies = workload.group_size, workload.replicas + workload.max_surge
        if label == _HOSTNAME and pods * workload.resources.gpus > group.units_per_node > 0:
            yield Finding(
                path=path,
                message=(
                    f"exclusiveTopology {label} puts all {pods} pods of a group on one node: they request "
                    f"{pods * workload.resources.gpus} {GPU} and a node of {group.name} has {group.units_per_node}"
                ),
                remedies=(Remedy(text="remove exclusiveTopology", changes=((path, None),)),),
            )
        elif label == _ZONE and group.zones and workload.replicas and copies > len(group.zones):
            surge = f" and {workload.max_surge} more while it rolls out" if workload.max_surge else ""
            yield Finding(
                path=path,
                message=(
                    f"exclusiveTopology {label} gives each group a zone of its own: {workload.name} has {workload.replicas} groups{surge}, "
                    f"and {group.name} has nodes in {', '.join(group.zones)}"
                ),
                remedies=(
                    *((setting(workload_path(workload, "rollout"), "in-place"),) if workload.max_surge else ()),
                    setting(workload_path(workload, "replicas"), len(group.zones)),
                    Remedy(text="remove exclusiveTopology", changes=((path, None),)),
                ),
            )


def _one_pod(facts: Facts) -> Iterator[Finding]:
    for workload in _sets(facts):
        if workload.group_size > 1:
            continue
        own = ("size", "startupPolicy", "restartPolicy", "exclusiveTopology")
        dropped = tuple((workload_path(workload, key), None) for key in own)
        kind = workload_path(workload, "kind")
        yield Finding(
            path=kind,
            message=f"each group of {workload.name} is one pod with {workload.resources.gpus} {GPU}: one node is enough for a copy",
            remedies=(Remedy(text="set kind: Deployment", changes=((kind, "Deployment"), *dropped)),),
        )


def _own(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        if workload.group_size == 1 or workload.kind not in _NATIVE:
            continue
        for name in _OWN_VARIABLES:
            if name in workload.env:
                path = workload_path(workload, "env", name)
                yield Finding(
                    path=path,
                    message=f"{name} differs from pod to pod, and is set for each",
                    remedies=(Remedy(text="remove it", changes=((path, None),)),),
                )
        for extra in shared.extras(workload):
            if (why := _OWN_OPTIONS.get(extra.listed or "")) and extra.values[:1] != ("mp",):
                yield Finding(
                    path=engine_path(workload, "extraArgs", extra.index),
                    message=f"{extra.name} is decided by {why}",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(without(workload, extra),)),),
                )
        if getattr(workload.engine, "data_parallel_backend", None) == "ray":
            path = engine_path(workload, "dataParallelBackend")
            yield Finding(
                path=path,
                message="dataParallelBackend ray: vLLM refuses it where there are several nodes without a Ray cluster",
                remedies=(setting(path, "mp"),),
            )


_CONTROLLER = "kubernetes-sigs/lws 2161f38 (v0.10.0)"

RULES = (
    Rule(
        code="LWS001",
        severity="error",
        title="The cluster has the LeaderWorkerSet controller",
        why="Without its CRD the API server refuses the object (https://lws.sigs.k8s.io/docs/installation/).",
        check=_operator,
    ),
    Rule(
        code="LWS002",
        severity="error",
        title="The engine can run one copy in several pods",
        why="vLLM does it with --nnodes and --headless. Its releases don't ask for Ray (METADATA of 0.29, 0.32 and 0.33), so there is no "
        "Ray executor in a LeaderWorkerSet.",
        check=_engine,
    ),
    Rule(
        code="LWS003",
        severity="error",
        title="Workers don't wait for their leader to be ready",
        why="With LeaderReady the controller defers the workers until the leader is ready "
        f"({_CONTROLLER}, pkg/controllers/pod_controller.go); vLLM's leader answers /health only after every rank has loaded its weights.",
        check=_leader_ready,
    ),
    Rule(
        code="LWS004",
        severity="error",
        title="A group restarts as a whole",
        why="vLLM's ranks form their process groups once, at start (distributed/parallel_state.py); a process that comes back is not "
        "taken in.",
        check=_alone,
    ),
    Rule(
        code="LWS005",
        severity="error",
        title="Names of groups are free",
        why=f"Headless Services and StatefulSets of groups are called <name>-<index> ({_CONTROLLER}, pkg/controllers/pod_controller.go); "
        "a Service that exists already is left as it is, and the pods of the group then find no leader.",
        check=_names,
    ),
    Rule(
        code="LWS006",
        severity="error",
        title="There are enough topology domains for all groups",
        why="All pods of a group get a required affinity to their own group and a required anti-affinity to every other "
        f"({_CONTROLLER}, pkg/webhooks/pod_webhook.go, SetExclusiveAffinities): pods without a domain stay Pending.",
        check=_topology,
    ),
    Rule(
        code="LWS007",
        severity="notice",
        title="Groups have more than one pod",
        why="A group of one pod is a Deployment with a controller more: fewer parts, and updates that Kubernetes itself knows.",
        check=_one_pod,
    ),
    Rule(
        code="LWS008",
        severity="error",
        title="What differs between the pods of a group is left to the kind",
        why='vLLM exits with "nnodes > 1 can only be set when distributed executor backend is mp, uni or external_launcher." '
        "(config/parallel.py) and refuses `--data-parallel-backend ray` (engine/arg_utils.py); the controller replaces LWS_* variables.",
        check=_own,
    ),
)
