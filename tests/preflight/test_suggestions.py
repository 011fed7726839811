"""Suggestions: each kind, with its numbers; none that a rule objects to; few, and the same every time."""

from typing import Any

import pytest

from components.resolved import Stack
from preflight.check import changed_inputs, check
from preflight.rule import Remedy
from preflight.suggestions import MOST_WORKLOADS, left_out, suggestions
from preflight.suggestions_engine import checkpoint, fewer_gpus, kv_cache, replicas
from preflight.suggestions_nodes import cheaper_nodes
from preflight.suggestions_trial import LEAST_SHARE, Suggestion, Trials
from stacks.resolve import Inputs, resolve
from tests.preflight.case import BASE, inputs, merged

LARGE = {"models": {"llama": {"id": "meta-llama/Llama-3.1-70B-Instruct"}}}


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


def group(**keys: Any) -> dict[str, Any]:
    return {"nodeGroups": {"gpu": keys}}


def engine(**keys: Any) -> dict[str, Any]:
    return chat(engine=keys)


def stack_of(*patches: dict[str, Any]) -> tuple[Inputs, Stack]:
    patch: dict[str, Any] = {}
    for one in patches:
        patch = merged(patch, one)
    given = inputs(patch)
    return given, resolve(given)


def made(*patches: dict[str, Any]) -> dict[str, tuple[Suggestion, ...]]:
    given, stack = stack_of(*patches)
    return suggestions(given, stack, check(given, stack))


def only_kind(kind: Any, *patches: dict[str, Any]) -> list[Suggestion]:
    given, stack = stack_of(*patches)
    return list(kind(Trials(given, stack), stack.workloads["chat"]))


def applied(one: Suggestion, *patches: dict[str, Any]) -> Inputs:
    given, _ = stack_of(*patches)
    changed = changed_inputs(given, Remedy(text="", changes=one.changes))
    assert changed is not None
    return changed


STACKS: dict[str, tuple[dict[str, Any], ...]] = {
    "base": ({},),
    "one large copy": (LARGE, chat(replicas=1, engine={"tensorParallelSize": 8})),
    "two large copies": (LARGE, chat(engine={"tensorParallelSize": 8}), group(minSize=2)),
    "awq": (
        {"models": {"llama": {"id": "casperhansen/llama-3-70b-instruct-awq"}}},
        engine(tensorParallelSize=4),
        group(instanceTypes=["p4de.24xlarge"]),
    ),
    "l4": (chat(replicas=1), group(instanceTypes=["g6.2xlarge"], minSize=0)),
    "surge": (chat(rollout="surge"),),
    "time-slicing": (group(sharing={"timeSlicing": {"replicas": 2}}), engine(gpuMemoryUtilization=0.4)),
    "spot": (group(capacity="spot"),),
    "ceiling": ({"cost": {"maxUsdPerHour": 111.0}},),
    "two workloads": ({"workloads": {"more": {**BASE["workloads"]["chat"], "replicas": 1}}},),
}


@pytest.mark.parametrize("name", STACKS)
def test_no_suggestion_brings_an_error_or_a_warning(name: str) -> None:
    given, stack = stack_of(*STACKS[name])
    before = {(one.code, one.path) for one in check(given, stack) if one.severity != "notice"}
    for several in made(*STACKS[name]).values():
        assert 1 <= len(several) <= 3
        for one in several:
            changed = applied(one, *STACKS[name])
            after = check(changed, resolve(changed))
            assert {(each.code, each.path) for each in after if each.severity != "notice"} <= before, one.text


def test_of_more_than_three_the_best_three_are_made() -> None:
    patches = (LARGE, chat(replicas=1, engine={"tensorParallelSize": 4}))
    every = [
        one for kind in (replicas, kv_cache, cheaper_nodes, fewer_gpus, checkpoint) for one in only_kind(kind, *patches)
    ]
    assert len(every) > 3
    several = made(*patches)["chat"]
    assert len(several) == 3
    assert max(one.gain.usd_per_hour for one in every) == several[0].gain.usd_per_hour


@pytest.mark.parametrize("name", STACKS)
def test_suggestions_are_the_same_every_time(name: str) -> None:
    assert made(*STACKS[name]) == made(*STACKS[name])


@pytest.mark.parametrize("name", STACKS)
def test_the_gain_is_what_the_changed_stack_shows(name: str) -> None:
    _, stack = stack_of(*STACKS[name])
    for workload, several in made(*STACKS[name]).items():
        for one in several:
            assert one.gain.usd_per_hour > 0 or one.gain.gpus > 0 or one.gain.requests is not None
            now = resolve(applied(one, *STACKS[name])).workloads[workload]
            assert one.gain.requests is not None
            for resolved, told in zip((stack.workloads[workload], now), one.gain.requests, strict=True):
                assert resolved.memory is not None
                each = min(resolved.memory.max_concurrency, resolved.memory.max_num_seqs)
                assert told == pytest.approx(each * resolved.replicas)


def test_the_greatest_saving_comes_first() -> None:
    for name in STACKS:
        for several in made(*STACKS[name]).values():
            saved = [one.gain.usd_per_hour for one in several]
            assert saved == sorted(saved, reverse=True)


def test_an_fp8_kv_cache_doubles_what_fits() -> None:
    (one,) = only_kind(kv_cache)
    assert one.changes == ((("workloads", "chat", "engine", "kvCacheDtype"), "fp8"),)
    assert one.gain.requests is not None
    assert one.gain.requests[1] / one.gain.requests[0] == pytest.approx(2, rel=0.01)
    assert "accuracy" in one.text


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(engine(kvCacheDtype="bfloat16"), id="chosen already"),
        pytest.param(engine(maxNumSeqs=8), id="maxNumSeqs is the limit"),
        pytest.param(engine(attentionBackend="CUSTOM"), id="nothing known of the backend"),
        pytest.param(
            {**group(instanceTypes=["p4d.24xlarge"]), **engine(attentionBackend="FLASH_ATTN")},
            id="the backend refuses it on Ampere",
        ),
    ],
)
def test_no_fp8_kv_cache_where_it_would_not_work_or_not_help(patch: dict[str, Any]) -> None:
    assert only_kind(kv_cache, patch) == []


