"""`llm-serving status`: what the cluster says of a stack's workloads."""

from collections.abc import Iterator

from components.resolved import Stack, Workload
from status.kubectl import ClusterError, current_context, objects
from status.reasons import Status, diagnose

_ALWAYS = ("pods", "events", "deployments.apps")
_KINDS = {
    "InferenceService": "inferenceservices.serving.kserve.io",
    "LLMInferenceService": "llminferenceservices.serving.kserve.io",
    "LeaderWorkerSet": "leaderworkersets.leaderworkerset.x-k8s.io",
    "RayCluster": "rayclusters.ray.io",
    "RayService": "rayservices.ray.io",
}


def statuses(stack: Stack, *, context: str | None = None) -> list[Status]:
    """The status of each workload, in the order of the stack file. Raises `kubectl.ClusterError` where the cluster can't be asked."""
    workloads = list(stack.workloads.values())
    if not workloads:
        return []
    if stack.cluster.provider == "eks" and context is None:
        _same_cluster(stack)
    if stack.cluster.provider == "kubeconfig":
        context = context or stack.cluster.name
    kinds = dict.fromkeys(_KINDS[one.kind] for one in workloads if one.kind in _KINDS)
    found = objects(stack.namespace, [*_ALWAYS, *kinds], context=context, kubeconfig=stack.cluster.kubeconfig)
    return [diagnose(one.name, one.kind, _wanted(one), found) for one in workloads]


def _same_cluster(stack: Stack) -> None:
    """The program finds an EKS cluster by its name, kubectl by its context: what another cluster says would mislead."""
    context, name = current_context(), stack.cluster.name
    if name not in context:
        raise ClusterError(
            f"kubectl's current context is {context}, whose name doesn't have {name} in it; name the cluster's with --context, or make one "
            f"with: aws eks update-kubeconfig --region {stack.cluster.region} --name {name}"
        )


def _wanted(workload: Workload) -> int | None:
    """Pods that the stack file asks for; None where something else decides: an autoscaler, or Ray, which adds a head."""
    scales = getattr(workload.settings, "autoscaling", None) is not None
    return None if scales or workload.kind.startswith("Ray") else workload.pods


def lines(found: list[Status]) -> Iterator[str]:
    """The report: a line for each workload, and below it why it isn't ready."""
    for one in found:
        yield f"{one.name} ({one.kind}): {one.ready} of {one.wanted} pods ready"
        yield from (f"  {reason}" for reason in one.reasons)
