"""SEC: tokens, images and remote code."""

import re
from collections.abc import Iterator

from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

_MOVING_TAGS = frozenset({"latest", "nightly", "main", "master", "dev", "edge", "stable"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


def _gated(facts: Facts) -> Iterator[Finding]:
    used = {workload.model.name for workload in facts.workloads}
    for model in facts.stack.models.values():
        volume = facts.stack.volumes.get(model.volume or "")
        fetched = volume is None or bool(volume.downloads)
        if model.gated and fetched and model.name in used and facts.stack.token is None:
            yield Finding(
                path=("models", model.name, "id"),
                message=f"{model.id} is gated on the Hugging Face Hub and the stack has no huggingFaceToken: the download gets 401",
                remedies=(
                    Remedy(
                        text="set huggingFaceToken: {secretName: hf-token, key: token} to a Secret of the namespace",
                        changes=((("huggingFaceToken",), {"secretName": "hf-token", "key": "token"}),),
                    ),
                ),
            )


def _moving_tag(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        image = workload.engine.image_reference()
        tag = image.split("@")[0].rpartition("/")[2].partition(":")[2].lower()
        if "@" in image or tag.removeprefix("v") not in _MOVING_TAGS:
            continue
        key = "version" if workload.engine.image is None else "image"
        yield Finding(
            path=workload_path(workload, "engine", key),
            message=f"image {image} moves: the next pod may run another engine than the last",
            remedies=(Remedy(text="name a release, and pin its content with imageDigest"),),
        )


def _revision(facts: Facts) -> Iterator[Finding]:
    for model in facts.stack.models.values():
        if not _COMMIT.fullmatch(model.revision):
            yield Finding(
                path=("models", model.name, "revision"),
                message=f"revision {model.revision} is a branch or tag: weights and code can change under it",
                remedies=(Remedy(text=f"pin a commit: 40 hexadecimal digits from https://huggingface.co/{model.id}/commits"),),
            )


RULES = (
    Rule(
        code="SEC001",
        severity="error",
        title="Gated models have a token",
        why="The Hub answers 401 and the pod restarts for ever.",
        check=_gated,
    ),
    Rule(
        code="SEC002",
        severity="error",
        title="Images don't move",
        why="`latest` makes every restart an upgrade, and option checks impossible.",
        check=_moving_tag,
    ),
    Rule(
        code="SEC003",
        severity="warning",
        title="Model revisions are commits",
        why="CVE-2026-41523 and CVE-2026-47155 are about repositories that change under a name.",
        check=_revision,
    ),
)
