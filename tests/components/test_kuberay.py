"""What ModelRayService and RayModelCluster register, and the pods that the KubeRay operator makes of it."""

from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.options import options
from components.kuberay import ModelRayService, RayArgs, RayModelCluster
from components.pods import pod_template
from components.ray_cluster_spec import ray_service_spec
from components.ray_engine import RAY_DECIDES
from components.resolved import Workload
from components.resolved_ray import members
from components.spec import GIB, to_bytes
from preview.registered import Registered
from preview.run import Run, run
from tests import crds, kuberay
from tests.components.test_model_deployment import DNS, INTERNET, LABELS, METADATA, SELECTOR
from tests.preflight.case import stack
from tests.preflight.cases_ray import REDIS, SCALING, STEPS, more, ray

ALL = {"llm-serving/ray-cluster": "chat"}


def models(patch: dict[str, Any] | None = None, **chat: Any) -> tuple[Workload, ...]:
    found = stack(ray(patch, **chat)).workloads
    return members(found["chat"], found)


def deployed(given: tuple[Workload, ...], **args: Any) -> Run:
    component = ModelRayService if given[0].kind == "RayService" else RayModelCluster

    def program() -> None:
        component("chat", RayArgs(models=given, operator_namespace="kuberay-system", **args))

    return run(program, project="llm-serving", stack="test", config={})


def url(given: tuple[Workload, ...]) -> str:
    component = ModelRayService if given[0].kind == "RayService" else RayModelCluster

    def program() -> None:
        pulumi.export("url", component("chat", RayArgs(models=given, operator_namespace="kuberay-system")).url)

    return run(program, project="llm-serving", stack="test", config={}).outputs["url"]


def named(result: Run, kind: str, name: str = "chat") -> Registered:
    return next(one for one in result.resources if one.type.endswith(f":{kind}") and one.name == name)


def service(given: tuple[Workload, ...]) -> dict[str, Any]:
    return named(deployed(given), "RayService").inputs


def serve(given: tuple[Workload, ...]) -> dict[str, Any]:
    return yaml.safe_load(ray_service_spec(given)["serveConfigV2"])


def llm(given: tuple[Workload, ...], index: int = 0) -> dict[str, Any]:
    return serve(given)["applications"][0]["args"]["llm_configs"][index]


CLUSTER: dict[str, Any] = {"kind": "RayCluster", "ray": {"version": "2.60.0", "upgradeStrategy": "Recreate"}}
SHAPES = {
    "one": ray(),
    "spanning": ray(replicas=1, engine={"tensorParallelSize": 8, "pipelineParallelSize": 2}),
    "scaled": ray(autoscaling=SCALING, ray={"version": "2.60.0", "redis": REDIS}),
    "stepwise": ray(autoscaling=SCALING, ray=STEPS),
    "several": ray(more()),
    "other port": ray(servicePort=80, metrics="podMonitor"),
    "cluster": ray(**CLUSTER),
    "downloading": ray({"models": {"llama": {"volume": None}}}),
}


def shape(name: str) -> tuple[Workload, ...]:
    found = stack(SHAPES[name]).workloads
    return members(found["chat"], found)


every_shape = pytest.mark.parametrize("name", SHAPES)


@every_shape
def test_the_resource_holds_against_its_strict_schema(name: str) -> None:
    result = deployed(shape(name))
    (found,) = [one for one in result.resources if one.type.rpartition(":")[2] in ("RayService", "RayCluster")]
    assert crds.errors({**found.inputs}) == []


@every_shape
def test_the_operator_accepts_the_cluster(name: str) -> None:
    assert kuberay.refusals(expanded(shape(name))) == []


def expanded(given: tuple[Workload, ...]) -> dict[str, Any]:
    """The RayCluster that the operator sees."""
    result = deployed(given)
    if given[0].kind == "RayCluster":
        return named(result, "RayCluster").inputs
    return kuberay.cluster_of(named(result, "RayService").inputs)


@every_shape
def test_every_pod_with_what_the_operator_adds_is_fit_for_restricted(name: str) -> None:
    cluster = expanded(shape(name))
    pods = kuberay.pods(cluster)
    assert any(pod["spec"].get("initContainers") for pod in pods)
    assert (len(pods[0]["spec"]["containers"]) == 2) == bool(cluster["spec"]["enableInTreeAutoscaling"])
    for pod in pods:
        assert unrestricted(pod) == []


