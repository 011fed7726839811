"""The JSON Schema of the whole stack file: current, complete, and of one mind with the loader."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stacks.loader import load_file
from stacks.whole_file import schema
from tests.programs import ROOT, STACK_FILES

COMMITTED = ROOT / "llm-serving.schema.json"
REFERENCE = "# yaml-language-server: $schema=./llm-serving.schema.json"
VALIDATOR = jsonschema.Draft7Validator(schema())


def whole(**stack: Any) -> dict[str, Any]:
    return {"config": {"llm-serving:stack": {"cluster": {"provider": "eks", "name": "c"}, **stack}}}


def test_the_committed_schema_is_current() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == schema(), "run `make schema`"


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_every_stack_file_names_it_and_obeys_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == REFERENCE
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))] == []


def test_every_key_has_a_description() -> None:
    lacking = []

    def visit(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for name, one in value.get("properties", {}).items():
                if isinstance(one, dict) and not one.get("description"):
                    lacking.append(f"{place}.{name}")
            for name, one in value.items():
                if name == "if":  # a condition describes nothing
                    continue
                visit(one, name if name not in ("properties", "definitions") else place)
        elif isinstance(value, list):
            for one in value:
                visit(one, place)

    visit(schema(), "file")
    assert lacking == []


def test_every_object_of_ours_is_closed_or_a_map() -> None:
    for name, definition in schema()["definitions"].items():
        if definition.get("type") == "object":
            assert definition.get("additionalProperties") is False, name


BAD: dict[str, Any] = {
    "no config": {},
    "an unknown top-level key": {**whole(), "confg": {}},
    "no stack": {"config": {"aws:region": "us-east-1"}},
    "no cluster": {"config": {"llm-serving:stack": {}}},
    "a misspelt section": whole(nodegroups={}),
    "an unknown key of ours": {"config": {**whole()["config"], "llm-serving:stak": "x"}},
    "a plain text token": {"config": {**whole()["config"], "llm-serving:hfToken": "hf_x"}},
    "a string for a number": whole(
        nodeGroups={"a": {"instanceTypes": ["g6.xlarge"], "subnetIds": ["subnet-1"], "maxSize": "1"}}
    ),
    "no instance types": whole(nodeGroups={"a": {"subnetIds": ["subnet-1"], "maxSize": 1}}),
    "an unknown storage": whole(volumes={"v": {"storage": "nfs", "size": "1Gi"}}),
    "a bad name": whole(volumes={"V_": {"storage": "efs", "fileSystemId": "fs-1", "size": "1Gi"}}),
    "an unknown engine option": whole(
        workloads={
            "w": {
                "kind": "Deployment",
                "model": "m",
                "nodeGroup": "g",
                "engine": {"name": "vllm", "version": "0.33.0", "maxModelLn": 1},
            }
        }
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_schema_and_loader_refuse_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(yaml.safe_dump(BAD[name]))
    assert list(VALIDATOR.iter_errors(BAD[name])), "the schema accepts it"
    assert any(one.severity == "error" for one in load_file(path).problems), "the loader accepts it"


def kubeconfig(**stack: Any) -> dict[str, Any]:
    return {"cluster": {"provider": "kubeconfig", "context": "c"}, **stack}


GOOD: dict[str, Any] = {
    "the short key, as `pulumi config set` takes it": {"config": {"stack": kubeconfig()}},
    "a stack of infrastructure elsewhere": whole(cluster={"stackReference": "o/p/s", "stackFile": "Pulumi.i.yaml"}),
    "a node group without provisioner": whole(
        nodeGroups={"a": {"instanceTypes": ["g6.xlarge"], "subnetIds": ["subnet-1"], "maxSize": 1}}
    ),
    "a number as a quantity": whole(
        volumes={"v": {"storage": "existingClaim", "claimName": "c", "accessMode": "ReadOnlyMany", "size": 5}}
    ),
    "a key with nothing": {"config": {"llm-serving:stack": kubeconfig(huggingFaceToken=None)}},
    "secrets and Pulumi's own keys": {
        "secretsprovider": "passphrase",
        "encryptionsalt": "v1:x",
        "environment": ["base"],
        "config": {
            "llm-serving:stack": kubeconfig(huggingFaceToken={"configSecret": "hfToken"}),
            "llm-serving:hfToken": {"secure": "v1:abc"},
            "other:anything": {"a": [1, 2]},
        },
    },
}


@pytest.mark.parametrize("name", GOOD)
def test_schema_and_loader_accept_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.i.yaml").write_text(yaml.safe_dump({"config": {"llm-serving:stack": kubeconfig()}}))
    path = tmp_path / "Pulumi.good.yaml"
    path.write_text(yaml.safe_dump(GOOD[name]))
    assert [error.message for error in VALIDATOR.iter_errors(GOOD[name])] == []
    assert [one.text() for one in load_file(path).problems] == []


@pytest.mark.parametrize(
    ("stack", "path", "words"),
    [
        (
            {"nodeGroups": {"a": {"provisioner": "existing", "gpu": "L4", "gpuPerNode": 1}}},
            "nodeGroups/a",
            "gpuPerNode",
        ),
        ({"nodeGroups": {"a": {"subnetIds": ["subnet-1"]}}}, "nodeGroups/a", "instanceTypes"),
        ({"volumes": {"v": {"storage": "nfs"}}}, "volumes/v/storage", "nfs"),
        ({"cluster": {"provider": "eks"}}, "cluster", "name"),
    ],
)
def test_an_editor_is_told_what_is_wrong_with_the_form_that_is_meant(
    stack: dict[str, Any], path: str, words: str
) -> None:
    errors = list(VALIDATOR.iter_errors(whole(**stack)))
    found = {("/".join(str(key) for key in list(error.absolute_path)[2:]), error.message) for error in errors}
    assert any(place == path and words in message for place, message in found), found
    assert not any("valid under any" in message for _, message in found), found
