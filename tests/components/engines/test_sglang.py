"""From the stack file to the exact words of `sglang.launch_server`: one row for each typed option."""

import json
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from pydantic import ValidationError

from catalog import read_sglang_wheel
from catalog.options import options, versions
from components.engines.base import Engine, Launch
from components.engines.sglang import Sglang
from components.spec import GIB

LAUNCH = Launch(
    model="/models/llama/0123456789ab",
    revision=None,
    served_name="llama",
    shutdown_timeout_seconds=45,
    startup_seconds=900,
    cache_dir="/cache",
    locations={"draft": "/models/draft/0123456789ab", "sql": "/models/sql/0123456789ab", "poems": "nobody/poems"},
)
FIXED = [
    "--model-path=/models/llama/0123456789ab",
    "--host=0.0.0.0",
    "--port=30000",
    "--served-model-name=llama",
    "--enable-metrics",
]
ROWS: dict[str, list[str]] = {
    "tpSize: 4": ["--tp-size=4"],
    "ppSize: 2": ["--pp-size=2"],
    "dpSize: 2": ["--dp-size=2"],
    "attnDpSize: 2": ["--attn-dp-size=2"],
    "epSize: 4": ["--ep-size=4"],
    "contextLength: 8192": ["--context-length=8192"],
    "memFractionStatic: 0.85": ["--mem-fraction-static=0.85"],
    "maxRunningRequests: 64": ["--max-running-requests=64"],
    "maxQueuedRequests: 100": ["--max-queued-requests=100"],
    "chunkedPrefillSize: -1": ["--chunked-prefill-size=-1"],
    "maxPrefillTokens: 16384": ["--max-prefill-tokens=16384"],
    "pageSize: 16": ["--page-size=16"],
    "kvCacheDtype: fp8_e4m3": ["--kv-cache-dtype=fp8_e4m3"],
    "quantization: fp8": ["--quantization=fp8"],
    "dtype: bfloat16": ["--dtype=bfloat16"],
    "loadFormat: runai_streamer": ["--load-format=runai_streamer"],
    "attentionBackend: fa3": ["--attention-backend=fa3"],
    "grammarBackend: llguidance": ["--grammar-backend=llguidance"],
    "moeRunnerBackend: flashinfer_trtllm": ["--moe-runner-backend=flashinfer_trtllm"],
    "moeA2aBackend: deepep": ["--moe-a2a-backend=deepep"],
    "schedulePolicy: lpm": ["--schedule-policy=lpm"],
    "disableRadixCache: true": ["--disable-radix-cache"],
    "enableHierarchicalCache: true": ["--enable-hierarchical-cache"],
    "hicacheSize: 64": ["--hicache-size=64"],
    "hicacheWritePolicy: write_back": ["--hicache-write-policy=write_back"],
    "cpuOffloadGb: 8": ["--cpu-offload-gb=8"],
    "cudaGraphMaxBsDecode: 128": ["--cuda-graph-max-bs-decode=128"],
    "cudaGraphBackendDecode: disabled": ["--cuda-graph-backend-decode=disabled"],
    "cudaGraphBackendPrefill: disabled": ["--cuda-graph-backend-prefill=disabled"],
    "trustRemoteCode: true": ["--trust-remote-code"],
    "trustRemoteCode: false": [],
    "toolCallParser: qwen25": ["--tool-call-parser=qwen25"],
    "reasoningParser: deepseek-r1": ["--reasoning-parser=deepseek-r1"],
    "chatTemplate: /models/template.jinja": ["--chat-template=/models/template.jinja"],
    "jsonModelOverrideArgs: '{\"a\": 1}'": ['--json-model-override-args={"a": 1}'],
    "speculativeAlgorithm: EAGLE3": ["--speculative-algorithm=EAGLE3"],
    "speculativeDraftModelPath: draft": ["--speculative-draft-model-path=/models/draft/0123456789ab"],
    "speculativeNumSteps: 3": ["--speculative-num-steps=3"],
    "speculativeEagleTopk: 4": ["--speculative-eagle-topk=4"],
    "speculativeNumDraftTokens: 8": ["--speculative-num-draft-tokens=8"],
    "loraPaths: [sql, poems]": ["--lora-paths", "sql=/models/sql/0123456789ab", "poems=nobody/poems"],
    "maxLorasPerBatch: 4": ["--max-loras-per-batch=4"],
    "maxLoraRank: 64": ["--max-lora-rank=64"],
    "loraTargetModules: [q_proj, v_proj]": ["--lora-target-modules", "q_proj", "v_proj"],
}


def sglang(**given: Any) -> Sglang:
    """SGLang of the newest known version with options as a stack file has them."""
    return Sglang.model_validate({"name": "sglang", "version": "0.5.23", **given}, by_alias=True, by_name=False)


@pytest.mark.parametrize("row", ROWS)
def test_an_option_becomes_exactly_these_words(row: str) -> None:
    assert sglang(**yaml.safe_load(row)).args(LAUNCH) == FIXED + ROWS[row]


def test_every_typed_option_has_a_row() -> None:
    keys = {next(iter(yaml.safe_load(row))) for row in ROWS} | {"servedModelName"}
    own = set(Sglang.model_fields) - set(Engine.model_fields)
    assert {Sglang.key_name(name) for name in own} == keys


