"""Stack files of any size: N workloads on shared node groups and one volume."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import CLI, python

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


def recorded(path: str, place: Path) -> Path:
    """The resources of a plan, without markers, for the bare program."""
    found = subprocess.run(python(*CLI, "plan", path, "--format", "json"), capture_output=True, text=True, check=True)
    rows: list[dict[str, object]] = []

    def visit(nodes: list[dict], parent: str) -> None:
        for node in nodes:
            rows.append({key: node[key] for key in ("urn", "type", "name", "inputs")} | {"parent": parent})
            visit(node["children"], node["urn"])

    visit(json.loads(found.stdout)["resources"], "")
    target = place / "resources.json"
    target.write_text(json.dumps(rows), encoding="utf-8")
    return target