def unrestricted(pod: dict[str, Any]) -> list[str]:
    """What Pod Security "restricted" refuses (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted)."""
    spec, whole = pod["spec"], pod["spec"].get("securityContext", {})
    found = []
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        own = container.get("securityContext", {})
        rules = {
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"],
            "runAsNonRoot": own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", whole.get("runAsUser")) != 0,
            "seccomp": own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") == "RuntimeDefault",
            # Not part of "restricted", but every container of ours has it.
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        }
        found += [f"{container['name']}: {rule}" for rule, held in rules.items() if not held]
    return found + [
        one["name"] for one in spec["volumes"] if not {"emptyDir", "persistentVolumeClaim", "configMap"} & one.keys()
    ]


def test_the_restricted_check_finds_what_the_operator_adds_without_a_security_context() -> None:
    cluster = expanded(shape("scaled"))
    del cluster["spec"]["autoscalerOptions"]["securityContext"]
    del cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["securityContext"]
    head, *workers = kuberay.pods(cluster)
    assert "autoscaler: capabilities" in unrestricted(head)
    assert "wait-gcs-ready: allowPrivilegeEscalation" in unrestricted(workers[0])


@every_shape
def test_every_emptydir_has_a_limit_and_every_mount_a_volume(name: str) -> None:
    for pod in kuberay.pods(expanded(shape(name))):
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        assert all("sizeLimit" in one["emptyDir"] for one in volumes.values() if "emptyDir" in one)
        for container in pod["spec"]["containers"]:
            assert {one["name"] for one in container["volumeMounts"]} <= volumes.keys()


def test_the_head_has_no_gpu_and_no_replicas() -> None:
    head = kuberay.head(expanded(shape("one")))
    (container,) = head["spec"]["containers"]
    assert set(container["resources"]["limits"]) == {"memory", "ephemeral-storage"}
    assert "--num-gpus=0" in container["args"][0]
    assert "--num-cpus=0" in container["args"][0]
    assert head["spec"]["automountServiceAccountToken"] is False


def test_with_autoscaling_only_the_head_gets_a_token_of_the_kubernetes_api() -> None:
    head, *workers = kuberay.pods(expanded(shape("scaled")))
    assert head["spec"]["automountServiceAccountToken"] is True
    assert {one["spec"]["automountServiceAccountToken"] for one in workers} == {False}
    assert {one["spec"]["restartPolicy"] for one in [head, *workers]} == {"Never"}


def test_a_worker_is_the_engines_pod_with_rays_container() -> None:
    (given,) = shape("one")
    own, worker = pod_template(given)["spec"], next(kuberay.workers(expanded((given,))))["spec"]
    same = ("nodeSelector", "tolerations", "serviceAccountName", "volumes", "terminationGracePeriodSeconds")
    assert {key: worker[key] for key in same} == {key: own[key] for key in same}
    (theirs,), (ours,) = own["containers"], worker["containers"]
    assert ours["resources"] == theirs["resources"]
    assert ours["volumeMounts"] == theirs["volumeMounts"]
    assert ours["image"] == "rayproject/ray-llm:2.60.0-py312-cu130"
    # The engine has no shutdown of its own here: its time comes before SIGTERM.
    assert ours["lifecycle"] == {"preStop": {"sleep": {"seconds": 60}}}
    assert "vllm" not in ours["args"][0]


def test_the_object_store_is_a_part_of_dev_shm_and_of_the_memory() -> None:
    (given,), (more_of_it,) = models(), models(objectStoreMemory="8Gi")
    assert more_of_it.resources.shm - given.resources.shm == 4 * GIB
    assert more_of_it.resources.memory - given.resources.memory == 4 * GIB
    worker = next(kuberay.workers(expanded((more_of_it,))))["spec"]
    assert f"--object-store-memory={8 * GIB}" in worker["containers"][0]["args"][0]


