"""A bare SDK program: registers the resources of a recorded run with the same typed classes, and nothing else.

The monitor is as small as the SDK allows; it answers with the inputs, as a first preview does.
"""

import asyncio
import gc
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import Settings, run_in_stack, settings
from pulumi.runtime.proto import resource_pb2

MODULES = {
    "kubernetes:apps/v1": "pulumi_kubernetes.apps.v1",
    "kubernetes:batch/v1": "pulumi_kubernetes.batch.v1",
    "kubernetes:core/v1": "pulumi_kubernetes.core.v1",
    "kubernetes:helm.sh/v3": "pulumi_kubernetes.helm.v3",
    "kubernetes:networking.k8s.io/v1": "pulumi_kubernetes.networking.v1",
    "kubernetes:policy/v1": "pulumi_kubernetes.policy.v1",
    "kubernetes:storage.k8s.io/v1": "pulumi_kubernetes.storage.v1",
    "aws:ec2/launchTemplate": "pulumi_aws.ec2",
    "aws:eks/nodeGroup": "pulumi_aws.eks",
    "aws:iam/role": "pulumi_aws.iam",
    "aws:iam/rolePolicyAttachment": "pulumi_aws.iam",
    "pulumi:providers": "",
}


# Generated code: the type checker sees none of its classes.
MESSAGES: Any = resource_pb2


class Monitor:
    """Answers registrations with their inputs."""

    def RegisterResource(self, request: Any) -> Any:
        return MESSAGES.RegisterResourceResponse(
            urn=f"urn:pulumi:bare::bare::{request.type}::{request.name}", id=request.name, object=request.object
        )

    def RegisterResourceOutputs(self, _request: Any) -> None: ...

    def GetDeploymentInfo(self, _request: Any) -> Any:
        return MESSAGES.DeploymentInfo(supportedFeatures=[0])

    def SupportsFeature(self, _request: Any) -> Any:
        return MESSAGES.SupportsFeatureResponse(hasSupport=False)

    def SignalAndWaitForShutdown(self, _request: Any) -> None: ...

    def Log(self, _request: Any) -> None: ...


def program(recorded: list[dict[str, Any]]) -> None:
    """Registers every recorded resource below its component."""
    parents: dict[str, pulumi.Resource] = {}
    for item in sorted(recorded, key=lambda one: one["urn"].count("$")):
        options = pulumi.ResourceOptions(parent=parents.get(item["parent"]))
        prefix, _, name = item["type"].rpartition(":")
        if item["type"].startswith("pulumi:providers:"):
            continue
        if prefix in MODULES:
            inputs = {key: value for key, value in item["inputs"].items() if key not in ("apiVersion", "kind")}
            module = importlib.import_module(MODULES[prefix])
            snake = getattr(module, name)
            parents[item["urn"]] = snake(item["name"], **_arguments(inputs), opts=options)
        else:
            parents[item["urn"]] = pulumi.ComponentResource(item["type"], item["name"], None, options)


def _arguments(inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key): value
        for key, value in inputs.items()
    }


def main() -> None:
    """Runs the recorded resources of the file that is named."""
    recorded = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    monitor: Any = Monitor()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings.configure(Settings(project="bare", stack="bare", monitor=monitor, engine=monitor, dry_run=True))
    loop.run_until_complete(run_in_stack(lambda: program(recorded)))


if __name__ == "__main__":
    main()
