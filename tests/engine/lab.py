"""A stack with what `local` lacks: weights on a protected claim, a Job that fills it, and a token in Pulumi's configuration."""

import yaml

from tests.engine.project import ROOT

STACK, NAMESPACE, CLAIM = "lab", "lab", "weights"
STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "lab"},
    "provisioner": "lab.example.com",
    # The disk is made where the first pod lands: whoever waits for the claim before there is a pod waits for ever.
    "volumeBindingMode": "WaitForFirstConsumer",
}
TOKEN = "hf_canary0123456789"


def lab_stack() -> str:
    """Text of the stack file."""
    whole = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text("utf-8"))
    stack = whole["config"]["llm-serving:stack"]
    stack["namespace"]["name"] = NAMESPACE
    stack["huggingFaceToken"] = {"configSecret": "hfToken"}
    storage = {"storage": "storageClass", "storageClassName": "lab", "accessMode": "ReadWriteMany", "size": "50Gi"}
    stack["volumes"] = {CLAIM: storage}
    for model in stack["models"].values():
        model["volume"] = CLAIM
    return yaml.safe_dump(whole, sort_keys=False)
