"""The pods that the KubeRay operator makes of a RayCluster, as in ray-project/kuberay 59d663a (v1.7.0).

ray-operator/controllers/ray/common/pod.go (DefaultHeadPodTemplate, DefaultWorkerPodTemplate, BuildPod, BuildAutoscalerContainer) and
ray-operator/controllers/ray/utils/validation.go, with the operator's defaults: init containers and probes on, no history server, no TLS.
"""

import copy
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
SMALL = {"cpu": "200m", "memory": "256Mi"}
PROBE_VERSION = (2, 53)
"""The first Ray with one HTTP endpoint for probes."""
OPTIONS_OF_THE_SIDECAR = ("resources", "image", "imagePullPolicy", "securityContext")


def cluster_of(service: Object, suffix: str = "abcde") -> Object:
    """The RayCluster of a RayService."""
    metadata = service["metadata"]
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": {"ray.io/originated-from-cr-name": metadata["name"], "ray.io/originated-from-crd": "RayService"},
        },
        "spec": copy.deepcopy(service["spec"]["rayClusterConfig"]),
    }


def pods(cluster: Object) -> list[Object]:
    """The head, then all workers that the cluster starts with."""
    return [head(cluster), *workers(cluster)]


def head(cluster: Object) -> Object:
    """The head pod, with the autoscaler where it runs."""
    spec, group = cluster["spec"], copy.deepcopy(cluster["spec"]["headGroupSpec"])
    pod = _pod(cluster, group["template"], "head", "headgroup", 0)
    ray = pod["spec"]["containers"][0]
    if spec.get("enableInTreeAutoscaling"):
        options = spec.get("autoscalerOptions", {})
        sidecar: Object = {
            "name": "autoscaler",
            "image": ray["image"],
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/bash", "-c", "--"],
            "args": [
                "ray kuberay-autoscaler --cluster-name $(RAY_CLUSTER_NAME) --cluster-namespace $(RAY_CLUSTER_NAMESPACE)"
            ],
            "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "500m", "memory": "512Mi"}},
            "env": [_from_field("RAY_CLUSTER_NAMESPACE", "metadata.namespace"), *options.get("env", [])],
            "volumeMounts": list(options.get("volumeMounts", [])),
            **{key: options[key] for key in OPTIONS_OF_THE_SIDECAR if key in options},
        }
        pod["spec"]["containers"].append(sidecar)
        if options.get("version") == "v2":
            pod["spec"]["restartPolicy"] = "Never"
    _finish(cluster, pod, group, "head")
    if spec.get("enableInTreeAutoscaling"):
        for container in (ray, pod["spec"]["containers"][1]):
            _empty_dir(pod, container, "ray-logs", "/tmp/ray", {})
    return pod


def workers(cluster: Object) -> Iterator[Object]:
    """The pods of all worker groups."""
    for group in cluster["spec"]["workerGroupSpecs"]:
        replicas = group.get("replicas", 0)
        count = min(max(replicas, group.get("minReplicas", 0)), group.get("maxReplicas", 2**31 - 1))
        for index in range(count * group.get("numOfHosts", 1)):
            yield _worker(cluster, copy.deepcopy(group), index)


def _worker(cluster: Object, group: Object, index: int) -> Object:
    pod = _pod(cluster, group["template"], "worker", group["groupName"], index)
    ray = pod["spec"]["containers"][0]
    waits = {
        "name": "wait-gcs-ready",
        "image": ray["image"],
        "imagePullPolicy": ray.get("imagePullPolicy"),
        "command": ["/bin/bash", "-c", "--"],
        "args": ["until ray health-check --address head:6379; do sleep 5; done"],
        "env": [*copy.deepcopy(ray.get("env", [])), {"name": "FQ_RAY_IP", "value": "head"}],
        "volumeMounts": copy.deepcopy(ray.get("volumeMounts", [])),
        "resources": {"limits": dict(SMALL), "requests": dict(SMALL)},
    }
    if "securityContext" in ray:
        waits["securityContext"] = copy.deepcopy(ray["securityContext"])
    pod["spec"].setdefault("initContainers", []).append(waits)
    spec = cluster["spec"]
    if spec.get("enableInTreeAutoscaling") and spec.get("autoscalerOptions", {}).get("version") == "v2":
        pod["spec"]["restartPolicy"] = "Never"
    _finish(cluster, pod, group, "worker")
    return pod


