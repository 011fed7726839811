"""The pods that the lws controller and its webhook make of a LeaderWorkerSet, as in kubernetes-sigs/lws 2161f38 (v0.10.0).

pkg/controllers/leaderworkerset_controller.go (the StatefulSet of leaders), pkg/controllers/pod_controller.go (one StatefulSet of
workers for each leader), pkg/webhooks/pod_webhook.go and pkg/utils/pod/pod_utils.go (labels, affinity, subdomain,
environment). What the StatefulSet controller adds: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity.
"""

import copy
import hashlib
import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
PREFIX = "leaderworkerset.sigs.k8s.io"
REVISION = "1"


def pods(found: Object, *, topology: dict[str, str] | None = None) -> list[Object]:
    """All pods, each group's leader first. `topology`: with an exclusive topology, its value at each leader that has a node."""
    return [pod for index in range(found["spec"]["replicas"]) for pod in group(found, index, topology=topology)]


def group(found: Object, index: int, *, topology: dict[str, str] | None = None) -> list[Object]:
    """The leader and the workers of one group; only the leader while the exclusive topology that the workers need isn't known."""
    leader = _leader(found, index)
    if (key := _exclusive(found)) and leader["metadata"]["name"] not in (topology or {}):
        return [leader]
    workers = list(_workers(found, leader))
    for worker in workers if key else ():
        worker["spec"].setdefault("nodeSelector", {})[key] = (topology or {})[leader["metadata"]["name"]]
    return [leader, *workers]


def stateful_sets(found: Object) -> list[Object]:
    """The StatefulSet of the leaders, and one of workers for each group, as far as Kubernetes' own controllers look at them."""
    name, size = found["metadata"]["name"], found["spec"]["leaderWorkerTemplate"]["size"]
    every = [(name, 0, found["spec"]["replicas"], group(found, 0)[0])]
    every += [(f"{name}-{index}", 1, size - 1, group(found, index)[1]) for index in range(found["spec"]["replicas"])]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": own, "namespace": found["metadata"]["namespace"]},
            "spec": {
                "replicas": count,
                "serviceName": own,
                "podManagementPolicy": "Parallel",
                **({"ordinals": {"start": first}} if first else {}),
                "selector": {"matchLabels": {"example.com/set": own}},
                "template": {
                    "metadata": {"labels": {**_template_labels(pod), "example.com/set": own}},
                    "spec": {key: value for key, value in pod["spec"].items() if key not in ("hostname", "subdomain")},
                },
            },
        }
        for own, first, count, pod in every
    ]


def _template_labels(pod: Object) -> dict[str, str]:
    """Without what is a single pod's."""
    own = ("statefulset.kubernetes.io/", "apps.kubernetes.io/", f"{PREFIX}/group-", f"{PREFIX}/worker-index")
    return {key: value for key, value in pod["metadata"]["labels"].items() if not key.startswith(own)}


def services(found: Object) -> list[Object]:
    """The headless Services."""
    name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
    unique = found["spec"].get("networkConfig", {}).get("subdomainPolicy") == "UniquePerReplica"
    indexes = range(found["spec"]["replicas"]) if unique else [None]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name if index is None else f"{name}-{index}",
                "namespace": namespace,
                "labels": {f"{PREFIX}/name": name},
            },
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": {
                    f"{PREFIX}/name": name,
                    **({} if index is None else {f"{PREFIX}/group-index": str(index)}),
                },
            },
        }
        for index in indexes
    ]


def expanded(pod: Object, ip: str = "10.0.0.1") -> list[str]:
    """The first container's arguments with `$(VAR)` expanded as the kubelet does; a variable that isn't set stays as written."""
    container = pod["spec"]["containers"][0]
    values = {one["name"]: one.get("value", ip) for one in container["env"]}
    return [re.sub(r"\$\(([^)]+)\)", lambda m: values.get(m[1], m[0]), one) for one in container["args"]]


