"""Opt-in: vLLM's own parser reads what we emit.

LLM_SERVING_VLLM_PYTHON names a Python interpreter that has vllm installed, CPU builds included; the release must have an option table.
It takes half a minute, nearly all of it vLLM's import.
"""

import json
import os
import subprocess

import pytest

from catalog.options import versions
from tests.components.engines.test_vllm_arguments import LAUNCH, ROWS, SERVED, engine

PROGRAM = """
import contextlib, importlib, importlib.metadata, io, json, sys
from vllm.utils.argparse_utils import FlexibleArgumentParser
for name in ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args", "vllm.entrypoints.openai.cli_args"):
    try:
        module = importlib.import_module(name)
        break
    except ModuleNotFoundError:
        continue
parser = module.make_arg_parser(FlexibleArgumentParser())
answers = []
for words in json.load(sys.stdin):
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parser.parse_args(words)
        answers.append(None)
    except SystemExit:
        answers.append(errors.getvalue()[-400:])
print("ANSWERS" + json.dumps(answers))
"""
VERSION = "import importlib.metadata; print(importlib.metadata.version('vllm'))"


def run(python: str, program: str, given: str = "") -> str:
    environment = {**os.environ, "VLLM_TARGET_DEVICE": "cpu", "VLLM_NO_USAGE_STATS": "1"}
    done = subprocess.run(
        [python, "-c", program], input=given, capture_output=True, text=True, timeout=600, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def python() -> str:
    path = os.environ.get("LLM_SERVING_VLLM_PYTHON")
    if not path:
        pytest.skip("LLM_SERVING_VLLM_PYTHON names no interpreter with vllm")
    return path


def test_the_release_parses_every_typed_option_and_refuses_what_is_gone(python: str) -> None:
    version = run(python, VERSION).strip().partition("+")[0]
    assert version in versions("vllm"), f"no option table for {version}"
    texts = [*ROWS, SERVED]
    gone = [
        ["/model", "--swap-space=4"],
        ["/model", "--tensor-parallel-size=four"],
        ["/model", "--tensor-paralel-size=4"],
    ]
    lines = [engine(text, version).args(LAUNCH) for text in texts]
    answers = json.loads(run(python, PROGRAM, json.dumps([*lines, *gone])).partition("ANSWERS")[2])
    refused = {text: answer for text, answer in zip(texts, answers, strict=False) if answer}
    assert refused == {}
    assert all(answers[len(texts) :])
