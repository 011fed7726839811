"""KSV025: how requests reach an LLMInferenceService from outside."""

from collections.abc import Iterator

from components.resolved import Workload
from preflight.kserve_llm import llm_services
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path


def _router(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get("kserve")
    ready = operator is not None and operator.settings["gatewayApi"] == "true"
    flag: Path = ("platform", "kserve", "gatewayApi")
    for workload, settings in llm_services(facts):
        if settings.router is None:
            continue
        path = workload_path(workload, "router")
        if not ready:
            yield Finding(
                path=path,
                message=f"{workload.name}'s route needs the Gateway API and a gateway controller, and nothing says that they are there",
                remedies=(
                    Remedy(
                        text="install them, then set platform.kserve.gatewayApi: true",
                        changes=((flag, True),) if operator else (),
                    ),
                    Remedy(text="remove router", changes=((path, None),)),
                ),
            )
        namespace = settings.router.gateway_namespace
        if not _lets_in(workload, namespace):
            allowed = workload_path(workload, "allowFrom")
            given = facts.inputs.config.workloads[workload.name].allow_from
            peers = [{"namespace": workload.namespace}, {"namespace": namespace}]
            yield Finding(
                path=allowed,
                message=f"{workload.name}'s NetworkPolicy keeps the gateway in namespace {namespace} out: requests time out",
                remedies=(
                    setting(allowed, peers)
                    if given is None
                    else Remedy(text=f"add {{namespace: {namespace}}} to allowFrom"),
                ),
            )


def _lets_in(workload: Workload, namespace: str) -> bool:
    """Somebody from that namespace may call it, as far as names tell: labels of namespaces and addresses aren't known here."""
    for peer in workload.allow_from:
        selector = peer.get("namespaceSelector")
        if "ipBlock" in peer:
            return True
        if selector is None:
            if namespace == workload.namespace:
                return True
        elif selector["matchLabels"].get("kubernetes.io/metadata.name", namespace) == namespace:
            return True
    return False


_SOURCE = "kserve 1fb7810 (v0.20.0), read 2026-11-22: pkg/controller/v1alpha2/llmisvc"

RULES = (
    Rule(
        code="KSV025",
        severity="error",
        title="Routers have a Gateway API, and the gateway may come in",
        why=f"KServe makes an HTTPRoute, and an InferencePool for the scheduler ({_SOURCE}/router.go, scheduler.go).",
        check=_router,
    ),
)
