"""pydantic's errors in words: one message a mistake, with what is allowed, and the nearest match."""

import copy
import re
from typing import Any

import pytest
from pydantic import ValidationError

from catalog.options import options, versions
from components.engines.vllm import Vllm
from stacks.config import StackConfig
from stacks.messages import Found, described, found, shown
from stacks.nearest import closest
from stacks.problem import path_text, quoted
from stacks.shape import follow
from stacks.whole_file import schema
from stacks.words import PATTERNS

VALID: dict[str, Any] = {
    "cluster": {"provider": "eks", "name": "c"},
    "nodeGroups": {
        "g": {"instanceTypes": ["g6.2xlarge"], "subnetIds": ["subnet-1"], "maxSize": 1},
        "eks": {"provisioner": "existing", "gpu": "L4", "gpusPerNode": 1, "nodes": 1, "nodeSelector": {"a": "b"}},
    },
    "volumes": {"v": {"storage": "efs", "fileSystemId": "fs-1", "size": "50Gi"}},
    "models": {"m": {"id": "a/b", "revision": "c0ffee", "volume": "v"}},
    "workloads": {
        "w": {"kind": "Deployment", "model": "m", "nodeGroup": "g", "engine": {"name": "vllm", "version": "0.33.0"}}
    },
}
ABSENT = object()


def mistakes(*changes: tuple[str, Any], data: Any = None) -> list[Found]:
    """What is said of the valid stack after changes: `a/b/0` is set to a value, or removed by ABSENT."""
    data = copy.deepcopy(VALID) if data is None else data
    for path, value in changes:
        *parents, last = path.split("/")
        here = data
        for key in parents:
            here = here[int(key)] if isinstance(here, list) else here.setdefault(key, {})
        if value is ABSENT:
            del here[last]
        elif isinstance(here, list):
            here[int(last)] = value
        else:
            here[last] = value
    with pytest.raises(ValidationError) as error:
        StackConfig.model_validate(data, by_alias=True, by_name=False)
    return found(error.value, data)


def said(*changes: tuple[str, Any]) -> list[str]:
    return [
        f"{path_text(one.path)}: {one.message}" + (f"; {one.remedy}" if one.remedy else "")
        for one in mistakes(*changes)
    ]


def test_the_stack_that_the_tests_change_is_valid() -> None:
    StackConfig.model_validate(VALID, by_alias=True, by_name=False)


