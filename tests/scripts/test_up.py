"""`make up` with stand-ins for the Pulumi CLI: what it runs, what it says first, and what it does without a CLI."""

import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import ROOT

CLI = """\
#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
  "version") echo "v$VERSION" ;;
  "whoami --verbose") exit "${WHOAMI:-0}" ;;
  "stack --stack "*) [ -z "$NO_STACK" ] || { echo "error: no stack named '$3' found" >&2; exit 1; } ;;
  "up "*) echo "PATH=$PATH"; exit "${UP:-0}" ;;
esac
"""
VERSION = importlib.metadata.version("pulumi")

Up = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one stack file, and `bin` on PATH."""
    (tmp_path / "Pulumi.dev.yaml").touch()
    (tmp_path / "bin").mkdir()
    return tmp_path


@pytest.fixture
def up(folder: Path) -> Up:
    """`up(*arguments, **environment)` in the folder."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {
            **os.environ,
            "PATH": os.pathsep.join([str(folder / "bin"), "/usr/bin", "/bin"]),
            "HOME": str(folder),
            "LOG": str(folder / "log"),
            "VERSION": VERSION,
            # There is no network in tests: nobody listens there.
            "https_proxy": "http://127.0.0.1:9",
        }
        command = [sys.executable, ROOT / "scripts" / "up.py", *arguments]
        return subprocess.run(
            command, cwd=folder, env={**own, **environment}, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def add_cli(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pulumi").write_text(CLI, "utf-8")
    (folder / "pulumi").chmod(0o755)


def calls(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text("utf-8").splitlines() if log.exists() else []


def test_a_stack_that_exists_is_brought_up_with_the_cli_on_path(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    run = up("dev", "--yes", "--diff")
    assert (run.returncode, run.stderr) == (0, "")
    assert calls(folder) == ["whoami --verbose", "stack --stack dev --show-name", "up --stack dev --yes --diff"]


def test_the_exit_code_is_that_of_pulumi_up(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    assert up("dev", UP="7").returncode == 7


def test_after_a_failure_comes_what_the_cluster_says_of_the_workloads(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    shutil.copy(ROOT / "docs" / "examples" / "Pulumi.kserve.yaml", folder / "Pulumi.dev.yaml")
    (folder / "bin" / "kubectl").write_text(
        '#!/bin/sh\necho "error: current-context is not set" >&2; exit 1\n', "utf-8"
    )
    (folder / "bin" / "kubectl").chmod(0o755)
    run = up("dev", UP="7")
    assert run.returncode == 7
    assert run.stderr.splitlines() == [
        "make up: what the cluster says of the workloads (llm-serving status dev):",
        "llm-serving: ml-dev, namespace ml-serving: error: current-context is not set",
    ]


def test_ctrl_c_is_left_to_pulumi(folder: Path) -> None:
    add_cli(folder / "bin")
    slow = CLI.replace(
        '"up "*)', '"up "*) trap "echo cancelled; exit 5" INT; echo ready; while :; do sleep 0.1; done; '
    )
    (folder / "bin" / "pulumi").write_text(slow, "utf-8")
    own = {**os.environ, "PATH": f"{folder / 'bin'}:/bin", "HOME": str(folder), "LOG": str(folder / "log")}
    command = [sys.executable, ROOT / "scripts" / "up.py", "dev"]
    with subprocess.Popen(
        command, cwd=folder, env=own, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.splitlines()[0]) == (5, "cancelled")


def test_a_new_stack_is_announced_and_created(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    run = up("dev", NO_STACK="yes")
    assert run.returncode == 0
    assert "creating it with `pulumi stack init dev`" in run.stderr
    assert calls(folder)[-2:] == ["stack init dev --no-select", "up --stack dev"]


def test_without_a_backend_nothing_more_is_run(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    run = up("dev", WHOAMI="255")
    assert run.returncode == 255
    assert "pulumi login" in run.stderr
    assert calls(folder) == ["whoami --verbose"]


@pytest.mark.parametrize("stack", ["deb", "acme/deb"])
def test_a_misspelt_stack_creates_nothing(up: Up, folder: Path, stack: str) -> None:
    add_cli(folder / "bin")
    run = up(stack)
    assert run.returncode == 2
    assert (
        run.stderr == f"make up: STACK={stack}: there is no Pulumi.deb.yaml; the stack files here are Pulumi.dev.yaml\n"
    )
    assert calls(folder) == []


def test_the_file_of_a_stack_of_an_organization_is_that_of_its_last_name(up: Up, folder: Path) -> None:
    add_cli(folder / "bin")
    assert up("acme/dev").returncode == 0
    assert calls(folder)[-1] == "up --stack acme/dev"


def test_a_cli_that_was_installed_before_is_used_with_what_is_beside_it(up: Up, folder: Path) -> None:
    home = folder / ".pulumi" / "versions" / VERSION / "bin"
    add_cli(home)
    run = up("dev")
    assert run.returncode == 0
    assert "installing" not in run.stderr
    assert f"PATH={home}{os.pathsep}" in run.stdout


def test_without_a_cli_and_a_network_the_message_says_what_to_do(up: Up, folder: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run = up("dev", https_proxy=f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert run.returncode == 1
    assert f"installing Pulumi {VERSION} from get.pulumi.com into {folder}" in run.stderr
    assert "can't be installed from get.pulumi.com: " in run.stderr
    assert "Connection refused" in run.stderr
    assert "put `pulumi` on PATH" in run.stderr
    assert "Traceback" not in run.stderr
