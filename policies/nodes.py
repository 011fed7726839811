"""Policies on EKS node groups and launch templates: images for GPUs, metadata service, encrypted disks. Pure."""

import re
from collections.abc import Iterator

from catalog.instances import instances
from policies.objects import Resource
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
_LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_ACCELERATED = re.compile(r"(p|g|gr|inf|trn|dl|vt|f)\d")
"""Families with accelerators; those that the catalogue doesn't have are left undecided."""


def _ami_types(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.type != NODE_GROUP:
        return
    view = resource.props.at("amiType")
    ami = view.text()
    if ami in ("", "CUSTOM"):  # an image of the launch template, or EKS's own choice
        return
    for one in resource.props.at("instanceTypes").each():
        yield from decide(_ami_type(ami, one.text()))


def _ami_type(ami: str, name: str) -> Iterator[Finding]:
    known = instances().get(name)
    if known is None:
        if ami.endswith("_NVIDIA") and not _ACCELERATED.match(name):
            yield Finding(message=f"amiType {ami} is for NVIDIA GPUs, and {name} has none")
        return
    if ami == "AL2_x86_64_GPU":
        yield Finding(message=f"amiType {ami} has had no release since 26 Nov 2025; use AL2023_x86_64_NVIDIA")
    elif not ami.endswith("_NVIDIA"):
        yield Finding(message=f"amiType {ami} has no NVIDIA driver, and {name} has {known.gpu} GPUs")
    elif ("ARM_64" in ami) != (known.arch == "arm64"):
        yield Finding(message=f"amiType {ami} doesn't start on {name}, whose processor is {known.arch}")


def _hardened(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.type == NODE_GROUP:
        yield from decide(_has_template(resource))
    if resource.type == _LAUNCH_TEMPLATE:
        yield from decide(_metadata(resource), _disks(resource))


def _has_template(resource: Resource) -> Iterator[Finding]:
    has_gpus = any(one.text() in instances() for one in resource.props.at("instanceTypes").each())
    if has_gpus and not resource.props.at("launchTemplate").exists():
        yield Finding(
            message="launchTemplate is missing: the one that EKS makes encrypts disks only where the account does"
        )


def _metadata(resource: Resource) -> Iterator[Finding]:
    options = resource.props.at("metadataOptions")
    if options.at("httpEndpoint").text() == "disabled":
        return
    if options.at("httpTokens").text() != "required":
        yield Finding(message="metadataOptions.httpTokens must be required (IMDSv2)")
    hops = options.at("httpPutResponseHopLimit").integer(0)
    if hops != 1:
        given = hops or "not given"
        yield Finding(
            message=f"metadataOptions.httpPutResponseHopLimit is {given}; 1 keeps pods from the node's credentials"
        )


def _disks(resource: Resource) -> Iterator[Finding]:
    volumes = [one for one in resource.props.at("blockDeviceMappings").each() if one.at("ebs").exists()]
    if not volumes:
        yield Finding(
            message="blockDeviceMappings has no EBS volume, so the disk is encrypted only where the account does"
        )
    for volume in volumes:
        yield from decide(_disk(volume))


def _disk(volume: View) -> Iterator[Finding]:
    encrypted = volume.at("ebs", "encrypted")
    # The provider takes it as a string.
    if encrypted.read() is not True and encrypted.text() != "true":
        yield Finding(message=f"{encrypted.path} must be true ({volume.at('deviceName').text() or 'no device name'})")


RULES = (
    Rule(
        name="gpu-ami-types",
        level="mandatory",
        severity="high",
        title="GPU node groups have an NVIDIA image for their processor, and only they.",
        why="Other images have no driver, so the nodes join and offer no GPUs "
        "(https://docs.aws.amazon.com/eks/latest/userguide/ml-eks-optimized-ami.html).",
        remedy="Set amiType to AL2023_x86_64_NVIDIA, AL2023_ARM_64_NVIDIA or a BOTTLEROCKET_..._NVIDIA.",
        check=_ami_types,
    ),
    Rule(
        name="nodes-hardened",
        level="mandatory",
        severity="high",
        title="Nodes require IMDSv2 with one hop, and their disks are encrypted.",
        why="A pod that reaches the metadata service has the node's role "
        "(https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html). EKS's own template "
        "for AL2023 has these metadata options (https://docs.aws.amazon.com/eks/latest/userguide/al2023.html); in one of "
        "your own, what is left out is the account's or the image's default.",
        remedy="Give a launch template with metadataOptions {httpTokens: required, httpPutResponseHopLimit: 1} and "
        'ebs.encrypted "true" for each volume.',
        check=_hardened,
    ),
)
