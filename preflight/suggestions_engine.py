"""Suggestions for one workload: FP8 KV cache, fewer GPUs for a copy, a quantized checkpoint, copies on idle GPUs. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace

from catalog.models import models
from components.engines.vllm import Vllm
from components.resolved import Stack, Workload
from preflight.engine_facts import Tables, engine_path
from preflight.parallelism_shape import fits
from preflight.rule import copies_path
from preflight.suggestions_trial import (
    Changes,
    Gain,
    Suggestion,
    Trials,
    named,
    requests,
    running,
    still_good,
    together,
    usd,
    worded,
)
from stacks.overrides import model_rows

_WORTH = 1.25
"""Least growth of concurrency that is worth a suggestion."""
_FORMAT_WORDS = frozenset(
    {"fp8", "int8", "int4", "nvfp4", "8bit", "4bit", "w8a8", "w4a16", "awq", "gptq", "dynamic", "quantized"}
    | {"meta", "neuralmagic", "redhatai"}
)
"""What the name of a quantized copy has besides the name of the model. More words may mean other weights of the same shape."""


def kv_cache(trials: Trials, workload: Workload) -> Iterator[Suggestion]:
    """An FP8 KV cache where requests, not maxNumSeqs, are the limit. Whether GPU and backend take it: rule ENG009."""
    engine, memory = workload.engine, workload.memory
    if not isinstance(engine, Vllm) or memory is None or engine.kv_cache_dtype not in (None, "auto"):
        return
    tables = Tables(trials.facts)
    table = tables.of(workload)
    choices = table["--kv-cache-dtype"].choices if table and "--kv-cache-dtype" in table else None
    custom = (engine.attention_backend or "").upper() == "CUSTOM"
    if tables.support(workload) is None or "fp8" not in (choices or ()) or custom:
        return
    changes: Changes = ((engine_path(workload, "kvCacheDtype"), "fp8"),)
    after = trials.tried(workload, changes)
    if after is None:
        return
    now = after.workloads[workload.name]
    if requests(now) >= _WORTH * requests(workload):
        yield Suggestion(
            text=f"{named(changes)}: {worded(workload, now)}; check the accuracy of the answers",
            changes=changes,
            gain=Gain(requests=(requests(workload), requests(now))),
        )


def replicas(trials: Trials, workload: Workload) -> Iterator[Suggestion]:
    """More copies on GPUs of nodes that run anyway."""
    group, each = workload.node_group, workload.resources.gpus * workload.group_size
    nodes, _ = running(trials.stack, group.name)
    if not group.created or not nodes or not workload.replicas or not each:
        return
    used = sum(one.gpus for one in together(trials.stack, group))
    for more in range((nodes * group.units_per_node - used) // each, 0, -1):
        changes: Changes = ((copies_path(workload), workload.replicas + more),)
        after = trials.tried(workload, changes)
        if after is None:
            continue
        after_nodes, _ = running(after, group.name)
        if after_nodes is None or after_nodes > nodes:
            continue
        now, gpus = after.workloads[workload.name], more * each
        yield Suggestion(
            text=f"{named(changes)}: {gpus} idle GPU{'' if gpus == 1 else 's'} of {group.name} hold{'s' if gpus == 1 else ''} "
            f"{more} more cop{'y' if more == 1 else 'ies'} at no cost, and {worded(workload, now)}",
            changes=changes,
            gain=Gain(requests=(requests(workload), requests(now))),
        )
        return


def fewer_gpus(trials: Trials, workload: Workload) -> Iterator[Suggestion]:
    """The smallest tensor-parallel size that keeps enough of concurrency and speed."""
    for size in smaller_sizes(workload):
        found = _smaller(trials, workload, ((engine_path(workload, "tensorParallelSize"), size),), "")
        if found:
            yield found
            return


def checkpoint(trials: Trials, workload: Workload) -> Iterator[Suggestion]:
    """A quantized checkpoint of the same model, 8 bits before 4, with which a copy needs at most half of its GPUs."""
    spec = trials.inputs.config.models[workload.model.name]
    own = spec.model_fields_set & {"architecture", "config", "params", "quantization", "weights_size", "path"}
    alone = sum(one.model == workload.model.name for one in trials.inputs.config.workloads.values()) == 1
    if own or not alone or workload.model.quantization != "none" or workload.parallelism.tensor < 2:
        return
    if workload.volume is not None and not workload.volume.created:
        return
    for _, name in sorted(_variants(trials, workload)):
        for size in smaller_sizes(workload):
            if size * 2 > workload.parallelism.tensor:
                continue
            changes: Changes = (
                (("models", workload.model.name, "id"), name),
                (engine_path(workload, "tensorParallelSize"), size),
            )
            found = _smaller(trials, workload, changes, " (and as revision a commit of that repository)")
            if found:
                yield found
                return


def smaller_sizes(workload: Workload) -> list[int]:
    """Tensor-parallel sizes below the present one that the shape allows, smallest first; none where GPUs are shared."""
    now, shape = workload.parallelism, workload.model.architecture
    if shape is None or workload.node_group.sharing or not isinstance(workload.engine, Vllm):
        return []
    return [size for size in range(1, now.tensor) if fits(shape, replace(now, tensor=size), workload.engine)]


def _smaller(trials: Trials, workload: Workload, changes: Changes, note: str) -> Suggestion | None:
    after = trials.tried(workload, changes)
    if after is None or not still_good(workload, after.workloads[workload.name]):
        return None
    group = workload.node_group
    lower = _lower(after, workload)
    if lower and (with_fewer_nodes := trials.tried(workload, changes + lower)):
        after, changes = with_fewer_nodes, changes + lower
    now = after.workloads[workload.name]
    (_, cost), (_, cost_now) = running(trials.stack, group.name), running(after, group.name)
    saved = 0.0 if cost is None or cost_now is None or not group.created else cost - cost_now
    freed = workload.gpus - now.gpus
    if saved < 0 or freed <= 0:
        return None
    if saved:
        worth = f"the nodes of {group.name} cost {usd(saved)} less"
    else:
        price = group.usd_per_hour
        value = "" if price is None else f", worth {usd(price * freed / group.units_per_node)}"
        worth = f"frees {freed} GPUs of {group.name}{value}, for other pods"
    return Suggestion(
        text=f"{named(changes)}{note}: {worth}; {worded(workload, now)}, and each answer is generated more slowly",
        changes=changes,
        gain=Gain(usd_per_hour=saved, gpus=freed, requests=(requests(workload), requests(now))),
    )


def _lower(after: Stack, workload: Workload) -> Changes:
    """A lower minSize (and desiredSize), where the pods then need fewer nodes than it keeps."""
    name = workload.node_group.name
    group = after.node_groups[name]
    if not group.created or group.eks is None:
        return ()
    used = sum(one.gpus for one in together(after, group))
    least = max(1, -(-used // group.units_per_node)) if group.units_per_node else group.min_nodes
    lower: Changes = ()
    if least < group.min_nodes:
        lower += ((("nodeGroups", name, "minSize"), least),)
    if least < group.eks.desired_size and group.eks.desired_size != group.min_nodes:
        lower += ((("nodeGroups", name, "desiredSize"), max(least, 1)),)
    return lower


def _variants(trials: Trials, workload: Workload) -> Iterator[tuple[int, str]]:
    """How many steps below 8 bits, and the repository, of the quantized checkpoints of a model."""
    shape = workload.model.architecture
    if shape is None:
        return
    words = _words(shape.hf_id)
    for one in models(model_rows(trials.inputs.config.catalog)).values():
        if one.base != shape.name or one.quantization is None or one.hf_id.casefold() == shape.hf_id.casefold():
            continue
        if _contains(_words(one.hf_id), words):
            yield 8 - one.quantization.bits, one.hf_id


def _words(hf_id: str) -> list[str]:
    return re.split(r"[-_]", hf_id.partition("/")[2].casefold())


def _contains(words: list[str], model: list[str]) -> bool:
    """The words of a model's name in one run, and beside them only words for its format."""
    for start in range(len(words) - len(model) + 1):
        if words[start : start + len(model)] == model:
            return set(words[:start] + words[start + len(model) :]) <= _FORMAT_WORDS
    return False
