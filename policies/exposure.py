"""Policies on who can call: NetworkPolicies around GPU workloads, and Services that leave the cluster. Pure."""

from collections.abc import Iterator, Sequence

from policies.label_selectors import selected_by
from policies.objects import Resource, pods
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View
from preflight.container_facts import is_everybody

_NETWORK_POLICY = ("networking.k8s.io", "NetworkPolicy")
_SERVICE = ("core", "Service")


def _isolated(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    policies = [one for one in resources if one.is_a(_NETWORK_POLICY)]
    for resource in resources:
        yield from decide(_is_isolated(resource, policies), urn=resource.urn)


def _is_isolated(resource: Resource, policies: list[Resource]) -> Iterator[Finding]:
    for pod in pods(resource):
        if pod.gpus() and not any(_restricts_ingress(one) for one in selected_by(pod, policies, "spec", "podSelector")):
            yield Finding(
                message=f"{resource.name}: no NetworkPolicy of the stack selects its pods for ingress, so every pod of the "
                "cluster may call them",
                urn=resource.urn,
            )
            return


def _restricts_ingress(policy: Resource) -> bool:
    """An absent list of types means Ingress, and Egress too where there are egress rules."""
    types = policy.props.at("spec", "policyTypes")
    return not types.exists() or "Ingress" in [one.text() for one in types.each()]


def _callers(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    policies = [one for one in resources if one.is_a(_NETWORK_POLICY)]
    guarding: dict[str, Resource] = {}
    for resource in resources:
        yield from decide(_guards(resource, policies, guarding), urn=resource.urn)
    for policy in guarding.values():
        for rule in policy.props.at("spec", "ingress").each():
            yield from decide(_open_rule(policy, rule), urn=policy.urn)


def _guards(resource: Resource, policies: list[Resource], guarding: dict[str, Resource]) -> Iterator[Finding]:
    """Notes the policies that select GPU pods of a resource."""
    for pod in pods(resource):
        if pod.gpus():
            for policy in selected_by(pod, policies, "spec", "podSelector"):
                guarding[policy.urn] = policy
    yield from ()


def _open_rule(policy: Resource, rule: View) -> Iterator[Finding]:
    peers = list(rule.at("from").each())
    if not peers:
        yield Finding(message=f"{policy.name}: {rule.path} has no `from`, so it lets everybody in", urn=policy.urn)
    for peer in peers:
        cidr = peer.at("ipBlock", "cidr").text()
        if is_everybody(cidr):
            yield Finding(
                message=f"{policy.name}: {peer.path} is {cidr}: every address may call, and the engine asks nobody for a "
                "password",
                urn=policy.urn,
            )


def _services(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if not resource.is_a(_SERVICE):
        return
    spec = resource.props.at("spec")
    kind = spec.at("type").text()
    if kind == "NodePort" and not settings["allowNodePort"]:
        yield Finding(message=f"{spec.path}.type is NodePort: every node answers callers, and no list restricts them")
    if kind == "LoadBalancer":
        ranges = [one.text() for one in spec.at("loadBalancerSourceRanges").each()]
        if not ranges:
            yield Finding(message=f"{spec.path}.type is LoadBalancer without loadBalancerSourceRanges")
        for cidr in ranges:
            if is_everybody(cidr):
                yield Finding(message=f"{spec.path}.loadBalancerSourceRanges has {cidr}, which is everybody")
    if any(True for _ in spec.at("externalIPs").each()):
        yield Finding(message=f"{spec.path}.externalIPs makes nodes take traffic for these addresses from anybody")


RULES = (
    Rule(
        name="gpu-workloads-isolated",
        level="mandatory",
        severity="high",
        title="A NetworkPolicy of the stack selects every GPU workload.",
        why="Engines have no authentication of their own; vLLM's key covers some paths only "
        "(https://docs.vllm.ai/en/stable/usage/security/).",
        remedy="Add a NetworkPolicy whose podSelector picks the pods, with policyTypes [Ingress, Egress].",
        namespaced=True,
        check_stack=_isolated,
    ),
    Rule(
        name="callers-known",
        level="mandatory",
        severity="high",
        codes=("SEC006",),
        title="No NetworkPolicy of a GPU workload lets everybody in.",
        why="The engine's API has no authentication of its own (https://docs.vllm.ai/en/stable/usage/security/).",
        remedy="Name namespaces, pods, or the range of the load balancer or gateway.",
        namespaced=True,
        check_stack=_callers,
    ),
    Rule(
        name="services-internal",
        level="mandatory",
        severity="high",
        codes=("SEC006",),
        title="Services leave the cluster only for listed callers.",
        why="LoadBalancer and NodePort bypass the gateway that authenticates callers; loadBalancerSourceRanges is the "
        "list (https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer).",
        remedy="Use ClusterIP behind a gateway, or set loadBalancerSourceRanges to the callers' ranges.",
        namespaced=True,
        settings={
            "allowNodePort": {
                "type": "boolean",
                "default": False,
                "description": "Accept NodePort, where firewalls in front of the nodes restrict callers.",
            }
        },
        check=_services,
    ),
)
