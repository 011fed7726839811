"""Every stack file of the project: what it registers, under which URNs, and what Kubernetes says of its objects."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from preview.manifests import render
from preview.tree import tree, tree_json, urns
from tests import crds
from tests.programs import STACKS, ran

MINORS = ("1.35", "1.36", "1.37")


@pytest.mark.parametrize("stack", STACKS)
def test_what_the_stack_registers(stack: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{stack}.json", json.dumps(tree_json(ran(stack).resources), indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("stack", STACKS)
def test_urns_are_a_contract(stack: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{stack}.urns", "\n".join(urns(ran(stack).resources)) + "\n")


@pytest.mark.parametrize("stack", STACKS)
def test_rendered_objects_are_valid_in_the_newest_kubernetes(stack: str, tmp_path: Path) -> None:
    result = render(ran(stack).resources, tmp_path / "out")
    assert (result.incomplete, result.dropped) == ((), ())
    paths = [tmp_path / "out" / name for name in result.files if name.startswith("manifests/")]
    files = [str(path) for path in paths if not _is_custom(yaml.safe_load(path.read_text("utf-8")))]
    assert files
    for minor in MINORS:
        command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--kubernetes-version", minor, *files]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        # The validator passes kinds that it doesn't know; there must be none.
        assert "WARN" not in found.stdout + found.stderr


def _is_custom(manifest: dict[str, Any]) -> bool:
    """Its kind comes from a CustomResourceDefinition: Kubernetes' own groups have no dot, or end in .k8s.io without x-k8s.io."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group.endswith("x-k8s.io"))


@pytest.mark.parametrize("stack", STACKS)
def test_rendered_custom_resources_hold_against_their_definitions(stack: str, tmp_path: Path) -> None:
    result = render(ran(stack).resources, tmp_path / "out")
    for name in result.files:
        if name.startswith("manifests/"):
            manifest = yaml.safe_load((tmp_path / "out" / name).read_text("utf-8"))
            assert not _is_custom(manifest) or crds.errors(manifest) == [], name


def test_the_validator_refuses_a_misspelt_field(tmp_path: Path) -> None:
    result = render(ran("local").resources, tmp_path / "out")
    (name,) = [name for name in result.files if "deployment" in name]
    text = (tmp_path / "out" / name).read_text().replace("automountServiceAccountToken", "automountServiceAcountToken")
    (tmp_path / "bad.yaml").write_text(text)
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--kubernetes-version", MINORS[-1]]
    found = subprocess.run([*command, str(tmp_path / "bad.yaml")], capture_output=True, text=True, check=False)
    assert found.returncode != 0


@pytest.mark.parametrize("stack", STACKS)
def test_two_renders_are_the_same_byte_for_byte(stack: str, tmp_path: Path) -> None:
    first, second = (render(ran(stack).resources, tmp_path / name) for name in ("a", "b"))
    assert first == second
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("stack", STACKS)
def test_every_namespaced_object_is_in_the_stacks_namespace(stack: str) -> None:
    for one in ran(stack).resources:
        metadata = one.inputs.get("metadata", {})
        if one.type.startswith("kubernetes:") and "namespace" in metadata:
            assert metadata["namespace"] == "ml-serving"


@pytest.mark.parametrize("stack", STACKS)
def test_no_default_provider_is_used(stack: str) -> None:
    for one in ran(stack).resources:
        if one.custom and not one.is_provider and not one.read_id:
            assert one.provider, one.urn


@pytest.mark.parametrize("stack", STACKS)
def test_the_tree_shows_every_resource_once(stack: str) -> None:
    resources = ran(stack).resources
    assert len(tree(resources)) == len(resources)


def test_the_local_stack_needs_no_aws_and_no_charts() -> None:
    types = {one.type for one in ran("local").resources}
    assert [one for one in types if one.startswith("aws:") or "Release" in one] == []


@pytest.mark.parametrize("stack", STACKS)
def test_pods_are_pinned_and_locked_down(stack: str) -> None:
    for one in ran(stack).resources:
        template = one.inputs.get("spec", {}).get("template") if one.type.endswith((":Deployment", ":Job")) else None
        if template is None:
            continue
        text = yaml.safe_dump(template)
        assert not re.search(r"image: \S+:latest", text)
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "cpu" not in container["resources"]["limits"]
