"""SEC: tokens, images, revisions and code from model repositories."""

import re
from collections.abc import Iterator

from components.resolved import Workload
from preflight.container_facts import moving_tag, trusts_remote_code
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_COMMIT = re.compile(r"[0-9a-f]{40}")


def _gated(facts: Facts) -> Iterator[Finding]:
    if facts.stack.token is not None:
        return
    used = {workload.model.name for workload in facts.workloads}
    for model in facts.stack.models.values():
        volume = facts.stack.volumes.get(model.volume or "")
        fetched = volume is None or any(one.model == model.name for one in volume.downloads)
        fetched = fetched and model.storage_uri is None
        if model.gated and fetched and (model.name in used or volume is not None):
            yield Finding(
                path=("models", model.name, "id"),
                message=(
                    f"{model.id} is gated on the Hugging Face Hub and the stack has no huggingFaceToken: the "
                    "download gets 401"
                ),
                remedies=(
                    Remedy(
                        text="set huggingFaceToken: {secretName: hf-token, key: token} to a Secret of the namespace",
                        changes=((("huggingFaceToken",), {"secretName": "hf-token", "key": "token"}),),
                    ),
                ),
            )


def _moving_tag(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        engine = workload.engine
        key = "version" if engine.image is None or ":" not in engine.image.rsplit("/", 1)[-1] else "image"
        yield from _moving(
            engine.image_reference(), workload_path(workload, "engine", key), "pin its content with imageDigest"
        )
    if any(volume.downloads for volume in facts.stack.volumes.values()):
        image = facts.inputs.config.platform.model_download_image
        yield from _moving(image, ("platform", "modelDownloadImage"), "pin its content with @sha256:...")


def _moving(image: str, path: Path, pin: str) -> Iterator[Finding]:
    tag = moving_tag(image)
    if tag is None:
        return
    yield Finding(
        path=path,
        message=f"image {image} moves (tag {tag}): the next pod may run another release than the last",
        remedies=(Remedy(text=f"name a release, and {pin}"),),
    )


def _revision(facts: Facts) -> Iterator[Finding]:
    for model in facts.stack.models.values():
        if not _COMMIT.fullmatch(model.revision):
            yield Finding(
                path=("models", model.name, "revision"),
                message=f"revision {model.revision} is a branch or tag: weights and code can change under it",
                remedies=(
                    Remedy(text=f"pin a commit: 40 hexadecimal digits from https://huggingface.co/{model.id}/commits"),
                ),
            )


def _remote_code(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        path = _trusting(workload)
        if path is None:
            continue
        model, moving = workload.model, not _COMMIT.fullmatch(workload.model.revision)
        off = Remedy(text="leave trustRemoteCode out, where the engine knows the architecture itself")
        yield Finding(
            path=path,
            message=f"Python code of {model.id} runs in the pod at revision {model.revision}"
            + (", which is no commit: whoever can push to the repository runs code here" if moving else ""),
            remedies=(
                Remedy(text=f"set models.{model.name}.revision to a commit whose code you have read")
                if moving
                else off,
            ),
            severity="error" if moving else None,
        )


def _trusting(workload: Workload) -> Path | None:
    if getattr(workload.engine, "trust_remote_code", None):
        return workload_path(workload, "engine", "trustRemoteCode")
    index = trusts_remote_code(workload.engine.extra_args)
    return None if index is None else workload_path(workload, "engine", "extraArgs", index)


RULES = (
    Rule(
        code="SEC001",
        severity="error",
        title="Gated models have a token",
        why=(
            "The Hub answers 401 and the download is tried again until its deadline "
            "(https://huggingface.co/docs/hub/models-gated)."
        ),
        check=_gated,
    ),
    Rule(
        code="SEC002",
        severity="error",
        title="Images don't move",
        why=(
            "A moving tag makes every restart an upgrade, and option checks impossible "
            "(https://github.com/llm-d/llm-d-benchmark/pull/1572)."
        ),
        check=_moving_tag,
    ),
    Rule(
        code="SEC003",
        severity="warning",
        title="Model revisions are commits",
        why="Weights, chat template and code can change under a branch or tag "
        "(https://huggingface.co/docs/huggingface_hub/guides/download, revision).",
        check=_revision,
    ),
    Rule(
        code="SEC004",
        severity="warning",
        title="No code of model repositories runs unread",
        why="--trust-remote-code imports Python files of the repository "
        "(https://docs.vllm.ai/en/stable/usage/security/). A warning at a commit, "
        "which somebody can have read; an error at a branch or tag, which nobody can.",
        check=_remote_code,
    ),
)
