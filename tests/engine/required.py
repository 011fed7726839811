"""What the tests on the real Pulumi engine need beside the CLI. Light: every run of the suite imports it."""

import importlib.metadata
import os
import shutil
from pathlib import Path

REQUIRE = "LLM_SERVING_REQUIRE_ENGINE"
"""Where it is set to 1, a test that would be skipped fails."""
PROVIDER = "pulumi-resource-kubernetes"


def is_required() -> bool:
    """Whether a test that drives the engine may not be skipped."""
    return os.environ.get(REQUIRE, "") not in ("", "0")


def missing() -> str | None:
    """What this machine lacks of the engine; None where all is there.

    The provider is a plugin on PATH, or one of the SDK's version that `pulumi plugin install` put into Pulumi's home.
    """
    if shutil.which("pulumi") is None:
        return "the Pulumi CLI (`pulumi`) is not on PATH"
    version = importlib.metadata.version("pulumi-kubernetes")
    if shutil.which(PROVIDER) is None and not (plugins() / f"resource-kubernetes-v{version}").is_dir():
        return (
            f"the Kubernetes provider ({PROVIDER}) is not on PATH, nor installed: "
            f"run `pulumi plugin install resource kubernetes {version}`"
        )
    return None


def plugins() -> Path:
    """Where the CLI keeps the plugins that it installed."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
