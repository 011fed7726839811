"""Label selectors of Kubernetes objects, held against a pod template. Pure.

Semantics: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from collections.abc import Iterator

from policies.objects import Pod, Resource
from policies.view import UnknownValueRead, View

_CONTROLLERS_OWN = (
    "apps.kubernetes.io/",
    "batch.kubernetes.io/",
    "job-name",
    "leaderworkerset.sigs.k8s.io/",
    "ray.io/",
    "serving.kserve.io/",
)
"""Labels that controllers add to pods: what a template says of them decides nothing."""


def selects(selector: View, pod: Pod) -> bool:
    """Whether a label selector picks the pods of a template. An empty one picks all; an absent one none.

    Raises UnknownValueRead where the answer depends on a value, or on a controller's own label, that isn't known.
    """
    if selector.read() is None:
        return False
    labels = {name: value.text() for name, value in pod.labels.items()}
    wanted = [(key, "In", [value.text()], value.path) for key, value in selector.at("matchLabels").items()]
    for one in selector.at("matchExpressions").each():
        values = [value.text() for value in one.at("values").each()]
        wanted.append((one.at("key").text(), one.at("operator").text(), values, one.path))
    # What is false stays false whatever the unknown labels are.
    open_paths = [path for key, _, _, path in wanted if key.startswith(_CONTROLLERS_OWN)]
    if not all(_holds(labels, *one[:3]) for one in wanted if one[3] not in open_paths):
        return False
    if open_paths:
        raise UnknownValueRead(open_paths[0])
    return True


def _holds(labels: dict[str, str], key: str, operator: str, values: list[str]) -> bool:
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return (labels.get(key) in values) is (operator == "In")


def selected_by(pod: Pod, others: list[Resource], *path: str) -> Iterator[Resource]:
    """Those of `others` in the pod's namespace whose selector at `path` picks its pods.

    Raises UnknownValueRead, after the sure ones, where another one may pick them.
    """
    unsure: UnknownValueRead | None = None
    for other in others:
        try:
            if other.namespace() == pod.owner.namespace() and selects(other.props.at(*path), pod):
                yield other
        except UnknownValueRead as unknown:
            unsure = unknown
    if unsure is not None:
        raise unsure