def _leader(found: Object, index: int) -> Object:
    spec, name = found["spec"]["leaderWorkerTemplate"], found["metadata"]["name"]
    pod = _pod(found, spec.get("leaderTemplate") or spec["workerTemplate"], f"{name}-{index}", index)
    unique = found["spec"].get("networkConfig", {}).get("subdomainPolicy") == "UniquePerReplica"
    pod["metadata"]["labels"] |= {
        f"{PREFIX}/worker-index": "0",
        f"{PREFIX}/group-index": str(index),
        f"{PREFIX}/group-key": _key(found, index),
    }
    if unique:
        pod["metadata"]["annotations"][f"{PREFIX}/subdomainPolicy"] = "UniquePerReplica"
    pod["spec"]["subdomain"] = f"{name}-{index}" if unique else name
    if key := _exclusive(found):
        _own_domain(pod, key, _key(found, index))
    return _with_environment(pod, found)


def _workers(found: Object, leader: Object) -> Iterator[Object]:
    index = int(leader["metadata"]["labels"][f"{PREFIX}/group-index"])
    for number in range(1, found["spec"]["leaderWorkerTemplate"]["size"]):
        name = f"{leader['metadata']['name']}-{number}"
        pod = _pod(found, found["spec"]["leaderWorkerTemplate"]["workerTemplate"], name, number)
        pod["metadata"]["labels"] |= {
            f"{PREFIX}/group-index": str(index),
            f"{PREFIX}/group-key": _key(found, index),
            f"{PREFIX}/worker-index": str(number),
        }
        pod["metadata"]["annotations"][f"{PREFIX}/leader-name"] = leader["metadata"]["name"]
        pod["spec"]["subdomain"] = leader["spec"]["subdomain"]
        yield _with_environment(pod, found)


def _pod(found: Object, template: Object, name: str, ordinal: int) -> Object:
    metadata = template.get("metadata", {})
    key = _exclusive(found)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": found["metadata"]["namespace"],
            "labels": {
                **metadata.get("labels", {}),
                f"{PREFIX}/name": found["metadata"]["name"],
                f"{PREFIX}/template-revision-hash": REVISION,
                "statefulset.kubernetes.io/pod-name": name,
                "apps.kubernetes.io/pod-index": str(ordinal),
            },
            "annotations": {
                **metadata.get("annotations", {}),
                f"{PREFIX}/size": str(found["spec"]["leaderWorkerTemplate"]["size"]),
                **({f"{PREFIX}/exclusive-topology": key} if key else {}),
            },
        },
        "spec": {**copy.deepcopy(template["spec"]), "hostname": name},
    }


def _key(found: Object, index: int) -> str:
    leader = f"{found['metadata']['namespace']}/{found['metadata']['name']}-{index}"
    return hashlib.sha1(leader.encode()).hexdigest()


def _exclusive(found: Object) -> str | None:
    return found["metadata"].get("annotations", {}).get(f"{PREFIX}/exclusive-topology")


def _own_domain(pod: Object, key: str, group_key: str) -> None:
    label = f"{PREFIX}/group-key"
    ours = {"key": label, "operator": "In", "values": [group_key]}
    others = [{"key": label, "operator": "Exists"}, {"key": label, "operator": "NotIn", "values": [group_key]}]
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    pod["spec"]["affinity"] = {
        "podAffinity": {required: [{"labelSelector": {"matchExpressions": [ours]}, "topologyKey": key}]},
        "podAntiAffinity": {required: [{"labelSelector": {"matchExpressions": others}, "topologyKey": key}]},
    }


def _with_environment(pod: Object, found: Object) -> Object:
    labels, metadata = pod["metadata"]["labels"], pod["metadata"]
    address = f"{found['metadata']['name']}-{labels[f'{PREFIX}/group-index']}.{pod['spec']['subdomain']}.{metadata['namespace']}"
    first = {
        "LWS_LEADER_ADDRESS": address,
        "LWS_GROUP_SIZE": metadata["annotations"][f"{PREFIX}/size"],
        "LWS_WORKER_INDEX": labels[f"{PREFIX}/worker-index"],
    }
    for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
        kept = [one for one in container.get("env", []) if one["name"] not in first]
        container["env"] = [*({"name": key, "value": value} for key, value in first.items()), *kept]
    return pod
