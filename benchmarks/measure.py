"""CPU seconds and peak memory of whole processes, from the operating system's own accounting."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians over the runs."""

    cpu: float
    """User and system seconds."""
    peak_mib: float


def measure(commands: dict[str, Sequence[str]], runs: int) -> dict[str, Cost]:
    """Runs every command in turn, `runs` times after one warm-up, so that drifts of the machine hit all of them alike."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            used = _run(command)
            if turn:
                seen[name].append(used)
    return {
        name: Cost(cpu=median(cpu for cpu, _ in values), peak_mib=median(peak for _, peak in values))
        for name, values in seen.items()
    }


def _run(command: Sequence[str]) -> tuple[float, float]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}:\n{errors}")
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale


def python(*words: str) -> list[str]:
    """A command line of this interpreter, in this folder."""
    return [sys.executable, *words]


ROOT = Path(__file__).resolve().parent.parent
CLI = (str(ROOT / ".venv" / "bin" / "llm-serving"),)
