"""Values of NVIDIA's device plugin chart for a set of node groups. Pure.

Written for chart nvidia-device-plugin 0.20.0 with node-feature-discovery 0.19.0 as its subchart `nfd`
(https://github.com/NVIDIA/k8s-device-plugin, tag v0.20.0, deployments/helm/nvidia-device-plugin, read 2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from components.infrastructure import NodeGroup, SharedGpu

PRESENT_LABEL = "nvidia.com/gpu.present"
"""`true` on nodes with NVIDIA GPUs; one of the three labels that the chart's own affinity accepts."""
PLUGIN_LABEL = "llm-serving/device-plugin"
"""`bundled` on nodes whose image runs a device plugin of its own (Bottlerocket)."""
CONFIG_LABEL = "nvidia.com/device-plugin.config"
"""Names the entry of `config.map` that a node uses; the plugin's config-manager reads it."""
DEFAULT_CONFIG = "default"
"""The entry for nodes without CONFIG_LABEL: whole GPUs."""

# Helm replaces lists, so the chart's own entries are repeated. A test compares them with the chart's.
_PLUGIN_TOLERATIONS = (
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
)
_NFD_WORKER_TOLERATIONS = (
    {"key": "node-role.kubernetes.io/master", "operator": "Equal", "value": "", "effect": "NoSchedule"},
    {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
)


def needs_device_plugin(groups: Sequence[NodeGroup]) -> bool:
    """Whether any of the groups has nodes that offer no GPUs without the chart: all but Bottlerocket's."""
    return any(not _bundled(group) for group in groups)


def device_plugin_values(groups: Sequence[NodeGroup]) -> dict[str, Any]:
    """The chart's values: where its pods run, what they tolerate, and how each group's GPUs are shared.

    GPU feature discovery is on, which brings the NFD subchart. A group's sharing becomes an entry of `config.map` under
    the name that the group's label CONFIG_LABEL has; a group without that label, or with a bundled plugin, adds none.

    Raises ValueError when two groups give the same name to different configurations.
    """
    served = [group for group in groups if not _bundled(group)]
    values: dict[str, Any] = {
        "gfd": {"enabled": True},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": PRESENT_LABEL, "operator": "In", "values": ["true"]},
                                {"key": PLUGIN_LABEL, "operator": "NotIn", "values": ["bundled"]},
                            ]
                        }
                    ]
                }
            }
        },
        "tolerations": _tolerations(_PLUGIN_TOLERATIONS, served),
        # Its labels are wanted on every GPU node, also where the plugin is bundled.
        "nfd": {"worker": {"tolerations": _tolerations(_NFD_WORKER_TOLERATIONS, groups)}},
    }
    configs = _configs(served)
    if configs:
        values["config"] = {"map": configs, "default": DEFAULT_CONFIG}
    return values


def sharing_config(sharing: SharedGpu | None) -> dict[str, Any]:
    """The plugin's own configuration (`version: v1`) for one way of sharing; None: whole GPUs.

    A request for more than one unit of a shared GPU is refused, since it would bring neither more memory nor more speed
    (README of the plugin, "failRequestsGreaterThanOne"). MIG is `single`: every slice counts as one nvidia.com/gpu;
    the nodes must have been partitioned already.

    Raises ValueError for a way that isn't time-slicing, mps or mig.
    """
    if sharing is None:
        return {"version": "v1", "flags": {"migStrategy": "none"}}
    if sharing.way == "mig":
        return {"version": "v1", "flags": {"migStrategy": "single"}}
    field = {"time-slicing": "timeSlicing", "mps": "mps"}.get(sharing.way)
    if field is None:
        raise ValueError(f"sharing way {sharing.way!r} is unknown: use time-slicing, mps or mig")
    shared = {
        "failRequestsGreaterThanOne": True,
        "resources": [{"name": "nvidia.com/gpu", "replicas": sharing.units}],
    }
    return {"version": "v1", "flags": {"migStrategy": "none"}, "sharing": {field: shared}}


def _bundled(group: NodeGroup) -> bool:
    return group.labels.get(PLUGIN_LABEL) == "bundled"


def _configs(groups: Sequence[NodeGroup]) -> dict[str, str]:
    configs = {DEFAULT_CONFIG: _text(None)}
    for group in groups:
        name = group.labels.get(CONFIG_LABEL)
        if name is None or group.sharing is None:
            continue
        text = _text(group.sharing)
        if configs.setdefault(name, text) != text:
            raise ValueError(
                f"node group {group.name}: the device plugin configuration {name!r} is already taken by another one; "
                f"give the group another {CONFIG_LABEL} label (it can't be {DEFAULT_CONFIG!r}), or rename the group"
            )
    return configs if len(configs) > 1 else {}


def _text(sharing: SharedGpu | None) -> str:
    return yaml.safe_dump(sharing_config(sharing), sort_keys=False)


def _tolerations(own: Sequence[Mapping[str, str]], groups: Sequence[NodeGroup]) -> list[dict[str, str]]:
    """The chart's tolerations, then those of the groups' taints that they don't cover."""
    found = [dict(one) for one in own]
    for toleration in (dict(one) for group in groups for one in group.tolerations):
        if not any(_covers(one, toleration) for one in found):
            found.append(toleration)
    return found


def _covers(wide: Mapping[str, str], narrow: Mapping[str, str]) -> bool:
    if wide == narrow:
        return True
    effect = wide.get("effect") is None or wide.get("effect") == narrow.get("effect")
    return wide.get("operator") == "Exists" and wide.get("key") in (None, narrow.get("key")) and effect
