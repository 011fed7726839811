"""MEM007, MEM008, MEM009: memory of GPUs that several pods share."""

import math
from collections.abc import Iterator

from catalog.gpus import gpus
from catalog.mig import profiles
from components.infrastructure import NodeGroup
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.placement_nodes import surge_copies
from preflight.rule import Facts, Finding, Path, Remedy, Rule

_ROUNDING = 1e-9


def _time_slicing(facts: Facts) -> Iterator[Finding]:
    for group, workloads in _by_group(facts, "time-slicing"):
        assert group.sharing is not None
        units = group.sharing.units
        # Any pods of the group can meet on one GPU: those with the largest shares are the worst case.
        shares = sorted(
            (_share(one) for one in workloads for _ in range(one.copies + surge_copies(one))), reverse=True
        )[:units]
        total = math.fsum(shares)
        if total <= 1 + _ROUNDING:
            continue
        for workload in workloads:
            if _share(workload) <= 1 / units + _ROUNDING or not workload.replicas:
                continue
            yield Finding(
                path=_share_path(workload),
                message=(
                    f"{len(shares)} pods can meet on one {group.gpu_name} of {group.name} (time-sliced {units} ways, "
                    "without memory isolation), "
                    f"and together they ask for {total:.2f} of its memory: the last one finds less free memory than it needs"
                ),
                remedies=_equal_share(workload, len(shares)),
            )


def _mps(facts: Facts) -> Iterator[Finding]:
    for group, workloads in _by_group(facts, "mps"):
        assert group.sharing is not None
        units = group.sharing.units
        for workload in workloads:
            if _share(workload) <= 1 / units + _ROUNDING:
                continue
            yield Finding(
                path=_share_path(workload),
                message=(
                    f"{_share_path(workload)[-1]} {_share(workload):g} is of the whole {group.gpu_name}, and MPS lets each "
                    f"of {units} clients of {group.name} "
                    f"allocate 1/{units} of it ({1 / units:.3f})"
                ),
                remedies=_equal_share(workload, units),
            )


def _by_group(facts: Facts, way: str) -> Iterator[tuple[NodeGroup, list[Workload]]]:
    for name, group in facts.stack.node_groups.items():
        if group.sharing is not None and group.sharing.way == way:
            yield group, [one for one in facts.workloads if one.node_group.name == name]


def _share(workload: Workload) -> float:
    return workload.engine.usable_gib(1.0)


def _share_path(workload: Workload) -> Path:
    key = workload.engine.MEMORY_KEY
    return engine_path(workload, key) if key else engine_path(workload)


def _equal_share(workload: Workload, pods: int) -> tuple[Remedy, ...]:
    share, key = math.floor(100 / pods) / 100, workload.engine.MEMORY_KEY
    if key is None:
        return (Remedy(text=f"{workload.engine.name} has no key for a share of the memory: give it GPUs of its own"),)
    return (
        Remedy(text=f"set {key}: {share:.2f}", changes=((_share_path(workload), share),)),
        Remedy(text=f"set {key} to at most {share:.2f} on every workload of the group, with a model that fits in it"),
    )


def _mig(facts: Facts) -> Iterator[Finding]:
    for name, group in facts.stack.node_groups.items():
        sharing, gpu = group.sharing, group.gpu
        if sharing is None or sharing.mig_profile is None or gpu is None or gpu.name not in gpus():
            continue
        known = profiles(gpu.name)
        if known is None:
            continue
        place = ("nodeGroups", name, "sharing", "mig")
        found = known.get(sharing.mig_profile)
        if not known:
            yield Finding(
                path=place,
                message=f"{gpu.name} has no MIG",
                remedies=(Remedy(text="remove sharing", changes=((place[:-1], None),)),),
            )
        elif found is None:
            usable = [one for one in known.values() if one.slices >= sharing.units]
            yield Finding(
                path=(*place, "profile"),
                message=f"{gpu.name} has no MIG profile {sharing.mig_profile}; it has {', '.join(known)}",
                remedies=tuple(
                    Remedy(text=f"set profile: {one.name}", changes=(((*place, "profile"), one.name),))
                    for one in usable
                ),
            )
        elif sharing.units > found.slices:
            yield Finding(
                path=(*place, "slices"),
                message=f"{gpu.name} can be cut into at most {found.slices} slices of {found.name}, not {sharing.units}",
                remedies=(Remedy(text=f"set slices: {found.slices}", changes=(((*place, "slices"), found.slices),)),),
            )


RULES = (
    Rule(
        code="MEM007",
        severity="error",
        title="Pods that time-share a GPU fit in its memory together",
        why='vLLM exits with "Free memory on device .. on startup is less than desired GPU memory utilization" '
        "(v1/worker/utils.py, request_memory): it "
        "takes its share of the whole GPU, and time-slicing isolates no memory "
        "(https://github.com/NVIDIA/k8s-device-plugin#with-cuda-time-slicing).",
        check=_time_slicing,
    ),
    Rule(
        code="MEM008",
        severity="error",
        title="gpuMemoryUtilization is no more than the pod's MPS share",
        why="The plugin's MPS daemon limits each client to total memory / replicas "
        "(set_default_device_pinned_mem_limit), while the client still sees "
        "the whole GPU (https://github.com/NVIDIA/k8s-device-plugin/issues/764, .../issues/1119).",
        check=_mps,
    ),
    Rule(
        code="MEM009",
        severity="error",
        title="The MIG profile exists on the GPU, as often as asked",
        why="mig-parted or nvidia-smi refuses other geometries, and the nodes then offer no GPUs "
        "(https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html).",
        check=_mig,
    ),
)
