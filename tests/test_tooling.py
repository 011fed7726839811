"""The files that install, check and run the project agree with each other. Nothing here needs the network."""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PACK_LOCK = "policies/requirements.txt"
"""The policy pack has an environment of its own."""
PLATFORMS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "platform_machine": machine,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for python in ("3.11", "3.12", "3.13")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "x86_64"), ("darwin", "arm64"))
]


def _platform_name(platform: dict[str, str]) -> str:
    return "-".join(platform[key] for key in ("python_version", "sys_platform", "platform_machine"))


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]

    def applies(self, platform: dict[str, str]) -> bool:
        return self.marker is None or self.marker.evaluate(platform)


@cache
def _pins(lock: str) -> tuple[Pin, ...]:
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / lock).read_text("utf-8")).replace("\\\n", " ")
    pins = []
    for line in text.splitlines():
        requirement = Requirement(line.partition("--hash")[0])
        (version,) = requirement.specifier
        assert version.operator == "==", line
        name = canonicalize_name(requirement.name)
        pins.append(Pin(name, version.version, requirement.marker, tuple(re.findall(r"--hash=(\S+)", line))))
    return tuple(pins)


@cache
def _asked_for(source: str) -> tuple[Requirement, ...]:
    lines = [line.strip() for line in (ROOT / source).read_text("utf-8").splitlines()]
    return tuple(Requirement(line) for line in lines if line and line[0] not in "#-")


def _set_for(platform: dict[str, str], locks: tuple[str, ...]) -> dict[str, str]:
    """Name -> version of everything that the locks install on a platform."""
    return {pin.name: pin.version for lock in locks for pin in _pins(lock) if pin.applies(platform)}


@pytest.mark.parametrize("lock", [*LOCKS, PACK_LOCK])
def test_a_lock_pins_and_hashes_every_package_and_holds_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert not re.findall(r"(?m)^\s*-(?!-hash=sha256:[0-9a-f]{64}( \\)?$).*", text)
    assert not [pin.name for pin in _pins(lock) if not pin.hashes]


