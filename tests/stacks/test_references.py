"""Names that a stack uses and doesn't declare."""

from typing import Any

from stacks.config import StackConfig
from stacks.references import names_in, reference_errors, unresolved

ENGINE = {"name": "vllm", "version": "0.33.0"}
LAB = {"provisioner": "existing", "gpu": "L4", "gpusPerNode": 1, "nodes": 1, "nodeSelector": {"a": "b"}}
EFS = {"storage": "efs", "fileSystemId": "fs-1", "size": "50Gi"}


def stack(**sections: Any) -> dict[str, Any]:
    return {"cluster": {"provider": "kubeconfig", "context": "c"}, **sections}


def workload(model: str, group: str) -> dict[str, Any]:
    return {"kind": "Deployment", "model": model, "nodeGroup": group, "engine": ENGINE}


def config(data: dict[str, Any]) -> StackConfig:
    return StackConfig.model_validate(data, by_alias=True, by_name=False)


def errors(data: dict[str, Any], infrastructure: dict[str, Any] | None = None) -> dict[tuple[str | int, ...], str]:
    other = None if infrastructure is None else config(infrastructure)
    found = reference_errors(config(data), other)
    # A stack that doesn't hold what it should is told the same.
    raw = None if infrastructure is None else names_in(infrastructure)
    assert unresolved(names_in(data), raw) == found
    return dict(found)


def test_a_stack_without_dangling_names_has_no_errors() -> None:
    whole = stack(
        nodeGroups={"lab": LAB},
        volumes={"weights": EFS},
        models={
            "m": {"id": "a/b", "revision": "c0ffee", "volume": "weights", "architecture": "Mistral-7B-Instruct-v0.3"}
        },
        workloads={"chat": workload("m", "lab")},
    )
    assert errors(whole) == {}


def test_a_near_name_is_offered() -> None:
    whole = stack(
        nodeGroups={"lab-h100": LAB},
        volumes={"weights": EFS},
        models={"mistral-7b": {"id": "a/b", "revision": "c0ffee", "volume": "weigths"}},
        workloads={"chat": workload("mistral7b", "lab-h10")},
    )
    assert errors(whole) == {
        ("models", "mistral-7b", "volume"): 'there is no volume "weigths"; did you mean weights?',
        ("workloads", "chat", "model"): 'there is no model "mistral7b"; did you mean mistral-7b?',
        ("workloads", "chat", "nodeGroup"): 'there is no node group "lab-h10"; did you mean lab-h100?',
    }


def test_without_a_near_name_those_that_exist_are_listed() -> None:
    whole = stack(
        nodeGroups={"b": LAB, "a": LAB},
        models={"m": {"id": "a/b", "revision": "c0ffee", "volume": "weights"}},
        workloads={"chat": workload("m", "zzzzzz")},
    )
    assert errors(whole) == {
        ("models", "m", "volume"): 'there is no volume "weights": volumes is empty',
        ("workloads", "chat", "nodeGroup"): 'there is no node group "zzzzzz"; nodeGroups has a, b',
    }


def test_an_architecture_is_a_row_of_the_catalogue_or_of_the_stack() -> None:
    def model(architecture: str) -> dict[str, Any]:
        return {"m": {"id": "a/b", "revision": "c0ffee", "architecture": architecture}}

    place = ("models", "m", "architecture")
    assert errors(stack(models=model("Mistral-7B-Instruct-v0.3"))) == {}
    assert errors(stack(models=model("own"), catalog={"models": {"own": {}}})) == {}
    near = errors(stack(models=model("Mistral-7B-Instruct-v0.33")))[place]
    assert near.endswith("did you mean Mistral-7B-Instruct-v0.3?")
    assert errors(stack(models=model("0")))[place] == (
        'there is no architecture "0" in the catalogue; name the model\'s config.json under config, '
        "or add a row under catalog.models"
    )


def test_node_groups_and_volumes_of_the_other_stack_count() -> None:
    other = stack(nodeGroups={"lab": LAB}, volumes={"weights": EFS})
    here = stack(
        models={"m": {"id": "a/b", "revision": "c0ffee", "volume": "weights"}}, workloads={"chat": workload("m", "lab")}
    )
    assert errors(here, other) == {}
    assert set(errors(here)) == {("models", "m", "volume"), ("workloads", "chat", "nodeGroup")}


def test_a_name_that_both_stacks_declare_is_an_error_where_it_stands() -> None:
    other = stack(nodeGroups={"lab": LAB}, volumes={"weights": EFS})
    here = stack(nodeGroups={"lab": LAB, "mine": LAB}, volumes={"weights": EFS})
    words = "the stack of stackReference has this name too; rename one of them"
    assert errors(here, other) == {("nodeGroups", "lab"): words, ("volumes", "weights"): words}


def test_names_that_could_break_a_terminal_or_are_secret_are_not_printed() -> None:
    token = "hf_" + "a1B2" * 8
    found = unresolved(
        names_in(
            {"models": {"a\nb": {}, token: {}}, "workloads": {"w": {"model": "a-b"}, "x": {"model": token + "c"}}}
        ),
        None,
    )
    assert dict(found)["workloads", "w", "model"].endswith('did you mean "a\\nb"?')
    assert not any("\n" in words or token in words for _, words in found)


def test_names_are_read_from_anything() -> None:
    for data in (
        None,
        5,
        [],
        {"models": 5},
        {"models": {"m": None}},
        {"workloads": {"w": {"model": [1]}}},
        {"catalog": []},
    ):
        assert isinstance(unresolved(names_in(data), None), list)
