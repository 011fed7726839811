"""Reads objects of a cluster with `kubectl`, which has the credentials and the context that its user has chosen."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]
_SECONDS = 60


class ClusterError(Exception):
    """The cluster can't be asked, with kubectl's own words."""


def current_context(kubeconfig: str | None = None) -> str:
    """Name of the kubeconfig's current context. Raises ClusterError where there is none."""
    return _output(["config", "current-context"], None, kubeconfig).strip()


def objects(
    namespace: str, kinds: Sequence[str], *, context: str | None = None, kubeconfig: str | None = None
) -> list[Object]:
    """Every object of these kinds in a namespace; `kinds` are plural names, with the API group where there is one.

    `context` is one of the kubeconfig, its current one when None; `kubeconfig` is its path, $KUBECONFIG or ~/.kube/config when None.
    Raises ClusterError where there is no kubectl, no answer in 60 seconds, or a refusal.
    """
    words = ["--namespace", namespace, "get", ",".join(kinds), "--output", "json"]
    return json.loads(_output(words, context, kubeconfig))["items"]


def _output(words: Sequence[str], context: str | None, kubeconfig: str | None) -> str:
    if shutil.which("kubectl") is None:
        raise ClusterError("kubectl isn't on PATH; install it as https://kubernetes.io/docs/tasks/tools/ says")
    flags = [f"--{name}={value}" for name, value in (("context", context), ("kubeconfig", kubeconfig)) if value]
    try:
        done = subprocess.run(
            ["kubectl", *flags, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"kubectl got no answer in {_SECONDS} seconds") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"kubectl ended with exit code {done.returncode}"]
        raise ClusterError(lines[-1])
    return done.stdout
