"""Options, fixtures and the Hypothesis profiles of the whole suite."""

import difflib
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engine.required import REQUIRE, is_required

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden; runs only the tests that use it"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--update-golden"):
        chosen = [item for item in items if "golden" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    if shutil.which("pulumi") is None:
        for item in items:
            if item.get_closest_marker("engine"):
                item.add_marker(pytest.mark.skip(reason="the Pulumi CLI (`pulumi`) is not on PATH"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.get_closest_marker("engine") and is_required():
        *_, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.longrepr,)
        report.outcome, report.longrepr = "failed", f"{REQUIRE} is set, and this test would be skipped: {reason}"
    return report


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: the text equals the file tests/golden/<name>, or becomes it under --update-golden."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests" / "golden" / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return
        if not path.is_file():
            pytest.fail(f"tests/golden/{name} does not exist; `make golden` writes it", pytrace=False)
        expected = path.read_bytes().decode()
        if text != expected:
            lines = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"tests/golden/{name}", "now", lineterm="", n=2
            )
            shown = [*lines][:80] or ["(only line endings differ)"]
            remedy = "If the change is meant, `make golden` rewrites the file."
            pytest.fail("\n".join([f"tests/golden/{name} is out of step. {remedy}", *shown]), pytrace=False)

    return compare


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference facts beside the checkout; LLM_SERVING_SHARED names another place."""
    path = Path(os.environ.get("LLM_SERVING_SHARED") or ROOT.parent / "shared")
    if not (path / "facts").is_dir():
        pytest.skip(f"no reference facts at {path}: put them there or set LLM_SERVING_SHARED")
    return path
