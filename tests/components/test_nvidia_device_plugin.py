"""The chart's values against its own keys and the labels of our nodes, and what NvidiaDevicePlugin registers."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from catalog.gpus import gpus
from catalog.instances import instances
from components.device_plugin_values import (
    CONFIG_LABEL,
    PLUGIN_LABEL,
    device_plugin_values,
    needs_device_plugin,
    sharing_config,
)
from components.infrastructure import NodeGroup, SharedGpu
from components.nvidia_device_plugin import NvidiaDevicePlugin, NvidiaDevicePluginArgs
from components.resolved import DevicePlugin
from preview.registered import Registered
from preview.run import Run, run
from stacks.node_groups import EksNodeGroup, ExistingNodeGroup
from stacks.platform import NvidiaDevicePlugin as Configured
from stacks.resolve_nodes import eks_group, existing_group

CHART = json.loads((Path(__file__).parent / "data" / "nvidia-device-plugin-0.20.0-keys.json").read_text())
COMPONENT = "urn:pulumi:test::llm-serving::llm-serving:index:NvidiaDevicePlugin::plugin"
RELEASE = "urn:pulumi:test::llm-serving::llm-serving:index:NvidiaDevicePlugin$kubernetes:helm.sh/v3:Release::plugin"
PLUGIN = DevicePlugin(
    version="0.20.0", repository="https://nvidia.github.io/k8s-device-plugin", namespace="nvidia-device-plugin"
)
TAINT = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}


def group(name: str, **spec: Any) -> NodeGroup:
    """A managed node group as the stack file writes it, resolved by the same code as a stack."""
    written = {"instanceTypes": ["g6.12xlarge"], "subnetIds": ["subnet-a"], "maxSize": 2, **spec}
    return eks_group(
        name,
        EksNodeGroup.model_validate(written),
        gpus=gpus(),
        types=instances(),
        prices={},
        region=None,
        created=True,
    )


def pool(name: str, **spec: Any) -> NodeGroup:
    written = {"provisioner": "existing", "gpu": "L4", "gpusPerNode": 1, "nodes": 1, **spec}
    known = ExistingNodeGroup.model_validate(written)
    return existing_group(name, known, gpus=gpus(), types=instances(), prices={}, region=None)


WHOLE = group("whole")
SLICED = group("sliced", sharing={"timeSlicing": {"replicas": 4}})
MPS = group("mps", sharing={"mps": {"replicas": 2}})
MIG = group("mig", instanceTypes=["p4d.24xlarge"], sharing={"mig": {"profile": "1g.5gb", "slices": 7}})
BOTTLEROCKET = group("bottle", ami="bottlerocket")
BOTTLEROCKET_SLICED = group("bottle-sliced", ami="bottlerocket", sharing={"timeSlicing": {"replicas": 4}})
TAINTED = group("tainted", taints=[{"key": "team", "value": "search", "effect": "NoExecute"}])
POOL = pool("lab", nodeSelector={"pool": "lab"}, tolerations=[{"key": "lab", "operator": "Exists"}])
EVERY_GROUP = (WHOLE, SLICED, MPS, MIG, BOTTLEROCKET, BOTTLEROCKET_SLICED, TAINTED, POOL)
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "nvidia.com/gpu.present", "operator": "In", "values": ["true"]},
                        {"key": "llm-serving/device-plugin", "operator": "NotIn", "values": ["bundled"]},
                    ]
                }
            ]
        }
    }
}
PLUGIN_TOLERATIONS = [
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
]
WORKER_TOLERATIONS = [
    {"key": "node-role.kubernetes.io/master", "operator": "Equal", "value": "", "effect": "NoSchedule"},
    TAINT,
]
VALUES = {
    "gfd": {"enabled": True},
    "affinity": AFFINITY,
    "tolerations": PLUGIN_TOLERATIONS,
    "nfd": {"worker": {"tolerations": WORKER_TOLERATIONS}},
}


# -- values


def test_whole_gpus_need_no_configuration() -> None:
    assert device_plugin_values([WHOLE]) == VALUES


def test_each_sharing_group_has_a_configuration_and_the_others_the_default() -> None:
    values = device_plugin_values([WHOLE, SLICED, MPS, MIG])
    config = values.pop("config")
    assert values == VALUES
    assert config["default"] == "default"
    assert {name: yaml.safe_load(text) for name, text in config["map"].items()} == {
        "default": {"version": "v1", "flags": {"migStrategy": "none"}},
        "time-slicing-4": {
            "version": "v1",
            "flags": {"migStrategy": "none"},
            "sharing": {
                "timeSlicing": {
                    "failRequestsGreaterThanOne": True,
                    "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
                }
            },
        },
        "mps-2": {
            "version": "v1",
            "flags": {"migStrategy": "none"},
            "sharing": {
                "mps": {
                    "failRequestsGreaterThanOne": True,
                    "resources": [{"name": "nvidia.com/gpu", "replicas": 2}],
                }
            },
        },
        "mig-1g.5gb": {"version": "v1", "flags": {"migStrategy": "single"}},
    }


def test_a_configuration_is_text_for_a_configmap() -> None:
    text = device_plugin_values([SLICED])["config"]["map"]["time-slicing-4"]
    assert text == (
        "version: v1\n"
        "flags:\n"
        "  migStrategy: none\n"
        "sharing:\n"
        "  timeSlicing:\n"
        "    failRequestsGreaterThanOne: true\n"
        "    resources:\n"
        "    - name: nvidia.com/gpu\n"
        "      replicas: 4\n"
    )


def test_every_node_that_names_a_configuration_finds_it_and_none_is_left_over() -> None:
    named = {one.labels[CONFIG_LABEL] for one in EVERY_GROUP if CONFIG_LABEL in one.labels}
    assert len(named) == 3
    config = device_plugin_values(EVERY_GROUP)["config"]
    assert config["map"].keys() == {config["default"], *named}


def test_taints_of_every_group_are_tolerated_once() -> None:
    team = {"key": "team", "operator": "Equal", "value": "search", "effect": "NoExecute"}
    lab = {"key": "lab", "operator": "Exists"}
    values = device_plugin_values([WHOLE, TAINTED, TAINTED, POOL])
    assert values["tolerations"] == [*PLUGIN_TOLERATIONS, team, lab]
    assert values["nfd"]["worker"]["tolerations"] == [*WORKER_TOLERATIONS, team, lab]


def test_the_plugin_does_not_follow_taints_of_bottlerocket_but_feature_discovery_does() -> None:
    own = group("own", ami="bottlerocket", taints=[{"key": "own", "effect": "NoSchedule"}])
    toleration = {"key": "own", "operator": "Equal", "value": "", "effect": "NoSchedule"}
    values = device_plugin_values([WHOLE, own])
    assert values["tolerations"] == PLUGIN_TOLERATIONS
    assert values["nfd"]["worker"]["tolerations"] == [*WORKER_TOLERATIONS, toleration]


def test_an_existing_pool_shares_its_gpus_only_where_its_nodes_name_a_configuration() -> None:
    sharing = {"timeSlicing": {"replicas": 4}}
    unlabelled = pool("lab", nodeSelector={"pool": "lab"}, sharing=sharing)
    labelled = pool("lab", nodeSelector={"nvidia.com/device-plugin.config": "time-slicing-4"}, sharing=sharing)
    assert "config" not in device_plugin_values([unlabelled])
    assert device_plugin_values([labelled])["config"] == device_plugin_values([SLICED])["config"]


@pytest.mark.parametrize("taken", ["default", "time-slicing-4"])
def test_two_different_configurations_of_one_name_are_refused(taken: str) -> None:
    other = dataclasses.replace(MPS, labels={**MPS.labels, CONFIG_LABEL: taken})
    with pytest.raises(ValueError, match=f"node group mps: .* '{taken}' is already taken"):
        device_plugin_values([SLICED, other])


def test_equal_configurations_may_share_a_name() -> None:
    twin = dataclasses.replace(SLICED, name="twin")
    assert device_plugin_values([SLICED, twin]) == device_plugin_values([SLICED])


def test_an_unknown_way_of_sharing_is_refused() -> None:
    with pytest.raises(ValueError, match="'vgpu' is unknown: use time-slicing, mps or mig"):
        sharing_config(SharedGpu(way="vgpu", units=2))


@pytest.mark.parametrize(
    ("groups", "needed"),
    [
        ([], False),
        ([BOTTLEROCKET], False),
        ([BOTTLEROCKET, BOTTLEROCKET_SLICED], False),
        ([WHOLE], True),
        ([BOTTLEROCKET, WHOLE], True),
        ([POOL], True),
    ],
)
def test_only_stacks_with_other_nodes_than_bottlerocket_need_the_plugin(groups: list[NodeGroup], needed: bool) -> None:
    assert needs_device_plugin(groups) is needed


# -- the chart


def paths(values: Mapping[str, Any], parent: str = "") -> Iterator[str]:
    """The paths of the values, down to what the chart has as a leaf or as a map that is free to fill."""
    for key, value in values.items():
        path = f"{parent}.{key}" if parent else key
        if path in CHART["keys"] or not isinstance(value, Mapping):
            yield path
        else:
            yield from paths(value, path)


def test_every_value_is_one_that_the_chart_has() -> None:
    used = set(paths(device_plugin_values(EVERY_GROUP)))
    assert used == {
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        "config.default",
        "config.map",
        "gfd.enabled",
        "nfd.worker.tolerations",
        "tolerations",
    }
    assert used <= set(CHART["keys"])
    assert "config.map" in CHART["maps"]


def test_a_misspelt_value_would_be_found() -> None:
    assert set(paths({"gfd": {"enable": True}, "toleration": []})).isdisjoint(CHART["keys"])


def test_the_tolerations_that_the_chart_has_are_kept() -> None:
    values = device_plugin_values([TAINTED])
    own = CHART["tolerations"]
    assert values["tolerations"][: len(own["tolerations"])] == own["tolerations"]
    worker = values["nfd"]["worker"]["tolerations"]
    assert worker[: len(own["nfd.worker.tolerations"])] == own["nfd.worker.tolerations"]


def test_the_default_version_is_the_one_that_was_compared() -> None:
    assert (CHART["chart"], CHART["version"]) == ("nvidia-device-plugin", Configured().version)


# -- the labels that nodes have


def matches(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
    """One node selector requirement, as the scheduler evaluates it."""
    value, values = labels.get(expression["key"]), expression.get("values", [])
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


def runs_on(labels: Mapping[str, str]) -> bool:
    required = device_plugin_values(EVERY_GROUP)["affinity"]["nodeAffinity"]
    terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return any(all(matches(labels, one) for one in term["matchExpressions"]) for term in terms)


def tolerated(nodes: NodeGroup, tolerations: list[dict[str, str]]) -> bool:
    """Whether every taint of the nodes meets a toleration, as the scheduler compares them."""
    return all(
        any(
            one.get("key") in (None, taint.key)
            and (one["operator"] == "Exists" or one.get("value", "") == taint.value)
            and one.get("effect") in (None, taint.effect)
            for one in tolerations
        )
        for taint in nodes.taints
    )


@pytest.mark.parametrize("nodes", [WHOLE, SLICED, MPS, MIG, TAINTED], ids=lambda nodes: nodes.name)
def test_the_plugin_runs_on_al2023_nodes(nodes: NodeGroup) -> None:
    values = device_plugin_values([nodes])
    assert runs_on(nodes.labels)
    assert nodes.taints
    assert tolerated(nodes, values["tolerations"])
    assert tolerated(nodes, values["nfd"]["worker"]["tolerations"])


@pytest.mark.parametrize("nodes", [BOTTLEROCKET, BOTTLEROCKET_SLICED], ids=lambda nodes: nodes.name)
def test_the_plugin_keeps_away_from_bottlerocket(nodes: NodeGroup) -> None:
    assert nodes.labels["nvidia.com/gpu.present"] == "true"
    assert nodes.labels[PLUGIN_LABEL] == "bundled"
    assert not runs_on(nodes.labels)


@pytest.mark.parametrize("labels", [{}, {"nvidia.com/gpu.present": "false"}, {"kubernetes.io/os": "linux"}])
def test_the_plugin_keeps_away_from_nodes_without_gpus(labels: dict[str, str]) -> None:
    assert not runs_on(labels)


# -- the component


def deploy(plugin: DevicePlugin, *groups: NodeGroup) -> Run:
    def program() -> None:
        made = NvidiaDevicePlugin("plugin", NvidiaDevicePluginArgs(plugin=plugin, groups=groups))
        pulumi.export("release", pulumi.Output.all(made.release_name, made.namespace))

    return run(program, project="llm-serving", stack="test", config={})


def test_the_component_registers_one_release_and_nothing_else() -> None:
    result = deploy(PLUGIN, SLICED, TAINTED)
    assert list(result.resources) == [
        Registered(
            urn=RELEASE,
            type="kubernetes:helm.sh/v3:Release",
            name="plugin",
            custom=True,
            remote=False,
            parent=COMPONENT,
            inputs={
                "atomic": True,
                "chart": "nvidia-device-plugin",
                "compat": "true",
                "createNamespace": True,
                "name": "nvidia-device-plugin",
                "namespace": "nvidia-device-plugin",
                "repositoryOpts": {"repo": "https://nvidia.github.io/k8s-device-plugin"},
                "timeout": 600,
                "values": device_plugin_values([SLICED, TAINTED]),
                "version": "0.20.0",
            },
            delete_before_replace=True,
        ),
        Registered(
            urn=COMPONENT,
            type="llm-serving:index:NvidiaDevicePlugin",
            name="plugin",
            custom=False,
            remote=False,
            parent="",
            inputs={},
            outputs={"namespace": "nvidia-device-plugin", "release_name": "nvidia-device-plugin"},
        ),
    ]
    assert result.outputs == {"release": ["nvidia-device-plugin", "nvidia-device-plugin"]}


@pytest.mark.parametrize("repository", ["oci://registry.example/charts", "oci://registry.example/charts/"])
def test_an_oci_mirror_is_part_of_the_chart_name(repository: str) -> None:
    mirrored = dataclasses.replace(PLUGIN, repository=repository, namespace="gpu", version="0.19.2")
    release = next(one for one in deploy(mirrored, WHOLE).resources if one.urn == RELEASE)
    assert release.inputs["chart"] == "oci://registry.example/charts/nvidia-device-plugin"
    assert "repositoryOpts" not in release.inputs
    assert (release.inputs["namespace"], release.inputs["version"]) == ("gpu", "0.19.2")
    assert release.inputs["name"] == "nvidia-device-plugin"
