"""What GpuNodeGroup registers, as whole values, and whether AWS's own API models accept it."""

import base64
import dataclasses
import email
import json
from collections.abc import Mapping
from typing import Any

import botocore.session
import pulumi
import pytest
import yaml
from botocore.validate import ParamValidator

from components.autoscaler_tags import autoscaler_tags
from components.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs, update_minutes
from components.infrastructure import Allocatable, EksNodes, NodeGroup, SharedGpu, Taint
from preview.registered import Registered
from preview.run import Run, run
from preview.values import UNKNOWN

GIB = 1024**3
COMPONENT = "urn:pulumi:test::llm-serving::llm-serving:index:GpuNodeGroup::a100"
CHILD = "urn:pulumi:test::llm-serving::llm-serving:index:GpuNodeGroup$"
ROLE = f"{CHILD}aws:iam/role:Role::a100-role"
LAUNCH_TEMPLATE = f"{CHILD}aws:ec2/launchTemplate:LaunchTemplate::a100-launch-template"
NODE_GROUP = f"{CHILD}aws:eks/nodeGroup:NodeGroup::a100"
ATTACHMENT = f"{CHILD}aws:iam/rolePolicyAttachment:RolePolicyAttachment::a100-"
EPHEMERAL_TAG = "k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage"
GPU_TAG = "k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu"

EKS = EksNodes(
    subnet_ids=("subnet-a", "subnet-b"),
    desired_size=1,
    spot=False,
    ami_type="AL2023_x86_64_NVIDIA",
    release_version=None,
    disk_gib=300,
    disk_throughput_mibps=600,
    disk_iops=4000,
    kms_key_arn=None,
    node_repair=True,
    max_unavailable=1,
    role_arn=None,
    tags={"team": "search"},
)
A100 = NodeGroup(
    name="a100",
    eks=EKS,
    created=True,
    instance_type_names=("p4de.24xlarge",),
    instance_types=(),
    gpu_name="A100-80GB",
    gpu=None,
    gpus_per_node=8,
    sharing=None,
    gpu_resource="nvidia.com/gpu",
    min_nodes=0,
    max_nodes=2,
    labels={"llm-serving/node-group": "a100", "nvidia.com/gpu.present": "true"},
    taints=(Taint(key="nvidia.com/gpu", value="present", effect="NoSchedule"),),
    node_selector={"llm-serving/node-group": "a100"},
    tolerations=(),
    allocatable=Allocatable(cpu_millis=95_000, memory=1000 * GIB, ephemeral_storage=260 * GIB + 5),
    zones=None,
    usd_per_hour=None,
    price_basis="not asked",
)
SPOT = dataclasses.replace(EKS, spot=True)
BOTTLEROCKET = dataclasses.replace(EKS, ami_type="BOTTLEROCKET_x86_64_NVIDIA")
KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = dataclasses.replace(
    EKS,
    spot=True,
    ami_type="BOTTLEROCKET_ARM_64_NVIDIA",
    release_version="1.34.2-20261112",
    kms_key_arn=KMS_KEY,
    node_repair=False,
    max_unavailable=3,
    role_arn="arn:aws:iam::111122223333:role/nodes",
)
EXTRA_TAINTS = (
    *A100.taints,
    Taint(key="team", value="", effect="NoExecute"),
    Taint(key="slow", value="yes", effect="PreferNoSchedule"),
)
EFA = dataclasses.replace(A100, instance_type_names=("p5.48xlarge",), efa_interfaces=32)
SECURITY_GROUP = "sg-0a1b2c3d"
GROUPS = {
    "on-demand": A100,
    "spot": dataclasses.replace(A100, eks=SPOT, instance_type_names=("g5.12xlarge", "g6.12xlarge")),
    "bottlerocket": dataclasses.replace(A100, eks=BOTTLEROCKET),
    "kms key": dataclasses.replace(A100, eks=dataclasses.replace(EKS, kms_key_arn=KMS_KEY)),
    "shared, untagged": dataclasses.replace(
        A100, eks=dataclasses.replace(EKS, tags={}), sharing=SharedGpu(way="time-slicing", units=4)
    ),
    "everything": dataclasses.replace(A100, eks=EVERYTHING, taints=EXTRA_TAINTS),
    "efa": EFA,
    "efa, bottlerocket": dataclasses.replace(
        EFA, eks=dataclasses.replace(BOTTLEROCKET, placement_group="ours"), efa_interfaces=1
    ),
}