def test_the_serve_configuration_has_the_model_where_the_pods_mount_it() -> None:
    seconds = str(shape("spanning")[0].startup.budget)
    assert serve(shape("spanning")) == {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": 8000},
        "applications": [
            {
                "name": "llm",
                "route_prefix": "/",
                "import_path": "ray.serve.llm:build_openai_app",
                "args": {
                    "llm_configs": [
                        {
                            "model_loading_config": {"model_id": "llama", "model_source": "/models/llama/0123456789ab"},
                            "llm_engine": "vLLM",
                            "engine_kwargs": {
                                "tensor_parallel_size": 8,
                                "pipeline_parallel_size": 2,
                                "max_model_len": 8192,
                            },
                            "accelerator_type": "H100",
                            "placement_group_config": {"bundle_per_worker": {"GPU": 1}, "strategy": "PACK"},
                            "runtime_env": {
                                "env_vars": {
                                    "RAYLLM_ENGINE_START_TIMEOUT_S": seconds,
                                    "VLLM_ENGINE_READY_TIMEOUT_S": seconds,
                                }
                            },
                            "deployment_config": {"num_replicas": 1, "graceful_shutdown_timeout_s": 45},
                        }
                    ],
                    "ingress_deployment_config": {"num_replicas": 2, "max_replicas_per_node": 1},
                },
            }
        ],
    }


def test_a_copy_inside_one_pod_stays_there() -> None:
    assert llm(shape("one"))["placement_group_config"]["strategy"] == "STRICT_PACK"


def test_autoscaling_is_rays_and_serves_own() -> None:
    given = models(autoscaling={**SCALING, "upscaleDelaySeconds": 10}, maxOngoingRequests=64)
    assert llm(given)["deployment_config"] == {
        "autoscaling_config": {
            "min_replicas": 2,
            "initial_replicas": 2,
            "max_replicas": 4,
            "target_ongoing_requests": 32,
            "upscale_delay_s": 10,
        },
        "max_ongoing_requests": 64,
        "graceful_shutdown_timeout_s": 45,
    }
    spec = ray_service_spec(given)["rayClusterConfig"]
    (group,) = spec["workerGroupSpecs"]
    assert [group[key] for key in ("replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds")] == [2, 2, 4, 300]
    assert spec["autoscalerOptions"]["version"] == "v2"


def test_models_of_one_service_keep_to_their_own_worker_groups() -> None:
    given = shape("several")
    assert [llm(given, index)["model_loading_config"]["model_id"] for index in (0, 1)] == ["llama", "other"]
    groups = {
        one["groupName"]: one["resources"] for one in ray_service_spec(given)["rayClusterConfig"]["workerGroupSpecs"]
    }
    for index, name in enumerate(("chat", "more")):
        (custom,) = llm(given, index)["placement_group_config"]["bundle_per_worker"].keys() - {"GPU"}
        assert custom in groups[name]
        assert all(custom not in resources for other, resources in groups.items() if other != name)
    # One ingress replica, and with it a proxy, on each of the three worker pods.
    assert serve(given)["applications"][0]["args"]["ingress_deployment_config"]["num_replicas"] == 3


def test_no_resource_of_rays_is_taken_for_gpus() -> None:
    """KubeRay takes every name that ends in gpu for num-gpus (ray-operator/controllers/ray/utils/resources.go)."""
    workloads = stack(ray(more("on-gpu"))).workloads
    spec = ray_service_spec(members(workloads["chat"], workloads))["rayClusterConfig"]
    names = {key for group in spec["workerGroupSpecs"] for key in group["resources"]}
    assert {one for one in names if one.lower().endswith("gpu")} == {"GPU"}
    assert any("on-gpu" in one for one in names)


def test_the_configuration_survives_its_own_yaml() -> None:
    template = 'quotes " and: colons, #no comment\n{% for one in messages %}é{% endfor %}\n'
    kwargs = {"hf_overrides": {"a": "yes", "b": "1e3", "c": [None, True]}}
    given = models(engine={"chatTemplate": template}, engineKwargs=kwargs)
    arguments = llm(given)["engine_kwargs"]
    assert arguments["hf_overrides"] == kwargs["hf_overrides"]
    # The template's text is a file in the pod.
    assert arguments["chat_template"] == "/etc/llm-serving/chat-template.jinja"
    config_map = next(one for one in deployed(given).resources if one.type.endswith(":ConfigMap"))
    assert config_map.inputs["data"] == {"chat-template.jinja": template}
    assert {"name": "files", "configMap": {"name": config_map.inputs["metadata"]["name"]}} in next(
        kuberay.workers(expanded(given))
    )["spec"]["volumes"]


ENGINE = {
    "gpuMemoryUtilization": 0.9,
    "enablePrefixCaching": False,
    "kvCacheDtype": "fp8",
    "compilationConfig": {"cudagraphMode": "NONE"},
    "speculativeConfig": {"method": "ngram", "numSpeculativeTokens": 3},
    "limitMmPerPrompt": {"image": 0},
}


