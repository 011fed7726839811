"""ENG046: weights that pods read from S3, and the role that lets them."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

STREAMING = ("runai_streamer", "runai_streamer_sharded", "tensorizer")
"""Load formats of vLLM that take s3:// (model_executor/model_loader, all three versions)."""
_FETCHED_FOR_IT = frozenset({"InferenceService", "LLMInferenceService"})
"""Kinds whose own init container copies the weights."""


def _readable(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        uri = workload.model.storage_uri
        role = workload_path(workload, "awsRole")
        if workload.aws_role is not None and facts.stack.cluster.provider != "eks":
            yield Finding(
                path=role,
                message=f"awsRole works on EKS, and the cluster is given by {facts.stack.cluster.provider}",
                remedies=(Remedy(text="remove awsRole", changes=((role, None),)),),
            )
        if uri is None or not uri.startswith("s3://"):
            continue
        if workload.kind in _FETCHED_FOR_IT:
            continue  # its own rules look after the credentials
        yield from _engine(workload, uri)
        if workload.aws_role is None:
            yield Finding(
                path=role,
                message=f"the pods read {uri} without a role of their own: only a public bucket answers, because their "
                "NetworkPolicy keeps them from the node's role",
                remedies=(
                    Remedy(text="set awsRole: {arn: ...} to a role that may s3:GetObject and s3:ListBucket there"),
                ),
                severity="warning",
            )


def _engine(workload: Workload, uri: str) -> Iterator[Finding]:
    engine = workload.engine
    if not engine.OBJECT_STORE:
        yield Finding(
            path=workload_path(workload, "model"),
            message=f"{engine.name} doesn't read {uri} itself",
            remedies=(Remedy(text=f"give models.{workload.model.name} a volume instead of storageUri"),),
        )
    elif isinstance(engine, Vllm) and engine.load_format not in STREAMING:
        path = engine_path(workload, "loadFormat")
        yield Finding(
            path=path,
            message=f"weights in {uri} need loadFormat {', '.join(STREAMING[:-1])} or {STREAMING[-1]}",
            remedies=(Remedy(text="set loadFormat: runai_streamer", changes=((path, "runai_streamer"),)),),
        )


RULES = (
    Rule(
        code="ENG046",
        severity="error",
        title="Weights in S3 are read by an engine that can, with a role that may",
        why="vLLM fetches only configuration and tokenizer from s3:// by itself (config/model.py, "
        "maybe_pull_model_tokenizer_for_runai); the weights come through the load format's loader. Pods get credentials by EKS Pod "
        "Identity or IRSA.",
        check=_readable,
    ),
)