def deploy(nodes: NodeGroup, *, name: str = "a100", tags: Mapping[str, str] | None = None) -> Run:
    def program() -> None:
        args = GpuNodeGroupArgs(
            nodes=nodes, cluster_name="ml-dev", cluster_security_group_id=SECURITY_GROUP, tags=tags or {}
        )
        group = GpuNodeGroup(name, args)
        pulumi.export("role", group.role_arn)

    return run(program, project="llm-serving", stack="test", config={"aws:region": "us-east-1"})


def registered(nodes: NodeGroup, **options: Any) -> dict[str, Registered]:
    return {one.urn: one for one in deploy(nodes, **options).resources}


def volume(device: str, **ebs: Any) -> dict[str, Any]:
    return {
        "deviceName": device,
        "ebs": {"deleteOnTermination": "true", "encrypted": "true", "volumeType": "gp3", **ebs},
    }


ROOT = volume("/dev/xvda", iops=4000, throughput=600, volumeSize=300)


def test_a_group_registers_these_resources_and_nothing_else() -> None:
    policies = {
        "cni": "AmazonEKS_CNI_Policy",
        "registry": "AmazonEC2ContainerRegistryPullOnly",
        "worker-node": "AmazonEKSWorkerNodePolicy",
    }
    tags = {"owner": "platform", "team": "search"}
    assert registered(A100, tags={"owner": "platform", "team": "ml"}) == {
        COMPONENT: Registered(
            urn=COMPONENT,
            type="llm-serving:index:GpuNodeGroup",
            name="a100",
            custom=False,
            remote=False,
            parent="",
            inputs={},
            outputs={"arn": UNKNOWN, "node_group_name": UNKNOWN, "role_arn": UNKNOWN},
        ),
        ROLE: Registered(
            urn=ROLE,
            type="aws:iam/role:Role",
            name="a100-role",
            custom=True,
            remote=False,
            parent=COMPONENT,
            inputs={
                "assumeRolePolicy": '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
                '"Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}',
                "tags": tags,
            },
        ),
        **{
            f"{ATTACHMENT}{purpose}": Registered(
                urn=f"{ATTACHMENT}{purpose}",
                type="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                name=f"a100-{purpose}",
                custom=True,
                remote=False,
                parent=COMPONENT,
                inputs={"policyArn": f"arn:aws:iam::aws:policy/{policy}", "role": UNKNOWN},
                dependencies=(ROLE,),
                property_dependencies={"role": (ROLE,)},
            )
            for purpose, policy in policies.items()
        },
        LAUNCH_TEMPLATE: Registered(
            urn=LAUNCH_TEMPLATE,
            type="aws:ec2/launchTemplate:LaunchTemplate",
            name="a100-launch-template",
            custom=True,
            remote=False,
            parent=COMPONENT,
            inputs={
                "blockDeviceMappings": [ROOT],
                "metadataOptions": {"httpEndpoint": "enabled", "httpPutResponseHopLimit": 1, "httpTokens": "required"},
                "tagSpecifications": [
                    {"resourceType": "instance", "tags": tags},
                    {"resourceType": "volume", "tags": tags},
                ],
                "tags": tags,
            },
        ),
        NODE_GROUP: Registered(
            urn=NODE_GROUP,
            type="aws:eks/nodeGroup:NodeGroup",
            name="a100",
            custom=True,
            remote=False,
            parent=COMPONENT,
            inputs={
                "amiType": "AL2023_x86_64_NVIDIA",
                "capacityType": "ON_DEMAND",
                "clusterName": "ml-dev",
                "instanceTypes": ["p4de.24xlarge"],
                "labels": {"llm-serving/node-group": "a100", "nvidia.com/gpu.present": "true"},
                "launchTemplate": {"id": UNKNOWN, "version": UNKNOWN},
                "nodeGroupNamePrefix": "a100-",
                "nodeRepairConfig": {"enabled": True},
                "nodeRoleArn": UNKNOWN,
                "scalingConfig": {"desiredSize": 1, "maxSize": 2, "minSize": 0},
                "subnetIds": ["subnet-a", "subnet-b"],
                "tags": {EPHEMERAL_TAG: "266240Mi", **tags},
                "taints": [{"effect": "NO_SCHEDULE", "key": "nvidia.com/gpu", "value": "present"}],
                "updateConfig": {"maxUnavailable": 1, "updateStrategy": "MINIMAL"},
            },
            dependencies=(LAUNCH_TEMPLATE, ROLE, *(f"{ATTACHMENT}{purpose}" for purpose in policies)),
            property_dependencies={"launchTemplate": (LAUNCH_TEMPLATE,), "nodeRoleArn": (ROLE,)},
            ignore_changes=("scalingConfig.desiredSize",),
            custom_timeouts={"create": "60m", "update": "60m", "delete": "60m"},
        ),
    }


