"""Without the control plane's binary its tests are skipped with the reason, and fail where it has to be there."""

import re
from pathlib import Path

import pytest

from tests.cluster.binary import SOURCES, Unavailable, binary, kubernetes_version
from tests.cluster.required import REQUIRE, control_plane_binary


@pytest.fixture
def without_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Go."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(REQUIRE, raising=False)


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with a Go that can't get any module."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = env ] && exit 0\necho "dial tcp: lookup proxy: no such host" >&2\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("without_go")
def test_without_go_the_reason_is_printed() -> None:
    with pytest.raises(pytest.skip.Exception, match="Go is not on PATH"):
        control_plane_binary()


@pytest.mark.usefixtures("without_go")
@pytest.mark.parametrize("variable", ["CI", REQUIRE])
def test_where_the_control_plane_must_be_there_its_absence_is_a_failure(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(pytest.fail.Exception, match="Go is not on PATH"):
        control_plane_binary()


@pytest.mark.usefixtures("without_proxy")
def test_without_a_module_proxy_the_reason_is_what_go_says() -> None:
    with pytest.raises(Unavailable, match="no such host"):
        binary()


def test_every_module_of_kubernetes_is_of_the_same_release() -> None:
    staging = kubernetes_version().replace("v1.", "v0.")
    text = (SOURCES / "go.mod").read_text("utf-8")
    replaced = re.findall(r"(?m)^\s*(k8s\.io/\S+) => (k8s\.io/\S+) (\S+)$", text)
    assert len(replaced) > 20
    assert {(old == new, version) for old, new, version in replaced} == {(True, staging)}
