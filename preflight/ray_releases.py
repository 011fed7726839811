"""RAY001-RAY003: releases of Ray, their images and engines."""

from collections.abc import Iterator

from catalog import options as tables
from catalog.ray import releases
from components.engines.vllm import Vllm
from components.resolved import Workload
from components.resolved_ray import RayCluster, RayModel, host
from preflight.engine_facts import engine_path
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

SERVICE = "RayService"
_FIRST_WITH_TOKENS = (2, 52)


def ray_workloads(facts: Facts) -> Iterator[tuple[Workload, RayModel]]:
    """Workloads on Ray, with what only they have."""
    for workload in facts.workloads:
        if isinstance(workload.settings, RayModel):
            yield workload, workload.settings


def cluster_of(workload: Workload, facts: Facts) -> RayCluster | None:
    """The Ray cluster that a workload runs in; None where it joins one that isn't there."""
    found = facts.stack.workloads.get(host(workload))
    return found.settings.cluster if found is not None and isinstance(found.settings, RayModel) else None


def _releases(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        cluster, path = cluster_of(workload, facts), workload_path(workload, "ray", "version")
        if cluster is None or not isinstance(workload.engine, Vllm):
            continue
        number = tuple(int(part) for part in cluster.version.split("."))
        newest = [one for one in reversed(releases().values()) if one.vllm in tables.versions("vllm")]
        if number < _FIRST_WITH_TOKENS and settings.cluster:
            yield Finding(
                path=path,
                message=f"Ray {cluster.version} has no token authentication, which came with 2.52: whoever reaches it runs code in it",
                remedies=tuple(setting(path, one.version) for one in newest[:1]),
            )
        if _own_image(workload, facts):
            continue
        known = releases().get(cluster.version)
        if known is None:
            if settings.cluster:
                yield Finding(
                    path=path,
                    message=f"the catalogue doesn't know which vLLM the image of Ray {cluster.version} has; it knows Ray "
                    f"{', '.join(releases())}",
                    remedies=(
                        *(setting(path, one.version) for one in newest[:1]),
                        Remedy(text="name an image of your own in engine.image, with its tag"),
                    ),
                )
        elif known.vllm != workload.engine.version:
            here = engine_path(workload, "version")
            yield Finding(
                path=here,
                message=f"the image of Ray {cluster.version} has vLLM {known.vllm}, not {workload.engine.version}",
                remedies=(setting(here, known.vllm),),
            )


def _own_image(workload: Workload, facts: Facts) -> bool:
    found = facts.stack.workloads.get(host(workload))
    return found is not None and found.engine.image is not None


def _tags(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        known = releases().get(settings.cluster.version) if settings.cluster else None
        if known is None or known.tag_seen or workload.engine.image is not None or workload.engine.image_digest:
            continue
        yield Finding(
            path=workload_path(workload, "ray", "version"),
            message=f"the image {known.image} was not seen in use: its tag follows the names of earlier releases",
            remedies=(
                Remedy(
                    text=f"check it with `docker manifest inspect {known.image}`, then pin it in engine.imageDigest"
                ),
            ),
        )


def _engines(facts: Facts) -> Iterator[Finding]:
    for workload, _ in ray_workloads(facts):
        if isinstance(workload.engine, Vllm):
            continue
        path = workload_path(workload, "kind")
        dropped = (
            "ray",
            "rayService",
            "autoscaling",
            "maxOngoingRequests",
            "engineKwargs",
            "lora",
            "objectStoreMemory",
        )
        yield Finding(
            path=workload_path(workload, "engine", "name"),
            message=f"Ray Serve LLM runs vLLM only, not {workload.engine.name}",
            remedies=(
                Remedy(
                    text="set kind: Deployment, without ray",
                    changes=((path, "Deployment"), *((workload_path(workload, key), None) for key in dropped)),
                ),
                Remedy(text="use engine vllm"),
            ),
        )


_RAY = "ray 2.60.0"

RULES = (
    Rule(
        code="RAY001",
        severity="error",
        title="Ray's release, its image and the release of vLLM belong together",
        why="Each release of Ray Serve LLM is made for one release of vLLM (METADATA of ray[llm]; data/ray_llm.json), and KubeRay refuses "
        "token authentication before Ray 2.52 (ray-operator/controllers/ray/utils/validation.go at v1.7.0).",
        check=_releases,
    ),
    Rule(
        code="RAY002",
        severity="notice",
        title="The image's tag was seen in use",
        why="Tags on Docker Hub can't be looked up here; a tag that doesn't exist leaves every pod in ImagePullBackOff.",
        check=_tags,
    ),
    Rule(
        code="RAY003",
        severity="error",
        title="The engine on Ray is vLLM",
        why=f"LLMConfig.llm_engine takes vLLM alone ({_RAY}, llm/_internal/serve/core/configs/llm_config.py), and its "
        "image has no other engine.",
        check=_engines,
    ),
)