def test_spot_nodes_differ_in_the_capacity_type_and_may_have_several_instance_types() -> None:
    on_demand, spot = registered(A100)[NODE_GROUP], registered(GROUPS["spot"])[NODE_GROUP]
    assert spot.inputs == {
        **on_demand.inputs,
        "capacityType": "SPOT",
        "instanceTypes": ["g5.12xlarge", "g6.12xlarge"],
    }


def test_bottlerocket_gets_the_large_volume_for_data_and_encrypts_both() -> None:
    made = registered(GROUPS["bottlerocket"])
    assert made[NODE_GROUP].inputs["amiType"] == "BOTTLEROCKET_x86_64_NVIDIA"
    assert made[LAUNCH_TEMPLATE].inputs["blockDeviceMappings"] == [
        volume("/dev/xvda"),
        volume("/dev/xvdb", iops=4000, throughput=600, volumeSize=300),
    ]


def test_a_kms_key_encrypts_every_volume() -> None:
    assert registered(GROUPS["kms key"])[LAUNCH_TEMPLATE].inputs["blockDeviceMappings"] == [
        volume("/dev/xvda", iops=4000, throughput=600, volumeSize=300, kmsKeyId=KMS_KEY)
    ]
    both = registered(GROUPS["everything"])[LAUNCH_TEMPLATE].inputs["blockDeviceMappings"]
    assert [one["ebs"]["kmsKeyId"] for one in both] == [KMS_KEY, KMS_KEY]


def test_a_given_role_is_used_and_none_is_made() -> None:
    result = deploy(GROUPS["everything"])
    assert {one.type for one in result.resources if one.custom} == {
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:eks/nodeGroup:NodeGroup",
    }
    group = next(one for one in result.resources if one.urn == NODE_GROUP)
    assert group.inputs["nodeRoleArn"] == "arn:aws:iam::111122223333:role/nodes"
    assert group.dependencies == (LAUNCH_TEMPLATE,)
    assert result.outputs["role"] == "arn:aws:iam::111122223333:role/nodes"


def test_every_taint_is_set_in_the_spelling_of_eks() -> None:
    assert registered(GROUPS["everything"])[NODE_GROUP].inputs["taints"] == [
        {"effect": "NO_SCHEDULE", "key": "nvidia.com/gpu", "value": "present"},
        {"effect": "NO_EXECUTE", "key": "team", "value": ""},
        {"effect": "PREFER_NO_SCHEDULE", "key": "slow", "value": "yes"},
    ]


