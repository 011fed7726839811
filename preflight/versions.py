"""VER: what is emitted against the versions of the cluster and of the charts."""

from collections.abc import Iterator

from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path
from stacks.platform import NvidiaDevicePlugin

_TESTED_PLUGIN = str(NvidiaDevicePlugin.model_fields["version"].default)
# The minor version in which each field is on by default, from the enhancement's page on https://www.kubernetes.dev/resources/keps/
# (read 2026-11-22): 3960 sleep action, 4818 sleep of zero seconds. Older: 3017 unhealthyPodEvictionPolicy and 2485 ReadWriteOncePod (27).
_SLEEP, _SLEEP_ZERO = 30, 33


def _kubernetes(facts: Facts) -> Iterator[Finding]:
    version = facts.stack.cluster.kubernetes_version
    # Unknown is silent: every version that EKS still runs has all of it but the sleep of zero seconds.
    if version is None or not facts.stack.workloads:
        return
    minor = int(version.split(".")[1])
    path: Path = ("cluster", "kubernetesVersion")
    upgrade = Remedy(text=f"upgrade the cluster to 1.{_SLEEP} or newer, and set cluster.kubernetesVersion")
    if minor < _SLEEP:
        yield Finding(
            path=path,
            message=(
                f"Kubernetes {version} refuses lifecycle.preStop.sleep, which every pod has: it is on by default "
                f"since 1.{_SLEEP}"
            ),
            remedies=(upgrade,),
        )
    elif minor < _SLEEP_ZERO:
        for workload in facts.workloads:
            if workload.drain.pre_stop == 0:
                key = workload_path(workload, "drain", "preStopSeconds")
                yield Finding(
                    path=key,
                    message=(
                        f"Kubernetes {version} refuses a preStop sleep of 0 seconds, which it takes since "
                        f"1.{_SLEEP_ZERO}"
                    ),
                    remedies=(setting(key, 1),),
                )


def _pairs(facts: Facts) -> Iterator[Finding]:
    plugin = facts.stack.device_plugin
    if plugin is not None and plugin.version != _TESTED_PLUGIN:
        path: Path = ("platform", "nvidiaDevicePlugin", "version")
        yield Finding(
            path=path,
            message=(
                f"the values for chart nvidia-device-plugin are written for {_TESTED_PLUGIN} and tested with it, "
                f"not with {plugin.version}"
            ),
            remedies=(setting(path, _TESTED_PLUGIN),),
        )


RULES = (
    Rule(
        code="VER001",
        severity="error",
        title="The cluster's Kubernetes knows every field that is emitted",
        why="The API server refuses a preStop handler without a type that it knows. lifecycle.preStop.sleep: on by "
        "default since 1.30 (KEP-3960), "
        "of zero seconds since 1.33 (KEP-4818); unhealthyPodEvictionPolicy and ReadWriteOncePod since 1.27 "
        "(KEP-3017, KEP-2485). An unknown "
        "version is taken for one that EKS still supports: 1.31 and newer in November 2026 "
        "(https://endoflife.date/amazon-eks).",
        check=_kubernetes,
    ),
    Rule(
        code="VER002",
        severity="warning",
        title="Charts have the versions that their values were written for",
        why="A chart's values change between versions, and Helm ignores what it doesn't know: GPUs would then be "
        "shared otherwise than the stack says. "
        "Tested against deployments/helm/nvidia-device-plugin of the version named in "
        "components/device_plugin_values.py.",
        check=_pairs,
    ),
)