@pytest.mark.parametrize("platform", PLATFORMS, ids=_platform_name)
def test_the_locks_answer_their_sources_on_every_platform(platform: dict[str, str]) -> None:
    for lock, locks in (("requirements.txt", LOCKS[:1]), ("requirements-dev.txt", LOCKS)):
        installed = _set_for(platform, locks)
        for requirement in _asked_for(lock.replace(".txt", ".in")):
            if requirement.marker and not requirement.marker.evaluate(platform):
                continue
            assert requirement.specifier.contains(installed[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("platform", PLATFORMS, ids=_platform_name)
def test_both_locks_pin_the_same_version_of_a_shared_package(platform: dict[str, str]) -> None:
    run, dev = (_set_for(platform, (lock,)) for lock in LOCKS)
    assert {name: dev[name] for name in run.keys() & dev.keys()} == {
        name: run[name] for name in run.keys() & dev.keys()
    }


def _closure(sources: tuple[str, ...]) -> dict[str, list[SpecifierSet]]:
    """Every package that the sources lead to, with what its dependants ask, by the metadata of what is installed."""
    found: dict[str, list[SpecifierSet]] = {}
    waiting = [requirement for source in sources for requirement in _asked_for(source)]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        if (key := str(requirement)) in seen:
            continue
        seen.add(key)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)
        extras = {"", *requirement.extras}
        for line in importlib.metadata.requires(requirement.name) or ():
            child = Requirement(line)
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
                child.marker = None
                waiting.append(child)
    return found


@pytest.mark.parametrize(
    ("sources", "locks"), [(("requirements.in",), LOCKS[:1]), (("requirements.in", "requirements-dev.in"), LOCKS)]
)
def test_the_locks_hold_what_the_packages_need_and_nothing_else(
    sources: tuple[str, ...], locks: tuple[str, ...]
) -> None:
    needed = _closure(sources)
    here = {pin.name: pin.version for lock in locks for pin in _pins(lock) if not pin.marker or pin.marker.evaluate()}
    assert here.keys() == needed.keys()
    for name, specifiers in needed.items():
        assert all(one.contains(here[name], prereleases=True) for one in specifiers), name


def test_the_tests_run_with_the_versions_that_the_locks_pin() -> None:
    pins = [pin for lock in LOCKS for pin in _pins(lock) if not pin.marker or pin.marker.evaluate()]
    found = {pin.name: importlib.metadata.version(pin.name) for pin in pins}
    assert found == {pin.name: pin.version for pin in pins}, "`make check` brings the environment in step"


def test_the_pulumi_project_uses_the_environment_that_make_builds() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8"))
    assert project["name"] == "llm-serving"
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
    assert re.search(r"(?m)^VENV := \.venv$", (ROOT / "Makefile").read_text("utf-8"))


def test_the_distribution_takes_its_dependencies_and_packages_from_the_tree() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.in"]}
    patterns = {pattern.rstrip("*") for pattern in settings["tool"]["setuptools"]["packages"]["find"]["include"]}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"}
    assert packages <= patterns


def test_ci_runs_the_documented_commands() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text("utf-8")
    assert "set -euo pipefail" in text
    commands = re.findall(r"(?m)^(?:step|exec) (.+)$", text)
    assert commands == ["make check", "make test-cluster", "make test-ray", "make test"]
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", script], check=True)


def test_every_github_action_is_pinned_by_commit() -> None:
    used = [
        line.partition("uses:")[2].strip()
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in path.read_text("utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    assert not [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", one)]


FAKE_PYTHON = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
  *"-m venv"*) for folder; do :; done; mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" ;;
  *version_info*) [ -z "$TOO_OLD" ] || { echo "$TOO_OLD" >&2; exit 1; } ;;
  *ensurepip*) [ -z "$NO_VENV" ] || exit 1 ;;