@pytest.mark.parametrize("version", versions("sglang"))
@pytest.mark.parametrize("row", ROWS)
def test_every_word_is_an_option_of_the_release_with_a_value_it_takes(row: str, version: str) -> None:
    table = options("sglang", version)
    for argument in sglang(**yaml.safe_load(row), version=version).arguments(LAUNCH):
        option = table[argument.option]
        assert (option.nargs == 0) == (argument.values == ())
        assert len(argument.values) < 2 or option.nargs in ("+", "*")
        assert all(option.choices is None or value in option.choices for value in argument.values)
        if option.type in ("int", "float"):
            assert all(re.fullmatch(r"-?[0-9.]+", value) for value in argument.values)


def test_a_download_is_pinned_with_its_draft() -> None:
    launch = Launch(
        model="meta-llama/Llama-3.1-8B-Instruct",
        revision="abc",
        served_name="llama",
        shutdown_timeout_seconds=45,
        startup_seconds=900,
        cache_dir="/cache",
        locations={"draft": "nobody/draft"},
        revisions={"draft": "def"},
    )
    words = sglang(speculativeDraftModelPath="draft").args(launch)
    assert words[:2] == ["--model-path=meta-llama/Llama-3.1-8B-Instruct", "--revision=abc"]
    assert words[-2:] == ["--speculative-draft-model-path=nobody/draft", "--speculative-draft-model-revision=def"]


def test_a_colon_in_the_served_name_is_refused() -> None:
    with pytest.raises(ValidationError):
        sglang(servedModelName="llama:3")


def test_copies_and_stages_multiply_gpus_and_groups_within_do_not() -> None:
    parallel = sglang(tpSize=4, ppSize=2, attnDpSize=4, epSize=4).parallelism()
    assert (parallel.ranks, parallel.attention_tensor, parallel.expert) == (8, 1, True)
    assert sglang(tpSize=2, dpSize=3).parallelism().ranks == 6


def test_host_memory_counts_every_rank() -> None:
    assert sglang(tpSize=2, cpuOffloadGb=3).host_offload_bytes() == 6 * GIB
    cached = sglang(tpSize=2, enableHierarchicalCache=True, hicacheSize=5)
    assert (cached.host_offload_bytes(), cached.host_bytes(None, None)) == (0, 10 * 10**9)
    assert sglang(tpSize=2, hicacheSize=5).host_bytes(None, None) == 0


FIELDS = """
class Serving(msgspec.Struct):
    host: A[str, "The host."] = "127.0.0.1"
    names: A[Optional[List[str]], Arg(help="Names.", aliases=["--more-names"])] = None
    backend: A[str, Arg(help="Backend.", choices=BACKENDS + ["none"], cli_name="--the-backend")] = "fast"
    limit: A[Optional[int], Arg(help="Limit.", type_parser=human_readable_int)] = None
    metrics: A[bool, "Metrics."] = False
    fancy: A[Optional[bool], Arg(help="Fancy.", action=argparse.BooleanOptionalAction)] = None
    window: A[int, "Window."] = 2 * 512
    hosts: A[List[str], "Hosts."] = msgspec.field(default_factory=list)
    mode: A[Literal[1, 2], "Mode."] = 1
    hidden: A[bool, Arg(no_cli=True)] = False
    rank: A[int, Derived("Rank.")] = 0
"""
SERVER_ARGS = """
def add_cli_args(parser):
    parser.add_argument("--old", action=DeprecatedStoreTrueAction, new_flag="--new")
    parser.add_argument("--parser", type=str, choices=["auto"] + tool_call_parser_choices)
"""


def test_a_table_is_read_from_a_wheel_without_running_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "sglang-9.9-py3-none-any.whl"
    with ZipFile(wheel, "w") as file:
        for name in ("parser/reasoning_parser_names.py", "utils/common.py", "model_executor/cuda_graph_config.py"):
            file.writestr(f"sglang/srt/{name}", "")
        file.writestr("sglang/srt/function_call/parser_names.py", 'TOOL_CALL_PARSER_NAMES = ["one", "two"]')
        file.writestr("sglang/srt/arg_groups/choices.py", 'BACKENDS = ["fast", "slow"]')
        file.writestr("sglang/srt/arg_groups/fields/serving.py", FIELDS)
        file.writestr("sglang/srt/server_args.py", SERVER_ARGS)
        file.writestr("sglang-9.9.dist-info/METADATA", "Name: sglang\nVersion: 9.9\n")
    read_sglang_wheel.main(str(wheel))
    table = json.loads(capsys.readouterr().out)
    assert "sglang 9.9" in table["source"]
    assert table["aliases"] == {"--more-names": "--names"}
    flag = {"nargs": 0, "choices": None, "type": "None"}
    names = {"nargs": "+", "choices": None, "type": "str", "default": "None"}
    assert table["rows"] == {
        "--fancy": {**flag, "default": "None"},
        "--host": {"nargs": None, "choices": None, "type": "str", "default": "127.0.0.1"},
        "--hosts": {**names, "default": "[]"},
        "--limit": {"nargs": None, "choices": None, "type": "human_readable_int", "default": "None"},
        "--metrics": {**flag, "default": "False"},
        "--mode": {"nargs": None, "choices": ["1", "2"], "type": "int", "default": "1"},
        "--more-names": names,
        "--names": names,
        "--no-fancy": {**flag, "default": "None"},
        "--old": {**flag, "default": "False"},
        "--parser": {"nargs": None, "choices": ["auto", "one", "two"], "type": "str", "default": "None"},
        "--the-backend": {"nargs": None, "choices": ["fast", "slow", "none"], "type": "str", "default": "fast"},
        "--window": {"nargs": None, "choices": None, "type": "int", "default": "1024"},
    }
