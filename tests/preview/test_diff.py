"""Two plans compared: what is said of each kind of change. The plans here are small ones written by hand."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from preview.diff import Side, StackDiff, diff
from preview.diff_markdown import LONGEST, UNCHANGED, markdown, marker
from preview.diff_resources import Change
from preview.diff_text import text
from preview.registered import make_urn

Node = dict[str, Any]

CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ROLE = "aws:iam/role:Role"
CLUSTER = make_urn("dev", "llm-serving", "", "pulumi:providers:kubernetes", "cluster")


def node(token: str, name: str, inputs: Node | None = None, parent: str = "", **options: Any) -> Node:
    urn = make_urn("dev", "llm-serving", parent, token, name)
    children = options.pop("children", [])
    return {"type": token, "name": name, "urn": urn, "inputs": inputs or {}, **options, "children": children}


def component(token: str, name: str, *children: Callable[[str], Node], **options: Any) -> Node:
    top = node(f"llm-serving:index:{token}", name, **options)
    return {**top, "children": [child(top["urn"]) for child in children]}


def deployment(image: str = "vllm:1", **spec: Any) -> Node:
    container = {
        "name": "engine",
        "image": image,
        "args": ["--port=8000", "--max-model-len=8192"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resources": {"limits": {"nvidia.com/gpu": "2"}},
    }
    volumes = [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}]
    strategy = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}, "type": "RollingUpdate"}
    inputs = {
        "metadata": {"name": "chat", "namespace": "ml"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "chat"}},
            "strategy": strategy,
            "template": {"spec": {"containers": [container], "volumes": volumes}},
            **spec,
        },
    }
    return node(DEPLOYMENT, "chat", inputs, customTimeouts={"create": "20m", "update": "1722s"}, provider=CLUSTER)


def storage_class(file_system: str = "fs-1", policy: str = "Retain", expand: bool = False) -> Node:
    inputs = {
        "metadata": {"name": "ml-weights"},
        "parameters": {"fileSystemId": file_system},
        "provisioner": "efs.csi.aws.com",
        "reclaimPolicy": policy,
        "allowVolumeExpansion": expand,
    }
    return node(CLASS, "weights", inputs, deleteBeforeReplace=True, provider=CLUSTER)


def claim(name: str = "ml-weights", size: str = "50Gi", **given: Any) -> Node:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}, "storageClassName": name}
    options: Node = {"protect": True, "dependencies": [storage_class()["urn"]], "provider": CLUSTER, **given}
    return node(CLAIM, "weights", {"metadata": {"name": "weights", "namespace": "ml"}, "spec": spec}, **options)


def job() -> Node:
    volumes = [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}]
    inputs = {"metadata": {"name": "download", "namespace": "ml"}, "spec": {"template": {"spec": {"volumes": volumes}}}}
    return node(JOB, "download", inputs, replaceOnChanges=["spec"], dependencies=[claim()["urn"]], provider=CLUSTER)


def launch_template(**inputs: Any) -> Node:
    return node(TEMPLATE, "l4-template", {"tags": {}, "metadataOptions": {"httpTokens": "required"}, **inputs})


def role(**inputs: Any) -> Node:
    return node(ROLE, "l4-role", {"assumeRolePolicy": "{}", **inputs})


def node_group(**inputs: Any) -> Node:
    given = {
        "instanceTypes": ["g6.2xlarge"],
        "labels": {},
        "launchTemplate": {"id": "<computed>", "version": "<computed>"},
        "nodeRoleArn": "<computed>",
        "scalingConfig": {"desiredSize": 0, "minSize": 0, "maxSize": 3},
        **inputs,
    }
    options: Node = {
        "dependencies": [launch_template()["urn"], role()["urn"]],
        "ignoreChanges": ["scalingConfig.desiredSize"],
        "customTimeouts": {"create": "60m", "update": "90m", "delete": "60m"},
    }
    return node(GROUP, "l4", given, **options)


def plan(*resources: Node, usd: float | None = 1.0, kv: float = 5.5, problems: Any = ()) -> Node:
    return {
        "problems": list(problems),
        "fit": [{"workload": "chat", "gpus": "1 x L4", "kv_gib": kv, "concurrency": kv, "max_model_len": 8192}],
        "placement": [{"workload": "chat", "node_group": "l4"}],
        "cost": {
            "totals": {"usdPerHourMin": 0, "usdPerHourMax": usd},
            "workloadUsdPerHour": {"chat": usd},
        },
        "resources": list(resources),
    }


def compared(before: Node, after: Node) -> StackDiff:
    return diff("dev", "main", Side(plan=before), Side(plan=after))


def of(before: list[Node], after: list[Node]) -> StackDiff:
    return compared(plan(*before), plan(*after))


def actions(found: StackDiff) -> dict[str, str]:
    return {one.resource.name: one.action for one in found.changes or ()}


def only(found: StackDiff) -> Change:
    assert found.changes is not None
    assert len(found.changes) == 1
    return found.changes[0]


EVERYTHING = [deployment(), storage_class(), claim(), job(), launch_template(), role(), node_group()]


def test_two_equal_plans_have_no_differences() -> None:
    found = of(EVERYTHING, copy.deepcopy(EVERYTHING))
    assert found.changes == ()
    assert (found.storage, found.restarts, found.differs) == ((), (), False)
    assert markdown(found).splitlines()[:2] == [marker("dev"), UNCHANGED]


def test_the_order_of_the_trees_plays_no_part() -> None:
    after = [deployment("vllm:2"), storage_class("fs-2"), *EVERYTHING[2:], node("a:b:C", "new")]
    expected = markdown(of(EVERYTHING, after))
    for some in itertools.islice(itertools.permutations(after), 0, 5000, 777):
        assert markdown(of(EVERYTHING[::-1], list(some))) == expected


def test_added_and_removed_resources_are_listed_by_urn() -> None:
    found = of([deployment()], [job()])
    assert actions(found) == {"chat": "remove", "download": "add"}
    assert found.counts == {"add": 1, "remove": 1}
    assert "removed; 1 pod stops for good" in text(found)


def test_a_changed_image_restarts_pods_and_says_how_long() -> None:
    found = of([deployment()], [deployment("vllm:2")])
    change = only(found)
    assert change.action == "change"
    (prop,) = change.properties
    assert prop.as_json() == {"path": "spec.template.spec.containers.engine.image", "old": "vllm:1", "new": "vllm:2"}
    (restart,) = found.restarts
    assert (restart.what, restart.count, restart.minutes) == ("pods", 1, 29)
    assert "in place: down until the new one is ready" in restart.text


@pytest.mark.parametrize(
    ("replicas", "strategy", "words"),
    [
        (
            1,
            {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "surge, with 2 GPUs spare for 1 new pod at a time",
        ),
        (4, {"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}, "4 GPUs spare for 2 new pods"),
        (3, {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}, "3 pods restart, in place, 1 of 3 down at a time"),
        (2, {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}, "in place: all down"),
        (2, {"type": "Recreate"}, "all at once"),
        (4, {}, "for 1 new pod at a time, 1 at a time may be down"),
    ],
)
def test_the_way_of_a_rollout_follows_the_strategy(replicas: int, strategy: Node, words: str) -> None:
    before, after = (deployment(image, replicas=replicas, strategy=strategy) for image in ("vllm:1", "vllm:2"))
    assert words in of([before], [after]).restarts[0].text


def test_more_replicas_restart_nothing() -> None:
    (only,) = of([deployment()], [deployment(replicas=3)]).restarts
    assert only.what == "scale"
    assert "from 1 to 3 pods" in only.text


def llm_service(*, prefill: Node | None = None, **spec: Any) -> Node:
    """Two copies, and what else its spec has."""
    given = {"replicas": 2, "labels": {"team": "search"}, "template": {"containers": [{"name": "main"}]}, **spec}
    side = {"prefill": prefill} if prefill else {}
    metadata = {"name": "chat", "namespace": "ml"}
    return node(
        "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService",
        "chat",
        {"metadata": metadata, "spec": {**given, **side}},
    )


SIDE: Node = {"replicas": 3, "labels": {"team": "search"}, "template": {"containers": [{"name": "main"}]}}
"""Copies that prefill."""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            llm_service(prefill=SIDE),
            llm_service(prefill={**SIDE, "replicas": 4}),
            "from 5 to 6 pods; the others keep running",
        ),
        (llm_service(prefill=SIDE), llm_service(prefill=SIDE, replicas=1), "from 5 to 4 pods"),
        (llm_service(prefill=SIDE), llm_service(prefill={**SIDE, "template": {}}), "5 pods restart, as its controller"),
        (llm_service(), llm_service(prefill=SIDE), "prefill comes or goes, and KServe can't"),
        (llm_service(prefill=SIDE), llm_service(), "prefill comes or goes"),
        (llm_service(), llm_service(labels={"team": "chat"}), "labels of its pods change, and KServe can't"),
        (llm_service(worker={}), llm_service(worker={}, labels={"team": "chat"}), "2 pods restart"),
    ],
)
def test_what_a_change_does_to_both_sides_of_an_llm_inference_service(before: Node, after: Node, words: str) -> None:
    (restart,) = of([before], [after]).restarts
    assert words in restart.text


def test_another_route_of_an_llm_inference_service_restarts_nothing() -> None:
    assert of([llm_service()], [llm_service(router={"route": {}})]).restarts == ()


def service(*, mode: str = "Standard", **predictor: Any) -> Node:
    """An InferenceService with two copies of the runtime `vllm`."""
    given = {"minReplicas": 2, "maxReplicas": 2, "model": {"runtime": "vllm", "args": ["a"]}, **predictor}
    metadata = {"name": "chat", "namespace": "ml", "annotations": {"serving.kserve.io/deploymentMode": mode}}
    kind = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
    return node(kind, "chat", {"metadata": metadata, "spec": {"predictor": given}})


def runtime(image: str) -> Node:
    spec = {"containers": [{"name": "kserve-container", "image": image}]}
    metadata = {"name": "vllm", "namespace": "ml"}
    return node("kubernetes:serving.kserve.io/v1alpha1:ServingRuntime", "vllm", {"metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (service(model={"runtime": "vllm", "args": ["b"]}), "2 pods restart, as its controller does it"),
        (service(minReplicas=3, maxReplicas=3), "from 2 to 3 pods; the others keep running"),
        (service(mode="Knative"), "deployment mode changes, which KServe's webhook refuses"),
    ],
)
def test_what_a_change_does_to_an_inference_service(after: Node, words: str) -> None:
    (restart,) = of([service()], [after]).restarts
    assert words in restart.text


@pytest.mark.parametrize(
    "change",
    [
        {"maxReplicas": 5},
        {"deploymentStrategy": {"type": "Recreate"}},
        {"scaleTarget": 80},
        {"canaryTrafficPercent": 5},
    ],
)
def test_the_limits_of_an_inference_service_restart_nothing(change: Node) -> None:
    assert of([service()], [service(**change)]).restarts == ()


def test_a_changed_runtime_restarts_every_service_that_names_it_once() -> None:
    (restart,) = of([service(), runtime("vllm:1")], [service(), runtime("vllm:2")]).restarts
    assert "InferenceService chat: 2 pods restart, because its runtime changes" in restart.text
    own = service(model={"runtime": "vllm", "args": ["b"]})
    (both,) = of([service(), runtime("vllm:1")], [own, runtime("vllm:2")]).restarts
    assert "as its controller does it" in both.text
    assert of([service(), runtime("vllm:1")], [service(), runtime("vllm:1")]).restarts == ()


def test_labels_of_the_deployment_itself_restart_nothing() -> None:
    after = deployment()
    after["inputs"]["metadata"]["labels"] = {"team": "ml"}
    found = of([deployment()], [after])
    assert actions(found) == {"chat": "change"}
    assert found.restarts == ()


def test_a_changed_selector_replaces_a_deployment() -> None:
    found = of([deployment()], [deployment(selector={"matchLabels": {"app": "talk"}})])
    change = only(found)
    assert (change.action, change.forced_by) == ("replace", ("spec.selector.matchLabels.app",))
    assert "deleted and made anew" in found.restarts[0].text


def test_options_and_variables_are_found_by_name_not_by_position() -> None:
    after = deployment()
    container = after["inputs"]["spec"]["template"]["spec"]["containers"][0]
    container["args"] = ["--dtype=auto", "--port=8000", "--max-model-len=4096"]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "AB", "value": "x"}, {"name": "B", "value": "3"}]
    change = only(of([deployment()], [after]))
    lines = [(one.text.rpartition("engine.")[2], one.old, one.new) for one in change.properties]
    assert [line[0] for line in lines] == [
        'args["--dtype"]',
        'args["--max-model-len"]',
        "env.AB.name",
        "env.AB.value",
        "env.B.value",
    ]
    assert lines[1][1:] == ("--max-model-len=8192", "--max-model-len=4096")


def test_a_new_order_alone_is_a_change_too() -> None:
    after = deployment()
    after["inputs"]["spec"]["template"]["spec"]["containers"][0]["env"].reverse()
    change = only(of([deployment()], [after]))
    assert [one.text.rpartition(".")[2] for one in change.properties] == ["env"]


@pytest.mark.parametrize(("old", "new"), [(True, 1), (0, False), ("1", 1), (None, "x"), ({}, [])])
def test_values_of_different_types_differ(old: Any, new: Any) -> None:
    before, after = (node("a:b:C", "x", {"value": value}) for value in (old, new))
    assert actions(of([before], [after])) == {"x": "change"}


def test_a_claim_of_another_class_is_data_loss() -> None:
    before = [storage_class(), claim(protect=False), job(), deployment()]
    after = [storage_class(), claim("gp3", protect=False), job(), deployment()]
    found = of(before, after)
    assert actions(found) == {"weights": "replace", "download": "replace"}
    (loss,) = found.data_loss
    assert "(because of spec.storageClassName)" in loss.text
    assert "reclaimPolicy Retain" in loss.text
    assert "The new claim is empty; download downloads the models into it again" in loss.text
    assert "Pods of chat mount it" in loss.text
    assert text(found).splitlines()[2].startswith("DATA LOSS: ")
    assert "> [!CAUTION]\n> **DATA LOSS**" in markdown(found)


def test_a_volume_that_is_deleted_with_its_claim_is_said_to_be() -> None:
    found = of([storage_class(policy="Delete"), claim()], [storage_class(policy="Delete")])
    assert "The volume and the data on it are deleted" in found.data_loss[0].text


def test_a_claim_of_a_class_that_is_not_in_the_stack_has_an_open_end() -> None:
    (loss,) = of([claim("gp3", protect=False)], []).data_loss
    assert "reclaimPolicy of class gp3, which this stack doesn't create" in loss.text


def test_a_claim_that_nothing_fills_stays_empty() -> None:
    (loss,) = of([claim("a", protect=False)], [claim("b", protect=False)]).data_loss
    assert "nothing in this stack fills it" in loss.text


def test_a_protected_resource_blocks_its_own_deletion() -> None:
    found = of([storage_class(), claim()], [storage_class()])
    assert [one.level for one in found.storage] == ["data-loss", "blocked"]
    assert "`pulumi up` stops with an error" in found.storage[1].text


def test_taking_the_protection_away_together_with_the_replacement_does_not_block() -> None:
    found = of([claim("a")], [claim("b", protect=False)])
    assert [one.level for one in found.storage] == ["data-loss"]


def test_a_replaced_class_leaves_the_claim_where_it_was() -> None:
    found = of([storage_class(), claim(), job()], [storage_class("fs-2"), claim(), job()])
    assert actions(found) == {"weights": "replace"}
    (only,) = found.storage
    assert only.level == "warning"
    assert "parameters.fileSystemId fs-1 -> fs-2" in only.text
    assert "keeps the volume that it has" in only.text


def test_several_properties_that_replace_are_named_by_what_holds_them() -> None:
    after = storage_class("fs-2")
    after["inputs"]["parameters"]["uid"] = "2000"
    assert only(of([storage_class()], [after])).forced_by == ("parameters",)


def test_a_smaller_claim_is_refused() -> None:
    (only,) = of([storage_class(), claim()], [storage_class(), claim(size="20480Mi")]).storage
    assert (only.level, "can't shrink from 50Gi to 20480Mi" in only.text) == ("blocked", True)


@pytest.mark.parametrize(
    ("resources", "levels"), [([storage_class()], ["blocked"]), ([storage_class(expand=True)], []), ([], ["warning"])]
)
def test_whether_a_claim_can_grow_is_up_to_its_class(resources: list[Node], levels: list[str]) -> None:
    found = of([*resources, claim()], [*resources, claim(size="100Gi")])
    assert [one.level for one in found.storage] == levels


def test_the_same_size_in_other_words_is_no_growth() -> None:
    assert of([storage_class(), claim()], [storage_class(), claim(size="51200Mi")]).storage == ()


def test_an_update_that_the_api_server_refuses_is_announced() -> None:
    found = of([storage_class()], [storage_class(policy="Delete")])
    assert actions(found) == {"weights": "change"}
    assert [one.level for one in found.storage] == ["blocked"]
    assert "refuses to change reclaimPolicy" in found.storage[0].text


def test_a_renamed_namespace_takes_everything_in_it() -> None:
    before, after = (node("kubernetes:core/v1:Namespace", "ns", {"metadata": {"name": name}}) for name in ("a", "b"))
    (loss,) = of([before], [after]).data_loss
    assert "Kubernetes deletes every object in it" in loss.text


def test_other_instance_types_replace_the_node_group() -> None:
    found = of(
        [role(), launch_template(), node_group()], [role(), launch_template(), node_group(instanceTypes=["g6e.xlarge"])]
    )
    assert actions(found) == {"l4": "replace"}
    (restart,) = found.restarts
    assert (restart.what, restart.count, restart.minutes) == ("nodes", 3, 120)
    assert "made anew, then the old one deleted" in restart.text
    assert "pods of chat restart" in restart.text


def test_a_new_version_of_the_launch_template_rolls_the_nodes() -> None:
    after = [role(), launch_template(metadataOptions={"httpTokens": "optional"}), node_group()]
    found = of([role(), launch_template(), node_group()], after)
    assert actions(found) == {"l4-template": "change"}
    (restart,) = found.restarts
    assert (restart.name, restart.minutes) == ("l4", 90)
    assert "one batch after another (new launch template: metadataOptions.httpTokens)" in restart.text


def test_tags_of_a_launch_template_roll_nothing() -> None:
    found = of([role(), launch_template(), node_group()], [role(), launch_template(tags={"a": "b"}), node_group()])
    assert found.restarts == ()


def test_labels_and_sizes_of_a_node_group_roll_nothing_and_the_desired_size_is_ignored() -> None:
    scaling = {"desiredSize": 2, "minSize": 0, "maxSize": 4}
    found = of([node_group()], [node_group(labels={"a": "b"}, scalingConfig=scaling)])
    change = only(found)
    assert [one.text for one in change.properties] == ["labels.a", "scalingConfig.maxSize"]
    assert found.restarts == ()


def test_a_replaced_role_replaces_the_node_group_that_has_its_arn() -> None:
    found = of([role(), launch_template(), node_group()], [role(path="/ml/"), launch_template(), node_group()])
    assert actions(found) == {"l4-role": "replace", "l4": "replace"}
    assert "nodeRoleArn, from Role l4-role" in text(found)


def test_another_cluster_replaces_everything_in_it() -> None:
    before, after = (node("pulumi:providers:kubernetes", "cluster", {"clusterIdentifier": name}) for name in ("a", "b"))
    found = of([before, deployment()], [after, deployment()])
    assert actions(found) == {"cluster": "replace", "chat": "replace"}
    assert "its provider cluster is replaced" in text(found)


@pytest.mark.parametrize(("provider", "action"), [({}, "replace"), ({"enableSecretMutable": "true"}, "change")])
def test_a_secret_is_replaced_unless_the_provider_updates_it(provider: Node, action: str) -> None:
    cluster = node("pulumi:providers:kubernetes", "cluster", provider)
    before, after = (
        node("kubernetes:core/v1:Secret", "hf", {"data": {key: "<secret>"}}, provider=CLUSTER) for key in ("a", "b")
    )
    found = of([cluster, before], [cluster, after])
    assert actions(found) == {"hf": action}
    assert "+ data.b: <secret>" in text(found)


def test_the_type_of_a_resource_that_is_not_known_here_leaves_replacement_open() -> None:
    found = of([node("aws:new/thing:Thing", "x", {"a": 1})], [node("aws:new/thing:Thing", "x", {"a": 2})])
    assert "~ aws:new:Thing x (whether this replaces it is up to the provider)" in text(found)


def test_computed_values_are_equal_and_shown_as_such() -> None:
    before = node("a:b:C", "x", {"same": "<computed>", "id": "<computed>"})
    found = of([before], [node("a:b:C", "x", {"same": "<computed>", "id": "i-1"})])
    assert '~ id: <computed> -> "i-1"' in text(found)
    assert "same" not in text(found)


def test_an_alias_keeps_a_renamed_resource() -> None:
    old = node(JOB, "old", {"metadata": {"name": "x"}})
    new = node(JOB, "new", {"metadata": {"name": "x"}}, aliases=[old["urn"]])
    found = of([old], [new])
    assert actions(found) == {"new": "change"}
    assert "known as old before" in text(found)
    assert only(found).as_json()["renamedFrom"] == old["urn"]


def test_the_alias_of_a_component_counts_for_its_children() -> None:
    def children(name: str) -> list[Callable[[str], Node]]:
        return [
            lambda parent: node(JOB, f"{name}-fill", {"a": 1}, parent),
            lambda parent: node(CLAIM, name, {}, parent),
        ]

    old = component("ModelVolume", "weights", *children("weights"))
    new = component("ModelVolume", "models", *children("models"), aliases=[old["urn"]])
    assert of([old], [new]).counts == {"change": 3}
    without = {key: value for key, value in new.items() if key != "aliases"}
    assert of([old], [without]).counts == {"add": 3, "remove": 3}


def test_what_is_only_read_is_no_resource_of_the_stack() -> None:
    assert of([], [node("pulumi:pulumi:StackReference", "infra", read="org/infra")]).changes == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (1.0, 2.5, "cost at most $1.00 -> $2.50 (+$1.50) an hour"),
        (2.5, 1.0, "cost at most $2.50 -> $1.00 (-$1.50) an hour"),
        (None, 1.0, "cost at most unknown -> $1.00 an hour"),
        (1.0, None, "cost at most $1.00 -> unknown an hour"),
        (None, None, "cost at most unknown an hour, as before"),
        (0.0, None, "cost at most $0.00 -> unknown an hour"),
    ],
)
def test_costs_are_never_zero_for_unknown(old: float | None, new: float | None, words: str) -> None:
    found = compared(plan(usd=old), plan(usd=new))
    assert words in text(found).splitlines()[0]
    assert words in markdown(found).splitlines()[1 if found.differs else 2]


def test_the_headroom_is_shown_before_and_after() -> None:
    found = compared(plan(kv=5.5), plan(kv=2.25))
    assert "chat: KV cache GiB per GPU: 5.50 -> 2.25" in text(found)
    assert "| chat | KV cache GiB per GPU | 5.50 -> 2.25 |" in markdown(found)


def problem(code: str, severity: str = "warning", message: str = "m") -> Node:
    return {"code": code, "severity": severity, "path": ["workloads", "chat"], "message": message, "remedy": "do that"}


def test_problems_are_new_or_cured_by_code_and_path() -> None:
    before = plan(problems=[problem("VOL001"), problem("MEM003", message="5 GiB")])
    found = compared(before, plan(problems=[problem("MEM003", message="4 GiB"), problem("SEC002")]))
    assert [one["code"] for one in found.summary.new_problems] == ["SEC002"]
    assert [one["code"] for one in found.summary.cured_problems] == ["VOL001"]
    assert "warning SEC002 workloads.chat: m; do that" in text(found)


def test_a_warning_that_became_an_error_is_new() -> None:
    found = compared(plan(problems=[problem("A", "warning")]), plan(problems=[problem("A", "error")]))
    assert [one["severity"] for one in found.summary.new_problems] == ["error"]


def test_a_stack_with_errors_after_the_change_fails_and_has_no_resources_to_compare() -> None:
    after = {**plan(problems=[problem("MEM001", "error")]), "resources": None}
    found = compared(plan(deployment()), after)
    assert (found.failed, found.changes) == (True, None)
    assert "resources after the change are unknown" in text(found)
    assert "resources not compared" in markdown(found)


def test_a_stack_with_errors_before_the_change_does_not_fail() -> None:
    before = {**plan(problems=[problem("MEM001", "error")]), "resources": None}
    found = compared(before, plan(deployment()))
    assert (found.failed, found.changes) == (False, None)
    assert [one["code"] for one in found.summary.cured_problems] == ["MEM001"]


def test_a_stack_that_was_not_there_is_added_whole() -> None:
    found = diff("dev", "main", Side(plan=None, missing=True, note="no stack"), Side(plan=plan(deployment())))
    assert actions(found) == {"chat": "add"}
    assert (found.summary.added, found.restarts, found.storage) == (("chat",), (), ())
    assert "Note: no stack" in text(found)


def test_an_unknown_side_before_is_not_an_empty_one() -> None:
    found = diff("dev", "main", Side(plan=None, note="can't be read"), Side(plan=plan(deployment())))
    assert (found.changes, found.summary.added, found.failed) == (None, (), False)


def test_a_plan_that_could_not_be_made_after_the_change_fails() -> None:
    assert diff("dev", "main", Side(plan=plan()), Side(plan=None, note="broken")).failed


def test_the_json_is_complete() -> None:
    found = of([storage_class(), claim(), deployment()], [storage_class(), claim("gp3"), deployment("vllm:2")])
    data = json.loads(json.dumps(found.as_json()))
    assert {one["name"]: one["action"] for one in data["resources"]} == {"chat": "change", "weights": "replace"}
    assert {one["level"] for one in data["storage"]} == {"data-loss", "blocked"}
    assert data["restarts"][0]["minutes"] == 29
    assert data["counts"] == {"change": 1, "replace": 1}


def test_a_comment_fits_and_its_code_block_is_closed() -> None:
    many = [node("a:b:C", f"n{index}", {"text": "x" * 300}) for index in range(2000)]
    changed = [node("a:b:C", f"n{index}", {"text": "y" * 300}) for index in range(2000)]
    comment = markdown(of(many, changed))
    assert len(comment) <= LONGEST
    assert comment.endswith("```\n\n</details>\n")
    assert "more lines: run `llm-serving diff dev --against main`" in comment


def test_a_comment_with_thousands_of_problems_fits_too() -> None:
    problems = [{**problem("MEM001", message="m" * 200), "path": [f"w{index}"]} for index in range(2000)]
    changed = [node("a:b:C", f"n{index}", {"text": "y" * 300}) for index in range(2000)]
    comment = markdown(compared(plan(), plan(*changed, problems=problems)))
    assert len(comment) <= LONGEST
    assert comment.count("more lines: run") == 2
    assert comment.endswith("```\n\n</details>\n")


def test_what_users_write_can_neither_close_the_block_nor_inject_html() -> None:
    evil = "```\n</details><img src=x> @everyone | x"
    found = compared(
        plan(node("a:b:C", "x", {"a": "b"})),
        plan(node("a:b:C", "x", {"a": evil, "```": "y"}), problems=[problem("X", message=evil)]),
    )
    comment = markdown(found)
    outside = comment.partition("<details>")[0]
    assert "<img" not in outside
    assert "@everyone" not in outside
    (fence,) = {line for line in comment.splitlines() if line.startswith("```") and not line.strip("`")}
    assert comment.count(f"\n{fence}") == 2
