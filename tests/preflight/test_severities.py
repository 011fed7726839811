"""Places where a rule is graver or milder than usual, and what is said about stacks that lean on another stack."""

from dataclasses import replace
from typing import Any

import pytest

from preflight.check import check
from stacks.config import StackConfig
from stacks.resolve import resolve
from tests.preflight.case import BASE, inputs, merged
from tests.preflight.cases_security import TOKEN
from tests.preflight.cases_storage import EBS, FSX, by_class
from tests.preflight.cases_storage import stack as storage_stack

G5 = {"nodeGroups": {"gpu": {"instanceTypes": ["g5.xlarge"]}}}


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


def severities(patch: dict[str, Any], code: str) -> set[str]:
    given = inputs(patch)
    return {one.severity for one in check(given, resolve(given)) if one.code == code}


@pytest.mark.parametrize(
    ("code", "severity", "patch"),
    [
        ("POD003", "error", chat(resources={"cpu": "500"})),
        ("POD003", "warning", {**G5, **chat(replicas=1, resources={"cpu": "3800m"})}),
        ("POD004", "error", {**G5, **chat(replicas=1, resources={"memory": "17Gi"})}),
        ("POD004", "warning", {**G5, **chat(replicas=1, resources={"memory": "15Gi"})}),
        ("POD005", "error", chat(resources={"ephemeralStorage": "500Gi"})),
        ("POD005", "warning", chat(resources={"ephemeralStorage": "160Gi"})),
        ("POD009", "error", chat(engine={"tensorParallelSize": 2}, resources={"shm": "240Mi"})),
        ("POD009", "warning", chat(engine={"tensorParallelSize": 2}, resources={"shm": "300Mi"})),
        ("POD011", "notice", {"nodeGroups": {"gpu": {"ami": "bottlerocket"}}}),
        ("VOL001", "error", storage_stack(EBS)),
        ("VOL001", "warning", storage_stack(EBS, replicas=1)),
        ("VOL002", "warning", storage_stack(by_class("ReadWriteOncePod"), replicas=1)),
        ("VOL004", "error", storage_stack({**EBS, "zone": "us-east-1b"}, {"maxSize": 1})),
        ("VOL004", "warning", storage_stack({**FSX, "zone": "us-east-1b"})),
        ("STA001", "error", chat(startupTimeoutSeconds=120)),
        ("STA001", "warning", chat(startupTimeoutSeconds=300)),
        ("STA001", "warning", chat(startupTimeoutSeconds=120, engine={"enforceEager": True})),
        ("SEC004", "warning", chat(engine={"trustRemoteCode": True})),
        ("SEC004", "error", {"models": {"llama": {"revision": "main"}}, **chat(engine={"trustRemoteCode": True})}),
        ("SEC006", "error", chat(allowFrom=[{"cidr": "0.0.0.0/0"}])),
        ("SEC006", "warning", chat(allowFrom=[{"cidr": "54.0.0.0/8"}])),
        ("COS002", "warning", {"cost": {"maxUsdPerHour": 1.0}, "nodeGroups": {"gpu": {"capacity": "spot"}}}),
    ],
)
def test_severity_follows_what_is_certain(code: str, severity: str, patch: dict[str, Any]) -> None:
    assert severities(patch, code) == {severity}


def test_a_secret_is_never_printed() -> None:
    given = inputs(chat(env={"HF_TOKEN": TOKEN}, engine={"extraArgs": [f"--hf-token={TOKEN}"]}))
    problems = check(given, resolve(given))
    assert {"SEC005", "SEC008"} <= {one.code for one in problems}
    assert not any(TOKEN[3:] in one.text() for one in problems)


def test_the_base_stack_has_at_most_three_notices() -> None:
    given = inputs({})
    assert len(check(given, resolve(given))) <= 3


def leaning(plugin_below: bool, plugin_here: bool) -> list[str]:
    """A stack of workloads on the node groups of another one."""
    below = merged(BASE, {"workloads": None, "models": None, "volumes": None, "huggingFaceToken": None})
    here = merged(BASE, {"nodeGroups": None})
    below["platform"] = {"nvidiaDevicePlugin": {}} if plugin_below else {}
    here["platform"] = {"nvidiaDevicePlugin": {}} if plugin_here else {}
    here["cluster"] = {"stackReference": "acme/llm-serving/infra", "stackFile": "Pulumi.infra.yaml"}

    def config(data: dict[str, Any]) -> StackConfig:
        return StackConfig.model_validate(data, by_alias=True, by_name=False)

    given = replace(inputs({}), config=config(here), infrastructure=config(below))
    return [one.code for one in check(given, resolve(given)) if one.code in ("POD010", "POD011")]


def test_a_device_plugin_of_the_referenced_stack_counts() -> None:
    assert leaning(plugin_below=True, plugin_here=False) == []
    assert leaning(plugin_below=False, plugin_here=True) == []
    assert leaning(plugin_below=False, plugin_here=False) == ["POD010"]
    assert leaning(plugin_below=True, plugin_here=True) == ["POD011"]
