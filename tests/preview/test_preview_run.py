"""What `preview.run` reports of programs written against the real SDK."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from preview import values
from preview.registered import Registered, make_urn
from preview.run import ProgramError, Run, UnsupportedError, run
from preview.tree import tree, tree_json, urns
from preview.values import UNKNOWN, Secret

CANARY = "hf_canary_0123456789"


def preview(program: Callable[[], Any] | Path, **arguments: Any) -> Run:
    given: dict[str, Any] = {"project": "llm-serving", "stack": "dev", "config": {}, **arguments}
    return run(program, **given)


def by_name(result: Run) -> dict[str, Registered]:
    return {resource.name: resource for resource in result.resources}


class Inner(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:Inner", name, None, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.service = k8s.core.v1.Service(f"{name}-svc", metadata={"name": name, "namespace": "ml"}, opts=below)
        self.register_outputs({"service": self.service.metadata["name"], "ip": self.service.status})


class Outer(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:Outer", name, None, opts)
        self.inner = Inner(f"{name}-inner", pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def deployment(name: str, annotations: Any, **spec: Any) -> k8s.apps.v1.Deployment:
    return k8s.apps.v1.Deployment(
        name,
        metadata={"name": name, "namespace": "ml", "annotations": annotations},
        spec={
            "selector": {"match_labels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "server", "image": "vllm/vllm-openai:v0.33.0"}]},
            },
            **spec,
        },
    )


def test_signatures_are_those_of_the_installed_sdk() -> None:
    from pulumi.runtime import rpc

    assert rpc._special_sig_key == values.SIGNATURE
    assert rpc._special_secret_sig == values.SECRET_SIGNATURE
    assert rpc._special_resource_sig == values.RESOURCE_SIGNATURE
    assert values.UNKNOWN_SENTINEL == rpc.UNKNOWN


def test_urns_are_the_engines_without_the_stack_in_the_parent_chain() -> None:
    result = preview(lambda: Outer("chat") and None)
    assert urns(result.resources) == [
        "urn:pulumi:dev::llm-serving::llm-serving:index:Outer$llm-serving:index:Inner$kubernetes:core/v1:Service"
        "::chat-inner-svc",
        "urn:pulumi:dev::llm-serving::llm-serving:index:Outer$llm-serving:index:Inner::chat-inner",
        "urn:pulumi:dev::llm-serving::llm-serving:index:Outer::chat",
    ]


def test_a_name_with_colons_keeps_the_parent_chain_of_its_children() -> None:
    parent = make_urn("dev", "p", "", "a:b:C", "x::y")
    assert make_urn("dev", "p", parent, "d:e:F", "z") == "urn:pulumi:dev::p::a:b:C$d:e:F::z"


def test_parents_types_and_registered_outputs() -> None:
    found = by_name(preview(lambda: Outer("chat") and None))
    assert found["chat"].parent == ""
    assert found["chat-inner"].parent == found["chat"].urn
    assert found["chat-inner-svc"].parent == found["chat-inner"].urn
    assert (found["chat"].custom, found["chat-inner-svc"].custom) == (False, True)
    assert found["chat-inner"].outputs == {"ip": UNKNOWN, "service": "chat-inner"}


def test_providers_explicit_and_inherited() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", context="kind-ml")
        Outer("chat", pulumi.ResourceOptions(provider=provider))
        k8s.core.v1.Namespace("ns", metadata={"name": "ml"}, opts=pulumi.ResourceOptions(provider=provider))
        k8s.core.v1.Namespace("other", metadata={"name": "other"})

    found = by_name(preview(program))
    cluster = "urn:pulumi:dev::llm-serving::pulumi:providers:kubernetes::cluster"
    assert found["cluster"].urn == cluster
    assert found["cluster"].is_provider
    assert found["chat-inner-svc"].provider == cluster
    assert found["ns"].provider == cluster
    assert found["other"].provider == ""


def test_an_output_only_property_is_unknown_and_never_dropped() -> None:
    def program() -> None:
        role = aws.iam.Role("role", assume_role_policy=json.dumps({"Version": "2012-10-17"}))
        deployment("chat", {"role": role.arn, "id": role.id, "name": role.name})
        pulumi.export("arn", role.arn)
        pulumi.export("url", pulumi.Output.concat("https://", role.arn))

    result = preview(program)
    found = by_name(result)
    assert found["chat"].inputs["metadata"]["annotations"] == {"id": UNKNOWN, "name": UNKNOWN, "role": UNKNOWN}
    assert found["chat"].dependencies == (found["role"].urn,)
    assert found["chat"].property_dependencies == {"metadata": (found["role"].urn,)}
    assert result.outputs == {"arn": UNKNOWN, "url": UNKNOWN}
    annotations = tree_json(result.resources)[1]["inputs"]["metadata"]["annotations"]
    assert annotations == {"id": "<computed>", "name": "<computed>", "role": "<computed>"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")  # importing aws.ec2 warns of its own classes
def test_what_a_provider_computes_inside_a_given_object_is_unknown() -> None:
    def program() -> None:
        cluster = aws.eks.Cluster("cluster", role_arn="arn", vpc_config={"subnet_ids": ["subnet-a"]})
        pulumi.export("group", cluster.vpc_config.cluster_security_group_id)
        pulumi.export("subnets", cluster.vpc_config.subnet_ids)
        template = aws.ec2.LaunchTemplate(
            "template",
            metadata_options={"http_tokens": "required"},
            block_device_mappings=[{"device_name": "/dev/xvda", "ebs": {"volume_size": 200}}],
            tags={"team": "ml"},
        )
        pulumi.export("hops", template.metadata_options.http_put_response_hop_limit)
        pulumi.export("tokens", template.metadata_options.http_tokens)
        pulumi.export("encrypted", template.block_device_mappings[0].ebs.encrypted)
        pulumi.export("size", template.block_device_mappings[0].ebs.volume_size)
        pulumi.export("tag", template.tags["team"])
        nodes = aws.eks.NodeGroup(
            "nodes",
            cluster_name="c",
            node_role_arn="arn",
            subnet_ids=["subnet-a"],
            scaling_config={"min_size": 0, "max_size": 2, "desired_size": 0},
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        )
        pulumi.export("maximum", nodes.scaling_config.apply(lambda scaling: scaling.max_size))
        pulumi.export("group-of-nodes", nodes.resources[0].autoscaling_groups[0].name)

    assert preview(program).outputs == {
        "encrypted": UNKNOWN,
        "group": UNKNOWN,
        "group-of-nodes": UNKNOWN,
        "hops": UNKNOWN,
        "maximum": 2,
        "size": 200,
        "subnets": ["subnet-a"],
        "tag": "ml",
        "tokens": "required",
    }


def test_an_explicit_kubernetes_name_is_known_and_an_automatic_one_is_not() -> None:
    def program() -> None:
        named = k8s.core.v1.ConfigMap("named", metadata={"name": "settings", "namespace": "ml"})
        automatic = k8s.core.v1.ConfigMap("automatic", metadata={"namespace": "ml"})
        bare = k8s.core.v1.ConfigMap("bare")
        namespace = k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        for key, resource in (("named", named), ("automatic", automatic), ("bare", bare), ("ns", namespace)):
            pulumi.export(f"{key}.name", resource.metadata["name"])
            pulumi.export(f"{key}.id", resource.id)
        pulumi.export("applied", named.metadata.apply(lambda metadata: metadata.name))
        pulumi.export("applied-automatic", automatic.metadata.apply(lambda metadata: metadata.name))
        pulumi.export("kept", automatic.metadata["namespace"])

    assert preview(program).outputs == {
        "applied": "settings",
        "applied-automatic": UNKNOWN,
        "automatic.id": UNKNOWN,
        "automatic.name": UNKNOWN,
        "bare.id": UNKNOWN,
        "bare.name": UNKNOWN,
        "kept": "ml",
        "named.id": "ml/settings",
        "named.name": "settings",
        "ns.id": "ml",
        "ns.name": "ml",
    }


def test_invokes_calls_reads_and_stack_references_are_unknown() -> None:
    def program() -> None:
        pulumi.export("zones", aws.get_availability_zones_output().names)
        infra = pulumi.StackReference("org/infra/dev")
        pulumi.export("get", infra.get_output("vpc"))
        pulumi.export("require", infra.require_output("vpc"))
        existing = k8s.core.v1.Namespace.get("existing", "ml")
        pulumi.export("uid", existing.metadata["uid"])
        pulumi.export("id", existing.id)
        pulumi.export("call", pulumi.runtime.call("pkg:index:Res/method", {"a": 1}))

    result = preview(program)
    assert result.outputs == {
        "zones": UNKNOWN,
        "get": UNKNOWN,
        "require": UNKNOWN,
        "uid": UNKNOWN,
        "id": "ml",
        "call": UNKNOWN,
    }
    found = by_name(result)
    assert found["existing"].read_id == "ml"
    assert found["org/infra/dev"].read_id == "org/infra/dev"


def test_a_plain_invoke_says_what_to_use_instead() -> None:
    def program() -> None:
        pulumi.export("account", aws.get_caller_identity().account_id)

    with pytest.raises(UnsupportedError, match=r"aws:index/getCallerIdentity:getCallerIdentity.*_output"):
        preview(program)


def test_transforms_are_refused_not_left_out() -> None:
    def program() -> None:
        pulumi.runtime.register_resource_transform(lambda args: None)

    with pytest.raises(UnsupportedError, match=r"can't run transforms; use `pulumi preview`"):
        preview(program)


def test_secrets_are_marked_and_no_text_form_shows_them() -> None:
    def program() -> None:
        token = pulumi.Config().require_secret("hfToken")
        k8s.core.v1.Secret("hf", metadata={"name": "hf", "namespace": "ml"}, string_data={"token": token})
        k8s.core.v1.Secret("plain", metadata={"name": "plain", "namespace": "ml"}, string_data={"token": CANARY})
        k8s.core.v1.ConfigMap("mixed", metadata={"name": "m"}, data={"a": token, "b": "public"})
        deployment("chat", {"token": token.apply(lambda text: f"Bearer {text}")})
        pulumi.export("token", token)
        pulumi.log.warn(f"careless {CANARY}")

    config = {"llm-serving:hfToken": CANARY}
    result = preview(program, config=config, config_secret_keys=["llm-serving:hfToken"])
    found = by_name(result)
    assert found["hf"].inputs["stringData"] == {"token": Secret(CANARY)}
    assert found["plain"].inputs["stringData"] == {"token": Secret(CANARY)}
    assert found["mixed"].inputs["data"] == {"a": Secret(CANARY), "b": "public"}
    assert found["chat"].inputs["metadata"]["annotations"] == {"token": Secret(f"Bearer {CANARY}")}
    assert result.outputs == {"token": Secret(CANARY)}
    assert [log.message for log in result.logs] == ["careless [secret]"]
    texts = [repr(result), str(result), "\n".join(tree(result.resources)), json.dumps(tree_json(result.resources))]
    assert not [text for text in texts if CANARY in text]
    assert "<secret>" in texts[-1]


def test_outputs_of_a_secret_stay_secret() -> None:
    def program() -> None:
        hf = k8s.core.v1.Secret("hf", metadata={"name": "hf"}, string_data={"token": CANARY})
        pulumi.export("copy", hf.string_data["token"])
        extra = k8s.core.v1.ConfigMap(
            "extra", data={"a": "b"}, opts=pulumi.ResourceOptions(additional_secret_outputs=["data"])
        )
        pulumi.export("extra", extra.data["a"])

    result = preview(program)
    assert result.outputs == {"copy": Secret(CANARY), "extra": Secret("b")}
    assert by_name(result)["extra"].additional_secret_outputs == ("data",)


def test_numbers_nulls_and_map_order() -> None:
    def program() -> None:
        data: Any = {"zulu": "z", "alpha": "a", "nothing": pulumi.Output.from_input(None), "mike": "m"}
        k8s.core.v1.ConfigMap("settings", metadata={"name": "s"}, data=data)
        deployment("chat", {}, replicas=3)
        k8s.apiextensions.CustomResource(
            "cr", api_version="x.io/v1", kind="Thing", metadata={"name": "t"}, spec={"share": 0.5, "on": True, "n": -2}
        )

    found = by_name(preview(program))
    assert list(found["settings"].inputs["data"].items()) == [
        ("alpha", "a"),
        ("mike", "m"),
        ("nothing", None),
        ("zulu", "z"),
    ]
    replicas = found["chat"].inputs["spec"]["replicas"]
    assert (replicas, type(replicas)) == (3, int)
    assert found["cr"].inputs["spec"] == {"n": -2, "on": True, "share": 0.5}
    assert type(found["cr"].inputs["spec"]["n"]) is int


def test_resource_options_are_reported() -> None:
    def program() -> None:
        namespace = k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        k8s.core.v1.PersistentVolumeClaim(
            "weights",
            metadata={"name": "weights", "namespace": "ml"},
            opts=pulumi.ResourceOptions(
                protect=True,
                retain_on_delete=True,
                delete_before_replace=True,
                ignore_changes=["spec.resources"],
                replace_on_changes=["spec.storageClassName"],
                custom_timeouts=pulumi.CustomTimeouts(create="25m"),
                depends_on=[namespace],
                aliases=[
                    pulumi.Alias(name="old"),
                    pulumi.Alias(type_="kubernetes:core/v1:Old"),
                    "urn:pulumi:a::b::c::d",
                ],
            ),
        )

    weights = by_name(preview(program))["weights"]
    assert weights.protect
    assert weights.retain_on_delete
    assert weights.delete_before_replace
    assert weights.ignore_changes == ("spec.resources",)
    assert weights.replace_on_changes == ("spec.storageClassName",)
    assert weights.custom_timeouts == {"create": "25m"}
    assert weights.dependencies == ("urn:pulumi:dev::llm-serving::kubernetes:core/v1:Namespace::ns",)
    assert weights.property_dependencies == {}
    prefix = "urn:pulumi:dev::llm-serving"
    assert weights.aliases == (
        f"{prefix}::kubernetes:core/v1:PersistentVolumeClaim::old",
        f"{prefix}::kubernetes:core/v1:Old::weights",
        "urn:pulumi:a::b::c::d",
    )


def test_a_resource_as_an_input_is_its_urn() -> None:
    def program() -> None:
        namespace = k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        Holder("holder", {"held": namespace})

    class Holder(pulumi.CustomResource):
        held: pulumi.Output[Any]

        def __init__(self, name: str, props: dict[str, Any]) -> None:
            super().__init__("test:index:Holder", name, props)

    found = by_name(preview(program))
    assert found["holder"].inputs == {"held": found["ns"].urn}


def test_config_is_only_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"llm-serving:leak": "yes"}))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("KUBECONFIG", "somewhere")
    seen: dict[str, Any] = {}

    def program() -> None:
        config = pulumi.Config()
        seen.update(leak=config.get("leak"), stack=config.require_object("stack"), name=pulumi.get_stack())
        seen.update(organization=pulumi.get_organization(), dry_run=pulumi.runtime.is_dry_run())
        aws.Provider("aws")
        k8s.Provider("k8s")

    config = {"llm-serving:stack": json.dumps({"models": ["a", 1]})}
    found = by_name(preview(program, config=config, organization="acme"))
    assert seen == {
        "leak": None,
        "stack": {"models": ["a", 1]},
        "name": "dev",
        "organization": "acme",
        "dry_run": True,
    }
    assert "region" not in found["aws"].inputs
    assert found["k8s"].inputs == {}
    assert os.environ["AWS_REGION"] == "eu-west-1"


def test_a_run_error_becomes_its_message() -> None:
    def program() -> None:
        k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        raise pulumi.RunError("Pulumi.dev.yaml:3:5: no such model")

    with pytest.raises(ProgramError) as caught:
        preview(program)
    assert str(caught.value) == "Pulumi.dev.yaml:3:5: no such model"


def test_sys_exit_does_not_end_this_process() -> None:
    with pytest.raises(ProgramError, match=r"sys.exit\(3\)"):
        preview(lambda: sys.exit(3))


def test_an_exception_of_the_program_comes_out_as_it_is() -> None:
    def program() -> None:
        Outer("chat")
        raise KeyError("modle")

    with pytest.raises(KeyError, match="modle"):
        preview(program)


@pytest.mark.parametrize("where", ["apply", "async", "input"])
def test_an_exception_in_asynchronous_work_surfaces_once(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(_: Any) -> str:
        raise ValueError("broken in the background")

    async def fail_later() -> str:
        await asyncio.sleep(0)
        raise ValueError("broken in the background")

    def program() -> None:
        namespace = k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        if where == "apply":
            pulumi.export("a", namespace.metadata.apply(fail))
        elif where == "async":
            pulumi.export("a", pulumi.Output.from_input(fail_later()))
        else:
            config = k8s.core.v1.ConfigMap("cm", data={"a": namespace.metadata.apply(fail)})
            k8s.core.v1.ConfigMap("after", data={"a": config.data["a"]})

    with pytest.raises(ValueError, match="broken in the background"):
        preview(program)
    gc.collect()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_an_error_in_a_task_that_nobody_awaits_is_not_swallowed() -> None:
    async def fail() -> None:
        raise ValueError("forgotten task")

    def program() -> None:
        asyncio.ensure_future(fail())  # noqa: RUF006 - the mistake that is tested
        k8s.core.v1.Namespace("ns", metadata={"name": "ml"})

    with pytest.raises(ValueError, match="forgotten task"):
        preview(program)


def test_a_duplicate_name_is_refused_with_its_urn() -> None:
    def program() -> None:
        k8s.core.v1.Namespace("ns", metadata={"name": "a"})
        k8s.core.v1.Namespace("ns", metadata={"name": "b"})

    with pytest.raises(ValueError, match=r"Duplicate resource URN '.*::ns'.*another name"):
        preview(program)


def test_async_programs_run_to_their_end() -> None:
    async def program() -> None:
        await asyncio.sleep(0)
        k8s.core.v1.Namespace("ns", metadata={"name": "ml"})

    def registering() -> None:
        async def main() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"answer": 42}

        pulumi.run(main)

    assert list(by_name(preview(program))) == ["ns"]
    assert preview(registering).outputs == {"answer": 42}


def many_components() -> None:
    for index in range(20):
        outer = Outer(f"chat-{index}")
        role = aws.iam.Role(f"role-{index}", assume_role_policy="{}")
        k8s.core.v1.ConfigMap(
            f"cm-{index}",
            metadata={
                "name": f"cm-{index}",
                "annotations": {"arn": role.arn, "svc": outer.inner.service.metadata["name"]},
            },
            data={key: key for key in "zyxwvut"},
        )
        pulumi.log.info(f"made {index}", resource=role)


def test_twenty_components_are_the_same_bytes_in_each_of_three_runs() -> None:
    texts = set()
    for _ in range(3):
        result = preview(many_components)
        assert len(result.resources) == 100
        texts.add(
            json.dumps([tree(result.resources), tree_json(result.resources), urns(result.resources), repr(result)])
        )
    assert len(texts) == 1


def test_registration_order_does_not_matter() -> None:
    def program(names: list[str]) -> Callable[[], None]:
        def register() -> None:
            for name in names:
                Outer(name)

        return register

    forwards, backwards = preview(program(["a", "b", "c"])), preview(program(["c", "b", "a"]))
    assert forwards == backwards
    assert tree(forwards.resources) == tree(backwards.resources)


def test_runs_leave_no_trace_in_the_process() -> None:
    from pulumi.runtime import settings

    def state() -> tuple[Any, ...]:
        seen: list[Any] = []

        def look() -> None:
            held = settings.SETTINGS
            seen.append((held.monitor, held.engine, held.dry_run, settings.ROOT.get()))

        thread = threading.Thread(target=contextvars.Context().run, args=(look,))
        thread.start()
        thread.join()
        look()
        return (
            *seen,
            pulumi.runtime.get_config("llm-serving:a"),
            gc.get_threshold(),
            gc.get_freeze_count(),
            os.getcwd(),
        )

    before = state()
    threads = threading.active_count()
    preview(many_components, config={"llm-serving:a": "b"})
    with pytest.raises(ProgramError):
        preview(lambda: sys.exit(1))
    assert state() == before
    assert threading.active_count() == threads


def test_a_main_file_runs_in_its_folder_and_finds_its_modules(tmp_path: Path) -> None:
    def project(name: str, made: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "made_here.py").write_text(f"NAME = {made!r}\n")
        (folder / "note.txt").write_text("read from the working directory")
        (folder / "__main__.py").write_text(
            textwrap.dedent(
                """
                import pathlib
                import pulumi, pulumi_kubernetes as k8s
                from made_here import NAME

                assert __name__ == "__main__"
                namespace = k8s.core.v1.Namespace(NAME, metadata={"name": NAME})
                pulumi.export("note", pathlib.Path("note.txt").read_text())
                pulumi.export("later", namespace.metadata["name"].apply(lambda name: f"{name} {NAME}"))
                """
            )
        )
        return folder

    paths = list(sys.path)
    first = preview(project("one", "first") / "__main__.py")
    second = preview(project("two", "second"))
    assert list(by_name(first)) == ["first"]
    assert first.outputs == {"later": "first first", "note": "read from the working directory"}
    assert second.outputs["later"] == "second second"
    assert sys.path == paths
    assert "made_here" not in sys.modules


def test_logs_above_debug_are_kept_with_their_resource() -> None:
    def program() -> None:
        namespace = k8s.core.v1.Namespace("ns", metadata={"name": "ml"})
        pulumi.log.error("late", resource=namespace)
        pulumi.log.info("first")
        pulumi.log.debug("never shown")

    assert [tuple(log) for log in preview(program).logs] == [
        ("info", "first", ""),
        ("error", "late", "urn:pulumi:dev::llm-serving::kubernetes:core/v1:Namespace::ns"),
    ]


def test_an_error_that_quotes_its_inputs_does_not_quote_a_secret() -> None:
    def fail(_: Any) -> str:
        raise ValueError(f"can't use {CANARY}")

    def program() -> None:
        token = pulumi.Config().require_secret("hfToken")
        k8s.core.v1.ConfigMap("cm", data={"plain": CANARY, "a": token.apply(fail)})

    with pytest.raises(ValueError, match=r"can't use \[secret\]") as caught:
        preview(program, config={"llm-serving:hfToken": CANARY}, config_secret_keys=["llm-serving:hfToken"])
    cause: BaseException | None = caught.value
    while cause is not None:
        assert CANARY not in str(cause)
        cause = cause.__cause__ or cause.__context__
