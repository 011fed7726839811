"""A rule's test case: changes to a stack that obeys every rule, which break it and which don't."""

import copy
from dataclasses import dataclass, field
from typing import Any

from components.resolved import Stack
from stacks.config import StackConfig
from stacks.resolve import Inputs, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE: dict[str, Any] = {
    "namespace": {"name": "ml-serving"},
    "cluster": {"provider": "eks", "name": "ml-test", "kubernetesVersion": "1.34"},
    "huggingFaceToken": {"secretName": "hf-token"},
    "platform": {"nvidiaDevicePlugin": {}},
    "nodeGroups": {
        "gpu": {
            "instanceTypes": ["p5.48xlarge"],
            "subnetIds": ["subnet-0a1b2c3d"],
            "zones": ["us-east-1a"],
            "minSize": 1,
            "maxSize": 2,
        }
    },
    "volumes": {"weights": {"storage": "efs", "fileSystemId": "fs-0123", "size": "500Gi"}},
    "models": {"llama": {"id": "meta-llama/Llama-3.1-8B-Instruct", "revision": COMMIT, "volume": "weights"}},
    "workloads": {
        "chat": {
            "kind": "Deployment",
            "model": "llama",
            "nodeGroup": "gpu",
            "replicas": 2,
            "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
        }
    },
}
REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case. Patches are merged into `BASE`: mappings key by key, None removes a key, everything else replaces."""

    code: str
    breaks: dict[str, Any]
    says: tuple[str, ...] = ()
    """Words that the message must hold: the numbers."""
    remedy: str | None = None
    """Words of the remedy that must be printed; None where there is none to compute."""
    passes: dict[str, Any] = field(default_factory=dict)
    """The nearest stack that obeys the rule; BASE itself when left out."""


def inputs(patch: dict[str, Any]) -> Inputs:
    """BASE with a patch."""
    config = StackConfig.model_validate(merged(BASE, patch), by_alias=True, by_name=False)
    return Inputs(config=config, name="test", region=REGION)


def stack(patch: dict[str, Any]) -> Stack:
    """The resolved stack of BASE with a patch."""
    return resolve(inputs(patch))


def merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`base` with `patch` laid over it."""
    found = copy.deepcopy(base)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = copy.deepcopy(value)
    return found
