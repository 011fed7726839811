"""From the stack file to the exact words of KServe's Hugging Face runtime: vLLM's options, and the runtime's own."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from catalog.options import options, versions
from components.engines.huggingface import HuggingFace
from components.engines.vllm_options import VllmOptions
from tests.components.engines.test_vllm_arguments import LAUNCH, ROWS, fits

FIXED = [
    "--model_dir=/models/llama/0123456789ab",
    "--model_name=llama",
    "--backend=vllm",
    "--http_port=8080",
    "--enable_grpc=false",
    "--disable_log_requests",
]
OTHERS = {
    "trustRemoteCode: true": [*FIXED, "--trust_remote_code"],
    "trustRemoteCode: false": [*FIXED, "--no-trust-remote-code"],
    "enableLogRequests: true": [*FIXED[:-1], "--enable-log-requests"],
    "enableLogRequests: false": [*FIXED, "--no-enable-log-requests"],
    "enableChunkedPrefill: false": [*FIXED, "--no-enable-chunked-prefill"],
    "enablePrefixCaching: false": [*FIXED, "--no-enable-prefix-caching"],
    "servedModelName: [chat]": [FIXED[0], "--model_name=chat", *FIXED[2:]],
}
"""Options whose words aren't those of vLLM's own server, whole."""
UNREAD = {"apiServerCount", "defaultChatTemplateKwargs"}
"""Keys that the runtime's server doesn't read, although its parser takes the option."""


def engine(text: str) -> HuggingFace:
    written = {"name": "huggingface", "version": "0.20.0", **yaml.safe_load(text)}
    return HuggingFace.model_validate(written, by_alias=True, by_name=False)


def keys(text: str) -> set[str]:
    return set(yaml.safe_load(text))


PLAIN = {text: words for text, words in ROWS.items() if not keys(text) & {key for one in OTHERS for key in keys(one)}}


@pytest.mark.parametrize(("text", "words"), PLAIN.items(), ids=list(PLAIN))
def test_an_option_of_vllm_becomes_the_words_that_vllm_has_for_it(text: str, words: list[str]) -> None:
    assert engine(text).args(LAUNCH) == FIXED + words


@pytest.mark.parametrize(("text", "words"), OTHERS.items(), ids=list(OTHERS))
def test_some_options_are_the_runtimes_own(text: str, words: list[str]) -> None:
    assert engine(text).args(LAUNCH) == words


@pytest.mark.parametrize("text", [text for text in [*PLAIN, *OTHERS] if not keys(text) & UNREAD])
@pytest.mark.parametrize("version", versions("huggingface"))
def test_every_argument_is_an_option_of_the_version(version: str, text: str) -> None:
    table = options("huggingface", version)
    for argument in engine(text).arguments(LAUNCH):
        assert argument.option in table, argument.option
        fits(table[argument.option], argument.values)


def test_every_other_key_is_an_option_that_the_runtime_has() -> None:
    table = options("huggingface", "0.20.0")
    lacking = {
        HuggingFace.key_name(field) for field in VllmOptions.model_fields if HuggingFace.option_name(field) not in table
    }
    assert lacking == UNREAD


def test_a_download_is_pinned() -> None:
    launch = replace(LAUNCH, model="meta-llama/Llama-3.1-8B-Instruct", revision="a" * 40)
    words = engine("{}").args(launch)
    assert words[:2] == ["--model_id=meta-llama/Llama-3.1-8B-Instruct", f"--model_revision={'a' * 40}"]


def test_the_image_is_kserves_release_and_its_vllm_is_known() -> None:
    given = engine("{}")
    assert given.image_reference() == "kserve/huggingfaceserver:v0.20.0-gpu"
    assert (given.release, given.package()) == ("0.24.0", ("vllm", "0.24.0"))


def test_the_probes_ask_for_the_model_that_clients_name() -> None:
    assert engine("{}").health_path(LAUNCH) == "/v2/models/llama/ready"
    assert engine("servedModelName: [chat]").health_path(LAUNCH) == "/v2/models/chat/ready"


@pytest.mark.parametrize(
    "option", ["--http_port", "--model_name", "--served-model-name", "--workers", "--nnodes", "--trust_remote_code"]
)
def test_what_the_pod_decides_is_in_the_table(option: str) -> None:
    decided: dict[str, Any] = dict(HuggingFace.DECIDED)
    assert option in decided
    assert option in options("huggingface", "0.20.0")
