"""What a change means to KServe's controllers, where the change alone doesn't show it."""

from collections.abc import Iterable, Iterator, Mapping

from preview.diff_resources import Change, Resource
from preview.diff_rules import INFERENCE_SERVICE, LLM_INFERENCE_SERVICE, RUNTIMES
from preview.diff_values import ABSENT, value_at

_MODE = ("metadata", "annotations", "serving.kserve.io/deploymentMode")


def services_of_changed_runtimes(found: Iterable[Change], after: Mapping[str, Resource]) -> Iterator[Resource]:
    """InferenceServices whose runtime changes: KServe restarts their pods, although nothing of their own changes (kserve 1fb7810,
    pkg/controller/v1beta1/inferenceservice/controller.go, the watch of ServingRuntimes)."""
    changed = {
        one.resource.object_name
        for one in found
        if one.resource.type in RUNTIMES and one.old is not None and one.action != "remove" and one.changed(("spec",))
    }
    for one in after.values():
        runtime = value_at(one.inputs, ("spec", "predictor", "model", "runtime"))
        if one.type == INFERENCE_SERVICE and runtime in changed:
            yield one


def stuck(change: Change) -> str | None:
    """Why KServe can't make the change of a service that runs; None where it can."""
    if change.resource.type == INFERENCE_SERVICE and change.changed(_MODE):
        return "its deployment mode changes, which KServe's webhook refuses"
    if change.resource.type == LLM_INFERENCE_SERVICE and (why := _in_selector(change)):
        return f"{why}, and KServe can't change the selector of a Deployment that is there"
    return None


def _in_selector(change: Change) -> str | None:
    """What an LLMInferenceService keeps in the selector of a Deployment: whether copies prefill alone, and its labels (kserve 1fb7810,
    pkg/controller/v1alpha2/llmisvc/workload_single_node.go: selector and template share a map). A LeaderWorkerSet has no selector."""
    sides = [value_at(one.inputs, ("spec", "prefill")) is ABSENT for one in (change.resource, change.old) if one]
    if len(set(sides)) > 1:
        return "prefill comes or goes"
    alone = value_at(change.resource.inputs, ("spec", "worker")) is ABSENT
    labels = (("spec", "labels"), ("spec", "prefill", "labels"))
    return "labels of its pods change" if alone and any(change.changed(path) for path in labels) else None
