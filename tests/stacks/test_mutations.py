"""Thousands of broken stack files: whatever one holds, it loads and resolves, or problems say where it is wrong. Never an exception."""

import copy
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.loader import Loaded, load_file, load_object
from stacks.positions import Document
from stacks.resolve import resolve
from stacks.whole_file import schema
from tests.programs import STACK_FILES

VALIDATOR = jsonschema.Draft7Validator(schema())
RICH = """\
# every section, and most forms that a section can have
encryptionsalt: v1:abc
config:
  aws:region: us-east-1
  llm-serving:hfToken: {secure: v1:def}
  llm-serving:stack:
    namespace: {name: ml, create: false}
    cluster: {provider: eks, name: c, kubernetesVersion: "1.34"}
    huggingFaceToken: {configSecret: hfToken}
    platform: {nvidiaDevicePlugin: {version: 0.20.0}}
    nodeGroups:
      l4: {instanceTypes: [g6.2xlarge, g6.4xlarge], subnetIds: [subnet-1], maxSize: 2, capacity: spot,
           sharing: {timeSlicing: {replicas: 4}}, taints: [{key: a, effect: NoSchedule}], diskSize: 300Gi}
      lab: &lab
        provisioner: existing
        gpu: A100-80GB
        gpusPerNode: 8
        nodes: 2
        nodeSelector: {pool: lab}
        cpu: 95
        memory: 1.5Ti
        sharing: {mig: {profile: 3g.40gb, slices: 2}}
      own: {provisioner: existing, gpu: X1, gpusPerNode: 1, nodes: 1, nodeSelector: {a: b}, usdPerHour: 1.5}
    volumes:
      efs: {storage: efs, fileSystemId: fs-1, size: 500Gi}
      ebs: {storage: ebs, size: 100Gi, iops: 4000, zone: us-east-1a}
      fsx: {storage: fsx, subnetId: subnet-1, securityGroupIds: [sg-1], size: 1200Gi, perUnitStorageThroughput: 125}
      class: {storage: storageClass, storageClassName: fast, accessMode: ReadWriteMany, size: 1Ti}
      claim: {storage: existingClaim, claimName: weights, accessMode: ReadOnlyMany}
    models:
      m: {id: mistralai/Mistral-7B-Instruct-v0.3, revision: c0ffee, volume: efs}
      shape: {id: a/b, revision: main, config: config.json, volume: class, quantization: {method: awq, bits: 4}}
      own: {id: a/c, revision: main, architecture: own, params: 7000000000, weightsSize: 14Gi}
      claimed: {id: a/d, revision: main, volume: claim, path: x/y}
    workloads:
      chat:
        kind: Deployment
        model: m
        nodeGroup: l4
        replicas: 2
        rollout: surge
        engine: {name: vllm, version: 0.33.0, maxModelLen: 8192, extraArgs: [--max-logprobs=5]}
        resources: {cpu: 500m, memory: 20Gi}
        drain: {preStopSeconds: 5}
        env: {A: b}
        allowFrom: [{namespace: web}, {cidr: 10.0.0.0/8}]
        allow: [{code: MEM002, reason: measured on this node}]
      batch:
        kind: Deployment
        model: shape
        nodeGroup: own
        engine: {name: vllm, version: 0.29.0, tensorParallelSize: 2, enforceEager: true, gpuMemoryUtilization: 0.5}
      third: {kind: Deployment, model: own, nodeGroup: lab, engine: {name: vllm, version: 9.9.9, cpuOffloadGb: 1.5}}
    catalog:
      gpus: {X1: {architecture: hopper, computeCapability: "9.0", memoryMib: 81920}}
      prices: {g6.2xlarge: {spot: 0.4}}
      models:
        own: {hiddenSize: 64, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 16, vocabSize: 99,
              maxPositionEmbeddings: 512, torchDtype: bfloat16, intermediateSize: 128}
      engineVersions: {vllm: {9.9.9: {like: 0.33.0, add: {--shiny: {nargs: 0}}, remove: [--seed]}}}
"""
REFERRING = """\
config:
  llm-serving:stack:
    cluster: {stackReference: org/llm-serving/infra, stackFile: Pulumi.infra.yaml}
    models:
      m: {id: mistralai/Mistral-7B-Instruct-v0.3, revision: c0ffee, volume: efs}
    workloads:
      chat: {kind: Deployment, model: m, nodeGroup: lab, engine: {name: vllm, version: 0.33.0}}
"""
CONFIG_JSON = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "model_type": "llama",
}
OTHER_FIELDS = ["text_config", "quantization_config", "layer_types", "num_experts", "sliding_window", "head_dim"]
TEXTS = [RICH, REFERRING, *(path.read_text(encoding="utf-8") for path in STACK_FILES)]
FOLDER = tempfile.TemporaryDirectory(prefix="stack-files-")
FILE = Path(FOLDER.name) / "Pulumi.dev.yaml"
(FILE.parent / "config.json").write_text(json.dumps(CONFIG_JSON))
(FILE.parent / "Pulumi.infra.yaml").write_text(RICH)