def _pod(cluster: Object, template: Object, node_type: str, group: str, index: int) -> Object:
    metadata = cluster["metadata"]
    overridden = template.get("metadata", {}).get("labels", {})
    fixed = {"ray.io/cluster": metadata["name"], "ray.io/node-type": node_type, "ray.io/group": group}
    labels = {
        "ray.io/is-ray-node": "yes",
        "app.kubernetes.io/name": "kuberay",
        "app.kubernetes.io/created-by": "kuberay-operator",
        **overridden,
        **fixed,
    }
    if metadata.get("labels", {}).get("ray.io/originated-from-crd") == "RayService":
        labels["ray.io/serve"] = "false" if node_type == "head" else "true"
    suffix = node_type if node_type == "head" else f"{group}-worker-{index}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}"[:63],
            "namespace": metadata["namespace"],
            "labels": labels,
            **({"annotations": template["metadata"]["annotations"]} if "annotations" in template["metadata"] else {}),
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def _finish(cluster: Object, pod: Object, group: Object, node_type: str) -> None:
    """The command, the token, /dev/shm and the probes."""
    ray = pod["spec"]["containers"][0]
    service = cluster["metadata"].get("labels", {}).get("ray.io/originated-from-crd") == "RayService"
    if not any(port["name"] == "metrics" for port in ray.get("ports", [])):
        ray.setdefault("ports", []).append({"name": "metrics", "containerPort": 8080})
    if cluster["spec"].get("authOptions", {}).get("mode") == "token":
        named = ("wait-gcs-ready", "autoscaler")
        others = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"][1:]]
        for container in (ray, *(one for one in others if one["name"] in named)):
            container.setdefault("env", []).extend(_token(cluster["metadata"]["name"]))
    _empty_dir(pod, ray, "shared-mem", "/dev/shm", {"medium": "Memory"})
    command = "ray start --head" if node_type == "head" else "ray start"
    ray["command"], ray["args"] = ["/bin/bash", "-c", "--"], [f"ulimit -n 65536; {command} {_flags(group, ray)}"]
    ray.setdefault("env", []).append(_from_field("RAY_CLOUD_INSTANCE_ID", "metadata.name"))
    http = {"httpGet": {"path": "/api/healthz", "port": 52365}}
    health = "wget --tries 1 -T {} -q -O- http://localhost:{}/{} | grep success"
    serving = {
        "exec": {
            "command": [
                "bash",
                "-c",
                f"{health.format(2, 52365, 'api/local_raylet_healthz')} && {health.format(10, 8000, '-/healthz')}",
            ]
        }
    }
    assert tuple(int(part) for part in cluster["spec"]["rayVersion"].split("."))[:2] >= PROBE_VERSION
    ray.setdefault("livenessProbe", {**http, "initialDelaySeconds": 30, "periodSeconds": 5, "failureThreshold": 120})
    ray.setdefault("readinessProbe", serving if service and node_type == "worker" else http)


def _flags(group: Object, ray: Object) -> str:
    """The flags of `ray start`, from rayStartParams, the group's resources, and else the container's."""
    given, limits, requests = group.get("rayStartParams", {}), ray["resources"]["limits"], ray["resources"]["requests"]
    resources = group.get("resources", {})
    found = dict(given)
    if not resources:
        found.setdefault("num-cpus", limits.get("cpu", requests.get("cpu")))
    else:
        own = {"CPU": "num-cpus", "GPU": "num-gpus", "memory": "memory"}
        found |= {flag: resources[key] for key, flag in own.items() if key in resources}
        if custom := {key: value for key, value in resources.items() if key not in own}:
            found["resources"] = repr(custom)
    return " ".join(f"--{key}={value}" for key, value in sorted(found.items()))


def _empty_dir(pod: Object, container: Object, name: str, path: str, source: Object) -> None:
    """A volume of this name at this path, unless something is mounted there."""
    mounted = container.setdefault("volumeMounts", [])
    if any(one["mountPath"] == path for one in mounted):
        return
    if not any(one["name"] == name for one in pod["spec"].setdefault("volumes", [])):
        pod["spec"]["volumes"].append({"name": name, "emptyDir": source})
    mounted.append({"name": name, "mountPath": path})


def _token(cluster: str) -> list[Object]:
    return [
        {"name": "RAY_AUTH_MODE", "value": "token"},
        {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {"name": cluster, "key": "auth_token"}}},
    ]


def _from_field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def refusals(cluster: Object) -> list[str]:
    """What the operator refuses of a RayCluster (validateRayClusterSpec and its neighbours), as far as it concerns what we emit."""
    spec, found = cluster["spec"], []
    groups = [("Head", spec["headGroupSpec"]), *((one["groupName"], one) for one in spec["workerGroupSpecs"])]
    for name, group in groups:
        params = group.get("rayStartParams", {})
        if group.get("resources") and {"num-cpus", "num-gpus", "memory", "resources"} & params.keys():
            found.append(f"resource fields should not be set in both rayStartParams and Resources for {name} group")
        if "labels" in params:
            found.append(f"rayStartParams['labels'] is not supported for {name} group")
        if {"redis-password", "redis-username"} & params.keys():
            found.append(f"cannot set redis credentials in rayStartParams of {name}")
    for one in spec["workerGroupSpecs"]:
        if not spec.get("enableInTreeAutoscaling") and not {"minReplicas", "maxReplicas"} <= one.keys():
            found.append(f"worker group {one['groupName']} must set both minReplicas and maxReplicas")
        if one.get("minReplicas", 0) > one.get("maxReplicas", 2**31 - 1):
            found.append(f"worker group {one['groupName']} has minReplicas greater than maxReplicas")
        if "idleTimeoutSeconds" in one and not spec.get("enableInTreeAutoscaling"):
            found.append(f"worker group {one['groupName']} has idleTimeoutSeconds without the autoscaler")
    names = {one["name"] for one in spec["headGroupSpec"]["template"]["spec"]["containers"][0].get("env", [])}
    if spec.get("gcsFaultToleranceOptions") is None and "RAY_REDIS_ADDRESS" in names:
        found.append("RAY_REDIS_ADDRESS is set without GcsFaultToleranceOptions")
    if spec.get("authOptions", {}).get("mode") == "token" and tuple(map(int, spec["rayVersion"].split("."))) < (2, 52):
        found.append("minimum Ray version is 2.52.0")
    return found
