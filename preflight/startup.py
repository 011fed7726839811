"""STA: the time that a pod gets to start against the time that it needs."""

from collections.abc import Iterator

from components.resolved import Workload
from components.spec import MIB, mebibytes
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.resolve_models import HUB_MIBPS

_LONG = 3600


def _too_short(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        start = workload.startup
        if start.budget >= start.computed:
            continue
        least, rate = _least_seconds(workload)
        path = workload_path(workload, "startupTimeoutSeconds")
        where = "the volume" if workload.volume else "the Hugging Face Hub"
        yield Finding(
            path=path,
            message=(
                f"{start.budget} s is less than a start may take: {start.computed} s, of which {start.load} s to read "
                f"{mebibytes(workload.model.weights_size or 0)} from {where} at {rate} MiB/s, {start.compile} s to "
                "compile and "
                f"{start.graphs} s for CUDA graphs"
            ),
            remedies=(setting(path, start.computed), Remedy(text="leave it out, and it is computed")),
            severity=None if start.budget < least else "warning",
        )


def _least_seconds(workload: Workload) -> tuple[float, int]:
    """Seconds below which no first start can be, where the stack file or a provisioned disk says the rate; else 0, and the rate assumed."""
    volume = workload.volume
    if volume is None:
        return 0, HUB_MIBPS
    # EFS and FSx burst above their base rate, and unknown classes are a guess.
    stated = volume.storage == "ebs" or volume.throughput_basis.startswith("throughputMiBps")
    least = (workload.model.weights_size or 0) / (volume.throughput_mibps * MIB)
    return (least if stated else 0), volume.throughput_mibps


def _too_long(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        start = workload.startup
        if start.budget <= _LONG:
            continue
        if workload.volume is None:
            key, advice = ("model",), "keep the weights on a volume, so that a pod doesn't download them at every start"
        else:
            key, advice = ("startupTimeoutSeconds",), "use faster storage, or set its measured rate in throughputMiBps"
        yield Finding(
            path=workload_path(workload, *key),
            message=(
                f"a start of {workload.name} may take {start.budget // 60} minutes ({start.basis}): as long as "
                "that, a failed start isn't noticed and "
                "a lost pod isn't replaced"
            ),
            remedies=(Remedy(text=advice),),
        )


RULES = (
    Rule(
        code="STA001",
        severity="error",
        title="The start-up time-out covers the start",
        why="The startup probe kills the container while it still loads, over and over "
        "(https://github.com/kserve/kserve/pull/5063; "
        "https://github.com/vllm-project/vllm/issues/17386). An error where reading the weights alone takes longer "
        "at the rate that the stack file or "
        "the provisioned disk states; a warning where it is below our cautious estimate.",
        check=_too_short,
    ),
    Rule(
        code="STA002",
        severity="warning",
        title="A start takes less than an hour",
        why="Node replacement, scale-up and rollback all wait for it, and Pulumi's time-out grows with it.",
        check=_too_long,
    ),
)
