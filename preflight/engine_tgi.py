"""ENG050-ENG054, ENG059, ENG060: what Text Generation Inference needs, and what its launcher and router refuse.

File names in the reasons are those of tag v3.3.7 of https://github.com/huggingface/text-generation-inference.
"""

import re
from collections.abc import Iterator

from components.engines.base import Engine
from components.engines.tgi import Tgi
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.engine_tgi_facts import chunks_prompts, tgi_workloads
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_PYTHON_IN_ROOT = (3, 1)


def _root(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        if engine.image is not None and engine.image.partition("@")[0].rsplit(":", 1)[0] != engine.REPOSITORY:
            continue
        number = re.match(r"(\d+)\.(\d+)", engine.version)
        if number and (int(number[1]), int(number[2])) < _PYTHON_IN_ROOT:
            continue
        yield Finding(
            path=engine_path(workload, "image") if engine.image else engine_path(workload),
            message=f"{engine.image_reference()} can't start as user {engine.USER}: its Python is below /root, which only root may enter",
            remedies=(
                Remedy(
                    text="build the image of docs/examples/tgi/Dockerfile, push it to a registry of yours and set image to it"
                ),
            ),
        )


def _maintenance(facts: Facts) -> Iterator[Finding]:
    for workload, _ in tgi_workloads(facts):
        yield Finding(
            path=engine_path(workload, "name"),
            message="Text Generation Inference is in maintenance mode: its makers take small fixes only, and recommend vLLM and SGLang",
            remedies=(
                Remedy(
                    text=f"see the same workload on vLLM with: llm-serving migrate-engine {facts.inputs.name} {workload.name}"
                ),
            ),
        )


def _lengths(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        prompt, total, batch = engine.max_input_tokens, engine.max_total_tokens, engine.max_batch_total_tokens
        prefill = engine.max_batch_prefill_tokens
        if prompt and total and prompt >= total:
            yield _too_large(workload, "maxInputTokens", prompt, "less than", "maxTotalTokens", total, total // 2)
        if total and batch and total > batch:
            path = engine_path(workload, "maxBatchTotalTokens")
            yield Finding(
                path=path,
                message=f"maxTotalTokens {total:,} must be at most maxBatchTotalTokens {batch:,}",
                remedies=(Remedy(text="remove maxBatchTotalTokens", changes=((path, None),)), _set(path, total)),
            )
        if prompt and prefill and prompt > prefill and not chunks_prompts(workload, engine):
            yield Finding(
                path=engine_path(workload, "maxBatchPrefillTokens"),
                message=f"prompts aren't split here, so maxBatchPrefillTokens {prefill:,} must be at least maxInputTokens {prompt:,}",
                remedies=(
                    _set(engine_path(workload, "maxBatchPrefillTokens"), prompt),
                    _set(engine_path(workload, "maxInputTokens"), prefill),
                ),
            )
        if engine.sharded and engine.num_shard == 1:
            path = engine_path(workload, "sharded")
            yield Finding(
                path=path,
                message="sharded: true and numShard 1: the launcher refuses a single shard then",
                remedies=(Remedy(text="remove sharded: numShard is enough", changes=((path, None),)),),
            )


def _too_large(workload: Workload, key: str, value: int, relation: str, other: str, limit: int, better: int) -> Finding:
    path = engine_path(workload, key)
    return Finding(
        path=path,
        message=f"{key} {value:,} must be {relation} {other} {limit:,}",
        remedies=(_set(path, better),) if better else (),
    )


def _set(path: Path, value: int) -> Remedy:
    return Remedy(text=f"set {path[-1]}: {value}", changes=((path, value),))


def _misplaced(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        reasons = {
            "maxBatchTotalTokens": (
                engine.max_batch_total_tokens,
                "models with flash attention ignore it: TGI measures how many tokens fit",
            ),
            "maxBatchSize": (
                engine.max_batch_size,
                "it is made for hardware that pads its batches (Gaudi, Neuron); on NVIDIA GPUs it only keeps out requests that would fit",
            ),
        }
        for key, (value, why) in reasons.items():
            if value is not None:
                path = engine_path(workload, key)
                yield Finding(
                    path=path,
                    message=f"{key} {value}: {why}",
                    remedies=(Remedy(text=f"remove {key}", changes=((path, None),)),),
                )


def _variables(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        fields = {one.upper(): one for one in type(engine).model_fields if one not in Engine.model_fields}
        for name, value in workload.env.items():
            path = workload_path(workload, "env", name)
            option = "--" + name.lower().replace("_", "-")
            if option in engine.DECIDED:
                text, remedies = f"{name} is decided by {engine.DECIDED[option]}", (_drop(path, name),)
            elif name in fields:
                key = engine.key_name(fields[name])
                moved = Remedy(
                    text=f"set {key}: {value} instead",
                    changes=((path, None), (engine_path(workload, key), _number(value))),
                )
                text = f"{name} sets what the key {key} sets, where the rules don't look"
                remedies = (moved, Remedy(text=f"use the key {key} instead"))
            else:
                continue
            yield Finding(path=path, message=text, remedies=remedies)


def _drop(path: Path, name: str) -> Remedy:
    return Remedy(text=f"remove {name}", changes=((path, None),))


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


def _positions(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        shape, total = workload.model.architecture, engine.max_total_tokens
        if shape is None or total is None or total <= shape.max_position_embeddings or _scaled(engine):
            continue
        path = engine_path(workload, "maxTotalTokens")
        yield Finding(
            path=path,
            message=f"maxTotalTokens {total:,} is more than the {shape.max_position_embeddings:,} positions of {workload.model.id}",
            remedies=(_set(path, shape.max_position_embeddings), Remedy(text="set ropeScaling and ropeFactor")),
        )


def _scaled(engine: Tgi) -> bool:
    return engine.rope_factor is not None or engine.rope_scaling == "dynamic"


def _split_words(facts: Facts) -> Iterator[Finding]:
    for workload, engine in tgi_workloads(facts):
        for word in workload.args:
            if any(sign.isspace() or sign in "*?[" for sign in word):
                index = engine.extra_args.index(word) if word in engine.extra_args else None
                yield Finding(
                    path=engine_path(workload) if index is None else engine_path(workload, "extraArgs", index),
                    message=f"the image's entrypoint takes {word!r} apart: its shell script passes arguments on without quotes",
                    remedies=(Remedy(text="write it without spaces and without the signs * ? ["),),
                )


RULES = (
    Rule(
        code="ENG050",
        severity="error",
        title="TGI's image runs without root",
        why="Pods run as a user without root (Pod Security restricted). The official images install Python below /root since 3.1, and stop "
        'with "libpython3.11.so.1.0: cannot open shared object file" (Dockerfile: uv python install; '
        "https://github.com/huggingface/text-generation-inference/issues/3082, open on 2026-11-22).",
        check=_root,
    ),
    Rule(
        code="ENG051",
        severity="warning",
        title="The engine is maintained",
        why="README.md of Text Generation Inference: in maintenance mode, only small fixes are taken. New models and GPUs won't come.",
        check=_maintenance,
    ),
    Rule(
        code="ENG052",
        severity="error",
        title="TGI's token limits and shards agree",
        why='The launcher exits with "`max_input_tokens` must be < `max_total_tokens`", "`max_total_tokens` must be <= '
        '`max_batch_total_tokens`" or "`sharded` is true but `num_shard` <= 1" (launcher/src/main.rs), the router with '
        '"`max_batch_prefill_tokens` must be >= `max_input_tokens`" where the model can\'t split prompts (backends/v3/src/main.rs; '
        "models/model.py: with speculation, paged attention, or without PREFILL_CHUNKING).",
        check=_lengths,
    ),
    Rule(
        code="ENG053",
        severity="warning",
        title="TGI's options are made for NVIDIA GPUs",
        why='--max-batch-total-tokens "is deprecated for Flash Attention models" and replaced by what fits (backends/v3/src/lib.rs); '
        '--max-batch-size is a "specific flag for hardware targets that do not support unpadded inference" (launcher/src/main.rs).',
        check=_misplaced,
    ),
    Rule(
        code="ENG054",
        severity="error",
        title="TGI's options are set by their keys, not by variables",
        why="Each option of the launcher is a variable too (clap's `env`). The command line wins, and the rules know only it.",
        check=_variables,
    ),
    Rule(
        code="ENG059",
        severity="warning",
        title="maxTotalTokens lies within the model's positions",
        why="The launcher takes more, but the model wasn't trained on such positions: answers get worse without an error.",
        check=_positions,
    ),
    Rule(
        code="ENG060",
        severity="error",
        title="TGI's arguments survive its entrypoint",
        why="tgi-entrypoint.sh ends in `exec text-generation-launcher $@`, unquoted: the shell splits words and expands patterns.",
        check=_split_words,
    ),
)