def test_release_repair_and_update_settings_are_passed_on() -> None:
    inputs = registered(GROUPS["everything"])[NODE_GROUP].inputs
    assert inputs["releaseVersion"] == "1.34.2-20261112"
    assert inputs["nodeRepairConfig"] == {"enabled": False}
    assert inputs["updateConfig"] == {"maxUnavailable": 3, "updateStrategy": "MINIMAL"}


def test_the_launch_template_leaves_image_instance_type_network_and_user_data_to_eks() -> None:
    left_to_eks = {
        "imageId",
        "instanceType",
        "iamInstanceProfile",
        "networkInterfaces",
        "userData",
        "vpcSecurityGroupIds",
    }
    for nodes in GROUPS.values():
        given = registered(nodes)[LAUNCH_TEMPLATE].inputs.keys()
        with_efa = {"networkInterfaces", "userData"} if nodes.efa_interfaces else set()
        assert not (left_to_eks - with_efa) & given


def test_efa_nodes_have_an_ip_interface_and_their_adapters_in_the_clusters_security_group_close_together() -> None:
    made = registered(EFA)
    template = made[LAUNCH_TEMPLATE].inputs
    common = {"deleteOnTermination": "true", "securityGroups": [SECURITY_GROUP]}
    assert template["networkInterfaces"] == [
        {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface", **common},
        {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "efa-only", **common},
        *({"networkCardIndex": card, "deviceIndex": 0, "interfaceType": "efa-only", **common} for card in range(1, 32)),
    ]
    group = made[f"{CHILD}aws:ec2/placementGroup:PlacementGroup::a100-placement-group"]
    assert group.inputs == {"strategy": "cluster", "tags": {"team": "search"}}
    assert template["placement"] == {"groupName": UNKNOWN}
    assert group.urn in made[LAUNCH_TEMPLATE].dependencies
    tags = made[NODE_GROUP].inputs["tags"]
    prefix = "k8s.io/cluster-autoscaler/node-template/resources/"
    assert tags[f"{prefix}vpc.amazonaws.com/efa"] == "32"
    assert tags[f"{prefix}hugepages-2Mi"] == "10256Mi"


def test_user_data_for_efa_sets_huge_pages_and_locked_memory_and_keeps_the_limit_of_open_files() -> None:
    message = email.message_from_bytes(base64.b64decode(registered(EFA)[LAUNCH_TEMPLATE].inputs["userData"]))
    parts = {one.get_content_type(): str(one.get_payload()) for one in message.walk() if not one.is_multipart()}
    assert list(parts) == ["text/x-shellscript", "application/node.eks.aws"]
    assert parts["text/x-shellscript"].splitlines()[:2] == ["#!/bin/bash", "sysctl -w vm.nr_hugepages=5128"]
    config = yaml.safe_load(parts["application/node.eks.aws"])
    assert (config["apiVersion"], config["kind"]) == ("node.eks.aws/v1alpha1", "NodeConfig")
    limits = {one["type"]: one for one in config["spec"]["containerd"]["baseRuntimeSpec"]["process"]["rlimits"]}
    assert set(limits) == {"RLIMIT_NOFILE", "RLIMIT_MEMLOCK"}
    locked = limits["RLIMIT_MEMLOCK"]["soft"]
    # nodeadm takes the number through JSON: it must survive a double.
    assert int(float(locked)) == locked > 4 * 1024**4


def test_bottlerocket_finds_efa_by_itself_and_a_given_placement_group_is_used() -> None:
    made = registered(GROUPS["efa, bottlerocket"])
    template = made[LAUNCH_TEMPLATE].inputs
    assert "userData" not in template
    assert template["placement"] == {"groupName": "ours"}
    assert len(template["networkInterfaces"]) == 2
    assert not [urn for urn in made if "PlacementGroup" in urn]


def test_efa_needs_the_clusters_security_group() -> None:
    def program() -> None:
        GpuNodeGroup("a100", GpuNodeGroupArgs(nodes=EFA, cluster_name="ml-dev"))

    with pytest.raises(ValueError, match="cluster_security_group_id"):
        run(program, project="llm-serving", stack="test", config={"aws:region": "us-east-1"})


def test_without_tags_the_launch_template_has_no_empty_tag_specifications() -> None:
    made = registered(GROUPS["shared, untagged"])
    assert made[LAUNCH_TEMPLATE].inputs["tagSpecifications"] == []
    assert made[NODE_GROUP].inputs["tags"] == {EPHEMERAL_TAG: "266240Mi", GPU_TAG: "32"}


def test_a_tag_of_the_stack_wins_over_what_the_autoscaler_is_told() -> None:
    nodes = dataclasses.replace(A100, eks=dataclasses.replace(EKS, tags={EPHEMERAL_TAG: "100Gi"}))
    assert registered(nodes)[NODE_GROUP].inputs["tags"] == {EPHEMERAL_TAG: "100Gi"}


def test_the_autoscaler_is_told_units_of_shared_gpus_only_and_no_unknown_storage() -> None:
    unknown = Allocatable(cpu_millis=None, memory=None, ephemeral_storage=None)
    assert autoscaler_tags(dataclasses.replace(A100, allocatable=unknown)) == {}
    shared = dataclasses.replace(A100, allocatable=unknown, sharing=SharedGpu(way="mig", units=7))
    assert autoscaler_tags(shared) == {GPU_TAG: "56"}


@pytest.mark.parametrize(
    ("nodes", "max_unavailable", "minutes"), [(1, 1, 60), (2, 1, 60), (3, 1, 90), (8, 3, 90), (9, 3, 90), (10, 3, 120)]
)
def test_an_update_may_take_half_an_hour_a_batch(nodes: int, max_unavailable: int, minutes: int) -> None:
    assert update_minutes(nodes, max_unavailable) == minutes


def test_a_large_group_may_update_for_longer() -> None:
    nodes = dataclasses.replace(A100, max_nodes=10, eks=dataclasses.replace(EKS, max_unavailable=2))
    assert registered(nodes)[NODE_GROUP].custom_timeouts == {"create": "60m", "update": "150m", "delete": "60m"}


@pytest.mark.parametrize("name", ["a", "g" * 36, "g" * 37, "g" * 63])
def test_the_name_prefix_leaves_room_for_the_suffix_of_the_provider(name: str) -> None:
    group = next(one for one in deploy(A100, name=name).resources if one.type == "aws:eks/nodeGroup:NodeGroup")
    prefix = group.inputs["nodeGroupNamePrefix"]
    assert prefix == f"{name[:36]}-"
    assert len(prefix) + 26 <= 63


def test_children_inherit_an_explicit_provider_and_outputs_may_come_late() -> None:
    def program() -> None:
        import pulumi_aws as aws

        provider = aws.Provider("aws", region="eu-west-1")
        args = GpuNodeGroupArgs(nodes=A100, cluster_name=pulumi.Output.secret("ml-dev"))
        GpuNodeGroup("a100", args, pulumi.ResourceOptions(providers=[provider]))

    resources = run(program, project="llm-serving", stack="test", config={}).resources
    children = [one for one in resources if one.parent == COMPONENT]
    assert len(children) == 6
    assert {one.provider for one in children} == {"urn:pulumi:test::llm-serving::pulumi:providers:aws::aws"}


def test_an_existing_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="node group lab exists already"):
        deploy(dataclasses.replace(A100, name="lab", eks=None))


