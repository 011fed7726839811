"""The pack as the engine starts it, in its own environment, asked over the engine's own protocol.

The test plays the engine: it starts `python -m pulumi.policy <engine> policies` as pulumi-language-python does
(pulumi/pulumi sdk/python/cmd/pulumi-language-python/main.go, RunPlugin), and sends what `pulumi preview` sends.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.objects import Resource
from policies.registry import RULES
from policies.rule import judge, judge_stack
from policies.view import UNKNOWN
from preview.values import SECRET_SIGNATURE, SIGNATURE
from tests.policies.cases import CASES, ENGINE, POD, Case
from tests.policies.stack import changed, sentinels

PACK = Path(__file__).resolve().parents[2] / "policies"
PYTHON = PACK / ".venv" / "bin" / "python"
BY_NAME = {rule.name: rule for rule in RULES}
# Made at run time, so the type checker can't see them.
STRUCTS: Any = struct_pb2
EMPTIES: Any = empty_pb2
LEVELS = {"advisory": analyzer_pb2.ADVISORY, "mandatory": analyzer_pb2.MANDATORY, "disabled": analyzer_pb2.DISABLED}


@pytest.fixture(scope="module")
def pack() -> Iterator[Any]:
    """The running pack."""
    if not PYTHON.exists():
        pytest.skip("the policy pack's own environment isn't there: run `make policies`")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PYTHON"))}
    process = subprocess.Popen(
        [PYTHON, "-u", "-m", "pulumi.policy", "127.0.0.1:0", PACK],
        cwd=PACK,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port.isdigit(), "the pack didn't start"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(autouse=True)
def unconfigured(pack: Any) -> None:
    pack.Configure(analyzer_pb2.ConfigureAnalyzerRequest())


def configure(pack: Any, name: str, level: str = "mandatory", **properties: Any) -> None:
    config = analyzer_pb2.PolicyConfig(enforcementLevel=LEVELS[level])
    config.properties.update(properties)
    pack.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig={name: config}))


def arguments(resource: Resource) -> dict[str, Any]:
    package = resource.type.split(":")[0]
    provider = analyzer_pb2.AnalyzerProviderResource(
        type=f"pulumi:providers:{package}", urn=f"urn:provider-{package}", name=package
    )
    if resource.region is not None:
        provider.properties.update({"region": sentinels(resource.region)})
    properties = STRUCTS.Struct()
    properties.update(sentinels(resource.props.value))
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "properties": properties,
        "options": analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
        "provider": provider,
    }


def analyze(pack: Any, resources: dict[str, Resource], policy: str) -> list[Any]:
    """The policy's diagnostics on each resource and then on the stack, as a preview asks for them."""
    found: list[Any] = []
    for one in resources.values():
        found += pack.Analyze(analyzer_pb2.AnalyzeRequest(**arguments(one))).diagnostics
    every = [analyzer_pb2.AnalyzerResource(**arguments(one)) for one in resources.values()]
    found += pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=every)).diagnostics
    return [one for one in found if one.policyName == policy]


def test_the_pack_lists_every_policy_with_level_and_settings(pack: Any) -> None:
    info = pack.GetAnalyzerInfo(EMPTIES.Empty())
    assert info.name == "llm-serving"
    assert info.supportsConfig
    listed = {one.name: one for one in info.policies}
    assert list(listed) == [rule.name for rule in RULES]
    for rule in RULES:
        assert listed[rule.name].description == rule.title
        assert listed[rule.name].enforcementLevel == LEVELS[rule.level]
        assert set(listed[rule.name].configSchema.properties.fields) == set(rule.schema())


def test_the_pack_accepts_the_stack_that_keeps_everything(pack: Any) -> None:
    resources = changed()
    assert [one.message for name in BY_NAME for one in analyze(pack, resources, name)] == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_pack_says_what_the_pure_rules_say(pack: Any, case: Case) -> None:
    rule, resources = BY_NAME[case.policy], changed(*case.changes, without=case.without)
    if case.config:
        configure(pack, case.policy, rule.level, **case.config)
    expected = [one for resource in resources.values() for one in judge(rule, resource, case.config)]
    expected += judge_stack(rule, list(resources.values()), case.config)
    found = analyze(pack, resources, case.policy)
    assert [one.message for one in found if "can't be known during preview" not in one.message] == [
        f"{rule.title}\n{one.message}" for one in expected if one.message
    ]
    undecided = [one.message for one in found if "can't be known during preview" in one.message]
    assert bool(undecided) is bool(case.undecided)
    for message, one in zip(undecided, (one for one in expected if one.undecided), strict=False):
        assert one.undecided in message
    assert {one.enforcementLevel for one in found} <= {analyzer_pb2.ADVISORY, LEVELS[rule.level]}


def test_a_violation_is_reported_even_where_another_value_is_unknown(pack: Any) -> None:
    changes = (
        ("Deployment", (*ENGINE, "image"), UNKNOWN),
        ("Deployment", (*POD, "initContainers"), [{"name": "fetch", "image": "busybox:latest"}]),
    )
    found = analyze(pack, changed(*changes), "images-pinned")
    assert [one.enforcementLevel for one in found] == [analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY]
    assert "busybox:latest moves" in found[0].message
    assert "containers[0].image can't be known during preview" in found[1].message


@pytest.mark.parametrize(("level", "count"), [("mandatory", 1), ("advisory", 1), ("disabled", 0)])
def test_the_level_can_be_set(pack: Any, level: str, count: int) -> None:
    configure(pack, "images-pinned", level)
    found = analyze(pack, changed(("Deployment", (*ENGINE, "image"), "vllm:latest")), "images-pinned")
    assert [one.enforcementLevel for one in found] == [LEVELS[level]] * count


def test_settings_of_one_policy_leave_the_others_alone(pack: Any) -> None:
    configure(pack, "images-pinned", exemptNamespaces=["lab"])
    resources = changed(("Deployment", (*ENGINE, "image"), "vllm:latest"), ("Deployment", (*POD, "hostNetwork"), True))
    assert analyze(pack, resources, "images-pinned") == []
    assert len(analyze(pack, resources, "pod-security-restricted")) == 1


def test_a_secret_that_pulumi_knows_of_is_found_and_not_shown(pack: Any) -> None:
    token = "hf_" + "Ab1" * 12
    secret = {SIGNATURE: SECRET_SIGNATURE, "value": token}
    variable = {"name": "HF_TOKEN", "value": secret}
    (found,) = analyze(pack, changed(("Deployment", (*ENGINE, "env", 0), variable)), "no-plaintext-secrets")
    assert "env[0]" in found.message
    assert token not in found.message


def test_a_stack_finding_names_its_resource(pack: Any) -> None:
    resources = changed(without="NetworkPolicy")
    (found,) = analyze(pack, resources, "gpu-workloads-isolated")
    assert found.urn == resources["Deployment"].urn
