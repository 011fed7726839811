"""ROL: updates, drains and the loss of a node."""

from collections.abc import Iterator

from components.resolved import Workload
from components.resolved_kserve import has_worker
from components.resolved_ray import updates_beside
from preflight.placement_nodes import GPU, demands, more_nodes, setting
from preflight.rule import Facts, Finding, Remedy, Rule, copies_path, workload_path

_SPOT_NOTICE = 120
"""Seconds between the notice and the end of a spot instance (see ROL003)."""


def _surge(facts: Facts) -> Iterator[Finding]:
    for demand in demands(facts):
        if demand.impossible() or not demand.impossible(surging := demand.surging()):
            continue
        short = {one for one in surging if demand.impossible((one,))}
        for workload in demand.workloads:
            if not workload.max_surge or not workload.replicas or demand.request(workload) not in short:
                continue
            group = demand.group
            held = sum(one.gpus for one in demand.workloads)
            yield Finding(
                path=workload_path(workload, "rollout"),
                message=(
                    f"rollout: surge starts {_new_copy(workload)} before an old one goes, "
                    f"and {group.name} has no room for it: "
                    f"{held} of {group.max_nodes * group.units_per_node} {GPU} are taken at its {group.max_nodes} nodes"
                ),
                remedies=(
                    setting(workload_path(workload, "rollout"), "in-place"),
                    more_nodes(group, group.max_nodes + 1),
                ),
            )


def _new_copy(workload: Workload) -> str:
    one = f"a new pod of {workload.resources.gpus} {GPU}"
    return (
        one
        if workload.group_size == 1
        else f"a new group of {workload.group_size} pods with {workload.resources.gpus} {GPU} each"
    )


def _one_replica(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        if workload.replicas != 1 or _on_spot(workload):
            continue
        minutes = _minutes(workload)
        beside = updates_beside(workload, facts.stack.workloads)
        when = "a drained or lost node takes" if beside else "an update, or a drained or lost node, takes"
        yield Finding(
            path=copies_path(workload),
            message=f"with one replica {when} {workload.name} down for up to {minutes} minutes (drain "
            f"{workload.drain.grace} s, start "
            f"{workload.startup.budget} s)",
            remedies=tuple(_another(workload)),
        )


def _another(workload: Workload) -> Iterator[Remedy]:
    if has_worker(workload):
        yield Remedy(text="accept it: of an InferenceService that spans nodes KServe runs one copy")
        return
    yield Remedy(
        text=f"set {'.'.join(map(str, copies_path(workload)))}: 2",
        changes=((copies_path(workload), 2),),
    )
    yield Remedy(text="accept it, or add GPUs for a second replica")


def _spot_drain(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        drain = workload.drain
        if not _on_spot(workload) or drain.grace <= _SPOT_NOTICE:
            continue
        margin = drain.grace - drain.pre_stop - drain.shutdown
        cut = drain.pre_stop + drain.shutdown > _SPOT_NOTICE
        key = workload_path(workload, "drain", "shutdownTimeoutSeconds")
        left = _SPOT_NOTICE - margin - drain.pre_stop
        remedies = [Remedy(text="use capacity: on-demand for requests that run longer")]
        if left > 0:
            remedies.insert(0, setting(key, left))
        yield Finding(
            path=key,
            message=(
                f"a pod takes up to {drain.grace} s to stop (preStop {drain.pre_stop} + shutdown {drain.shutdown} + "
                f"margin {margin}), and a spot node "
                f"goes {_SPOT_NOTICE} s after its notice: "
                + ("running requests are cut off" if cut else "the margin may be cut off")
            ),
            remedies=tuple(remedies),
            severity=None if cut else "warning",
        )


def _one_on_spot(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        if workload.replicas == 1 and _on_spot(workload):
            yield Finding(
                path=copies_path(workload),
                message=(
                    f"the only replica of {workload.name} is on spot nodes of {workload.node_group.name}: each "
                    "interruption takes it down for at least "
                    f"{_minutes(workload)} minutes, and for as long as there is no spot capacity"
                ),
                remedies=(
                    Remedy(
                        text=f"set {'.'.join(map(str, copies_path(workload)))}: 2",
                        changes=((copies_path(workload), 2),),
                    ),
                    Remedy(text="use capacity: on-demand"),
                ),
            )


def _same_node(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        group = workload.node_group
        if workload.replicas > 1 and group.max_nodes == 1:
            yield Finding(
                path=copies_path(workload),
                message=(
                    f"all {workload.replicas} replicas of {workload.name} are on the one node of {group.name}: its "
                    "loss or update takes all of them down"
                ),
                remedies=(more_nodes(group, 2),),
            )


def _on_spot(workload: Workload) -> bool:
    return workload.node_group.eks is not None and workload.node_group.eks.spot


def _minutes(workload: Workload) -> int:
    return -(-workload.replace_seconds // 60)


RULES = (
    Rule(
        code="ROL001",
        severity="error",
        title="rollout: surge has room for one more pod",
        why="The new pod stays Pending, the old ones stay, and the update ends at progressDeadlineSeconds "
        "(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge; "
        "https://github.com/ai-runway/airunway/issues/400). "
        "In-place updates need no spare GPUs.",
        check=_surge,
    ),
    Rule(
        code="ROL002",
        severity="notice",
        title="More than one replica serves while another is replaced",
        why="The PodDisruptionBudget lets one pod go at a time, which is all of them when there is one.",
        check=_one_replica,
    ),
    Rule(
        code="ROL003",
        severity="error",
        title="Pods on spot nodes stop within two minutes",
        why="EC2 ends a spot instance two minutes after its notice "
        "(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html), whatever "
        "terminationGracePeriodSeconds says. "
        "`allow` it where cut-off requests are acceptable. A warning where only our margin is lost.",
        check=_spot_drain,
    ),
    Rule(
        code="ROL004",
        severity="warning",
        title="More than one replica where nodes are spot",
        why=(
            "Spot capacity may be gone for hours "
            "(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-interruptions.html)."
        ),
        check=_one_on_spot,
    ),
    Rule(
        code="ROL005",
        severity="warning",
        title="Replicas are not all on one node",
        why="They are spread over nodes where there are several (topologySpreadConstraints); with a single node "
        "more replicas protect against nothing "
        "but the crash of one process.",
        check=_same_node,
    ),
)