# -- AWS's own API models (botocore, which moto brings), offline

SESSION = botocore.session.get_session()
EKS_NAMES = {"subnetIds": "subnets", "nodeRoleArn": "nodeRole", "nodeGroupNamePrefix": "nodegroupName"}
EC2_NAMES = {"securityGroups": "Groups"}
EC2_STRINGS_AS_BOOLEANS = {"encrypted", "deleteOnTermination"}


def eks_request(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """CreateNodegroup as the provider would build it: two of its properties have other names."""
    return {EKS_NAMES.get(key, key): known(value) for key, value in inputs.items()}


def ec2_request(value: Any, key: str = "") -> Any:
    """LaunchTemplateData as the provider would build it: Pascal case, tags as a list, true booleans."""
    if key == "tags":
        return [{"Key": name, "Value": text} for name, text in value.items()]
    if key in EC2_STRINGS_AS_BOOLEANS:
        return {"true": True, "false": False}[value]
    if isinstance(value, Mapping):
        return {EC2_NAMES.get(one, one[0].upper() + one[1:]): ec2_request(item, one) for one, item in value.items()}
    return [ec2_request(one) for one in value] if isinstance(value, list) else known(value)


def known(value: Any) -> Any:
    if value is UNKNOWN:
        return "known-later"
    return {key: known(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def problems(service: str, operation: str, request: Mapping[str, Any]) -> list[str]:
    """What botocore's validator finds, and values outside an enum or above a maximum, which it doesn't look at."""
    shape = SESSION.get_service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(dict(request), shape)
    return [*([report.generate_report()] if report.has_errors() else []), *outside(request, shape, operation)]


def outside(value: Any, shape: Any, path: str) -> list[str]:
    if shape.type_name == "structure":
        return [
            text
            for key, item in value.items()
            if key in shape.members
            for text in outside(item, shape.members[key], f"{path}.{key}")
        ]
    found = []
    if shape.type_name == "list":
        found = [text for index, item in enumerate(value) for text in outside(item, shape.member, f"{path}[{index}]")]
    if shape.type_name == "map":
        found = [text for key, item in value.items() for text in outside(item, shape.value, f"{path}.{key}")]
    if getattr(shape, "enum", None) and value not in shape.enum:
        found.append(f"{path}: {value!r} isn't one of {', '.join(shape.enum)}")
    size = value if isinstance(value, int) else len(value)
    if size > shape.metadata.get("max", size):
        found.append(f"{path}: {size} is more than {shape.metadata['max']}")
    return found


@pytest.mark.parametrize("kind", GROUPS)
def test_eks_accepts_the_node_group(kind: str) -> None:
    assert problems("eks", "CreateNodegroup", eks_request(registered(GROUPS[kind])[NODE_GROUP].inputs)) == []


@pytest.mark.parametrize("kind", GROUPS)
def test_ec2_accepts_the_launch_template(kind: str) -> None:
    inputs = dict(registered(GROUPS[kind])[LAUNCH_TEMPLATE].inputs)
    inputs.pop("tags")  # of the template itself: a TagSpecification of the request, not LaunchTemplateData
    request = {"LaunchTemplateName": "a100", "LaunchTemplateData": ec2_request(inputs)}
    assert problems("ec2", "CreateLaunchTemplate", request) == []


def test_iam_accepts_the_role() -> None:
    inputs = registered(A100)[ROLE].inputs
    document = inputs["assumeRolePolicy"]
    assert json.loads(document)["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    request = {"RoleName": "a100", "AssumeRolePolicyDocument": document, "Tags": ec2_request(inputs["tags"], "tags")}
    assert problems("iam", "CreateRole", request) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("amiType",), "AL2023_NVIDIA"),
        (("capacityType",), "on-demand"),
        (("scalingConfig", "maxSize"), 0),
        (("scalingConfig", "desiredSize"), "1"),
        (("taints", 0, "effect"), "NoSchedule"),
        (("taints", 0, "key"), "k" * 64),
        (("updateConfig", "updateStrategy"), "SURGE"),
        (("labels", "present"), True),
        (("diskSizeGib",), 200),
    ],
)
def test_the_api_models_catch_a_wrong_value(path: tuple[Any, ...], value: Any) -> None:
    request = eks_request(registered(A100)[NODE_GROUP].inputs)
    at: Any = request
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert len(problems("eks", "CreateNodegroup", request)) == 1
