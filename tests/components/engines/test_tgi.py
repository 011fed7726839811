"""Text Generation Inference: every key to its exact argument or variable, each in the launcher's own table, and the pod around it."""

from typing import Any

import pytest
from pydantic import ValidationError

from catalog.options import options, versions
from catalog.read_tgi_launcher import read
from components.engines.base import Engine, Launch
from components.engines.tgi import Tgi
from components.pods import pod_spec
from tests.preflight.case import stack
from tests.preflight.cases_tgi import tgi

FIXED = [
    "--model-id=/models/mistral",
    "--hostname=0.0.0.0",
    "--port=8080",
    "--graceful-termination-timeout=45",
    "--num-shard=1",
    "--usage-stats=off",
]
ARGUMENTS: dict[str, tuple[Any, list[str]]] = {
    "sharded": (False, ["--sharded=false"]),
    "quantize": ("bitsandbytes-nf4", ["--quantize=bitsandbytes-nf4"]),
    "dtype": ("bfloat16", ["--dtype=bfloat16"]),
    "kvCacheDtype": ("fp8_e4m3fn", ["--kv-cache-dtype=fp8_e4m3fn"]),
    "speculate": (3, ["--speculate=3"]),
    "trustRemoteCode": (True, ["--trust-remote-code"]),
    "maxConcurrentRequests": (256, ["--max-concurrent-requests=256"]),
    "maxBestOf": (4, ["--max-best-of=4"]),
    "maxStopSequences": (8, ["--max-stop-sequences=8"]),
    "maxTopNTokens": (0, ["--max-top-n-tokens=0"]),
    "maxClientBatchSize": (16, ["--max-client-batch-size=16"]),
    "maxInputTokens": (4096, ["--max-input-tokens=4096"]),
    "maxTotalTokens": (8192, ["--max-total-tokens=8192"]),
    "waitingServedRatio": (1.2, ["--waiting-served-ratio=1.2"]),
    "maxBatchPrefillTokens": (4096, ["--max-batch-prefill-tokens=4096"]),
    "maxBatchTotalTokens": (16000, ["--max-batch-total-tokens=16000"]),
    "maxWaitingTokens": (0, ["--max-waiting-tokens=0"]),
    "maxBatchSize": (64, ["--max-batch-size=64"]),
    "validationWorkers": (4, ["--validation-workers=4"]),
    "cudaGraphs": ([1, 2, 4], ["--cuda-graphs=1,2,4"]),
    "cudaMemoryFraction": (0.5, ["--cuda-memory-fraction=0.5"]),
    "ropeScaling": ("dynamic", ["--rope-scaling=dynamic"]),
    "ropeFactor": (2.0, ["--rope-factor=2.0"]),
    "loraAdapters": (["sql", "chat"], ["--lora-adapters=sql=/models/sql,org/chat@c0ffee"]),
    "disableGrammarSupport": (True, ["--disable-grammar-support"]),
    "enablePrefillLogprobs": (True, ["--enable-prefill-logprobs"]),
    "disableCustomKernels": (True, ["--disable-custom-kernels"]),
    "payloadLimit": (4000000, ["--payload-limit=4000000"]),
    "jsonOutput": (True, ["--json-output"]),
    "tokenizerConfigPath": ("/models/t.json", ["--tokenizer-config-path=/models/t.json"]),
    "corsAllowOrigin": (["https://a", "https://b"], ["--cors-allow-origin=https://a", "--cors-allow-origin=https://b"]),
    "otlpEndpoint": ("http://otel:4317", ["--otlp-endpoint=http://otel:4317"]),
    "otlpServiceName": ("tgi", ["--otlp-service-name=tgi"]),
}
ALWAYS = {"numShard": (4, "--num-shard=4"), "usageStats": ("no-stack", "--usage-stats=no-stack")}
VARIABLES = {
    "attention": ("paged", ("ATTENTION", "paged")),
    "prefixCaching": (False, ("PREFIX_CACHING", "0")),
    "prefillChunking": (True, ("PREFILL_CHUNKING", "1")),
}
LAUNCH = Launch(
    model="/models/mistral",
    revision=None,
    served_name="mistral",
    shutdown_timeout_seconds=45,
    startup_seconds=600,
    cache_dir="/cache",
    locations={"sql": "/models/sql", "chat": "org/chat"},
    revisions={"chat": "c0ffee"},
)


def engine(**keys: Any) -> Tgi:
    return Tgi.model_validate({"name": "tgi", "version": "3.3.7", **keys}, by_alias=True, by_name=False)


def test_without_options_only_the_model_and_what_the_pod_decides_is_given() -> None:
    assert engine().args(LAUNCH) == FIXED


@pytest.mark.parametrize("key", ARGUMENTS)
def test_a_key_becomes_exactly_its_arguments(key: str) -> None:
    value, words = ARGUMENTS[key]
    assert engine(**{key: value}).args(LAUNCH) == FIXED + words


@pytest.mark.parametrize("key", ALWAYS)
def test_a_key_replaces_what_is_always_given(key: str) -> None:
    value, word = ALWAYS[key]
    name = word.partition("=")[0]
    replaced = [word if one.startswith(f"{name}=") else one for one in FIXED]
    assert engine(**{key: value}).args(LAUNCH) == replaced != FIXED


@pytest.mark.parametrize("key", VARIABLES)
def test_a_key_becomes_its_variable_and_no_argument(key: str) -> None:
    value, (name, text) = VARIABLES[key]
    given = engine(**{key: value})
    assert given.environment(LAUNCH)[name] == text
    assert name not in engine().environment(LAUNCH)
    assert given.args(LAUNCH) == FIXED


