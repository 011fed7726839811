"""Policies on PodDisruptionBudgets: GPU workloads have one, and none of them blocks drains for ever. Pure."""

from collections.abc import Iterator, Sequence

from policies.label_selectors import selected_by, selects
from policies.lifecycle import share
from policies.objects import Pod, Resource, pods, replicas
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View

_BUDGET = ("policy", "PodDisruptionBudget")
_WORKLOADS = (("apps", "Deployment"), ("apps", "StatefulSet"), ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"))
"""Kinds that run for ever under labels of the program's own; Jobs end, and other operators make budgets themselves."""

_AUTOSCALERS = (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject"))


def _have_budgets(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    budgets = [one for one in resources if one.is_a(_BUDGET)]
    for resource in resources:
        if resource.is_a(*_WORKLOADS):
            yield from decide(_has_budget(resource, budgets), urn=resource.urn)


def _has_budget(resource: Resource, budgets: list[Resource]) -> Iterator[Finding]:
    for pod in pods(resource):
        if pod.gpus() and not any(True for _ in selected_by(pod, budgets, "spec", "selector")):
            yield Finding(
                message=f"{resource.name}: no PodDisruptionBudget of the stack selects its pods, so a drain may take all of "
                "them at once",
                urn=resource.urn,
            )
            return


def _let_drains_pass(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    scaled = {one.namespace() for one in resources if one.is_a(*_AUTOSCALERS)}
    owners = [
        pod
        for one in resources
        # Without a number of its own it has one replica, or as many as an autoscaler says.
        if one.is_a(*_WORKLOADS) and (replicas(one).exists() or one.namespace() not in scaled)
        for pod in pods(one)
    ]
    for budget in resources:
        if budget.is_a(_BUDGET):
            yield from decide(_lets_pass(budget, owners), urn=budget.urn)


def _lets_pass(budget: Resource, owners: list[Pod]) -> Iterator[Finding]:
    most, least = budget.props.at("spec", "maxUnavailable"), budget.props.at("spec", "minAvailable")
    if most.exists():
        if most.text() in ("0", "0%"):
            yield _blocked(budget, f"{most.path} is {most.text()}")
    elif least.text() == "100%":
        yield _blocked(budget, f"{least.path} is 100%")
    elif least.exists() and not least.text().endswith("%"):
        yield from decide(*(_enough(budget, least, pod) for pod in owners), urn=budget.urn)


def _enough(budget: Resource, least: View, pod: Pod) -> Iterator[Finding]:
    count = replicas(pod.owner).integer(1)
    mine = budget.namespace() == pod.owner.namespace() and selects(budget.props.at("spec", "selector"), pod)
    if mine and 0 < count <= share(least.text(), count, up=True):
        yield _blocked(budget, f"{least.path} is {least.text()} and {pod.owner.name} has {count} replicas")


def _blocked(budget: Resource, why: str) -> Finding:
    return Finding(message=f"{budget.name}: {why}, so no pod may ever be evicted and drains hang", urn=budget.urn)


RULES = (
    Rule(
        name="gpu-workloads-have-budgets",
        level="mandatory",
        severity="medium",
        title="Every GPU workload that runs for ever has a PodDisruptionBudget in the stack.",
        why="Node updates drain several nodes at a time (https://kubernetes.io/docs/tasks/run-application/configure-pdb/).",
        remedy="Add a PodDisruptionBudget with maxUnavailable: 1 and unhealthyPodEvictionPolicy: AlwaysAllow.",
        namespaced=True,
        check_stack=_have_budgets,
    ),
    Rule(
        name="budgets-let-drains-pass",
        level="mandatory",
        severity="high",
        title="No PodDisruptionBudget blocks drains for ever.",
        why="minAvailable 1 on one replica, or maxUnavailable 0, allows no eviction: node updates hang until they time out "
        "(https://kubernetes.io/docs/tasks/run-application/configure-pdb/). unhealthyPodEvictionPolicy frees only pods "
        "that aren't ready.",
        remedy="Set maxUnavailable: 1 instead.",
        namespaced=True,
        check_stack=_let_drains_pass,
    ),
)
