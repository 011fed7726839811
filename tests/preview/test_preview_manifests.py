"""Files for kubectl and helm, rendered from what real programs register."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest
import yaml

from preview.charts import helm_command
from preview.folder import MARKER, OutputFolderError
from preview.kinds import kind_rank
from preview.manifests import Incomplete, RenderError, RenderResult, render
from preview.registered import Registered
from preview.run import run
from preview.values import Secret

CANARY = "hf_canary_0123456789"
MINORS = ("1.35", "1.36", "1.37")


def resources_of(program: Any, **arguments: Any) -> tuple[Registered, ...]:
    given: dict[str, Any] = {"project": "llm-serving", "stack": "dev", "config": {}, **arguments}
    return run(program, **given).resources


def serving() -> None:
    """One of each kind that a model needs, registered in an order that kubectl must not follow."""
    labels = {"app.kubernetes.io/name": "chat"}
    named: Any = {"name": "chat", "namespace": "ml", "labels": labels}
    k8s.apps.v1.Deployment(
        "chat",
        metadata={**named, "annotations": {"pulumi.com/timeoutSeconds": "1800"}},
        spec={
            "replicas": 2,
            "selector": {"match_labels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "image": "vllm/vllm-openai:v0.33.0",
                            "args": ["--max-model-len", "8192"],
                            "env": [{"name": "OFF", "value": "off"}, {"name": "ONE", "value": "1"}],
                            "ports": [{"name": "http", "container_port": 8000}],
                            "resources": {"limits": {"nvidia.com/gpu": "4"}},
                        }
                    ]
                },
            },
        },
    )
    k8s.core.v1.Service(
        "chat", metadata=named, spec={"selector": labels, "ports": [{"port": 80, "target_port": "http"}]}
    )
    k8s.batch.v1.Job(
        "fetch",
        metadata={"name": "fetch", "namespace": "ml"},
        spec={
            "template": {"spec": {"restart_policy": "Never", "containers": [{"name": "fetch", "image": "python:3.13"}]}}
        },
    )
    k8s.policy.v1.PodDisruptionBudget(
        "chat", metadata=named, spec={"max_unavailable": 1, "selector": {"match_labels": labels}}
    )
    k8s.networking.v1.NetworkPolicy("chat", metadata=named, spec={"pod_selector": {}, "policy_types": ["Ingress"]})
    k8s.core.v1.PersistentVolumeClaim(
        "weights",
        metadata={"name": "weights", "namespace": "ml"},
        spec={"access_modes": ["ReadWriteMany"], "resources": {"requests": {"storage": "500Gi"}}},
    )
    k8s.storage.v1.StorageClass("efs", metadata={"name": "efs"}, provisioner="efs.csi.aws.com")
    k8s.core.v1.ConfigMap(
        "scripts",
        metadata={"name": "scripts", "namespace": "ml"},
        data={"run.sh": "#!/bin/sh\nset -eu\n", "size": "1e3"},
    )
    k8s.core.v1.ServiceAccount("chat", metadata=named)
    k8s.core.v1.Namespace("ml", metadata={"name": "ml"})
    k8s.apiextensions.CustomResource(
        "monitor",
        api_version="monitoring.coreos.com/v1",
        kind="PodMonitor",
        metadata={"name": "chat", "namespace": "ml"},
        spec={"selector": {"matchLabels": labels}},
    )


ORDER = [
    "manifests/01-namespace-ml.yaml",
    "manifests/03-networkpolicy-ml-chat.yaml",
    "manifests/03-poddisruptionbudget-ml-chat.yaml",
    "manifests/04-serviceaccount-ml-chat.yaml",
    "manifests/06-configmap-ml-scripts.yaml",
    "manifests/07-storageclass-efs.yaml",
    "manifests/09-persistentvolumeclaim-ml-weights.yaml",
    "manifests/12-service-ml-chat.yaml",
    "manifests/13-job-ml-fetch.yaml",
    "manifests/16-deployment-ml-chat.yaml",
    "manifests/22-podmonitor.monitoring.coreos.com-ml-chat.yaml",
]


@pytest.fixture(scope="module")
def objects() -> tuple[Registered, ...]:
    return resources_of(serving)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def test_one_file_an_object_in_the_order_of_creation(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    result = render(objects, tmp_path / "out")
    assert list(result.files) == ORDER
    assert result == RenderResult(tuple(ORDER), (), (), (), (), 0)
    ranks = [kind_rank(load(tmp_path / "out" / file)["kind"]) for file in result.files]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("minor", MINORS)
def test_every_object_is_valid_in_the_three_newest_minors(
    minor: str, objects: tuple[Registered, ...], tmp_path: Path
) -> None:
    checked = 0
    for file in render(objects, tmp_path / "out").files:
        if "podmonitor" not in file:
            kubernetes_validate.validate(load(tmp_path / "out" / file), minor, strict=True)
            checked += 1
    assert checked == 10


def test_files_hold_what_the_program_registered(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    render(objects, tmp_path / "out")
    for file, resource in zip(ORDER, sorted(objects, key=lambda item: _place(item)), strict=True):
        assert load(tmp_path / "out" / file) == resource.inputs
    text = (tmp_path / "out" / ORDER[4]).read_text()
    assert text == (
        "# urn:pulumi:dev::llm-serving::kubernetes:core/v1:ConfigMap::scripts\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: scripts\n  namespace: ml\n"
        "data:\n  run.sh: |\n    #!/bin/sh\n    set -eu\n  size: '1e3'\n"
    )


def _place(resource: Registered) -> tuple[int, str]:
    return (kind_rank(resource.inputs["kind"]), resource.inputs["kind"])


def test_kubectl_reads_every_file_in_this_order(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on PATH")
    render(objects, tmp_path / "out")
    # `apply` and `create --dry-run=client` ask a server for its kinds; `annotate --local` only reads the files.
    command = [kubectl, "annotate", "--local", "-R", "-f", str(tmp_path / "out/manifests"), "checked=yes", "-o", "name"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout.split() == [
        "namespace/ml",
        "networkpolicy.networking.k8s.io/chat",
        "poddisruptionbudget.policy/chat",
        "serviceaccount/chat",
        "configmap/scripts",
        "storageclass.storage.k8s.io/efs",
        "persistentvolumeclaim/weights",
        "service/chat",
        "job.batch/fetch",
        "deployment.apps/chat",
        "podmonitor.monitoring.coreos.com/chat",
    ]


def incomplete_program() -> None:
    token = pulumi.Config().require_secret("hfToken")
    role = aws.iam.Role("role", assume_role_policy="{}")
    ml: Any = {"namespace": "ml"}
    unset: Any = pulumi.Output.from_input(None)
    k8s.core.v1.ServiceAccount(
        "sa", metadata={**ml, "name": "sa", "annotations": {"eks.amazonaws.com/role-arn": role.arn}}
    )
    k8s.core.v1.Secret("hf", metadata={**ml, "name": "hf"}, string_data={"token": token})
    k8s.core.v1.Secret("plain", metadata={**ml, "name": "plain"}, string_data={"token": CANARY})
    k8s.core.v1.ConfigMap("auto", metadata=ml, data={"a": "b"})
    k8s.core.v1.ConfigMap("null", metadata={**ml, "name": "null"}, data={"gone": unset})
    k8s.core.v1.Service("fine", metadata={**ml, "name": "fine"}, spec={"cluster_ip": unset})
    k8s.core.v1.Namespace.get("read", "ml")


@pytest.fixture(scope="module")
def incomplete() -> tuple[Registered, ...]:
    return resources_of(
        incomplete_program, config={"llm-serving:hfToken": CANARY}, config_secret_keys=["llm-serving:hfToken"]
    )


def test_what_cannot_be_applied_is_reported_with_its_property_path(
    incomplete: tuple[Registered, ...], tmp_path: Path
) -> None:
    result = render(incomplete, tmp_path / "out")
    unknown = 'metadata.annotations["eks.amazonaws.com/role-arn"]'
    assert result.incomplete == (
        Incomplete("incomplete/04-serviceaccount-ml-sa.yaml", unknown, "known only after the deployment"),
        Incomplete("incomplete/05-secret-ml-hf.yaml", "stringData.token", "secret"),
        Incomplete("incomplete/05-secret-ml-plain.yaml", "stringData.token", "secret"),
        Incomplete("incomplete/06-configmap-ml-auto.yaml", "metadata.name", "Pulumi generates the name; set one"),
        Incomplete("incomplete/06-configmap-ml-null.yaml", "data.gone", "null in a map of strings"),
    )
    assert result.exit_code == 1
    assert result.dropped == (("manifests/12-service-ml-fine.yaml", "spec.clusterIP"),)
    prefix = "urn:pulumi:dev::llm-serving"
    assert result.not_rendered == (
        (f"{prefix}::aws:iam/role:Role::role", "not a Kubernetes object"),
        (f"{prefix}::kubernetes:core/v1:Namespace::read", "read, not created"),
    )
    allowed = render(incomplete, tmp_path / "allowed", allow_unknown=True)
    assert allowed.exit_code == 0
    assert allowed.incomplete == result.incomplete
    assert contents(tmp_path / "allowed") == contents(tmp_path / "out")


def test_an_incomplete_file_is_no_object_and_shows_no_secret(
    incomplete: tuple[Registered, ...], tmp_path: Path
) -> None:
    result = render(incomplete, tmp_path / "out")
    for file, _, _ in result.incomplete:
        assert set(load(tmp_path / "out" / file)) == {"incomplete", "object"}
    account = load(tmp_path / "out/incomplete/04-serviceaccount-ml-sa.yaml")
    assert account["object"]["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "<computed>"}
    assert load(tmp_path / "out/incomplete/05-secret-ml-hf.yaml")["object"]["stringData"] == {"token": "<secret>"}
    assert not [name for name, data in contents(tmp_path / "out").items() if CANARY.encode() in data]
    assert CANARY not in repr(result)


def test_kubectl_refuses_an_incomplete_file(incomplete: tuple[Registered, ...], tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on PATH")
    render(incomplete, tmp_path / "out")
    command = [
        kubectl,
        "annotate",
        "--local",
        "-R",
        "-f",
        str(tmp_path / "out/incomplete"),
        "checked=yes",
        "-o",
        "name",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("Object 'Kind' is missing") == 5


def test_a_null_in_a_label_selector_means_unset() -> None:
    def program() -> None:
        spec: Any = {
            "selector": {"match_labels": {"a": "b"}, "match_expressions": pulumi.Output.from_input(None)},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}},
        }
        k8s.apps.v1.Deployment("d", metadata={"name": "d"}, spec=spec)

    from preview.manifests import _null_gaps

    (deployment,) = resources_of(program)
    assert deployment.inputs["spec"]["selector"] == {"matchExpressions": None, "matchLabels": {"a": "b"}}
    assert _null_gaps(deployment.inputs, "", False) == []


def test_nothing_depends_on_the_order_of_the_resources(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    first = render(objects, tmp_path / "a")
    assert render(tuple(reversed(objects)), tmp_path / "b") == first
    assert render(resources_of(serving), tmp_path / "c") == first
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


def test_two_resources_for_one_object_are_refused(tmp_path: Path) -> None:
    def program() -> None:
        k8s.core.v1.Namespace("a", metadata={"name": "ml"})
        k8s.core.v1.Namespace("b", metadata={"name": "ml"})

    with pytest.raises(RenderError, match=r"Namespace::b and .*Namespace::a make the same object"):
        render(resources_of(program), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_same_kind_and_name_in_two_custom_groups_are_two_files(tmp_path: Path) -> None:
    def program() -> None:
        for group in ("serving.knative.dev/v1", "example.com/v1"):
            metadata = {"name": "x", "namespace": "ml"}
            k8s.apiextensions.CustomResource(group, api_version=group, kind="Route", metadata=metadata)

    assert render(resources_of(program), tmp_path / "out").files == (
        "manifests/22-route.example.com-ml-x.yaml",
        "manifests/22-route.serving.knative.dev-ml-x.yaml",
    )


def test_kinds_come_from_the_type_token_when_the_inputs_lack_them(tmp_path: Path) -> None:
    resource = Registered(
        urn="urn:pulumi:s::p::kubernetes:core/v1:Service::x",
        type="kubernetes:core/v1:Service",
        name="x",
        custom=True,
        remote=False,
        parent="",
        inputs={"metadata": {"name": "x"}},
    )
    render([resource], tmp_path / "out")
    assert load(tmp_path / "out/manifests/12-service-x.yaml") == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
    }


def charts() -> None:
    k8s.helm.v3.Release(
        "device-plugin",
        name="nvdp",
        chart="nvidia-device-plugin",
        version="0.19.0",
        namespace="nvidia",
        repository_opts={
            "repo": "https://nvidia.github.io/k8s-device-plugin",
            "password": pulumi.Output.secret(CANARY),
        },
        skip_crds=True,
        timeout=600,
        lint=True,
        values={"gfd": {"enabled": True}, "drop": None, "config": {"map": {"default": "version: v1\n"}}},
    )
    k8s.helm.v3.Release(
        "kserve", name="kserve", chart="oci://ghcr.io/kserve/charts/kserve", version="v0.21.0", skip_await=True
    )
    role = aws.iam.Role("role", assume_role_policy="{}")
    k8s.helm.v3.Release("lbc", name="lbc", chart="lbc", namespace="kube-system", values={"arn": [role.arn]})
    k8s.helm.v3.Release("nameless", chart="c", namespace="ns")


def test_a_release_becomes_values_and_the_helm_command(tmp_path: Path) -> None:
    resources = resources_of(charts)
    result = render(resources, tmp_path / "out")
    assert result.charts == ("charts/kserve", "charts/nvdp")
    assert result.files == (
        "charts/kserve/install.sh",
        "charts/kserve/values.yaml",
        "charts/nvdp/install.sh",
        "charts/nvdp/values.yaml",
        "incomplete/charts-lbc.yaml",
        "incomplete/charts-nameless.yaml",
    )
    assert result.incomplete == (
        Incomplete("incomplete/charts-lbc.yaml", "values.arn[0]", "known only after the deployment"),
        Incomplete("incomplete/charts-nameless.yaml", "name", "Pulumi generates the name; set one"),
    )
    assert (tmp_path / "out/charts/nvdp/install.sh").read_text() == (
        "#!/bin/sh\n"
        "# urn:pulumi:dev::llm-serving::kubernetes:helm.sh/v3:Release::device-plugin\n"
        "# no helm option for: lint\n"
        "set -eu\n"
        'cd "$(dirname "$0")"\n'
        "exec helm upgrade --install nvdp nvidia-device-plugin"
        " --repo https://nvidia.github.io/k8s-device-plugin --version 0.19.0"
        " --namespace nvidia --create-namespace -f values.yaml --wait --timeout 600s --skip-crds"
        ' --password "$HELM_REPO_PASSWORD"\n'
    )
    assert (tmp_path / "out/charts/nvdp/values.yaml").read_text() == (
        "config:\n  map:\n    default: |\n      version: v1\ndrop: null\ngfd:\n  enabled: true\n"
    )
    assert helm_command(next(resource for resource in resources if resource.name == "kserve")) == shlex.split(
        "helm upgrade --install kserve oci://ghcr.io/kserve/charts/kserve --version v0.21.0"
        " --namespace default --create-namespace -f values.yaml"
    )
    assert not [name for name, data in contents(tmp_path / "out").items() if CANARY.encode() in data]


def test_the_install_script_runs_helm_beside_its_values(tmp_path: Path) -> None:
    render(resources_of(charts), tmp_path / "out", allow_unknown=True)
    fake = tmp_path / "bin/helm"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\npwd\nfor argument in "$@"; do echo "$argument"; done\n')
    fake.chmod(0o755)
    script = tmp_path / "out/charts/nvdp/install.sh"
    environment = {"PATH": f"{fake.parent}:{os.environ['PATH']}", "HELM_REPO_PASSWORD": "a b"}
    done = subprocess.run([str(script)], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert Path(lines[0]).resolve() == script.parent.resolve()
    assert lines[1:5] == ["upgrade", "--install", "nvdp", "nvidia-device-plugin"]
    assert lines[-2:] == ["--password", "a b"]


def test_releases_of_one_name_in_two_namespaces_have_two_folders(tmp_path: Path) -> None:
    def program() -> None:
        for namespace in ("a", "b"):
            k8s.helm.v3.Release(namespace, name="redis", chart="redis", namespace=namespace)

    assert render(resources_of(program), tmp_path / "out").charts == ("charts/a-redis", "charts/b-redis")


def test_a_secret_among_the_values_keeps_a_chart_from_being_written(tmp_path: Path) -> None:
    def program() -> None:
        k8s.helm.v3.Release("r", name="r", chart="c", values={"token": pulumi.Output.secret(CANARY)})

    (release,) = resources_of(program)
    assert release.inputs["values"] == {"token": Secret(CANARY)}
    result = render([release], tmp_path / "out")
    assert result.incomplete == (Incomplete("incomplete/charts-r.yaml", "values.token", "secret"),)
    assert CANARY not in (tmp_path / "out/incomplete/charts-r.yaml").read_text()


def test_patches_and_remote_components_are_named_as_not_rendered(tmp_path: Path) -> None:
    def program() -> None:
        k8s.core.v1.ServiceAccountPatch("patch", metadata={"name": "default", "namespace": "ml"})
        k8s.helm.v4.Chart("chart", chart="c")

    prefix = "urn:pulumi:dev::llm-serving"
    result = render(resources_of(program), tmp_path / "out")
    assert result.files == ()
    assert result.not_rendered == (
        (f"{prefix}::kubernetes:core/v1:ServiceAccountPatch::patch", "changes an object that something else owns"),
        (f"{prefix}::kubernetes:helm.sh/v4:Chart::chart", "its children are made by its provider"),
    )


def test_a_render_replaces_an_earlier_one_and_nothing_else(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(resources_of(charts), out)
    (out / "notes.txt").write_text("mine")
    (out / "charts/mine.yaml").write_text("mine too")
    render(objects, out)
    names = {name for name in contents(out) if name != MARKER}
    assert names == {*ORDER, "notes.txt", "charts/mine.yaml"}
    assert not (out / "charts/nvdp").exists()
    before = contents(out)
    render(objects, out)
    assert contents(out) == before


def test_a_folder_of_somebody_else_is_left_alone(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("mine")
    with pytest.raises(OutputFolderError, match="not empty and no render wrote it"):
        render(objects, tmp_path / "out")
    assert contents(tmp_path / "out") == {"precious.txt": b"mine"}
    with pytest.raises(OutputFolderError, match="is a file"):
        render(objects, tmp_path / "out/precious.txt")


def test_a_foreign_file_in_the_way_stops_the_render(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    render([], out)
    (out / "manifests").mkdir()
    (out / ORDER[0]).write_text("mine")
    with pytest.raises(OutputFolderError, match=r"01-namespace-ml.yaml is in the way"):
        render(objects, out)
    assert contents(out)[ORDER[0]] == b"mine"
    assert len(contents(out)) == 2


def test_a_marker_that_points_outside_deletes_nothing(objects: tuple[Registered, ...], tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    out = tmp_path / "out"
    render([], out)
    (out / MARKER).write_text("../precious.txt\n")
    with pytest.raises(OutputFolderError, match="outside the folder"):
        render(objects, out)
    assert (tmp_path / "precious.txt").read_text() == "mine"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("mine")
    (out / MARKER).write_text("link/precious.txt\n")
    (out / "link").symlink_to(elsewhere)
    render(objects, out)
    assert (elsewhere / "precious.txt").read_text() == "mine"


def test_results_are_ready_for_json(incomplete: tuple[Registered, ...], tmp_path: Path) -> None:
    result = render(incomplete, tmp_path / "out")
    assert json.loads(json.dumps(result.incomplete))[0][0] == "incomplete/04-serviceaccount-ml-sa.yaml"
