"""What a stack file creates, as Kubernetes objects in the order of creation: the program runs in this process, as in a preview."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.resolved import Stack
from preview.manifests import render
from preview.run import run
from stacks.loader import Loaded, load_file
from stacks.resolve import resolve
from tests.cluster.client import Object

ROOT = Path(__file__).resolve().parent.parent.parent
STACK_FILES = [*sorted(ROOT.glob("Pulumi.*.yaml")), *sorted((ROOT / "docs" / "examples").rglob("Pulumi.*.yaml"))]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A stack that passes its checks."""

    stack: Stack
    objects: list[Object]
    """Everything that the program creates, without what Helm charts bring."""


def file_program(path: Path) -> Program:
    """The program with a stack file."""
    loaded = load_file(path)
    assert loaded.inputs is not None, [one.full_text() for one in loaded.problems]
    values, secrets = loaded.engine_config()
    return _program(loaded, values, secrets)


def a_program(stack: Mapping[str, Any], *, region: str | None = None) -> Program:
    """The program with `stack` as its `llm-serving:stack`."""
    config = {**({"aws:region": region} if region else {}), "llm-serving:stack": stack}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Pulumi.test.yaml"
        path.write_text(yaml.safe_dump({"config": json.loads(json.dumps(config))}))
        return file_program(path)


def _program(loaded: Loaded, values: Mapping[str, str], secrets: list[str]) -> Program:
    assert loaded.inputs is not None
    result = run(
        ROOT / "__main__.py",
        project="llm-serving",
        stack=loaded.stack,
        config=values,
        config_secret_keys=secrets,
    )
    with tempfile.TemporaryDirectory() as folder:
        rendered = render(result.resources, Path(folder) / "out")
        assert (rendered.incomplete, rendered.dropped) == ((), ())
        files = [one for one in rendered.files if one.startswith("manifests/")]
        objects = [yaml.safe_load((Path(folder) / "out" / one).read_text("utf-8")) for one in files]
    return Program(stack=resolve(loaded.inputs), objects=objects)


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [one for one in objects if one["kind"] in kinds]
