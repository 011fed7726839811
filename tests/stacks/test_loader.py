"""Stack files as they are found in the wild: what is loaded, and what is said with which place."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stacks.loader import Loaded, load_file, load_object, stack_path
from stacks.problem import Problem
from tests.programs import ROOT, STACK_FILES

GOOD = """\
config:
  aws:region: us-east-1
  llm-serving:stack:
    cluster: {provider: kubeconfig, context: c}
    nodeGroups:
      lab:
        provisioner: existing
        gpu: L4
        gpusPerNode: 1
        nodes: 1
        nodeSelector: {pool: lab}
    models:
      m:
        id: mistralai/Mistral-7B-Instruct-v0.3
        revision: c0ffee
    workloads:
      chat:
        kind: Deployment
        model: m
        nodeGroup: lab
        engine: {name: vllm, version: 0.33.0}
"""
TOKEN = "hf_" + "a1B2" * 8
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(text: str | bytes, name: str = "Pulumi.dev.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return file


def said(loaded: Loaded) -> list[str]:
    return [one.text() for one in loaded.problems]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_every_stack_file_of_the_project_loads(path: Path) -> None:
    loaded = load_file(path)
    assert said(loaded) == []
    assert loaded.inputs is not None
    assert loaded.stack == loaded.inputs.name == path.name.split(".")[1]


def test_what_is_loaded(write: Write) -> None:
    loaded = load_file(write(GOOD))
    assert loaded.problems == []
    assert loaded.inputs is not None
    assert (loaded.stack, loaded.inputs.name, loaded.inputs.region) == ("dev", "dev", "us-east-1")
    assert list(loaded.inputs.config.workloads) == ["chat"]
    assert loaded.inputs.config.workloads["chat"].engine.version == "0.33.0"
    assert set(loaded.config) == {"aws:region", "llm-serving:stack"}


def test_an_unknown_key_has_file_line_and_column(write: Write) -> None:
    text = changed("version: 0.33.0}", "version: 0.33.0, maxModelLn: 1}")
    assert said(load_file(write(text))) == [
        "Pulumi.dev.yaml:21:47: workloads.chat.engine.maxModelLn: unknown key; did you mean maxModelLen?"
    ]


def test_a_value_has_the_place_of_the_value_and_a_missing_key_of_what_lacks_it(write: Write) -> None:
    text = changed("gpusPerNode: 1\n", 'gpusPerNode: "1"\n').replace("        model: m\n", "")
    problems = load_file(write(text)).problems
    assert [(one.path, one.line, one.column, one.code) for one in problems] == [
        (("nodeGroups", "lab", "gpusPerNode"), 9, 22, "CFG006"),
        (("workloads", "chat", "model"), 17, 7, "CFG005"),
    ]


def test_all_kinds_of_mistakes_are_said_at_once_in_the_order_of_the_file(write: Write) -> None:
    text = (
        GOOD.replace("config:\n", "confg: {}\nconfig:\n  llm-serving:stak: {}\n")
        .replace("nodes: 1", "nodes: 0")
        .replace("gpu: L4", "gpu: L4\n        gpu: L4")
        .replace("model: m", "model: n")
        .replace("version: 0.33.0", f"version: 0.33.0, dtype: half, seed: .inf, extraArgs: [{TOKEN}]")
    )
    problems = load_file(write(text)).problems
    assert [(one.code, one.line) for one in problems] == [
        ("CFG004", 1),
        ("CFG004", 3),
        ("CFG003", 11),
        ("CFG007", 13),
        ("CFG008", 22),
        ("CFG006", 24),
        ("CFG009", 24),
    ]
    assert not any(TOKEN in one.text() for one in problems)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty; it needs config: with the key llm-serving:stack"),
        ("# a comment\n", "the file is empty; it needs config: with the key llm-serving:stack"),
        ("5\n", "1:1: expected a mapping with the key config, got the number 5"),
        ("[1]\n", "1:1: expected a mapping with the key config, got a list"),
        ("config:\n", "1:8: config: expected a mapping, got nothing"),
        ("config: {}\n", "1:1: config.llm-serving:stack: missing; everything that this program reads stands under"),
        (
            "config: {llm-serving:stack: }\n",
            "1:10: config.llm-serving:stack: expected a mapping, got nothing; it needs at least cluster",
        ),
        ("config: {llm-serving:stack: 5}\n", "1:29: expected a mapping, got the number 5"),
        ("config: {llm-serving:stack: '{}'}\n", '1:29: expected a mapping, got the string "{}"'),
        ("llm-serving:stack: {}\n", "1:1: llm-serving:stack: unknown key; it belongs under config"),
        ("a: [\n", "a value is missing here, or a bracket is left open"),
    ],
)
def test_files_without_a_stack_say_what_is_wrong(text: str, words: str, write: Write) -> None:
    loaded = load_file(write(text))
    assert loaded.inputs is None
    assert any(words in one for one in said(loaded)), said(loaded)
    assert all(one.startswith("Pulumi.dev.yaml:") for one in said(loaded))


def test_a_missing_file_names_those_that_are_there(write: Write) -> None:
    folder = write(GOOD).parent
    write(GOOD, "Pulumi.prod.yaml")
    assert said(load_file(stack_path("dve", folder))) == [
        "Pulumi.dve.yaml: there is no such stack file; the stack files here are Pulumi.dev.yaml, Pulumi.prod.yaml"
    ]
    assert said(load_file(folder / "nowhere" / "Pulumi.x.yaml")) == [
        "Pulumi.x.yaml: there is no such stack file; the stack files here are none"
    ]


def test_a_folder_is_no_stack_file(tmp_path: Path) -> None:
    assert said(load_file(tmp_path)) == [f"{tmp_path.name}: this is a folder; name a stack or its file"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, ".."])
def test_an_impossible_name_is_a_problem_too(name: str, tmp_path: Path) -> None:
    loaded = load_file(stack_path(name, tmp_path))
    assert loaded.inputs is None
    assert [one.code for one in loaded.problems] == ["CFG001"]


def test_a_file_that_may_not_be_read_is_a_problem(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    path = write(GOOD)
    monkeypatch.setattr(Path, "read_bytes", refused)
    (one,) = load_file(path).problems
    assert (one.code, one.message) == ("CFG001", "can't be read: Permission denied")


def test_the_file_of_a_stack(tmp_path: Path) -> None:
    assert stack_path("dev", tmp_path) == tmp_path / "Pulumi.dev.yaml"
    assert stack_path("Pulumi.dev.yaml", tmp_path) == tmp_path / "Pulumi.dev.yaml"
    assert stack_path("sub/x.yml", tmp_path) == tmp_path / "sub" / "x.yml"
    assert stack_path(str(tmp_path / "a.yaml"), Path()) == tmp_path / "a.yaml"
    (tmp_path / "Pulumi.old.yml").touch()
    assert stack_path("old", tmp_path) == tmp_path / "Pulumi.old.yml"


def test_a_short_key_gets_the_name_of_the_project_as_the_cli_gives_it(write: Write) -> None:
    loaded = load_file(write(GOOD.replace("llm-serving:stack", "stack")))
    assert said(loaded) == []
    assert "llm-serving:stack" in loaded.config
    twice = GOOD + "  stack: {}\n"
    assert said(load_file(write(twice))) == [
        "Pulumi.dev.yaml:22:3: config.stack: llm-serving:stack is there already, written llm-serving:stack"
    ]


SECRET_KEY = "    huggingFaceToken: {configSecret: hfToken}\n    nodeGroups:\n"


def test_the_secret_that_config_secret_names_must_be_encrypted(write: Write) -> None:
    text = changed("    nodeGroups:\n", SECRET_KEY)
    good = load_file(write(text + "  llm-serving:hfToken: {secure: v1:abc}\n"))
    assert said(good) == []
    plain = load_file(write(text + f"  llm-serving:hfToken: {TOKEN}\n"))
    assert said(plain) == [
        "Pulumi.dev.yaml:23:3: config.llm-serving:hfToken: a secret in plain text; "
        "remove it and run `pulumi config set --secret llm-serving:hfToken`"
    ]


def test_a_secret_that_is_not_there_yet_is_a_warning_unless_esc_may_have_it(write: Write) -> None:
    text = changed("    nodeGroups:\n", SECRET_KEY)
    loaded = load_file(write(text))
    assert [(one.severity, one.line) for one in loaded.problems] == [("warning", 5)]
    assert loaded.inputs is not None
    assert loaded.engine_config()[1] == ["llm-serving:hfToken"]
    assert said(load_file(write(text + "environment: [base]\n"))) == []


def test_the_engine_gets_texts_and_placeholders_for_secrets(write: Write) -> None:
    text = (
        changed("    nodeGroups:\n", SECRET_KEY) + "  llm-serving:hfToken: {secure: v1:abc}\n  a:b: true\n  a:c: [1]\n"
    )
    values, secrets = load_file(write(text)).engine_config()
    assert secrets == ["llm-serving:hfToken"]
    assert values["llm-serving:hfToken"] == "[secret]"
    assert (values["a:b"], values["a:c"], values["aws:region"]) == ("true", "[1]", "us-east-1")
    assert values["llm-serving:stack"].startswith('{"cluster":')


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("gpu: L4", "gpu: {secure: v1:abc}", ("nodeGroups", "lab", "gpu")),
        ("nodes: 1", f"nodes: 1\n        zones: [{TOKEN}]", ("nodeGroups", "lab", "zones", 0)),
        ("model: m", f"model: m\n        env: {{A: {TOKEN}}}", ("workloads", "chat", "env", "A")),
        (
            "model: m",
            "model: m\n        env: {MY_API_KEY: abcdefgh12345678}",
            ("workloads", "chat", "env", "MY_API_KEY"),
        ),
        ("model: m", "model: m\n        env: {KEY: AKIAIOSFODNN7EXAMPLE}", ("workloads", "chat", "env", "KEY")),
        ("model: m", "model: m\n        env: {K: '-----BEGIN PRIVATE KEY-----'}", ("workloads", "chat", "env", "K")),
    ],
)
def test_a_secret_where_a_plain_value_belongs(old: str, new: str, path: tuple[str | int, ...], write: Write) -> None:
    (one,) = load_file(write(changed(old, new))).problems
    assert (one.code, one.path) == ("CFG009", path)
    assert one.line is not None
    assert not any(secret in one.text() for secret in (TOKEN, "v1:abc", "abcdefgh12345678", "AKIA"))


@pytest.mark.parametrize(
    "env",
    [
        '{TOKENIZERS_PARALLELISM: "false"}',
        "{VLLM_API_KEY_FILE: /etc/keys/vllm1}",
        "{MAX_TOKENS: '4096'}",
        "{COMMIT: c170c708c41dac9275d15a8fff4eca08d52bab71}",
        "{NCCL_SOCKET_IFNAME: eth0}",
        "{HF_ENDPOINT: 'https://huggingface.co'}",
    ],
)
def test_values_that_are_no_secrets_pass(env: str, write: Write) -> None:
    assert said(load_file(write(changed("model: m", f"model: m\n        env: {env}")))) == []


def test_a_token_as_a_key_is_hidden(write: Write) -> None:
    (one,) = load_file(write(changed("model: m", f"model: m\n        {TOKEN}: x"))).problems
    assert TOKEN not in one.text()
    assert one.line == 20


CONFIG_JSON = (
    '{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 128,'
    ' "max_position_embeddings": 512, "model_type": "llama"}'
)


def test_the_config_json_of_a_model_is_read_from_the_projects_folder(write: Write) -> None:
    write(CONFIG_JSON, "config.json")
    loaded = load_file(write(changed("revision: c0ffee", "revision: c0ffee\n        config: config.json")))
    assert said(loaded) == []
    assert loaded.inputs is not None
    assert loaded.inputs.config_files["config.json"]["hidden_size"] == 64


def test_the_projects_folder_is_that_of_pulumi_yaml(write: Write, tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    write(CONFIG_JSON, "config.json")
    text = changed("revision: c0ffee", "revision: c0ffee\n        config: config.json")
    assert said(load_file(write(text, "stacks/Pulumi.dev.yaml"))) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.json", None, 'there is no file "no.json" in the project\'s folder'),
        ("../x.json", None, '"../x.json" is outside the project\'s folder; copy the file into it'),
        ("/etc/hosts", None, '"/etc/hosts" is outside the project\'s folder; copy the file into it'),
        ("bad.json", b"{", '"bad.json" isn\'t JSON: Expecting property name enclosed in double quotes at 1:2'),
        ("bytes.json", b"\xff\xfe\xff", '"bytes.json" isn\'t JSON text'),
        ("list.json", b"[]", '"list.json" holds no JSON object; name the model\'s config.json'),
        ("deep.json", b"[" * 100_000, '"deep.json" is nested too deeply'),
        ("empty.json", b"{}", "config.json of mistralai/Mistral-7B-Instruct-v0.3: num_attention_heads is missing"),
        (
            "odd.json",
            CONFIG_JSON.replace("512", '512, "head_dim": [1]').encode(),
            "config.json has",
        ),
        (
            "huge.json",
            CONFIG_JSON.replace("512", "9" * 400).encode(),
            "holds a number of 400 digits, which no config.json has",
        ),
        (
            "text.json",
            CONFIG_JSON.replace('"num_attention_heads": 4', '"num_attention_heads": "x"').encode(),
            'num_attention_heads is "x", and must be a number',
        ),
        (".", None, '"." can\'t be read'),
    ],
)
def test_a_config_json_that_cannot_be_used(name: str, content: bytes | None, words: str, write: Write) -> None:
    if content is not None:
        write(content, name)
    (one,) = load_file(write(changed("revision: c0ffee", f"revision: c0ffee\n        config: {name}"))).problems
    assert words in one.message
    assert (one.code, one.path, one.line) == ("CFG010", ("models", "m", "config"), 16)


def test_a_link_out_of_the_projects_folder_is_refused(
    write: Write, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "config.json"
    outside.write_text(CONFIG_JSON)
    (tmp_path / "link.json").symlink_to(outside)
    (one,) = load_file(write(changed("revision: c0ffee", "revision: c0ffee\n        config: link.json"))).problems
    assert "is outside the project's folder" in one.message


REFERRING = """\
config:
  llm-serving:stack:
    cluster: {stackReference: org/llm-serving/infra, stackFile: Pulumi.infra.yaml}
    models:
      m: {id: mistralai/Mistral-7B-Instruct-v0.3, revision: c0ffee}
    workloads:
      chat: {kind: Deployment, model: m, nodeGroup: lab, engine: {name: vllm, version: 0.33.0}}
