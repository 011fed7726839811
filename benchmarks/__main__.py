"""`make bench`: check and plan of growing stacks beside a bare SDK program and the import floor, side by side in one run."""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.generate import recorded, stack_file
from benchmarks.measure import CLI, Cost, measure, python

SIZES = (1, 10, 100, 1000)
# What `plan dev` loads besides our own modules; the floor below which no plan can be.
FLOOR = (
    "import typer, rich.console, rich.table, yaml, pydantic, pulumi, pulumi_kubernetes as k, pulumi_aws as a; "
    "k.core.v1.Service; k.apps.v1.Deployment; k.networking.v1.NetworkPolicy; k.policy.v1.PodDisruptionBudget; "
    "k.batch.v1.Job; k.storage.v1.StorageClass; k.helm.v3.Release; k.Provider; "
    "a.eks.NodeGroup; a.ec2.LaunchTemplate; a.iam.Role; a.Provider"
)


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), help="numbers of workloads")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands: dict[str, Sequence[str]] = {
            "import floor": python("-c", FLOOR),
            "check dev": python(*CLI, "check", "dev"),
            "plan dev": python(*CLI, "plan", "dev"),
        }
        for size in given.sizes:
            place = folder / str(size)
            place.mkdir()
            path = str(_apart(stack_file, size, place))
            commands[f"check {size}"] = python(*CLI, "check", path)
            commands[f"plan {size}"] = python(*CLI, "plan", path)
            commands[f"bare {size}"] = python("-m", "benchmarks.bare", str(_apart(recorded, path, place)))
        small = {key: value for key, value in commands.items() if not key.endswith(" 1000")}
        costs = measure(small, given.runs)
        costs |= measure({key: value for key, value in commands.items() if key not in small}, min(given.runs, 2))
    _report(costs, given.sizes)


def _apart(function: Callable[..., Path], *arguments: object) -> Path:
    """Runs it in a process of its own: a child's peak memory starts at its parent's, so this one must stay small."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def _report(costs: dict[str, Cost], sizes: list[int]) -> None:
    print(f"{'':14} {'CPU s':>7} {'peak MiB':>9}")
    for name, cost in costs.items():
        print(f"{name:14} {cost.cpu:7.2f} {cost.peak_mib:9.0f}")
    print()
    floor = costs["import floor"].cpu
    print(f"plan dev over the import floor: {costs['plan dev'].cpu - floor:+.2f} s")
    for size in sizes:
        ratio = costs[f"plan {size}"].cpu / costs[f"bare {size}"].cpu
        print(f"plan {size} / bare {size}: {ratio:.2f}")
    print(
        f"Python {sys.version.split()[0]}; medians; check 0.35 s, check 1000 1.2 s, plan dev floor + 0.25 s are the targets"
    )


if __name__ == "__main__":
    main()
