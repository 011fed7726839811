"""The download script, run for real against a stand-in for huggingface_hub."""

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from components.download_job import SCRIPT

HUB = """
import hashlib, os, pathlib, types

REMOTE = pathlib.Path(os.environ["REMOTE"])

def _lfs(path):
    return types.SimpleNamespace(sha256=hashlib.sha256(path.read_bytes()).hexdigest())

class HfApi:
    def model_info(self, repository, revision, files_metadata):
        files = [path for path in sorted(REMOTE.rglob("*")) if path.is_file()]
        return types.SimpleNamespace(siblings=[
            types.SimpleNamespace(
                rfilename=str(path.relative_to(REMOTE)), size=path.stat().st_size,
                lfs=_lfs(path) if path.suffix in (".safetensors", ".bin", ".pth") else None)
            for path in files])

def snapshot_download(repository, revision, local_dir, ignore_patterns, max_workers):
    from fnmatch import fnmatch
    print("downloading")
    for path in REMOTE.rglob("*"):
        name = str(path.relative_to(REMOTE))
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in ignore_patterns):
            target = pathlib.Path(local_dir) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.write_bytes(path.read_bytes())
"""


@pytest.fixture
def job(tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "huggingface_hub.py").write_text(textwrap.dedent(HUB))
    remote, target = tmp_path / "remote", tmp_path / "models" / "llama"
    remote.mkdir()
    for name, text in {"model.safetensors": "weights", "config.json": "{}", "consolidated.00.pth": "old"}.items():
        (remote / name).write_text(text)

    def start() -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "REMOTE": str(remote)}
        command = [sys.executable, "-c", SCRIPT, "org/llama", "abc", str(target)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return start, remote, target


def test_it_fetches_the_weights_and_marks_the_folder(job) -> None:
    start, _, target = job
    assert start().returncode == 0
    assert sorted(path.name for path in target.iterdir()) == [
        ".llm-serving-complete",
        "config.json",
        "model.safetensors",
    ]
    assert (target / ".llm-serving-complete").read_text() == "org/llama@abc\n"


def test_a_second_run_ends_at_once(job) -> None:
    start, _, _ = job
    start()
    again = start()
    assert (again.returncode, "downloading" in again.stdout) == (0, False)


def test_a_half_filled_folder_is_finished(job) -> None:
    start, _, target = job
    target.mkdir(parents=True)
    (target / "config.json").write_text("{}")
    assert start().returncode == 0
    assert (target / "model.safetensors").read_text() == "weights"


@pytest.mark.parametrize("damaged", ["weight!", "short"])
def test_damaged_weights_are_removed_and_the_next_run_mends_them(job, damaged: str) -> None:
    start, _, target = job
    target.mkdir(parents=True)
    (target / "model.safetensors").write_text(damaged)
    first = start()
    assert first.returncode != 0
    assert "removed, run again" in first.stderr
    assert not (target / ".llm-serving-complete").exists()
    assert start().returncode == 0
    digest = hashlib.sha256((target / "model.safetensors").read_bytes()).hexdigest()
    assert digest == hashlib.sha256(b"weights").hexdigest()


def test_a_repository_without_weights_is_an_error(job) -> None:
    start, remote, _ = job
    (remote / "model.safetensors").unlink()
    result = start()
    assert result.returncode != 0
    assert "no weights" in result.stderr


def test_old_style_weights_are_taken_where_there_are_no_others(job) -> None:
    start, remote, target = job
    (remote / "model.safetensors").rename(remote / "pytorch_model.bin")
    assert start().returncode == 0
    assert (target / "pytorch_model.bin").exists()
