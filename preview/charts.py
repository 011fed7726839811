"""Helm releases as `helm` commands: a values file and the script that installs it.

Option names: `helm upgrade --help`, https://helm.sh/docs/helm/helm_upgrade/ ; property names: pulumi-kubernetes 4.34.2,
`helm.v3.Release` (both read 22 Nov 2026). Pulumi waits for a release unless `skipAwait`, hence `--wait`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from preview.registered import Registered
from preview.values import Secret, Unknown, walk
from preview.yaml_text import to_yaml

_SWITCHES: Final = {
    "skipCrds": "--skip-crds",
    "atomic": "--atomic",
    "cleanupOnFail": "--cleanup-on-fail",
    "waitForJobs": "--wait-for-jobs",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableOpenapiValidation": "--disable-openapi-validation",
    "disableWebhooks": "--no-hooks",
    "forceUpdate": "--force",
    "renderSubchartNotes": "--render-subchart-notes",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
    "takeOwnership": "--take-ownership",
    "verify": "--verify",
}
_OPTIONS: Final = {
    "description": "--description",
    "keyring": "--keyring",
    "maxHistory": "--history-max",
    "postrender": "--post-renderer",
}
_REPOSITORY_OPTIONS: Final = {
    "username": "--username",
    "caFile": "--ca-file",
    "certFile": "--cert-file",
    "keyFile": "--key-file",
}
# Properties with a place of their own below, or without meaning for the command line.
_HANDLED: Final = {
    *("allowNullValues", "chart", "compat", "createNamespace", "manifest", "name", "namespace", "repositoryOpts"),
    *("resourceNames", "skipAwait", "timeout", "valueYamlFiles", "values", "version"),
}


def helm_command(release: Registered) -> list[str]:
    """The arguments of `helm upgrade --install` for a release, with `values.yaml` as its values file.

    A repository password is never an argument: it is read from `$HELM_REPO_PASSWORD` by the script.
    """
    inputs = release.inputs
    repository = inputs.get("repositoryOpts") or {}
    chart, repo = str(inputs.get("chart", "")), str(repository.get("repo") or "")
    if repo.startswith("oci://"):
        chart, repo = f"{repo.rstrip('/')}/{chart}", ""
    arguments = ["helm", "upgrade", "--install", str(inputs.get("name", "")), chart]
    if repo:
        arguments += ["--repo", repo]
    if inputs.get("version"):
        arguments += ["--version", str(inputs["version"])]
    arguments += ["--namespace", str(inputs.get("namespace") or "default"), "--create-namespace"]
    for file in inputs.get("valueYamlFiles") or ():
        arguments += ["-f", str(file.get("path", "")) if isinstance(file, Mapping) else str(file)]
    arguments += ["-f", "values.yaml"]
    arguments += [] if inputs.get("skipAwait") is True else ["--wait"]
    if inputs.get("timeout"):
        arguments += ["--timeout", f"{inputs['timeout']}s"]
    arguments += [flag for key, flag in _SWITCHES.items() if inputs.get(key) is True]
    for names, source in ((_OPTIONS, inputs), (_REPOSITORY_OPTIONS, repository)):
        for key, flag in names.items():
            if source.get(key) not in (None, ""):
                arguments += [flag, str(source[key])]
    return arguments


def release_files(release: Registered) -> dict[str, str]:
    """`values.yaml` and `install.sh` of a release whose inputs are all known and public."""
    inputs = release.inputs
    command = " ".join(shlex.quote(argument) for argument in helm_command(release))
    if (inputs.get("repositoryOpts") or {}).get("password") is not None:
        command += ' --password "$HELM_REPO_PASSWORD"'
    known = _HANDLED | _SWITCHES.keys() | _OPTIONS.keys()
    left_out = sorted(key for key, value in inputs.items() if key not in known and value not in (None, False, "", []))
    lines = ["#!/bin/sh", f"# {release.urn}", *(f"# no helm option for: {key}" for key in left_out)]
    lines += ["set -eu", 'cd "$(dirname "$0")"', f"exec {command}", ""]
    return {"values.yaml": to_yaml(_sorted_values(inputs.get("values"))), "install.sh": "\n".join(lines)}


def release_gaps(release: Registered) -> list[tuple[str, str]]:
    """(property path, reason) of everything that keeps a release from being installed by hand."""
    gaps = []
    if not release.inputs.get("name"):
        gaps.append(("name", "Pulumi generates the name; set one"))
    for path, value in walk(release.inputs):
        if isinstance(value, Unknown):
            gaps.append((path, "known only after the deployment"))
        elif isinstance(value, Secret) and path != "repositoryOpts.password":
            gaps.append((path, "secret"))
    return gaps


def _sorted_values(values: Any) -> Any:
    return values if values else {}