def mutations(examples: int) -> settings:
    """The same mutations on every run."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=checks)


def is_said(loaded: Loaded) -> None:
    """It resolves, or every error is in words with a place."""
    for one in loaded.problems:
        assert one.message
        assert "\n" not in one.text()
        assert one.file
        assert one.line is not None or one.code == "CFG001", one.text()
    if loaded.inputs is None:
        assert any(one.severity == "error" for one in loaded.problems)
    else:
        assert not any(one.severity == "error" for one in loaded.problems)
        resolve(loaded.inputs)
        loaded.engine_config()


def loads_or_says_why(content: bytes) -> Loaded:
    FILE.write_bytes(content)
    loaded = load_file(FILE)
    is_said(loaded)
    return loaded


@pytest.mark.parametrize("text", TEXTS)
def test_the_files_that_are_broken_here_are_whole(text: str) -> None:
    loaded = loads_or_says_why(text.encode())
    assert [one.text() for one in loaded.problems] == []
    assert list(VALIDATOR.iter_errors(Document(text.encode()).data)) == []


Path_ = tuple[str | int, ...]
DATA = [Document(text.encode()).data for text in TEXTS]
WORDS = sorted({word for data in DATA for word in json.dumps(data).split('"')[1::2]})
numbers = st.sampled_from(
    [0, -1, 1, 2, 7, 10**6, 10**18, 2**64, 10**30, 10**400, 0.5, -0.0, 1e300, 1e-300, float("inf"), float("nan")]
)
odd_texts = ["", " ", "0", "1", "-1", "1.5", "true", "yes", "null", "~", "1e3", "0x10", "2001-01-01", "0Gi", "1e99"]
odd_texts += [
    "99999999Ei",
    "1n",
    "../x",
    "config.json",
    "Pulumi.infra.yaml",
    "Pulumi.dev.yaml",
    "[key]",
    "eks",
    "existing",
]
odd_texts += [
    "--seed",
    "${x}",
    "{{x}}",
    "*a",
    "&a",
    "<<",
    "é",
    "🙂",
    "a.b",
    "-",
    "A",
    "hf_" + "a1B2" * 8,
    "a\0b",
    "\ud7ff",
]
odd_texts += ["\u202e", "a\nb", "x" * 300]
texts = st.one_of(st.sampled_from(WORDS), st.sampled_from(odd_texts), st.text(max_size=8))
leaves = st.one_of(st.none(), st.booleans(), numbers, texts, st.integers(), st.floats())
junk = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from places(below, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def broken_data(draw: st.DrawFn) -> Any:
    """A whole file's data after one to four changes."""
    data = copy.deepcopy(draw(st.sampled_from(DATA)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        found = list(places(data))
        if not found:
            break
        path = draw(st.sampled_from(found))
        parent, key = at(data, path[:-1]), path[-1]
        match draw(
            st.sampled_from(["value", "value", "like", "like", "delete", "rename", "copy", "wrap", "add", "retype"])
        ):
            case "value":
                parent[key] = draw(junk)
            case "like":
                value = parent[key]
                alike = [at(data, other) for other in found if other[-1] == key]
                others = (
                    alike
                    if len(alike) > 1
                    else [one for one in map(partial(at, data), found) if type(one) is type(value)]
                )
                parent[key] = copy.deepcopy(draw(st.sampled_from(others)))
                if isinstance(value, int):
                    parent[key] = draw(
                        st.sampled_from([not value] if isinstance(value, bool) else [0, 1, 3, value * 2, value * 999])
                    )
            case "delete":
                del parent[key]
            case "rename" if isinstance(parent, dict):
                parent[draw(texts)] = parent.pop(key)
            case "copy":
                parent[key] = copy.deepcopy(at(data, draw(st.sampled_from(found))))
            case "wrap":
                for _ in range(draw(st.sampled_from([1, 1, 1, 120]))):
                    parent[key] = draw(st.sampled_from([[parent[key]], {"a": parent[key]}, {"secure": parent[key]}]))
            case "add" if isinstance(parent, dict):
                parent[draw(texts)] = draw(junk)
            case "retype":
                value = parent[key]
                parent[key] = str(value) if not isinstance(value, str) else {"a": value}
    return data


def dumped(data: Any) -> bytes:
    """As YAML, which JSON is too where it has no NaN; PyYAML writes the rest."""
    try:
        return json.dumps(data, allow_nan=False).encode()
    except ValueError:
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        return yaml.dump(data, Dumper=dumper, allow_unicode=True).encode("utf-8", "surrogatepass")


@mutations(1500)
@given(broken_data())
def test_broken_values(data: Any) -> None:
    content = dumped(data)
    loaded = loads_or_says_why(content)
    if loaded.inputs is not None:
        read = Document(content).data
        assert [error.message for error in VALIDATOR.iter_errors(read)] == [], (
            "the schema refuses what the loader takes"
        )


@mutations(400)
@given(broken_data())
def test_broken_values_from_the_engine(data: Any) -> None:
    config = data.get("config") if isinstance(data, dict) else None
    value = config.get("llm-serving:stack") if isinstance(config, dict) else data
    loaded = load_object(value, stack="dev", region=None, file=FILE)
    assert loaded.inputs is not None or any(one.severity == "error" for one in loaded.problems)
    if loaded.inputs is not None:
        resolve(loaded.inputs)


PIECES = ["\t", " ", "  ", ":", ": ", "- ", "{", "}", "[", "]", ",", "&a ", "*a", "*lab", "<<: *lab\n", "!!int ", "!x "]
PIECES += [
    "|\n",
    ">",
    "'",
    '"',
    "#",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\r\n",
    "\n",
    "\0",
    "\x85",
    "\ufeff",
    "\ud7ff",
    "?",
]
PIECES += ["? ", "@", "`", "🙂", "~", "=", "a: b\n", "[" * 200, "{a: " * 200, "- " * 200, "9" * 400, "&b [*b]"]
PIECES += ["x: &x {<<: *x}\n", "1: 2\n", "<<: 5\n"]


@st.composite
def broken_text(draw: st.DrawFn) -> bytes:
    """A file's text after one to four changes of lines or pieces."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split("\n")
        line = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["insert", "insert", "delete", "duplicate", "indent", "cut", "swap", "replace"])):
            case "insert":
                place = draw(st.integers(0, len(lines[line])))
                lines[line] = lines[line][:place] + draw(st.sampled_from(PIECES)) + lines[line][place:]
            case "delete":
                del lines[line]
            case "duplicate":
                lines.insert(line, lines[line])
            case "indent":
                lines[line] = " " * draw(st.integers(0, 12)) + lines[line].lstrip()
            case "cut":
                lines = lines[: line + 1]
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[line], lines[other] = lines[other], lines[line]
            case "replace":
                head, colon, _ = lines[line].partition(": ")
                lines[line] = head + colon + draw(texts)
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


@mutations(1500)
@given(broken_text())
def test_broken_text(content: bytes) -> None:
    loads_or_says_why(content)


@mutations(600)
@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_broken_bytes(text: str, changes: list[tuple[int, bytes, int]]) -> None:
    content = text.encode()
    for at_, new, removed in changes:
        place = at_ % (len(content) + 1)
        content = content[:place] + new + content[place + removed :]
    loads_or_says_why(content)


@mutations(300)
@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    loads_or_says_why(content)


@mutations(200)
@given(
    st.dictionaries(
        st.sampled_from([*CONFIG_JSON, *OTHER_FIELDS]), st.one_of(st.integers(1, 300), numbers, junk), max_size=3
    )
)
def test_broken_config_json(changes: dict[str, Any]) -> None:
    path = FILE.parent / "config.json"
    try:
        path.write_text(json.dumps({**CONFIG_JSON, **changes}))
        loads_or_says_why(RICH.encode())
    finally:
        path.write_text(json.dumps(CONFIG_JSON))
