"""Policies on containers with GPUs: what they request, which devices they see, and their shared memory. Pure."""

from collections.abc import Iterator

from components.engines.base import Parallelism
from components.spec import MIB, mebibytes, to_bytes, to_millis
from policies.arguments import is_vllm, option, variables, words
from policies.objects import Pod, Resource, amount, gpu_resources, gpus, pods
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View
from preflight.container_facts import DEVICE_VARIABLES
from stacks.resolve_pods import least_shm

_NO_DEVICES = ("", "none", "void", "-1")
"""Values that hide every GPU: harmless in a container that asked for none."""
_ONE_POD = (("core", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("batch", "Job"))
"""Kinds where all ranks of an engine are in one pod."""


def _limits(resource: Resource, settings: Settings) -> Iterator[Finding]:
    parts = [_limit(one) for pod in pods(resource) for one in pod.containers()]
    yield from decide(*parts)


def _limit(container: View) -> Iterator[Finding]:
    names = list(gpu_resources(container))
    for name in names:
        limit = container.at("resources", "limits", name)
        request = container.at("resources", "requests", name)
        if not limit.exists():
            yield Finding(message=f"{container.path}: {name} is requested without a limit, which Kubernetes refuses")
        elif request.exists() and amount(request, to_millis) != amount(limit, to_millis):
            yield Finding(
                message=f"{container.path}: request {request.text()} and limit {limit.text()} of {name} differ, "
                "which Kubernetes refuses"
            )
        elif amount(limit, to_millis) % 1000:
            yield Finding(message=f"{limit.path}: {limit.text()} is no whole number of GPUs")
    if names and not container.at("resources", "limits", "memory").exists():
        yield Finding(
            message=f"{container.path}: has GPUs and no memory limit, so one pod can push all others off its node"
        )


def _devices(resource: Resource, settings: Settings) -> Iterator[Finding]:
    parts = [_device_variables(one) for pod in pods(resource) for one in pod.containers()]
    yield from decide(*parts)


def _device_variables(container: View) -> Iterator[Finding]:
    for name, entry in variables(container):
        if name not in DEVICE_VARIABLES:
            continue
        count, value = gpus(container), entry.at("value")
        if count:
            yield Finding(
                message=f"{entry.path}: {name} is the device plugin's: the container sees exactly its {count} GPUs"
            )
        elif not entry.at("valueFrom").exists() and value.text() not in _NO_DEVICES:
            yield Finding(message=f"{entry.path}: {name} takes GPUs that the scheduler gave to other pods")


def _shared_memory(resource: Resource, settings: Settings) -> Iterator[Finding]:
    parts = [_shm(pod, one) for pod in pods(resource) for one in pod.containers(init=False)]
    yield from decide(*parts)


def _shm(pod: Pod, container: View) -> Iterator[Finding]:
    count = gpus(container)
    if count < 2:
        return
    volume = _shm_volume(pod, container)
    if volume is None:
        yield Finding(
            message=f"{container.path}: has {count} GPUs and the container runtime's 64 MiB of /dev/shm; mount an "
            "emptyDir with medium: Memory there"
        )
    elif volume.at("emptyDir", "medium").text() != "Memory":
        yield Finding(message=f"{volume.path}: /dev/shm of {container.path} is on disk; set emptyDir.medium: Memory")
    else:
        size, memory = _sizes(volume, container)
        if size and memory and size >= memory:
            yield Finding(
                message=f"{volume.path}: {mebibytes(size)} of /dev/shm is part of the memory limit of "
                f"{mebibytes(memory)}, and leaves nothing for the engine"
            )


def _queues(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.is_a(*_ONE_POD):
        parts = [_queue(pod, one) for pod in pods(resource) for one in pod.containers(init=False)]
        yield from decide(*parts)


def _queue(pod: Pod, container: View) -> Iterator[Finding]:
    count = gpus(container)
    given = words(container) if count > 1 else []
    if count < 2 or not is_vllm(container, given) or option(given, "--distributed-executor-backend") == "ray":
        return
    if any(name == "VLLM_MQ_MAX_CHUNK_BYTES_MB" for name, _ in variables(container)):
        return
    volume = _shm_volume(pod, container)
    size, memory = _sizes(volume, container) if volume else (0, 0)
    # All GPUs in one group of workers: every other division of them needs at least as much.
    have, need = size or memory, least_shm(Parallelism(tensor=count)) + MIB
    if volume and 0 < have < need:
        yield Finding(
            message=f"{volume.path}: {mebibytes(have)} of /dev/shm is less than the {mebibytes(need)} that vLLM's queues "
            f"between {count} workers take"
        )


def _shm_volume(pod: Pod, container: View) -> View | None:
    for mount in container.at("volumeMounts").each():
        if mount.at("mountPath").text().rstrip("/") == "/dev/shm":
            name = mount.at("name").text()
            return next((one for one in pod.spec.at("volumes").each() if one.at("name").text() == name), None)
    return None


def _sizes(volume: View, container: View) -> tuple[int, int]:
    """Bytes of the volume's own limit and of the container's memory; 0: none given."""
    memory = container.at("resources", "limits", "memory")
    return amount(volume.at("emptyDir", "sizeLimit"), to_bytes), amount(memory, to_bytes)


RULES = (
    Rule(
        name="gpu-limits",
        level="mandatory",
        severity="high",
        title="Containers with GPUs have limits: whole GPUs, requested alike, and memory.",
        why="GPUs can't be overcommitted (https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/), and host memory "
        "for pinned buffers and /dev/shm is bounded by the memory limit only.",
        remedy="Set resources.limits for the GPUs and for memory; leave the GPUs out of requests or make them equal.",
        namespaced=True,
        check=_limits,
    ),
    Rule(
        name="gpu-visible-devices",
        level="mandatory",
        severity="high",
        codes=("ENG013",),
        title="GPUs are chosen by the device plugin alone.",
        why="The plugin sets NVIDIA_VISIBLE_DEVICES for the GPUs that the scheduler gave the pod; `all` takes other pods' "
        "GPUs (https://github.com/NVIDIA/nvidia-container-toolkit/issues/27).",
        remedy="Remove the variable, and request the GPUs in resources.limits.",
        namespaced=True,
        check=_devices,
    ),
    Rule(
        name="gpu-shared-memory",
        level="mandatory",
        severity="high",
        codes=("POD008",),
        title="Containers with several GPUs have a /dev/shm in memory, below their memory limit.",
        why="Workers and NCCL exchange data there; 64 MiB is the runtime's default "
        "(https://docs.vllm.ai/en/stable/deployment/docker/, --ipc and --shm-size). An emptyDir in memory counts as the "
        "container's memory (https://kubernetes.io/docs/concepts/storage/volumes/#emptydir).",
        remedy="Mount emptyDir: {medium: Memory, sizeLimit: ...} at /dev/shm and raise the memory limit by its size.",
        namespaced=True,
        check=_shared_memory,
    ),
    Rule(
        name="vllm-shared-memory-size",
        level="advisory",
        severity="medium",
        codes=("POD009",),
        title="vLLM's queues fit into /dev/shm.",
        why="They fill up while the engine runs, and releases since July 2026 refuse to start "
        "(https://github.com/vllm-project/vllm/pull/50606).",
        remedy="Raise the emptyDir's sizeLimit, and the memory limit with it.",
        namespaced=True,
        check=_queues,
    ),
)