def test_typed_options_become_engine_arguments_of_that_vllm_release() -> None:
    arguments = llm(models(engine=ENGINE))["engine_kwargs"]
    table = options("vllm", "0.29.0")
    assert {f"--{name.replace('_', '-')}" for name in arguments} <= table.keys()
    assert arguments["enable_prefix_caching"] is False
    assert arguments["gpu_memory_utilization"] == 0.9
    assert arguments["compilation_config"] == {"cudagraph_mode": "NONE"}
    assert arguments["speculative_config"] == {"method": "ngram", "num_speculative_tokens": 3}
    assert not arguments.keys() & (RAY_DECIDES.keys() - {"tensor_parallel_size", "pipeline_parallel_size", "revision"})


@pytest.mark.parametrize("change", [{"enforceEager": True}, {"maxNumSeqs": 4}, {"kvCacheDtype": "fp8"}])
def test_engine_options_change_the_serve_configuration_and_not_the_pods(change: dict[str, Any]) -> None:
    """KubeRay takes the one in place, and makes a new cluster for the other."""
    before, after = (ray_service_spec(models(engine=one)) for one in ({}, change))
    assert before["serveConfigV2"] != after["serveConfigV2"]
    assert before["rayClusterConfig"] == after["rayClusterConfig"]


def test_a_model_that_is_downloaded_keeps_its_revision_and_its_token() -> None:
    given = shape("downloading")
    assert llm(given)["engine_kwargs"]["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert llm(given)["model_loading_config"]["model_source"] == "meta-llama/Llama-3.1-8B-Instruct"
    worker = next(kuberay.workers(expanded(given)))["spec"]["containers"][0]
    token = next(one for one in worker["env"] if one["name"] == "HF_TOKEN")
    assert token == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}}
    assert "HF_HUB_OFFLINE" not in {one["name"] for one in worker["env"]}


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4]),
    least=st.integers(1, 3),
    extra=st.integers(0, 3),
)
def test_worker_pods_have_exactly_the_gpus_that_the_bundles_reserve(
    tensor: int, pipeline: int, least: int, extra: int
) -> None:
    scaling = {"minReplicas": least, "maxReplicas": least + extra, "targetOngoingRequests": 8}
    sizes = {"tensorParallelSize": tensor, "pipelineParallelSize": pipeline}
    given = models(engine=sizes, replicas=least, autoscaling=scaling)
    (group,) = ray_service_spec(given)["rayClusterConfig"]["workerGroupSpecs"]
    gpus = int(group["resources"]["GPU"])
    assert group["minReplicas"] * gpus == least * tensor * pipeline
    assert group["maxReplicas"] * gpus == (least + extra) * tensor * pipeline
    assert gpus <= given[0].node_group.gpus_per_node
    if llm(given)["placement_group_config"]["strategy"] == "STRICT_PACK":
        assert gpus == tensor * pipeline


def test_only_the_cluster_its_operator_and_callers_reach_the_pods() -> None:
    result = deployed(shape("one"))
    callers = [{"podSelector": {}}]
    assert named(result, "NetworkPolicy").inputs == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": METADATA,
        "spec": {
            "podSelector": {"matchLabels": ALL},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": ALL}}]},
                {"from": callers, "ports": [{"protocol": "TCP", "port": 8000}, {"protocol": "TCP", "port": 8080}]},
            ],
            "egress": [DNS, {"to": [{"podSelector": {"matchLabels": ALL}}]}],
        },
    }
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-system"}}}
    assert named(result, "NetworkPolicy", "chat-head").inputs["spec"] == {
        "podSelector": {"matchLabels": {**ALL, "app.kubernetes.io/component": "ray-head"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [operator], "ports": [{"protocol": "TCP", "port": 8265}, {"protocol": "TCP", "port": 8000}]}
        ],
    }


def test_the_head_reaches_the_api_server_and_redis_where_it_must() -> None:
    spec = named(deployed(shape("scaled")), "NetworkPolicy", "chat-head").inputs["spec"]
    assert spec["egress"] == [
        {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]},
        {"ports": [{"protocol": "TCP", "port": 6379}]},
    ]


def test_downloads_reach_the_internet() -> None:
    spec = named(deployed(shape("downloading")), "NetworkPolicy").inputs["spec"]
    assert INTERNET in spec["egress"]


