"""The resource tree as text and as data."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from preview.registered import Registered, make_urn
from preview.tree import short_type, tree, tree_json
from preview.values import UNKNOWN, Secret, plain, walk


def resource(token: str, name: str, parent: Registered | None = None, **fields: Any) -> Registered:
    above = parent.urn if parent else ""
    return Registered(
        urn=make_urn("dev", "p", above, token, name),
        type=token,
        name=name,
        custom=True,
        remote=False,
        parent=above,
        inputs=fields.pop("inputs", {}),
        **fields,
    )


PROVIDER = resource("pulumi:providers:kubernetes", "cluster")
CHAT = resource("llm-serving:index:ModelDeployment", "chat")
EMBED = resource("llm-serving:index:ModelDeployment", "embed")
SERVICE = resource("kubernetes:core/v1:Service", "chat", CHAT)
ACCOUNT = resource("kubernetes:core/v1:ServiceAccount", "chat", CHAT)
WORKLOAD = resource("kubernetes:apps/v1:Deployment", "chat", CHAT, protect=True)
NODES = resource("aws:eks/nodeGroup:NodeGroup", "a10g", read_id="x")
NAMESPACE = resource("kubernetes:core/v1:Namespace", "ml", inputs={"a": UNKNOWN, "b": Secret("canary"), "c": [1, None]})
ALL = [WORKLOAD, NAMESPACE, SERVICE, EMBED, NODES, ACCOUNT, CHAT, PROVIDER]


def test_parents_hold_their_children_in_the_order_of_creation() -> None:
    assert tree(ALL) == [
        "pulumi:providers:kubernetes           cluster",
        "aws:eks:NodeGroup                     a10g (read)",
        "llm-serving:index:ModelDeployment     chat",
        "├─ kubernetes:core/v1:ServiceAccount  chat",
        "├─ kubernetes:core/v1:Service         chat",
        "└─ kubernetes:apps/v1:Deployment      chat (protected)",
        "llm-serving:index:ModelDeployment     embed",
        "kubernetes:core/v1:Namespace          ml",
    ]


def test_nested_branches_are_drawn_to_their_own_parent() -> None:
    inner = resource("a:b:Inner", "inner", CHAT)
    leaf = resource("a:b:Leaf", "leaf", inner)
    lines = tree([leaf, inner, CHAT, SERVICE])
    assert [line.split("  ")[0] for line in lines[1:]] == ["├─ a:b:Inner", "│", "└─ kubernetes:core/v1:Service"]
    assert lines[2].startswith("│  └─ a:b:Leaf")


def test_the_order_of_the_list_does_not_matter() -> None:
    assert tree(reversed(ALL)) == tree(ALL)
    assert json.dumps(tree_json(reversed(ALL))) == json.dumps(tree_json(ALL))


def test_a_resource_whose_parent_is_not_listed_is_not_lost() -> None:
    assert tree([SERVICE]) == ["kubernetes:core/v1:Service  chat"]
    assert tree([]) == []


def test_the_json_form_has_inputs_options_and_children() -> None:
    data = json.loads(json.dumps(tree_json(ALL)))
    assert [node["name"] for node in data] == ["cluster", "a10g", "chat", "embed", "ml"]
    assert data[4] == {
        "type": "kubernetes:core/v1:Namespace",
        "name": "ml",
        "urn": NAMESPACE.urn,
        "inputs": {"a": "<computed>", "b": "<secret>", "c": [1, None]},
        "children": [],
    }
    assert data[2]["children"][2]["protect"] is True
    assert data[1]["read"] == "x"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("aws:eks/nodeGroup:NodeGroup", "aws:eks:NodeGroup"),
        ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:Deployment"),
        ("llm-serving:index:ModelVolume", "llm-serving:index:ModelVolume"),
        ("pulumi:providers:aws", "pulumi:providers:aws"),
    ],
)
def test_types_are_shortened_as_the_cli_does(token: str, shown: str) -> None:
    assert short_type(token) == shown


def test_a_secret_never_shows_its_value() -> None:
    secret = Secret({"token": "canary"})
    holder = replace(NAMESPACE, inputs={"x": secret})
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", repr(holder), json.dumps(plain({"a": secret}))]
    assert not [text for text in texts if "canary" in text]
    assert secret == Secret({"token": "canary"})
    assert secret != Secret({"token": "other"})
    assert copy.deepcopy(holder).inputs["x"] is secret
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_unknown_is_one_value_and_survives_copies() -> None:
    assert copy.deepcopy(UNKNOWN) is UNKNOWN
    assert (repr(UNKNOWN), str(UNKNOWN), f"{UNKNOWN}") == ("<computed>",) * 3


def test_paths_are_pulumis_property_paths() -> None:
    value = {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}, "spec": {"ports": [{"name": "http"}], "e": {}}}
    assert list(walk(value)) == [
        ('metadata.labels["app.kubernetes.io/name"]', "x"),
        ("spec.ports[0].name", "http"),
        ("spec.e", {}),
    ]
