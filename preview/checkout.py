"""The plan of a stack as it is in a folder, and as it was at a commit: each by its own program, in its own process.

A pull request may change components as well as stack files, so the whole tree of the commit is exported, without the
user's work tree or index being touched, and its own `plan` runs. Both get an environment without credentials and a home
folder that is empty.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import site
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preview.diff import Side, StackDiff, diff
from stacks.loader import stack_path

_SECONDS = 300
"""Longest time that one plan may take."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_OWN_ROOT = Path(__file__).resolve().parent.parent


class CheckoutError(Exception):
    """The other side can't be had: no git, no repository, no such commit. The message is for the user."""


def against_commit(stack: str, ref: str, cwd: Path) -> StackDiff:
    """A stack as it is in `cwd` now, compared with what it was at `ref`.

    Raises `CheckoutError`.
    """
    commit = _commit(ref, cwd)
    path = _relative(stack, cwd)
    with _exported(commit, cwd) as folder, ThreadPoolExecutor(2) as pool:
        both = pool.submit(_before, path, commit, folder, cwd), pool.submit(_after, path, cwd)
        before, after = (side.result() for side in both)
    name = stack_path(path, cwd).stem.removeprefix("Pulumi.")
    return diff(name, ref if commit.startswith(ref) else f"{ref} ({commit[:12]})", before, after)


def _before(stack: str, commit: str, folder: Path, cwd: Path) -> Side:
    short = commit[:12]
    if not stack_path(stack, folder).is_file():
        return Side(plan=None, missing=True, note=f"{short} has no stack {stack}: everything is added")
    plan, why = _plan(stack, folder, folder) if (folder / "cli.py").is_file() else (None, "it has no cli.py")
    if plan is not None:
        return Side(plan=plan, note=_problems_note(plan, short))
    _with_todays_program(folder, cwd)
    retried, again = _plan(stack, folder, _OWN_ROOT)
    note = f"the program of {short} can't run here ({why})"
    if retried is None:
        return Side(
            plan=None, note=f"{note}, and today's can't read its stack file ({again}): the stack before is unknown"
        )
    told = "; ".join(
        filter(None, [f"{note}: its stack file was read by today's program", _problems_note(retried, short)])
    )
    return Side(plan=retried, note=told)


def _after(stack: str, cwd: Path) -> Side:
    root = cwd.resolve() if (cwd / "cli.py").is_file() else _OWN_ROOT
    plan, why = _plan(stack, cwd.resolve(), root)
    return Side(plan=plan, note="" if plan is not None else f"the program doesn't run: {why}")


def _problems_note(plan: dict[str, Any], short: str) -> str:
    errors = [one for one in plan.get("problems", ()) if one.get("severity") == "error"]
    if not errors:
        return ""
    first = f"{errors[0].get('code')} {errors[0].get('message')}"
    return f"the stack has {len(errors)} error{'s'[: len(errors) != 1]} at {short}, the first: {first}"


def _plan(stack: str, folder: Path, program: Path) -> tuple[dict[str, Any] | None, str]:
    """The plan as JSON, or None and why there is none."""
    command = [sys.executable, "-m", "cli", "plan", stack, "--cwd", str(folder), "--format", "json"]
    with tempfile.TemporaryDirectory() as home:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "PYTHONPATH": str(program),
            "PYTHONUSERBASE": site.getuserbase(),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            "HOME": home,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        try:
            run = subprocess.run(
                command, cwd=program, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"no answer in {_SECONDS} seconds"
    try:
        plan = json.loads(run.stdout)
    except ValueError:
        last = (run.stderr.strip() or run.stdout.strip() or f"exit code {run.returncode}").splitlines()[-1]
        return None, last.replace(str(folder), ".")
    return (plan, "") if isinstance(plan, dict) else (None, "its plan isn't a JSON object")


def _with_todays_program(folder: Path, cwd: Path) -> None:
    """Make of an exported tree only its stack files and data: no module of it may shadow today's."""
    for path in sorted(folder.rglob("*.py")):
        path.unlink()
    main = cwd / "__main__.py"
    if main.is_file():
        shutil.copy(main, folder / "__main__.py")


def _relative(stack: str, cwd: Path) -> str:
    """The stack's name, or its file below `cwd`."""
    path = Path(stack)
    if not path.is_absolute() and ".." not in path.parts:
        return stack
    try:
        return str((cwd / path).resolve().relative_to(cwd.resolve()))
    except ValueError:
        raise CheckoutError(
            f"{stack} is outside the project's folder, so it is not known where it was before"
        ) from None


def _commit(ref: str, cwd: Path) -> str:
    if _git(cwd, "rev-parse", "--is-inside-work-tree").returncode:
        raise CheckoutError(f"{cwd.resolve()} is in no git repository: there is nothing to compare with")
    found = _git(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = found.stdout.decode().strip()
    if found.returncode or not commit:
        raise CheckoutError(f"{ref} is no commit of this repository; fetch it first (git fetch origin {ref})")
    return commit


@contextmanager
def _exported(commit: str, cwd: Path) -> Generator[Path]:
    """The project's folder as it was at a commit, in a temporary one that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="llm-serving-") as name:
        folder = Path(name).resolve() / "project"
        folder.mkdir()
        prefix = _git(cwd, "rev-parse", "--show-prefix").stdout.decode().strip().rstrip("/")
        there = not prefix or not _git(cwd, "cat-file", "-e", f"{commit}:{prefix}").returncode
        if there:
            archive = _git(cwd, "archive", "--format=tar", commit)
            if archive.returncode:
                raise CheckoutError(
                    f"git archive {commit[:12]} failed: {archive.stderr.decode(errors='replace').strip()}"
                )
            _extract(archive.stdout, folder)
        yield folder


def _extract(archive: bytes, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise CheckoutError("this Python can't extract archives safely: 3.11.4 or newer can")

    def harmless(member: tarfile.TarInfo, to: str) -> tarfile.TarInfo | None:
        try:
            return tarfile.data_filter(member, to)
        except tarfile.FilterError:  # a link that leads out of the tree
            return None

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter=harmless)


def _git(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    quiet = {
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env={**os.environ, **quiet},
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise CheckoutError("git is not on PATH") from None