"""


def test_another_stacks_node_groups_count(write: Write) -> None:
    write(GOOD, "Pulumi.infra.yaml")
    loaded = load_file(write(REFERRING))
    assert said(loaded) == []
    assert loaded.inputs is not None
    assert loaded.inputs.infrastructure is not None
    assert list(loaded.inputs.infrastructure.node_groups) == ["lab"]


def test_mistakes_of_the_other_file_have_its_name_and_stop_this_one(write: Write) -> None:
    write(changed("nodes: 1", "nodes: 0"), "Pulumi.infra.yaml")
    loaded = load_file(write(REFERRING.replace("model: m,", "model: n,")))
    assert loaded.inputs is None
    assert [(one.file, one.line) for one in loaded.problems] == [("Pulumi.dev.yaml", 7), ("Pulumi.infra.yaml", 10)]


def test_the_other_file_is_looked_at_although_this_one_has_mistakes(write: Write) -> None:
    write(GOOD, "Pulumi.infra.yaml")
    loaded = load_file(write(REFERRING.replace("version: 0.33.0", "version: 0.33.0, sed: 1").replace("lab", "labs")))
    assert [one.path for one in loaded.problems] == [
        ("workloads", "chat", "nodeGroup"),
        ("workloads", "chat", "engine", "sed"),
    ]
    assert loaded.problems[0].message.endswith("did you mean lab?")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (None, 'there is no file "Pulumi.infra.yaml" here; the stack files are Pulumi.dev.yaml'),
        (REFERRING, "a stack that another one refers to must name its cluster itself, not refer to a third stack"),
    ],
)
def test_another_file_that_cannot_be_used(other: str | None, words: str, write: Write) -> None:
    if other is not None:
        write(other, "Pulumi.infra.yaml")
    loaded = load_file(write(REFERRING))
    assert loaded.inputs is None
    assert words in [one.message for one in loaded.problems]


def test_a_file_that_refers_to_itself_is_refused(write: Write) -> None:
    (one,) = load_file(write(REFERRING, "Pulumi.infra.yaml")).problems
    assert one.message == "this is the file itself; name the file of the stack that owns the cluster"
    assert (one.line, one.path) == (3, ("cluster", "stackFile"))


@pytest.mark.parametrize(
    ("catalog", "path", "words"),
    [
        ("gpus: {X1: {memoryMib: 2048}}", ("catalog", "gpus", "X1"), "computeCapability is missing"),
        ("instanceTypes: {x.large: {gpu: L4}}", ("catalog", "instanceTypes", "x.large"), "gpuCount"),
        ("models: {own: {hiddenSize: 5}}", ("catalog", "models", "own"), "numHiddenLayers"),
        ("engineVersions: {vllm: {9.9.9: {like: 0.1.0}}}", ("catalog", "engineVersions", "vllm", "9.9.9"), "0.1.0"),
    ],
)
def test_a_row_that_is_not_complete(catalog: str, path: tuple[str, ...], words: str, write: Write) -> None:
    (one,) = load_file(write(changed("    nodeGroups:\n", f"    catalog: {{{catalog}}}\n    nodeGroups:\n"))).problems
    assert (one.code, one.path, one.line) == ("CFG007", path, 5)
    assert words in one.message


def stack_value(**changes: Any) -> dict[str, Any]:
    value = {
        "cluster": {"provider": "kubeconfig", "context": "c"},
        "nodeGroups": {
            "lab": {
                "provisioner": "existing",
                "gpu": "L4",
                "gpusPerNode": 1,
                "nodes": 1,
                "nodeSelector": {"pool": "lab"},
            }
        },
        "models": {"m": {"id": "mistralai/Mistral-7B-Instruct-v0.3", "revision": "c0ffee"}},
        "workloads": {
            "chat": {
                "kind": "Deployment",
                "model": "m",
                "nodeGroup": "lab",
                "engine": {"name": "vllm", "version": "0.33.0"},
            }
        },
    }
    return value | changes


def test_the_engines_value_is_the_truth(write: Write) -> None:
    loaded = load_object(stack_value(), stack="x", region="eu-west-1", file=write("not: [yaml"))
    assert said(loaded) == []
    assert loaded.inputs is not None
    assert (loaded.inputs.name, loaded.inputs.region) == ("x", "eu-west-1")


@pytest.mark.parametrize("file", [None, "nowhere.yaml"])
def test_without_a_file_problems_have_no_place(file: str | None, tmp_path: Path) -> None:
    path = tmp_path / file if file else None
    loaded = load_object(stack_value(namespce=1), stack="x", region=None, file=path)
    assert [(one.path, one.line) for one in loaded.problems] == [(("namespce",), None)]
    assert loaded.inputs is None


def test_the_file_gives_the_place_of_what_is_the_same_in_it(write: Write) -> None:
    path = write(changed("nodes: 1", "nodes: 0").replace("gpusPerNode: 1", "gpusPerNode: 0"))
    groups = {"lab": {**stack_value()["nodeGroups"]["lab"], "nodes": 0, "gpusPerNode": "0"}}
    loaded = load_object(stack_value(nodeGroups=groups), stack="dev", region=None, file=path)
    assert {one.path[-1]: (one.file, one.line) for one in loaded.problems} == {
        "nodes": ("Pulumi.dev.yaml", 10),
        "gpusPerNode": ("", None),
    }


def test_other_keys_of_the_engine_are_checked(write: Write) -> None:
    value = stack_value(huggingFaceToken={"configSecret": "hfToken"})
    settings = {"hfToken": False, "stak": False, "other": True}
    loaded = load_object(value, stack="dev", region=None, settings=settings)
    assert [one.text() for one in loaded.problems] == [
        "llm-serving:hfToken: a secret in plain text; remove it and run `pulumi config set --secret llm-serving:hfToken`",
        "llm-serving:stak: unknown key; did you mean llm-serving:stack?",
        "llm-serving:other: unknown key; this program reads llm-serving:stack and the secret of configSecret",
    ]
    assert load_object(value, stack="dev", region=None, settings={"hfToken": True}).inputs is not None


@pytest.mark.parametrize("value", [None, 5, "x", [], True, float("nan")])
def test_anything_can_come_from_the_engine(value: Any) -> None:
    loaded = load_object(value, stack="x", region=None)
    assert loaded.inputs is None
    assert [one.path for one in loaded.problems] == [()]


def test_problems_of_rules_get_their_place(write: Write) -> None:
    loaded = load_file(write(GOOD))

    def place(*path: str | int) -> tuple[str, int | None, int | None]:
        problem = Problem(code="MEM001", severity="error", path=path, message="x")
        (one,) = loaded.located([problem])
        return one.file, one.line, one.column

    assert place("workloads", "chat", "engine", "version") == ("Pulumi.dev.yaml", 21, 39)
    assert place("workloads", "chat", "engine", "maxModelLen") == ("Pulumi.dev.yaml", 21, 9)
    assert place("workloads", "chat") == ("Pulumi.dev.yaml", 17, 7)
    assert place("nothing", "like", 5) == ("Pulumi.dev.yaml", 3, 3)
    assert place() == ("Pulumi.dev.yaml", 3, 3)


def test_loading_imports_no_pulumi() -> None:
    import subprocess
    import sys

    code = "import sys, stacks.loader, stacks.whole_file; sys.exit(any(one.split('.')[0] == 'pulumi' for one in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