def test_every_key_of_the_engine_is_in_one_of_these_tables() -> None:
    fields = {Tgi.key_name(name) for name in Tgi.model_fields if name not in Engine.model_fields}
    assert fields == {*ARGUMENTS, *ALWAYS, *VARIABLES}


@pytest.mark.parametrize("version", versions("tgi"))
def test_every_argument_is_in_the_launchers_table_with_a_value_that_it_takes(version: str) -> None:
    table = options("tgi", version)
    keys = {key: value for key, (value, _) in ARGUMENTS.items()} | {key: value for key, (value, _) in ALWAYS.items()}
    given = engine(**keys).arguments(LAUNCH)
    assert len(given) > len(keys)
    for one in given:
        option = table[one.option]
        assert (len(one.values) == 0) == (option.nargs == 0), one
        for value in one.values:
            assert option.choices is None or value in option.choices, one
            if option.type in ("int", "float"):
                assert float(value) >= 0, one


@pytest.mark.parametrize("version", versions("tgi"))
def test_every_option_of_the_launcher_is_a_key_or_decided_or_left_to_extra_args(version: str) -> None:
    keys = {Tgi.option_name(name) for name in Tgi.model_fields if name not in Engine.model_fields}
    rest = set(options("tgi", version)) - keys - set(Tgi.DECIDED)
    assert rest == {
        "--api-key",
        "--env",
        "--master-port",
        "--ngrok-authtoken",
        "--ngrok-edge",
        "--prometheus-port",
        "--watermark-delta",
        "--watermark-gamma",
    }
    assert set(Tgi.DECIDED) <= set(options("tgi", version))


@pytest.mark.parametrize(
    ("key", "value"),
    [("quantize", "gguf"), ("maxBatchSize", 0), ("validationWorkers", 0), ("cudaMemoryFraction", 0), ("numShard", 0)],
)
def test_values_that_the_launcher_refuses_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        engine(**{key: value})


def test_a_flag_that_is_false_is_not_given_since_it_has_no_negative() -> None:
    assert engine(trustRemoteCode=False, jsonOutput=False).args(LAUNCH) == FIXED


def test_a_downloaded_model_is_named_with_its_commit() -> None:
    given = stack({**tgi(), "models": {"llama": {"volume": None}}}).workloads["chat"]
    assert given.args[:2] == ("--model-id=meta-llama/Llama-3.1-8B-Instruct", f"--revision={given.model.revision}")
    assert given.token_secret == ("hf-token", "token")


def test_the_pod_runs_without_root_on_an_unprivileged_port_with_the_tokenizers_folder_writable() -> None:
    workload = stack(tgi(numShard=2)).workloads["chat"]
    spec = pod_spec(workload)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsUser"] == 1000
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert {"name": "cache", "mountPath": "/usr/src/out", "subPath": "usr-src-out"} in container["volumeMounts"]
    assert "command" not in container
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["HF_HOME"] == "/cache/huggingface"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["TRITON_CACHE_DIR"].startswith("/cache/")


def test_shutdown_fits_between_the_wait_and_the_grace_period() -> None:
    workload = stack(tgi()).workloads["chat"]
    assert f"--graceful-termination-timeout={workload.drain.shutdown}" in workload.args
    assert workload.drain.pre_stop + workload.drain.shutdown < workload.drain.grace


def test_clients_send_tgi_as_the_model() -> None:
    assert engine(loraAdapters=["sql"]).client_model(LAUNCH) == "tgi"
    assert engine(loraAdapters=["sql"]).references() == ("sql",)


@pytest.mark.parametrize(
    ("keys", "eager"),
    [({}, False), ({"cudaGraphs": [0]}, True), ({"cudaGraphs": [1]}, False), ({"loraAdapters": ["a"]}, True)],
)
def test_graphs_are_captured_unless_switched_off(keys: dict[str, Any], eager: bool) -> None:
    assert engine(**keys).is_eager() is eager


LAUNCHER = """
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// doc, with a comma
    FirstKind,
    #[clap(name = "own_name")]
    Second,
}

struct Args {
    /// A doc comment: Option<usize>,
    #[clap(default_value = "a,b", long, env)]
    model_id: String,

    #[clap(long, env, value_enum)]
    kind: Option<Kind>,
    #[clap(long, env, value_enum)]
    flag: bool,
    #[clap(long, env)]
    maybe: Option<bool>,
    #[clap(default_value = "3000", long, short, env)]
    port: u16,
    #[clap(long, env, value_delimiter = ',')]
    sizes: Option<Vec<usize>>,
    #[clap(long, short, action)]
    quiet: bool,
}
"""


def test_the_reader_understands_clap() -> None:
    found = read(LAUNCHER)
    assert list(found) == ["--flag", "--kind", "--maybe", "--model-id", "--port", "--quiet", "--sizes"]
    assert found["--kind"]["choices"] == ["first-kind", "own_name"]
    assert found["--model-id"] == {"nargs": None, "choices": None, "type": "str", "default": "a,b", "env": "MODEL_ID"}
    assert (found["--flag"]["nargs"], found["--flag"]["default"]) == (0, "False")
    assert found["--maybe"]["choices"] == ["true", "false"]
    assert (found["--port"]["type"], found["--port"]["default"]) == ("int", "3000")
    assert found["--quiet"]["env"] is None


def test_the_reader_refuses_a_type_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="HashMap"):
        read(LAUNCHER.replace("u16", "HashMap"))
