"""SEC: secrets in plain sight, who may call, and known vulnerabilities."""

from collections.abc import Iterator

from catalog import advisories
from catalog.options import versions
from components.resolved import Workload
from components.resolved_ray import RayModel
from preflight.container_facts import SECRET_OPTIONS, network, option_name
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.secret_values import plain_secrets

_WIDEST_V4, _WIDEST_V6 = 16, 32
"""Prefix lengths of public ranges below which a warning is due: more than 65,536 IPv4 addresses, or more than one provider's IPv6 block."""
_MOST_NAMED = 3


def _plain_secret(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        fields = {"env": dict(workload.env), "engine": {"extraArgs": list(workload.engine.extra_args)}}
        for path in plain_secrets(fields, workload_path(workload)):
            yield Finding(
                path=path,
                message=(
                    "looks like a secret in plain text (its value isn't shown here): it would be in the stack "
                    "file, in Pulumi's state and in the pod"
                ),
                remedies=(
                    Remedy(
                        text=(
                            "take it out and revoke it; the Hugging Face token goes to huggingFaceToken, which names a "
                            "Kubernetes Secret"
                        )
                    ),
                ),
            )


def _secret_option(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        for index, word in enumerate(workload.engine.extra_args):
            name = option_name(word)
            if name not in SECRET_OPTIONS:
                continue
            if name == "--hf-token":
                remedy = "leave it out and set huggingFaceToken: the pod gets HF_TOKEN from a Secret"
            else:
                remedy = "leave it out: restrict callers with allowFrom and authenticate at a gateway (the key covers some paths only)"
            yield Finding(
                path=workload_path(workload, "engine", "extraArgs", index),
                message=(
                    f"{name} puts a secret on the command line, where process lists, pod specs and Pulumi's state "
                    "show it"
                ),
                remedies=(Remedy(text=remedy),),
            )


def _open(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        for index, peer in enumerate(workload.allow_from):
            cidr = peer.get("ipBlock", {}).get("cidr")
            found = network(cidr) if cidr else None
            if found is None or found.is_private:
                continue
            everybody = found.prefixlen == 0
            if not everybody and found.prefixlen >= (_WIDEST_V4 if found.version == 4 else _WIDEST_V6):
                continue
            who = (
                "everybody who can reach a node or pod address"
                if everybody
                else f"{found.num_addresses:,} public addresses"
            )
            yield Finding(
                path=workload_path(workload, "allowFrom", index, "cidr"),
                message=f"{cidr} lets {who} call {workload.name}, and the engine itself asks nobody for a password",
                remedies=(
                    Remedy(
                        text=(
                            "name the range of your load balancer or gateway, or a namespace with namespace: or "
                            "podLabels:"
                        )
                    ),
                ),
                severity=None if everybody else "warning",
            )


def _advisories(facts: Facts) -> Iterator[Finding]:
    known = {}
    for workload in facts.workloads:
        engine = workload.engine
        name, version = engine.package()
        if not advisories.advisories(name):
            yield Finding(
                path=workload_path(workload, "engine", "name"),
                message=f"the vulnerabilities of {engine.name} weren't looked up here: that none is named doesn't mean that there is none",
                remedies=(
                    Remedy(
                        text="read the project's advisories, and allow SEC007 for this workload with what you found"
                    ),
                ),
                severity="notice",
            )
            continue
        if (name, version) not in known:
            known[name, version] = advisories.affecting(name, version)
        found = known[name, version]
        if not found:
            continue
        named = "; ".join(_named(one) for one in found[:_MOST_NAMED])
        inside = "" if name == engine.name else f" in the image of {engine.name} {engine.version}"
        more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        yield Finding(
            path=workload_path(workload, "engine", "version"),
            message=(
                f"{name} {version}{inside} has {len(found)} known {'vulnerabilities' if found[1:] else 'vulnerability'} (as of "
                f"{advisories.date()}): {named}{more}"
            ),
            remedies=tuple(_newer(facts, workload)),
        )


def _named(one: advisories.Advisory) -> str:
    needs = f", with {one.needs}" if one.needs else ""
    return f"{one.id} ({one.severity}{needs}): {one.summary}"


def _newer(facts: Facts, workload: Workload) -> Iterator[Remedy]:
    """The newest version with an option table, where it has fewer of them."""
    engine = workload.engine
    newest = versions(engine.name, facts.stack.option_rows.get(engine.name))[-1]
    path = workload_path(workload, "engine", "version")
    if not advisories.affecting(*engine.model_copy(update={"version": newest}).package()):
        yield Remedy(text=f"set {'.'.join(map(str, path))}: {newest}", changes=((path, newest),))
    if isinstance(workload.settings, RayModel):
        yield Remedy(
            text="move to a Ray release whose image has a later vLLM as soon as there is one, or allow SEC007 with the reason"
        )
    move = f"move to {newest}, or " if newest != engine.version else ""
    yield Remedy(text=f"{move}allow SEC007 for this workload with the reason why it isn't exposed")


def _unenforced(facts: Facts) -> Iterator[Finding]:
    if facts.stack.cluster.provider == "eks" and facts.stack.workloads:
        yield Finding(
            path=("cluster",),
            message=(
                "EKS enforces this stack's NetworkPolicies only where the VPC CNI add-on has enableNetworkPolicy: "
                "true, or another engine such as "
                "Calico or Cilium does it"
            ),
            remedies=(
                Remedy(
                    text='check with: kubectl -n kube-system get ds aws-node -o yaml | grep "enable-network-policy="'
                ),
            ),
        )


RULES = (
    Rule(
        code="SEC005",
        severity="error",
        title="No secrets in plain text",
        why="Environment variables and arguments are readable in the stack file, in Pulumi's state and with "
        "`kubectl get pod`. Tokens are recognised "
        "by their form, other values by the name of their variable (stacks/secret_values.py).",
        check=_plain_secret,
    ),
    Rule(
        code="SEC006",
        severity="error",
        title="Callers are known",
        why="The engine's API has no authentication of its own, and /tokenize, /metrics and others never ask for a key "
        "(https://docs.vllm.ai/en/stable/usage/security/). An error for all addresses, a warning for very wide "
        "public ranges.",
        check=_open,
    ),
    Rule(
        code="SEC007",
        severity="warning",
        title="The engine's version has no known vulnerabilities",
        why="Ranges of versions with the source of each: catalog/data/advisories.json. A notice for an engine that it has no rows of.",
        check=_advisories,
    ),
    Rule(
        code="SEC008",
        severity="error",
        title="No secrets on the command line",
        why="Arguments are in the pod's spec and in every process list; the variables VLLM_API_KEY and HF_TOKEN "
        "exist for that "
        "(vllm 0.33.0, vllm/envs.py line 829).",
        check=_secret_option,
    ),
    Rule(
        code="SEC009",
        severity="notice",
        title="NetworkPolicies are enforced",
        why="The VPC CNI ignores them by default "
        "(https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html; "
        'amazon-vpc-cni-k8s b521883, charts/aws-vpc-cni/values.yaml: enableNetworkPolicy "false").',
        check=_unenforced,
    ),
)
