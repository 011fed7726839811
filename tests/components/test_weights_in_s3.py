"""Weights in S3: what the pods are told, what they may reach, and how they get credentials."""

from typing import Any

import pytest

from components.model_deployment import ModelDeployment, ModelDeploymentArgs
from components.network_policy import workload_policy
from components.pods import environment, pod_spec, selector
from components.resolved import Workload
from preview.run import run
from stacks import deploy_identity
from tests.preflight.case import COMMIT, stack

ARN = "arn:aws:iam::123456789012:role/weights"
AGENT = {
    "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}, {"ipBlock": {"cidr": "fd00:ec2::23/128"}}],
    "ports": [{"protocol": "TCP", "port": 80}],
}


def streamed(models: dict[str, Any] | None = None, **keys: Any) -> Workload:
    llama = {"llama": {"volume": None, "storageUri": "s3://weights-bucket/llama/"}}
    workload = {"awsRole": {"arn": ARN}, **keys}
    workload["engine"] = {"loadFormat": "runai_streamer", **workload.get("engine", {})}
    patch = {"models": {**llama, **(models or {})}, "workloads": {"chat": workload}}
    return stack(patch).workloads["chat"]


def test_the_engine_reads_the_bucket_and_never_asks_the_hub() -> None:
    given = streamed()
    assert given.args[0] == "s3://weights-bucket/llama"
    assert "--load-format=runai_streamer" in given.args
    assert not [word for word in given.args if word.startswith("--revision")]
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in environment(given)
    assert given.token_secret is None
    assert "weights" not in [one["name"] for one in pod_spec(given)["volumes"]]


def test_the_pod_has_memory_for_the_streamer_and_no_disk_for_weights() -> None:
    given, downloading = streamed(), stack({"models": {"llama": {"volume": None}}}).workloads["chat"]
    assert given.model.weights_size is not None
    assert given.resources.memory - downloading.resources.memory == given.model.weights_size
    assert downloading.resources.cache - given.resources.cache >= given.model.weights_size


def test_a_draft_from_the_hub_keeps_the_download_open() -> None:
    draft = {"draft": {"id": "meta-llama/Llama-3.2-1B-Instruct", "revision": COMMIT}}
    guess = {"speculativeConfig": {"method": "draft_model", "model": "draft", "numSpeculativeTokens": 3}}
    given = streamed(draft, engine=guess)
    assert given.downloads
    assert given.token_secret == ("hf-token", "token")
    assert given.launch.locations == {"draft": "meta-llama/Llama-3.2-1B-Instruct"}
    assert given.launch.revisions == {"draft": COMMIT}
    assert not [one for one in environment(given) if one["name"] == "HF_HUB_OFFLINE"]


@pytest.mark.parametrize("via", ["pod-identity", "irsa"])
def test_the_policy_lets_pods_reach_s3_and_their_credentials(via: str) -> None:
    given = streamed(awsRole={"arn": ARN, "via": via})
    egress = workload_policy(given, selector(given))["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in egress[:2]] == [[53, 53], [443]]
    assert egress[2:] == ([AGENT] if via == "pod-identity" else [])


def test_a_volume_needs_neither() -> None:
    given = stack({}).workloads["chat"]
    assert [[port["port"] for port in rule["ports"]] for rule in workload_policy(given, selector(given))["egress"]] == [
        [53, 53]
    ]


@pytest.mark.parametrize(
    ("via", "annotations"), [("irsa", {"eks.amazonaws.com/role-arn": ARN}), ("pod-identity", None)]
)
def test_the_service_account_names_the_role_for_irsa(via: str, annotations: dict[str, str] | None) -> None:
    given = streamed(awsRole={"arn": ARN, "via": via})

    def program() -> None:
        ModelDeployment("chat", ModelDeploymentArgs(workload=given))

    found = run(program, project="llm-serving", stack="test", config={}).resources
    account = next(one for one in found if one.type.endswith(":ServiceAccount"))
    assert account.inputs["metadata"].get("annotations") == annotations
    assert account.inputs["automountServiceAccountToken"] is False


def test_pod_identity_is_an_association_of_the_service_account() -> None:
    given, cluster = streamed(), stack({}).cluster

    def program() -> None:
        import pulumi_aws as aws

        provider = aws.Provider("aws", region="us-east-1")
        made = deploy_identity.associations(given, cluster, "ml-serving", provider)
        assert len(made) == 1

    found = run(program, project="llm-serving", stack="test", config={}).resources
    association = next(one for one in found if one.type == "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs == {
        "clusterName": "ml-test",
        "namespace": "ml-serving",
        "serviceAccount": "chat",
        "roleArn": ARN,
    }


def test_irsa_and_workloads_without_a_role_need_no_association() -> None:
    plain, cluster = stack({}), stack({}).cluster
    irsa = streamed(awsRole={"arn": ARN, "via": "irsa"})
    assert deploy_identity.associations(irsa, cluster, "ml-serving", None) == []
    assert not deploy_identity.needs_aws([irsa, plain.workloads["chat"]])
    assert deploy_identity.needs_aws([streamed()])
