"""KSV046-KSV048: copies of models on the disks of nodes: one group, one source, nodes that come back."""

from collections.abc import Iterator

from components.local_model_spec import local_models
from preflight.rule import Facts, Finding, Remedy, Rule


def _groups(facts: Facts) -> Iterator[Finding]:
    for found in local_models(facts.stack):
        first, *others = found.groups
        for name in others:
            group = facts.stack.node_groups[name]
            yield Finding(
                path=("models", found.model, "localModelCache"),
                message=(
                    f"{found.model} is on {first} and {name}, and KServe starts downloads for new nodes of {first} only: a node that joins "
                    f"{name} later gets its copy when something else changes the cache"
                ),
                remedies=(
                    Remedy(text=f"serve it on one node group, or keep {name} at its {group.max_nodes} nodes"),
                    Remedy(text="give it a volume, which every group can read"),
                ),
            )


def _sources(facts: Facts) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for found in local_models(facts.stack):
        other = seen.setdefault(found.source_uri, found.model)
        if other != found.model:
            yield Finding(
                path=("models", found.model, "localModelCache"),
                message=f"{other} and {found.model} have the source {found.source_uri}, and KServe refuses a second cache of it",
                remedies=(Remedy(text=f"let the workloads of {found.model} name {other} as their model"),),
            )


def _returning(facts: Facts) -> Iterator[Finding]:
    for found in local_models(facts.stack):
        for name in found.groups:
            group = facts.stack.node_groups[name]
            spot = group.eks is not None and group.eks.spot
            if group.created and (spot or group.max_nodes > group.min_nodes):
                yield Finding(
                    path=("models", found.model, "localModelCache"),
                    message=(
                        f"nodes of {name} come and go, and KServe keeps the state of those that went: a new node with an old one's name "
                        "may be taken for one that has its copy, and its pods wait for ever"
                    ),
                    remedies=(
                        Remedy(
                            text="if a pod stays in its init container wait-for-model: kubectl delete localmodelnode <its node>"
                        ),
                    ),
                )


_LOCAL = "kserve 1fb7810 (v0.20.0), pkg/controller/v1alpha1, read 2026-11-23: "

RULES = (
    Rule(
        code="KSV046",
        severity="warning",
        title="A model with copies on nodes is on one node group",
        why=f"A new node is matched with the first group of a cache alone ({_LOCAL}localmodel/reconcilers/localmodelcache_reconciler.go, "
        "nodeFunc).",
        check=_groups,
    ),
    Rule(
        code="KSV047",
        severity="error",
        title="No two models with copies on nodes have the same source",
        why="A LocalModelCache with the source of another one in the cluster is refused (kserve 1fb7810 (v0.20.0), "
        "pkg/webhook/admission/localmodelcache/localmodelcache_validator.go, read 2026-11-23).",
        check=_sources,
    ),
    Rule(
        code="KSV048",
        severity="notice",
        title="Nodes with copies of models that come back under the same name",
        why="Nothing deletes a node's LocalModelNode, whose status says that the model is there "
        "(https://github.com/kserve/kserve/issues/6159); a folder that the kubelet made for a pod then passes for the copy "
        f"({_LOCAL}localmodelnode/controller.go, downloadModels).",
        check=_returning,
    ),
)
