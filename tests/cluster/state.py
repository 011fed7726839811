"""What the cluster makes of objects: which pods run where, what is ready, what the scheduler says."""

from collections.abc import Iterable
from typing import Any

from tests.cluster.client import Client, Object, wait

MODEL_SERVER = "app.kubernetes.io/component=model-server"


def condition(found: Object, kind: str) -> str | None:
    """Status of one condition: True, False or Unknown; None where the object lacks it."""
    return next((one["status"] for one in found.get("status", {}).get("conditions", ()) if one["type"] == kind), None)


def rolled_out(deployment: Object) -> bool:
    """All replicas are of the newest template and available, and none is left over; as `kubectl rollout status` has it."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("replicas", 0) == wanted
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def unfinished(client: Client, objects: Iterable[Object]) -> list[str]:
    """Deployments that aren't rolled out, Jobs that aren't complete and claims that aren't bound."""
    found = []
    for one in objects:
        metadata = one["metadata"]
        done = _DONE.get(one["kind"])
        if done is None:
            continue
        now = client.get(one["apiVersion"], one["kind"], metadata["name"], metadata.get("namespace"))
        if not done(now):
            found.append(f"{one['kind']} {metadata['name']}: {now.get('status')}")
    return found


def wait_for(client: Client, objects: Iterable[Object], *, seconds: float = 60) -> None:
    """Until nothing is unfinished. Raises TimeoutError with what is, and with what the scheduler says of pending pods."""
    listed = list(objects)
    try:
        wait("all objects", lambda: not unfinished(client, listed), seconds=seconds)
    except TimeoutError:
        namespaces = {one["metadata"]["namespace"] for one in listed if "namespace" in one["metadata"]}
        pending = [why_pending(pod) for name in namespaces for pod in client.list("v1", "Pod", name)]
        raise TimeoutError("\n".join([*unfinished(client, listed), *filter(None, pending)])) from None


_DONE: dict[str, Any] = {
    "Deployment": rolled_out,
    "Job": lambda one: condition(one, "Complete") == "True",
    "PersistentVolumeClaim": lambda one: one["status"]["phase"] == "Bound",
}


def wait_for_absence(client: Client, namespace: str) -> None:
    """Until an earlier test's namespace of that name is gone."""
    field = f"metadata.name={namespace}"
    wait(f"namespace {namespace} to be gone", lambda: not client.list("v1", "Namespace", fields=field))


def node_of(pod: Object) -> str | None:
    """Name of the pod's node; None while it has none."""
    return pod["spec"].get("nodeName")


def why_pending(pod: Object) -> str:
    """What the scheduler said of a pod that it can't place; empty where it said nothing."""
    conditions = pod["status"].get("conditions", ())
    refused = (one for one in conditions if one["type"] == "PodScheduled" and one["status"] == "False")
    return next((f"{pod['metadata']['name']}: {one['message']}" for one in refused), "")


def scheduler_events(client: Client, namespace: str) -> list[Object]:
    """Events with the reason FailedScheduling."""
    return client.list("v1", "Event", namespace, fields="reason=FailedScheduling")


def cordon(client: Client, names: Iterable[str]) -> None:
    """Makes nodes unschedulable, and waits until the scheduler knows: until then it still places pods on them."""
    nodes = [client.patch("v1", "Node", name, None, {"spec": {"unschedulable": True}}) for name in names]
    taints = [one for node in nodes for one in node["spec"].get("taints", ())]
    terms = [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node["metadata"]["name"]]}]}
        for node in nodes
    ]
    probe: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "cordon-", "namespace": "default"},
        "spec": {
            "containers": [{"name": "probe", "image": "example.com/probe"}],
            "tolerations": [
                {"key": one["key"], "operator": "Exists"}
                for one in taints
                if not one["key"].startswith("node.kubernetes.io/")
            ],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
                }
            },
        },
    }

    def refused() -> bool:
        name = client.create(probe)["metadata"]["name"]
        wait("a probe to be decided on", lambda: condition(client.get("v1", "Pod", name, "default"), "PodScheduled"))
        placed = node_of(client.get("v1", "Pod", name, "default"))
        client.delete("v1", "Pod", name, "default", now=True)
        return placed is None

    wait("the scheduler to leave the nodes alone", refused)