esac
"""


class Checkout:
    """The Makefile and the locks in an empty folder, with a Python that only notes what it is asked to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "python.log"
        (folder / "policies").mkdir()
        for name in ("Makefile", *LOCKS, PACK_LOCK):
            shutil.copy(ROOT / name, folder / name)
        python = folder / "python"
        python.write_text(FAKE_PYTHON)
        python.chmod(0o755)

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            ["make", "PYTHON=./python", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LOG": str(self.log), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def installs(self) -> list[str]:
        return re.findall(r"(?m)-m pip install .* -r (\S+)$", self.log.read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a checkout"
    folder.mkdir()
    return Checkout(folder)


@needs_make
def test_make_installs_once_and_again_only_when_a_lock_changes(checkout: Checkout) -> None:
    assert checkout.make(".venv/bin/llm-serving").returncode == 0
    assert checkout.installs() == ["requirements.txt"]
    assert checkout.make("test").returncode == 0
    assert checkout.installs() == ["requirements-dev.txt", PACK_LOCK]
    for lock in (*LOCKS, PACK_LOCK):
        os.utime(checkout.folder / lock)
    assert checkout.make("test").returncode == 0
    assert checkout.installs() == []
    with (checkout.folder / "requirements.txt").open("a") as lock_file:
        lock_file.write("# changed\n")
    assert checkout.make("test").returncode == 0
    assert checkout.installs() == ["requirements.txt"]


@needs_make
def test_make_installs_by_hash_from_wheels_and_compiles_to_bytecode(checkout: Checkout) -> None:
    checkout.make("test")
    commands = [line for line in checkout.log.read_text().splitlines() if "pip install" in line]
    assert len(commands) == 3
    for command in commands:
        assert {"--require-hashes", "--only-binary", "--compile"} <= set(command.split())


@needs_make
def test_make_installs_again_after_an_install_that_failed(checkout: Checkout) -> None:
    failing = FAKE_PYTHON + 'case "$*" in *"pip install"*) exit 1 ;; esac\n'
    (checkout.folder / "python").write_text(failing)
    assert checkout.make(".venv/bin/llm-serving").returncode != 0
    (checkout.folder / ".venv" / "bin" / "python").write_text(FAKE_PYTHON)
    assert checkout.make(".venv/bin/llm-serving").returncode == 0
    assert checkout.installs() == ["requirements.txt"]


@needs_make
def test_the_launcher_follows_a_checkout_that_moved(checkout: Checkout) -> None:
    launcher = Path(".venv") / "bin" / "llm-serving"
    checkout.make(str(launcher))
    moved = checkout.folder.rename(checkout.folder.with_name("moved"))
    checkout.folder, checkout.log = moved, moved / "python.log"
    assert checkout.make(str(launcher)).returncode == 0
    assert checkout.installs() == []
    subprocess.run([moved / launcher, "plan", "a b"], env={"LOG": str(checkout.log)}, check=True)
    assert checkout.log.read_text().splitlines()[-1] == f"{moved / launcher} plan a b"


@needs_make
@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["PYTHON=no-such-python"], {}, "there is no no-such-python"),
        ([], {"TOO_OLD": "3.9.18"}, "3.9.18"),
        ([], {"NO_VENV": "1"}, "apt install python3-venv"),
    ],
)
def test_make_stops_before_installing_with_a_python_that_cannot_do_it(
    checkout: Checkout, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    run = checkout.make("preview", *arguments, **environment)
    assert run.returncode != 0
    assert message in run.stderr
    assert checkout.installs() == []
    assert not (checkout.folder / ".venv").exists()


@needs_make
def test_the_version_check_of_the_makefile_runs_and_names_the_remedy(checkout: Checkout) -> None:
    checkout.make(".venv/bin/llm-serving")
    (line,) = [line for line in checkout.log.read_text().splitlines() if "./python is Python" in line]
    program = line.removeprefix("-c ")
    for version, code in (((3, 10, 9), 1), ((3, 11, 0), 0), ((3, 13, 1), 0)):
        probe = program.replace("import sys;", f"import sys; sys.version_info = {version};", 1)
        run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert ("3.11 or newer is needed" in run.stderr and "PYTHON=" in run.stderr) == bool(code)


@needs_make
@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("preview", ".venv/bin/llm-serving plan dev"),
        ("preview STACK=prod", ".venv/bin/llm-serving plan prod"),
        ("up STACK=prod ARGS=--diff", ".venv/bin/python scripts/up.py prod --diff"),
        ("test-engine", "LLM_SERVING_REQUIRE_ENGINE=1 .venv/bin/python -m pytest -m engine"),
        ("check", ".venv/bin/ty check"),
        ("test", ".venv/bin/python -m pytest"),
        ("golden", ".venv/bin/python -m pytest --update-golden"),
        ("schema", ".venv/bin/llm-serving schema"),
        ("policies", "policies/.venv/bin/python -m pip install"),
        ("bench", ".venv/bin/python -m benchmarks"),
        ("accuracy", ".venv/bin/python -m benchmarks.accuracy"),
        ("lock", "pip compile --quiet --universal --python-version 3.11 --generate-hashes"),
        ("clean", "rm -rf .venv"),
    ],
)
def test_a_target_runs_its_command(checkout: Checkout, target: str, command: str) -> None:
    run = checkout.make("--dry-run", *target.split())
    assert run.returncode == 0, run.stderr
    assert re.search(rf"{re.escape(command)}(?=\s|$)", run.stdout, re.MULTILINE)


@needs_make
def test_make_alone_lists_every_target(checkout: Checkout) -> None:
    phony = re.search(r"(?m)^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"))
    assert phony
    listed = re.findall(r"(?m)^  make (\S+)", checkout.make().stdout)
    assert set(listed) == set(phony[1].split()) - {"FORCE"}