@every_shape
def test_policies_select_exactly_the_pods_of_the_cluster(name: str) -> None:
    result, cluster = deployed(shape(name)), expanded(shape(name))
    head, *workers = kuberay.pods(cluster)

    def selects(policy: str, pod: dict[str, Any]) -> bool:
        wanted = named(result, "NetworkPolicy", policy).inputs["spec"]["podSelector"]["matchLabels"]
        return wanted.items() <= pod["metadata"]["labels"].items()

    assert all(selects("chat", pod) for pod in [head, *workers])
    assert selects("chat-head", head)
    assert not any(selects("chat-head", pod) for pod in workers)


def test_budgets_count_worker_pods_and_not_the_head() -> None:
    result = deployed(shape("several"))
    head, *workers = kuberay.pods(expanded(shape("several")))
    for name, key in (("chat", "chat"), ("more", "more")):
        selector = named(result, "PodDisruptionBudget", key).inputs["spec"]["selector"]["matchLabels"]
        counted = [pod for pod in [head, *workers] if selector.items() <= pod["metadata"]["labels"].items()]
        assert {pod["metadata"]["labels"]["ray.io/group"] for pod in counted} == {name}


@every_shape
def test_budgets_leave_all_worker_pods_that_always_run_but_one(name: str) -> None:
    # A RayCluster has no scale subresource: the disruption controller would take no maxUnavailable, and let no pod go.
    budget = named(deployed(shape(name)), "PodDisruptionBudget", "chat").inputs["spec"]
    group = expanded(shape(name))["spec"]["workerGroupSpecs"][0]
    assert budget == {
        "minAvailable": group["minReplicas"] - 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": SELECTOR},
    }


def test_redis_comes_from_a_secret() -> None:
    assert ray_service_spec(shape("scaled"))["rayClusterConfig"]["gcsFaultToleranceOptions"] == {
        "redisAddress": "redis.example.com:6379",
        "redisPassword": {"valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}},
    }


def test_an_upgrade_in_steps_says_how() -> None:
    assert ray_service_spec(shape("stepwise"))["upgradeStrategy"] == {
        "type": "NewClusterWithIncrementalUpgrade",
        "clusterUpgradeOptions": {
            "gatewayClassName": "istio",
            "stepSizePercent": 20,
            "intervalSeconds": 60,
            "maxSurgePercent": 100,
        },
    }


def test_the_service_is_kuberays_at_the_port_of_the_stack_file() -> None:
    result = deployed(shape("other port"))
    assert named(result, "RayService").inputs["spec"]["serveService"] == {
        "spec": {"ports": [{"name": "serve", "port": 80, "targetPort": 8000, "protocol": "TCP"}]}
    }
    assert url(shape("other port")) == "http://chat-serve-svc.ml-serving.svc:80/v1"
    assert url(shape("cluster")) == "http://chat-serve-svc.ml-serving.svc:8000/v1"


def test_pulumi_waits_until_the_service_answers() -> None:
    found = named(deployed(shape("one")), "RayService")
    assert found.inputs["metadata"] == {**METADATA, "annotations": {"pulumi.com/waitFor": "condition=Ready"}}
    seconds = int(found.custom_timeouts["create"].removesuffix("s"))
    assert seconds > shape("one")[0].startup.progress_deadline
    assert LABELS.items() <= found.inputs["metadata"]["labels"].items()


def test_a_cluster_without_a_service_waits_for_serve_deploy() -> None:
    found = named(deployed(shape("cluster")), "RayCluster").inputs
    assert "serveConfigV2" not in found["spec"]
    assert found["spec"]["upgradeStrategy"] == {"type": "Recreate"}
    assert found["metadata"]["annotations"]["ray.io/enable-serve-service"] == "true"


def test_the_namespace_may_be_an_output() -> None:
    result = deployed(shape("one"), namespace=pulumi.Output.from_input("elsewhere"))
    assert {one.inputs["metadata"]["namespace"] for one in result.resources if one.type.startswith("kubernetes:")} == {
        "elsewhere"
    }


def test_a_head_fits_its_own_volumes() -> None:
    head = kuberay.head(expanded(shape("scaled")))["spec"]
    limit = to_bytes(head["containers"][0]["resources"]["limits"]["ephemeral-storage"])
    disks = [one["emptyDir"] for one in head["volumes"] if one["emptyDir"].get("medium") != "Memory"]
    assert sum(to_bytes(one["sizeLimit"]) for one in disks) <= limit
