"""Serve configurations against Ray's own models, in an environment of their own (`make test-ray`)."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from catalog.ray import releases
from components.ray_cluster_spec import ray_service_spec
from components.resolved import Stack
from components.resolved_ray import RayModel, members
from stacks.loader import load_file
from stacks.resolve import resolve
from tests.components.test_kuberay import ENGINE, models, shape
from tests.components.test_kuberay import SHAPES as SHAPES_OF_PODS
from tests.preflight.cases_ray import SCALING

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PYTHON = HERE / ".venv" / "bin" / "python"
REQUIRE = "LLM_SERVING_REQUIRE_RAY"
STACK_FILES = [ROOT / "Pulumi.prod.yaml", *sorted((ROOT / "docs" / "examples").glob("Pulumi.*.yaml"))]


@pytest.fixture(scope="module")
def validated() -> Callable[[Sequence[str]], list[list[str]]]:
    """`validated(texts)`: what Ray finds wrong with each configuration."""
    if not PYTHON.exists():
        reason = (
            f"no Ray at {PYTHON.relative_to(ROOT)}; `make test-ray` installs it (half a gigabyte) and runs these tests"
        )
        pytest.fail(reason) if os.environ.get(REQUIRE) else pytest.skip(reason)

    def validate(texts: Sequence[str]) -> list[list[str]]:
        run = subprocess.run(
            [PYTHON, HERE / "validate.py"],
            input=json.dumps(list(texts)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        version, answers = run.stdout.splitlines()[-2:]
        assert version in releases()
        return json.loads(answers)

    return validate


def configurations(stack: Stack) -> list[str]:
    services = [one for one in stack.workloads.values() if one.kind == "RayService"]
    own = [one for one in services if isinstance(one.settings, RayModel) and one.settings.cluster]
    return [ray_service_spec(members(one, stack.workloads))["serveConfigV2"] for one in own]


def test_ray_takes_every_configuration(validated: Callable[[Sequence[str]], list[list[str]]]) -> None:
    texts = {name: ray_service_spec(shape(name))["serveConfigV2"] for name in SHAPES_OF_PODS if name != "cluster"}
    for path in STACK_FILES:
        if (inputs := load_file(path).inputs) is not None:
            texts |= {f"{path.name} {index}": text for index, text in enumerate(configurations(resolve(inputs)))}
    lora = {"dynamicLoraLoadingPath": "s3://models/adapters", "maxNumAdaptersPerReplica": 4}
    full = models(engine={**ENGINE, "enableLora": True}, autoscaling={**SCALING, "upscaleDelaySeconds": 5}, lora=lora)
    texts["full"] = ray_service_spec(full)["serveConfigV2"]
    assert {"Pulumi.prod.yaml 0", "Pulumi.ray.yaml 0"} <= texts.keys()
    assert dict(zip(texts, validated(list(texts.values())), strict=True)) == {name: [] for name in texts}


BROKEN = {
    "import_path": ("applications", 0, "import_path"),
    "num_replica": ("applications", 0, "args", "llm_configs", 0, "deployment_config", "num_replica"),
    "accelerator": ("applications", 0, "args", "llm_configs", 0, "accelerator_type"),
    "llm_config": ("applications", 0, "args", "llm_config"),
    "strategy": ("applications", 0, "args", "llm_configs", 0, "placement_group_config", "strategy"),
    "port": ("http_options", "prt"),
    "ingress": ("applications", 0, "args", "ingress_deployment_config", "max_replicas_per_node"),
}


def test_what_ray_or_the_comparison_of_keys_refuses(validated: Callable[[Sequence[str]], list[list[str]]]) -> None:
    """Otherwise the test above couldn't fail."""
    texts = []
    for *parents, last in BROKEN.values():
        config = yaml.safe_load(ray_service_spec(shape("one"))["serveConfigV2"])
        here = config
        for key in parents:
            here = here[key]
        here[last] = "nonsense"
        texts.append(yaml.safe_dump(config))
    answers = dict(zip(BROKEN, validated(texts), strict=True))
    assert [name for name, found in answers.items() if not found] == []
