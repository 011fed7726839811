"""The control plane's binary: built once from tests/cluster/control-plane with Go, then kept in the user's cache.

The cache is ${XDG_CACHE_HOME:-~/.cache}/llm-serving/control-plane/<hash of the sources, the pins and the Go version>.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "control-plane"
_BUILD_SECONDS = 3000
"""A cold build takes 8 to 15 minutes on two cores."""


class Unavailable(Exception):
    """The binary can't be built here; the text says why."""


def kubernetes_version() -> str:
    """The release of Kubernetes that go.mod pins, for example v1.36.3."""
    found = re.search(r"(?m)^\s*k8s\.io/kubernetes (v\S+)$", (SOURCES / "go.mod").read_text("utf-8"))
    assert found, "go.mod pins no k8s.io/kubernetes"
    return found[1]


def is_built() -> bool:
    """Whether `binary` answers at once. Raises Unavailable."""
    return _path().exists()


def binary() -> Path:
    """Path of the binary, built first where the cache lacks it. Raises Unavailable."""
    path = _path()
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Another session may be building the same.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print("building the control plane (about 10 minutes, once) ...", file=sys.stderr, flush=True)
            try:
                _build(path)
            except subprocess.SubprocessError as error:
                raise Unavailable(f"`go build` of tests/cluster/control-plane failed: {_reason(error)}") from None
    return path


def _path() -> Path:
    if shutil.which("go") is None:
        raise Unavailable("Go is not on PATH: install the version that tests/cluster/control-plane/go.mod names")
    try:
        environment = _go("env", "GOVERSION", "GOOS", "GOARCH", timeout=300)
    except subprocess.SubprocessError as error:
        raise Unavailable(f"`go env` failed: {_reason(error)}") from None
    return _cache() / _key(environment) / "control-plane"


def _build(path: Path) -> None:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    # Clients refuse the version string of an unstamped build.
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = ["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamps.items())]
    fresh = path.with_suffix(".new")
    arguments = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", " ".join(flags), "-o", str(fresh), "."]
    _go("build", *arguments, timeout=_BUILD_SECONDS)
    fresh.replace(path)


def _go(*arguments: str, timeout: int) -> str:
    found = subprocess.run(
        ["go", *arguments],
        cwd=SOURCES,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout,
    )
    return found.stdout


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-serving" / "control-plane"


def _key(environment: str) -> str:
    digest = hashlib.sha256(environment.encode())
    for path in sorted(one for one in SOURCES.rglob("*") if one.suffix in (".go", ".mod", ".sum")):
        digest.update(f"{path.relative_to(SOURCES)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _reason(error: subprocess.SubprocessError) -> str:
    output = getattr(error, "stderr", None) or str(error)
    text = output.decode() if isinstance(output, bytes) else output
    return " | ".join(text.strip().splitlines()[-5:])
