"""Stack files of any size: N workloads on shared node groups and one volume."""

import copy
from pathlib import Path
from typing import Any

import yaml

WORKLOADS_PER_GROUP = 100


def stack_file(workloads: int, folder: Path) -> Path:
    """Writes Pulumi.bench.yaml with that many workloads, each with its Deployment, Service, account, budget and policy."""
    source = yaml.load(Path("Pulumi.dev.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    whole = copy.deepcopy(source)
    stack: dict[str, Any] = whole["config"]["llm-serving:stack"]
    (group,) = stack["nodeGroups"].values()
    (workload,) = stack["workloads"].values()
    groups = -(-workloads // WORKLOADS_PER_GROUP)
    stack["nodeGroups"] = {f"gpu-{index}": {**group, "maxSize": WORKLOADS_PER_GROUP} for index in range(groups)}
    stack["workloads"] = {
        f"chat-{index}": {**workload, "nodeGroup": f"gpu-{index // WORKLOADS_PER_GROUP}"} for index in range(workloads)
    }
    path = folder / "Pulumi.bench.yaml"
    # No aliases: a stack file that people write has none.
    dumper = type("Plain", (yaml.CSafeDumper,), {"ignore_aliases": lambda *_: True})
    path.write_text(yaml.dump(whole, Dumper=dumper, sort_keys=False), encoding="utf-8")
    return path
