"""STA: the time that a pod gets to start against the time that it needs."""

from collections.abc import Iterator

from components.resolved import Workload
from components.spec import MIB, mebibytes
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.resolve_pods import read_rate

_LONG = 3600
# A 1B model from the Hub took 159 s (https://github.com/vllm-project/vllm/issues/17386), and Llama 4 Scout, 202 GiB, about 600 s
# (https://github.com/llm-d/llm-d-benchmark/issues/83): about 150 s and 400 MiB/s. Eager: less compilation and graphs, an estimate.
_QUICK, _QUICK_EAGER, _HUB_BEST = 150, 60, 400
# What EFS gives one client at most: https://docs.aws.amazon.com/efs/latest/ug/performance.html (read 2026-11-22).
_SHARED_BEST = 1500
# The fastest network of a GPU instance type for one flow of traffic outside EFA is 100 Gbit/s.
_S3_BEST = 12_000


def _source(uri: str | None) -> str:
    if uri is None:
        return "the Hugging Face Hub"
    return "S3" if uri.startswith("s3://") else "the image"


def _too_short(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        start = workload.startup
        if start.budget >= start.computed:
            continue
        quick, rate = _quick_seconds(workload), read_rate(workload.model, workload.volume)[0]
        path = workload_path(workload, "startupTimeoutSeconds")
        where = "the volume" if workload.volume else _source(workload.model.storage_uri)
        yield Finding(
            path=path,
            message=(
                f"{start.budget} s is less than a start may take: {start.computed} s, of which {start.load} s to read "
                f"{mebibytes(workload.model.weights_size or 0)} from {where} at {rate} MiB/s, {start.compile} s to "
                f"compile and {start.graphs} s for CUDA graphs; a quick one takes {quick:.0f} s"
            ),
            remedies=(setting(path, start.computed), Remedy(text="leave it out, and it is computed")),
            severity=None if start.budget < quick else "warning",
        )


def _quick_seconds(workload: Workload) -> float:
    """A quick first start: measured fixed part, and the weights at the rate that is stated, or else the best that the storage gives."""
    volume = workload.volume
    if volume is None:
        rate = _S3_BEST if (workload.model.storage_uri or "").startswith("s3://") else _HUB_BEST
    elif volume.storage == "ebs" or volume.throughput_basis.startswith("throughputMiBps"):
        rate = volume.throughput_mibps
    else:
        # EFS and FSx burst above their base rate, and unknown classes are a guess.
        rate = _SHARED_BEST
    return (_QUICK_EAGER if workload.engine.is_eager() else _QUICK) + (workload.model.weights_size or 0) / (rate * MIB)


def _too_long(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        start = workload.startup
        if start.budget <= _LONG:
            continue
        if workload.downloads:
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
        "https://github.com/vllm-project/vllm/issues/17386). An error below a quick start (what small models were "
        "measured to need, and the weights at the stated rate or the best that the storage gives); a warning where it "
        "is only below our cautious estimate.",
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