WORDS: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "a misspelt key": (
        [("workloads/w/engine/maxModelLn", 1)],
        "workloads.w.engine.maxModelLn: unknown key; did you mean maxModelLen?",
    ),
    "a key in snake case": (
        [("workloads/w/engine/max_model_len", 1)],
        "workloads.w.engine.max_model_len: unknown key; did you mean maxModelLen?",
    ),
    "a key of the other form": (
        [("nodeGroups/g/gpusPerNode", 1)],
        "nodeGroups.g.gpusPerNode: unknown key; it goes with provisioner: existing",
    ),
    "a key one level too high": (
        [("workloads/w/tensorParallelSize", 1)],
        "workloads.w.tensorParallelSize: unknown key; it belongs in engine",
    ),
    "a key like no other": (
        [("namespace/zzzzzz", 1)],
        "namespace.zzzzzz: unknown key; allowed: name, create",
    ),
    "a key that pydantic's own words use": (
        [("nodeGroups/g/[key]", 1)],
        'nodeGroups.g["[key]"]: unknown key; allowed: sharing, efa, zones, provisioner, instanceTypes, subnetIds, '
        "minSize, maxSize, desiredSize, capacity, ami, releaseVersion, diskSize, diskThroughputMiBps, diskIops, kmsKeyArn, "
        "nodeRepair, maxUnavailable, placementGroup, roleArn, labels, taints, tags",
    ),
    "an option without a typed key": (
        [("workloads/w/engine/streamInterval", 5)],
        "workloads.w.engine.streamInterval: no typed key; use extraArgs: [--stream-interval=5]",
    ),
    "a flag without a typed key": (
        [("workloads/w/engine/enableDbo", True)],
        "workloads.w.engine.enableDbo: no typed key; use extraArgs: [--enable-dbo]",
    ),
    "an option that the pod decides": (
        [("workloads/w/engine/shutdownTimeout", 5)],
        "workloads.w.engine.shutdownTimeout: decided by drain.shutdownTimeoutSeconds; leave it out",
    ),
    "the older name of an option of another engine": (
        [("workloads/w/engine", {"name": "tgi", "version": "3.3.7", "maxInputLength": 4096})],
        "workloads.w.engine.maxInputLength: decided by the key maxInputTokens, its newer name: with both the launcher exits; leave it out",
    ),
    "an option that is gone": (
        [("workloads/w/engine/useV2BlockManager", True)],
        "workloads.w.engine.useV2BlockManager: --use-v2-block-manager is gone from vllm; "
        "leave it out: no replacement is known",
    ),
    "a missing key": (
        [("workloads/w/model", ABSENT)],
        "workloads.w.model: missing; give a DNS label (lower-case letters, digits and hyphens, a letter first, "
        "no hyphen last), at most 40 characters",
    ),
    "a section of two forms with neither": (
        [("huggingFaceToken", {})],
        "huggingFaceToken.secretName: missing; give the name of a Kubernetes object (lower-case letters, digits, "
        "hyphens and dots), at most 253 characters; or configSecret instead",
    ),
    "a missing tag": (
        [("volumes/v/storage", ABSENT)],
        "volumes.v.storage: missing; give one of efs, ebs, fsx, storageClass, existingClaim",
    ),
    "a missing tag with another way out": (
        [("cluster", {"name": "c"})],
        "cluster.provider: missing; give one of eks, kubeconfig, or give stackReference",
    ),
    "a wrong tag": (
        [("nodeGroups/g/provisioner", "existng")],
        'nodeGroups.g.provisioner: expected one of eks, existing, got "existng"; did you mean existing?',
    ),
    "a tag of a wrong type": (
        [("nodeGroups/g/provisioner", ["eks"])],
        "nodeGroups.g.provisioner: expected one of eks, existing, got a list",
    ),
    "no section where one of several forms belongs": (
        [("nodeGroups/g", 5)],
        "nodeGroups.g: expected a mapping, got the number 5",
    ),
    "a number as text, as `pulumi config set --path` writes it": (
        [("workloads/w/replicas", "2")],
        'workloads.w.replicas: expected a whole number from 0 to 1000, got the string "2"; '
        "write 2 without quotes; `pulumi config set --path` writes strings unless you pass --type int",
    ),
    "a fraction as text": (
        [("workloads/w/engine/gpuMemoryUtilization", "0.9")],
        "workloads.w.engine.gpuMemoryUtilization: expected a number greater than 0 and at most 1, got the string "
        '"0.9"; write 0.9 without quotes; `pulumi config set --path` writes strings unless you pass --type float',
    ),
    "a boolean as text": (
        [("namespace/create", "true")],
        'namespace.create: expected true or false, got the string "true"; '
        "write true without quotes; `pulumi config set --path` writes strings unless you pass --type bool",
    ),
    "yes for a boolean": (
        [("namespace/create", "yes")],
        'namespace.create: expected true or false, got the string "yes"; write true',
    ),
    "a number for text": (
        [("workloads/w/engine/version", 0.33)],
        "workloads.w.engine.version: expected a release, such as 0.33.0 (letters, digits, . + - and _), at most 60 "
        "characters, got the number 0.33; put it in quotes",
    ),
    "a fraction for a whole number": (
        [("workloads/w/replicas", 1.5)],
        "workloads.w.replicas: expected a whole number from 0 to 1000, got 1.5",
    ),
    "one value for a list": (
        [("nodeGroups/g/instanceTypes", "g6.xlarge")],
        'nodeGroups.g.instanceTypes: expected a list with 1 to 20 entries, got the string "g6.xlarge"; '
        "write [g6.xlarge]",
    ),
    "an empty list": (
        [("nodeGroups/g/instanceTypes", [])],
        "nodeGroups.g.instanceTypes: expected a list with 1 to 20 entries, got an empty list",
    ),
    "nothing where something belongs": (
        [("workloads/w/engine", None)],
        "workloads.w.engine: expected a mapping, got nothing",
    ),
    "a number out of range": (
        [("nodeGroups/g/maxSize", 0)],
        "nodeGroups.g.maxSize: expected a whole number from 1 to 1000, got 0",
    ),
    "a word that isn't one of those allowed": (
        [("workloads/w/rollout", "inplace")],
        'workloads.w.rollout: expected one of in-place, surge, got "inplace"; did you mean in-place?',
    ),
    "a quantity that isn't one": (
        [("volumes/v/size", "50Gx")],
        "volumes.v.size: '50Gx' isn't a Kubernetes quantity: use a number with an optional suffix, such as 500Gi or 4",
    ),
    "a quantity of a wrong type": (
        [("volumes/v/size", [])],
        "volumes.v.size: expected a Kubernetes quantity greater than zero, such as 500Gi or 4, got an empty list",
    ),
    "a name that isn't one": (
        [("nodeGroups/A_b", VALID["nodeGroups"]["g"])],
        "nodeGroups.A_b: expected a DNS label (lower-case letters, digits and hyphens, a letter first, no hyphen "
        'last), at most 40 characters, got "A_b"',
    ),
    "one of several types": (
        [("workloads/w/engine/maxModelLen", "8k")],
        'workloads.w.engine.maxModelLen: expected a whole number of 1 or more or "auto", got "8k"',
    ),
    "an item of a list": (
        [("nodeGroups/g/subnetIds", ["subnet-1", "net-2"])],
        'nodeGroups.g.subnetIds[1]: expected the id of a subnet, such as subnet-0a1b2c3d4e5f60718, got "net-2"',
    ),
    "a rule of two keys": (
        [("nodeGroups/g/minSize", 5)],
        "nodeGroups.g: minSize 5 is more than maxSize 1",
    ),
    "a group whose name is a tag": (
        [("nodeGroups/eks/nodes", 0)],
        "nodeGroups.eks.nodes: expected a whole number from 1 to 10000, got 0",
    ),
    "a key whose name is a tag": (
        [("cluster", {"stackReference": "o/p/s"})],
        "cluster.stackFile: missing; give the name of a stack file in the same folder, such as Pulumi.dev-infra.yaml",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_mistake_is_said_in_words(name: str) -> None:
    changes, words = WORDS[name]
    assert said(*changes) == [words]


def test_every_mistake_is_said_at_once_and_each_once() -> None:
    changes: list[tuple[str, Any]] = [
        ("namespce", 1),
        ("workloads/w/replicas", "2"),
        ("workloads/w/engine/maxModelLen", "8k"),
        ("volumes/v/storage", "nfs"),
        ("nodeGroups/A", 5),
    ]
    paths = [(one.path, one.at_key) for one in mistakes(*changes)]
    assert len(paths) == len(set(paths))
    assert {path_text(path) for path, _ in paths} == {
        "namespce",
        "workloads.w.replicas",
        "workloads.w.engine.maxModelLen",
        "volumes.v.storage",
        "nodeGroups.A",
    }


def test_no_message_holds_a_regular_expression_or_a_class_of_ours() -> None:
    patterns = set(PATTERNS)
    for name, (changes, _) in WORDS.items():
        for words in said(*changes):
            assert not any(pattern in words for pattern in patterns), name
            assert not re.search(r"\b(Spec|EksNodeGroup|Vllm|dictionary|constrained|literal)\b", words), name


def test_every_pattern_of_the_stack_file_has_words() -> None:
    def patterns(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(patterns, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        own = {value["pattern"]} if isinstance(value.get("pattern"), str) else set()
        own |= set(value["patternProperties"]) if isinstance(value.get("patternProperties"), dict) else set()
        return own.union(*(patterns(one) for one in value.values()))

    used = patterns(schema()["definitions"])
    assert used - set(PATTERNS) == set()
    assert set(PATTERNS) - used == set(), "words of a pattern that nothing uses"


def test_a_value_that_looks_like_a_secret_is_never_shown() -> None:
    token = "hf_" + "a1B2" * 8
    changes = [
        [("workloads/w/replicas", token)],
        [("models/m/id", token)],
        [("huggingFaceToken", token)],
        [("workloads/w/rollout", token)],
        [("volumes/v/size", token)],
        [("volumes/v/storage", token)],
        [("nodeGroups/g/instanceTypes", token)],
        [("workloads/w/engine/maxLogprobs", token)],
    ]
    for one in changes:
        found_words = said(*one)
        assert found_words
        assert not any(token in words for words in found_words), found_words


def test_an_option_that_only_another_version_has_is_named_with_the_versions() -> None:
    first, *_, last = versions("vllm")
    typed = {Vllm.option_name(field) for field in Vllm.model_fields}
    new = set(options("vllm", last)) - set(options("vllm", first)) - typed
    option = min(one for one in new if re.fullmatch(r"--[a-z]+(-[a-z]+)*", one) and not one.startswith("--no-"))
    key = re.sub(r"-([a-z])", lambda match: match[1].upper(), option.removeprefix("--"))
    (words,) = said(("workloads/w/engine/version", first), (f"workloads/w/engine/{key}", 1))
    assert f"{option} is in vllm" in words
    assert f"{last}, not in {first}" in words
    (words,) = said(("workloads/w/engine/version", last), (f"workloads/w/engine/{key}", 1))
    assert f"use extraArgs: [{option}=1]" in words


def test_an_option_of_a_table_of_the_stacks_own_is_known() -> None:
    data = copy.deepcopy(VALID)
    data["workloads"]["w"]["engine"] |= {"version": "9.9.9", "shinyThing": "a"}
    tables = {"vllm": {"9.9.9": {"like": "0.33.0", "add": {"--shiny-thing": {}}, "remove": []}}}
    with pytest.raises(ValidationError) as error:
        StackConfig.model_validate(data, by_alias=True, by_name=False)
    (one,) = found(error.value, data, tables)
    assert one.remedy == "use extraArgs: [--shiny-thing=a]"


@pytest.mark.parametrize(
    ("location", "path", "is_key"),
    [
        (("cluster", "stackReference", "stackFile"), ("cluster", "stackFile"), False),
        (("huggingFaceToken", "configSecret", "configSecret"), ("huggingFaceToken", "configSecret"), False),
        (("nodeGroups", "eks", "eks", "maxSize"), ("nodeGroups", "eks", "maxSize"), False),
        (("nodeGroups", "existing", "existing", "existing"), ("nodeGroups", "existing", "existing"), False),
        (("nodeGroups", "[key]", "[key]"), ("nodeGroups", "[key]"), True),
        (
            ("workloads", "w", "Deployment", "engine", "vllm", "maxModelLen", "constrained-int"),
            ("workloads", "w", "engine", "maxModelLen"),
            False,
        ),
        (
            ("workloads", "w", "Deployment", "allowFrom", 0, "podLabels", "a", "[key]"),
            ("workloads", "w", "allowFrom", 0, "podLabels", "a"),
            True,
        ),
        (("volumes", "efs", "efs", "size"), ("volumes", "efs", "size"), False),
        ((), (), False),
    ],
)
def test_the_path_of_an_error_has_no_tags(location: tuple[Any, ...], path: tuple[Any, ...], is_key: bool) -> None:
    spot = follow(location)
    assert (spot.path, spot.is_key) == (path, is_key)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (5, "the number 5"),
        (10**40, "the number of more than 30 digits"),
        ("a", 'the string "a"'),
        ("a\x1b[31m", 'the string "a\\u001b[31m"'),
        ("\u202eabc", 'the string "\\u202eabc"'),
        ({}, "an empty mapping"),
        ([1], "a list"),
    ],
)
def test_values_are_described_with_their_type(value: Any, words: str) -> None:
    assert described(value) == words


def test_long_text_is_cut() -> None:
    assert len(shown("x" * 10_000)) < 100
    assert quoted("short") == '"short"'


def test_the_nearest_word_ignores_capitals_and_separators_first() -> None:
    assert closest("max_num_seqs", ["maxModelLen", "maxNumSeqs"]) == "maxNumSeqs"
    assert closest("MAXNUMSEQS", ["maxModelLen", "maxNumSeqs"]) == "maxNumSeqs"
    assert closest("xyz", ["abc"]) is None
    assert closest("nfs", ["efs"]) is None, "two short words are alike by chance"
