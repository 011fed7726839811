"""A token in Pulumi's secret configuration reaches one Secret and nothing else."""

import json
from pathlib import Path

import pytest
import yaml

from preview.manifests import render
from preview.run import Run, run
from preview.tree import tree, tree_json
from preview.values import Secret
from tests.programs import ROOT

CANARY = "hf_canary0123456789"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Run:
    whole = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    stack = whole["config"]["llm-serving:stack"]
    stack["huggingFaceToken"] = {"configSecret": "hfToken"}
    config = {
        "aws:region": "us-east-1",
        "llm-serving:stack": json.dumps(stack),
        "llm-serving:hfToken": CANARY,
    }
    secrets = ["llm-serving:hfToken"]
    return run(ROOT / "__main__.py", project="llm-serving", stack="dev", config=config, config_secret_keys=secrets)


def test_the_token_is_marked_secret_where_the_state_gets_it(result: Run) -> None:
    (secret,) = [one for one in result.resources if one.type == "kubernetes:core/v1:Secret"]
    value = secret.inputs["stringData"]["HF_TOKEN"]
    assert isinstance(value, Secret)
    assert value.reveal() == CANARY


def test_the_token_is_nowhere_else(result: Run) -> None:
    shown = [repr(one) for one in result.resources]
    shown += tree(result.resources)
    shown += [json.dumps(tree_json(result.resources)), repr(result.outputs), repr(result.logs)]
    assert not [text for text in shown if CANARY in text]


def test_pods_and_jobs_name_the_secret(result: Run) -> None:
    for one in result.resources:
        if one.type.endswith(":Job"):
            variables = one.inputs["spec"]["template"]["spec"]["containers"][0]["env"]
            (token,) = [variable for variable in variables if variable["name"] == "HF_TOKEN"]
            reference = {"name": "hugging-face-token", "key": "HF_TOKEN"}
            assert token == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}


def test_rendered_files_hold_no_token_and_say_what_is_missing(result: Run, tmp_path: Path) -> None:
    rendered = render(result.resources, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if CANARY in path.read_text()]
    assert [gap.path for gap in rendered.incomplete] == ["stringData.HF_TOKEN"]
    assert rendered.exit_code == 1