def test_more_copies_on_idle_gpus_up_to_the_last_one() -> None:
    (one,) = only_kind(replicas)
    assert one.changes == ((("workloads", "chat", "replicas"), 8),)
    assert "6 idle GPUs of gpu hold 6 more copies at no cost" in one.text


@pytest.mark.parametrize(
    "patches",
    [
        pytest.param((LARGE, engine(tensorParallelSize=4)), id="no GPU is idle"),
        pytest.param((chat(replicas=0), group(minSize=1)), id="switched off"),
    ],
)
def test_no_more_copies_where_no_gpu_is_idle_or_none_is_wanted(patches: tuple[dict[str, Any], ...]) -> None:
    assert only_kind(replicas, *patches) == []


def test_a_smaller_tensor_parallel_size_saves_a_node() -> None:
    (one,) = only_kind(fewer_gpus, *STACKS["two large copies"])
    assert dict(one.changes) == {
        ("workloads", "chat", "engine", "tensorParallelSize"): 4,
        ("nodeGroups", "gpu", "minSize"): 1,
    }
    assert one.gain.usd_per_hour == pytest.approx(55.04)
    assert one.gain.gpus == 8
    assert "$55.04/h less" in one.text


def test_a_smaller_tensor_parallel_size_keeps_enough_of_the_concurrency() -> None:
    for name in ("one large copy", "two large copies", "awq"):
        for one in only_kind(fewer_gpus, *STACKS[name]):
            assert one.gain.requests is not None
            assert one.gain.requests[1] >= LEAST_SHARE * one.gain.requests[0]


def test_no_smaller_size_where_the_weights_would_not_fit() -> None:
    assert only_kind(fewer_gpus, LARGE, engine(tensorParallelSize=4), group(instanceTypes=["p4de.24xlarge"])) == []


def test_a_cheaper_type_on_which_the_whole_group_runs() -> None:
    (one,) = only_kind(cheaper_nodes, *STACKS["awq"])
    after = resolve(applied(one, *STACKS["awq"])).node_groups["gpu"]
    assert after.usd_per_hour is not None
    assert one.gain.usd_per_hour == pytest.approx(27.44705 - after.usd_per_hour * after.min_nodes)
    assert f"instead of {27.44705:.2f}".replace("of ", "of $") in one.text
    assert after.max_nodes * after.usd_per_hour <= 2 * 27.44705


def test_a_cheaper_type_is_said_once_for_a_group_of_several_workloads() -> None:
    given, stack = stack_of(*STACKS["two workloads"])
    trials = Trials(given, stack)
    assert [len(list(cheaper_nodes(trials, one))) for one in stack.workloads.values()] == [1, 0]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(group(capacity="spot"), id="spot prices are unknown"),
        pytest.param({"catalog": {"prices": {"p5.48xlarge": {"onDemand": 0.01}}}}, id="nothing is cheaper"),
    ],
)
def test_no_cheaper_type_where_prices_are_unknown_or_lower_already(patch: dict[str, Any]) -> None:
    assert only_kind(cheaper_nodes, patch) == []


def test_a_quantized_checkpoint_halves_the_gpus() -> None:
    (one,) = only_kind(checkpoint, LARGE, engine(tensorParallelSize=4))
    changes = dict(one.changes)
    assert changes["workloads", "chat", "engine", "tensorParallelSize"] == 2
    shape = resolve(applied(one, LARGE, engine(tensorParallelSize=4))).models["llama"].architecture
    assert shape is not None
    assert shape.base == "Llama-3.1-70B-Instruct"
    assert one.gain.gpus == 4
    assert "revision" in one.text


def test_other_weights_of_the_same_shape_are_not_a_quantized_checkpoint() -> None:
    other = {"models": {"llama": {"id": "Qwen/Qwen3-Next-80B-A3B-Instruct"}}}
    for one in only_kind(checkpoint, other, engine(tensorParallelSize=4)):
        assert "Coder" not in one.text


def test_no_suggestions_for_a_workload_with_an_error() -> None:
    patch = merged(LARGE, engine(tensorParallelSize=1))
    given, stack = stack_of(patch)
    assert any(one.severity == "error" for one in check(given, stack))
    assert made(patch) == {}


def test_an_error_elsewhere_leaves_other_workloads_their_suggestions() -> None:
    lab = {"instanceTypes": ["p5.48xlarge"], "subnetIds": ["subnet-0a1b2c3d"], "maxSize": 1}
    bad = {**BASE["workloads"]["chat"], "nodeGroup": "lab", "replicas": 1}
    bad["engine"] = {**bad["engine"], "tensorParallelSize": 3}
    assert set(made({"nodeGroups": {"lab": lab}, "workloads": {"bad": bad}})) == {"chat"}


def test_no_suggestions_without_an_estimate() -> None:
    assert made({"models": {"llama": {"id": "nobody/unheard-of-model"}}}) == {}


def test_large_stacks_are_left_out_and_told_so() -> None:
    many = {f"chat-{index}": BASE["workloads"]["chat"] for index in range(MOST_WORKLOADS)}
    given, stack = stack_of({"workloads": many})
    assert suggestions(given, stack, []) == {}
    assert f"{MOST_WORKLOADS + 1} workloads" in left_out(stack)
    assert left_out(stack_of()[1]) == ""
