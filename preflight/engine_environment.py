"""ENG012, ENG013: environment variables that do nothing, or harm."""

import difflib
from collections.abc import Iterator, Mapping
from typing import cast

from catalog.engine_support import table
from preflight.container_facts import DEVICE_VARIABLES
from preflight.engine_facts import Tables, engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path


def _unread(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    gone = cast("Mapping[str, str]", table()["gone_environment"])
    for workload, engine in vllm_workloads(facts):
        names = [name for name in workload.env if name.startswith("VLLM_")]
        known = shared.support(workload) if names else None
        if known is None:
            continue
        for name in names:
            if name in known.environment:
                continue
            path = workload_path(workload, "env", name)
            near = difflib.get_close_matches(name, known.environment, n=1, cutoff=0.85)
            hint = f"; {gone[name]}" if name in gone else (f"; did you mean {near[0]}?" if near else "")
            remedies = [Remedy(text=f"remove {name}", changes=((path, None),))]
            if name == "VLLM_ATTENTION_BACKEND":
                value = workload.env[name]
                moved = ((path, None), (engine_path(workload, "attentionBackend"), value))
                remedies.insert(0, Remedy(text=f"set attentionBackend: {value} instead", changes=moved))
            yield Finding(
                path=path, message=f"vLLM {engine.version} doesn't read {name}{hint}", remedies=tuple(remedies)
            )


def _devices(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        for name in DEVICE_VARIABLES:
            if name in workload.env:
                path = workload_path(workload, "env", name)
                yield Finding(
                    path=path,
                    message=f"{name} is the device plugin's: the container sees exactly its "
                    f"{workload.resources.gpus} GPUs, numbered from 0, and "
                    f"{workload.env[name]!r} can only hide some of them or show those of other pods",
                    remedies=(Remedy(text=f"remove {name}", changes=((path, None),)),),
                )


RULES = (
    Rule(
        code="ENG012",
        severity="warning",
        title="The version reads the environment variable",
        why='vLLM only warns "Unknown vLLM environment variable detected" (platforms/interface.py, '
        "validate_environ), and runs without the setting.",
        check=_unread,
    ),
    Rule(
        code="ENG013",
        severity="error",
        title="GPUs are chosen by the device plugin alone",
        why="The plugin sets NVIDIA_VISIBLE_DEVICES for the GPUs that the scheduler gave the pod "
        "(https://github.com/NVIDIA/nvidia-container-toolkit/issues/27); an index beyond them hides every GPU, and "
        "`all` can take other pods' GPUs.",
        check=_devices,
    ),
)
