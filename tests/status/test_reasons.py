"""From objects as a cluster has them to the lines that say why a workload isn't ready."""

from typing import Any

from status.reasons import diagnose

Object = dict[str, Any]
LABELS = {"app.kubernetes.io/instance": "chat", "app.kubernetes.io/managed-by": "pulumi"}


def one(kind: str, name: str = "chat", /, labels: dict[str, str] | None = None, **status: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name, "labels": LABELS if labels is None else labels}, "status": status}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def event(kind: str, name: str, reason: str, message: str, **more: Any) -> Object:
    about = {"kind": kind, "name": name}
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.1"},
        "type": "Warning",
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-23T00:00:00Z",
        **more,
    }


def reasons(*found: Object, wanted: int | None = 1) -> tuple[str, ...]:
    return diagnose("chat", "Deployment", wanted, found).reasons


READY = one("Pod", "chat-1", conditions=[condition("Ready", "True")])


def test_a_workload_whose_pods_are_ready_is_fine() -> None:
    status = diagnose("chat", "Deployment", 1, [one("Deployment", conditions=[condition("Available", "True")]), READY])
    assert status.fine
    assert (status.ready, status.wanted, status.reasons) == (1, 1, ())


def test_too_few_pods_are_not_fine_even_without_a_word() -> None:
    assert not diagnose("chat", "Deployment", 2, [READY]).fine


def test_where_something_else_decides_the_pods_that_exist_count() -> None:
    status = diagnose("chat", "RayService", None, [READY, one("Pod", "chat-2")])
    assert (status.ready, status.wanted) == (1, 2)


def test_a_pod_without_a_node_says_what_the_scheduler_says() -> None:
    message = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    pod = one("Pod", "chat-1", conditions=[condition("PodScheduled", "False", "Unschedulable", message)])
    assert reasons(pod, event("Pod", "chat-1", "FailedScheduling", message)) == (f"Pod chat-1 has no node: {message}",)


def test_an_engine_that_ended_says_the_end_of_its_log() -> None:
    log = "starting\nINFO more\nINFO even more\ntorch.OutOfMemoryError: CUDA out of memory.\n"
    container = {
        "name": "engine",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": log}},
    }
    assert reasons(one("Pod", "chat-1", phase="Running", containerStatuses=[container])) == (
        "Pod chat-1, container engine, ended with exit code 1 after 4 restarts: Error: "
        "INFO more | INFO even more | torch.OutOfMemoryError: CUDA out of memory.",
    )


def test_an_init_container_and_an_image_that_cannot_be_pulled_are_named() -> None:
    initializer = {"name": "storage-initializer", "state": {"terminated": {"exitCode": 1, "message": "NoSuchBucket"}}}
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "vllm/vllm-openai:v9"'}
    pulling = {"name": "engine", "state": {"waiting": waiting}}
    pod = one("Pod", "chat-1", initContainerStatuses=[initializer], containerStatuses=[pulling])
    assert reasons(pod) == (
        "Pod chat-1, container storage-initializer, ended with exit code 1: NoSuchBucket",
        'Pod chat-1, container engine, waits: ImagePullBackOff: Back-off pulling image "vllm/vllm-openai:v9"',
    )


def test_a_pod_that_only_starts_says_so() -> None:
    creating = {"name": "engine", "state": {"waiting": {"reason": "ContainerCreating"}}}
    running = {"name": "engine", "state": {"running": {"startedAt": "2026-11-23T00:00:00Z"}}}
    assert reasons(one("Pod", "chat-1")) == ("Pod chat-1 is starting",)
    assert reasons(one("Pod", "chat-1", containerStatuses=[creating])) == ("Pod chat-1 is starting",)
    waits = {"name": "wait-for-model", "state": {"running": {"startedAt": "2026-11-23T00:00:00Z"}}}
    assert reasons(one("Pod", "chat-1", initContainerStatuses=[waits], containerStatuses=[creating])) == (
        "Pod chat-1 is in its init container wait-for-model",
    )
    beside = one("Pod", "chat-1", initContainerStatuses=[waits], containerStatuses=[running])
    beside["spec"] = {"initContainers": [{"name": "wait-for-model", "restartPolicy": "Always"}]}
    assert reasons(beside) == ("Pod chat-1 has started and isn't ready yet",)
    assert reasons(one("Pod", "chat-1", containerStatuses=[running])) == ("Pod chat-1 has started and isn't ready yet",)


def test_a_controller_that_is_refused_pods_says_who_refuses() -> None:
    message = 'pods "chat-7d9f-" is forbidden: violates PodSecurity "restricted:latest"'
    deployment = one("Deployment", conditions=[condition("ReplicaFailure", "True", "FailedCreate", message)])
    assert reasons(deployment, event("ReplicaSet", "chat-7d9f", "FailedCreate", message)) == (
        f"Deployment chat: ReplicaFailure is True: FailedCreate: {message}",
    )


def test_an_inference_service_says_why_its_weights_do_not_load() -> None:
    service = one(
        "InferenceService",
        conditions=[
            condition("PredictorReady", "False", "MinimumReplicasUnavailable", "too few"),
            condition("Ready", "False", "MinimumReplicasUnavailable", "too few"),
        ],
        modelStatus={"lastFailureInfo": {"reason": "ModelLoadFailed", "message": "403 Forbidden"}},
    )
    assert reasons(service) == (
        "InferenceService chat: ModelLoadFailed: 403 Forbidden",
        "InferenceService chat: PredictorReady is False: MinimumReplicasUnavailable: too few",
    )


def test_the_newest_warnings_about_its_objects_are_told_and_no_others() -> None:
    found = [
        one("Pod", "chat-1"),
        event("Pod", "chat-1", "FailedMount", "no such claim"),
        event("Pod", "chat-1", "FailedMount", "no such claim"),
        event("Pod", "chat-2", "FailedMount", "of a pod that is gone"),
        event("StatefulSet", "chat-0", "FailedCreate", "exceeded quota", lastTimestamp="2026-11-23T01:00:00Z"),
        event("Deployment", "chat-2", "Odd", "of another workload"),
        event("Pod", "chat-1", "Pulled", "fine", type="Normal"),
    ]
    assert reasons(*found) == (
        "Pod chat-1 is starting",
        "StatefulSet chat-0: FailedCreate: exceeded quota",
        "Pod chat-1: FailedMount: no such claim",
    )


def test_a_workload_of_which_there_is_nothing_says_so() -> None:
    other = {**LABELS, "app.kubernetes.io/instance": "chat-2"}
    assert reasons(one("Pod", "chat-2-1", other), wanted=1) == (
        "the namespace has nothing of chat: it isn't deployed, or what comes before it failed",
    )


def test_a_long_message_keeps_its_end() -> None:
    pod = one("Pod", "chat-1", phase="Failed", reason="Evicted", message="x" * 1000 + " the node was low on memory")
    (line,) = reasons(pod)
    assert line.startswith("Pod chat-1 failed: Evicted: ...x")
    assert line.endswith("the node was low on memory")
    assert len(line) < 600
