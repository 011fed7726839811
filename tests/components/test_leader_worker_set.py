"""What ModelLeaderWorkerSet registers, and the pods that the lws controller makes of it."""

from collections import Counter
from typing import Any

import pulumi
import pytest

from catalog.options import options
from components.leader_worker_set import ModelLeaderWorkerSet, ModelLeaderWorkerSetArgs
from components.leader_worker_set_spec import leader_worker_set_spec
from components.pods import pod_template
from components.resolved import Workload
from preview.registered import Registered
from preview.run import Run, run
from stacks.resolve_pods import least_shm
from tests import crds, lws
from tests.components.test_model_deployment import DNS, LABELS, METADATA, SELECTOR
from tests.preflight.case import stack

COMPONENT = "urn:pulumi:test::llm-serving::llm-serving:index:ModelLeaderWorkerSet::chat"
LEADERS = {**SELECTOR, "leaderworkerset.sigs.k8s.io/worker-index": "0"}
VERSIONS = ("0.29.0", "0.32.0", "0.33.0")


def workload(engine: dict[str, Any] | None = None, **keys: Any) -> Workload:
    sizes = {"tensorParallelSize": 8, "pipelineParallelSize": 2, **(engine or {})}
    patch = {
        "platform": {"leaderWorkerSet": {}},
        "nodeGroups": {"gpu": {"maxSize": 4}},
        "workloads": {"chat": {"kind": "LeaderWorkerSet", "engine": sizes, **keys}},
    }
    return stack(patch).workloads["chat"]


def deployed(given: Workload, **args: Any) -> Run:
    def program() -> None:
        ModelLeaderWorkerSet("chat", ModelLeaderWorkerSetArgs(workload=given, **args))

    return run(program, project="llm-serving", stack="test", config={})


def one(result: Run, kind: str) -> Registered:
    found = [resource for resource in result.resources if resource.type.endswith(f":{kind}")]
    assert len(found) == 1, [resource.type for resource in result.resources]
    return found[0]


def manifest(given: Workload) -> dict[str, Any]:
    return one(deployed(given), "LeaderWorkerSet").inputs


def objects(result: Run) -> dict[str, dict[str, Any]]:
    return {item.type.split(":")[-1]: item.inputs for item in result.resources if item.type.startswith("kubernetes:")}


def test_the_whole_component() -> None:
    given = workload()
    assert given.group_size == 2
    found = objects(deployed(given))
    assert found == {
        "ServiceAccount": {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": METADATA,
            "automountServiceAccountToken": False,
        },
        "Service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**METADATA, "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {
                "type": "ClusterIP",
                "selector": LEADERS,
                "ports": [
                    {"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"},
                    {"name": "metrics", "port": 9090, "targetPort": "http", "protocol": "TCP"},
                ],
            },
        },
        "NetworkPolicy": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": METADATA,
            "spec": {
                "podSelector": {"matchLabels": SELECTOR},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8000}]},
                    {"from": [{"podSelector": {"matchLabels": SELECTOR}}]},
                ],
                "egress": [DNS, {"to": [{"podSelector": {"matchLabels": SELECTOR}}]}],
            },
        },
        "PodDisruptionBudget": {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": METADATA,
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": SELECTOR},
            },
        },
        "LeaderWorkerSet": {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "metadata": {**METADATA, "annotations": {"pulumi.com/waitFor": "condition=Available"}},
            "spec": {
                "replicas": 2,
                "startupPolicy": "LeaderCreated",
                "rolloutStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1, "partition": 0},
                },
                "networkConfig": {"subdomainPolicy": "UniquePerReplica"},
                "leaderWorkerTemplate": {
                    "size": 2,
                    "restartPolicy": "RecreateGroupOnPodRestart",
                    "leaderTemplate": found["LeaderWorkerSet"]["spec"]["leaderWorkerTemplate"]["leaderTemplate"],
                    "workerTemplate": found["LeaderWorkerSet"]["spec"]["leaderWorkerTemplate"]["workerTemplate"],
                },
            },
        },
    }


def test_the_leader_is_the_pod_of_a_deployment_that_knows_its_group() -> None:
    given = workload()
    alone, leader = pod_template(given), leader_worker_set_spec(given)["leaderWorkerTemplate"]["leaderTemplate"]
    assert leader["metadata"] == alone["metadata"]
    (own,), (container,) = alone["spec"]["containers"], leader["spec"]["containers"]
    assert container["args"][: len(own["args"])] == own["args"]
    assert container["args"][len(own["args"]) :] == [
        "--nnodes=2",
        "--node-rank=0",
        "--master-addr=$(VLLM_HOST_IP)",
        "--master-port=29501",
        f"--distributed-timeout-seconds={given.startup.budget}",
    ]
    assert container["env"] == [
        *own["env"],
        {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    assert container | {"args": own["args"], "env": own["env"]} == own
    # Pods of one group belong together: no spreading.
    spread = {"topologySpreadConstraints": alone["spec"]["topologySpreadConstraints"]}
    assert {**leader["spec"], "containers": [own], **spread} == alone["spec"]


def test_a_worker_has_no_server_and_outlasts_the_leaders_last_requests() -> None:
    given = workload()
    template = leader_worker_set_spec(given)["leaderWorkerTemplate"]
    (leader,), (worker,) = (template[role]["spec"]["containers"] for role in ("leaderTemplate", "workerTemplate"))
    assert template["workerTemplate"]["metadata"] == {"labels": LABELS}
    assert set(leader) - set(worker) == {"ports", "startupProbe", "readinessProbe", "livenessProbe"}
    assert worker["args"][-2:] == ["--headless", "--api-server-count=0"]
    assert "--node-rank=$(LWS_WORKER_INDEX)" in worker["args"]
    assert "--master-addr=$(LWS_LEADER_ADDRESS)" in worker["args"]
    assert worker["lifecycle"] == {"preStop": {"sleep": {"seconds": given.drain.pre_stop + given.drain.shutdown}}}
    assert given.drain.grace > given.drain.pre_stop + given.drain.shutdown
    same = set(leader) - {"args", "lifecycle", "ports", "startupProbe", "readinessProbe", "livenessProbe"}
    assert {key: worker[key] for key in same} == {key: leader[key] for key in same}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_pod_starts_with_options_of_its_version_and_a_rank_of_its_own(version: str) -> None:
    found = manifest(workload({"version": version, "apiServerCount": 2}, replicas=3))
    table = options("vllm", version)
    pods = lws.pods(found)
    assert len(pods) == 6
    ranks = Counter()
    for pod in pods:
        words = lws.expanded(pod)
        assert not [word for word in words if "$(" in word]
        given = dict(word.partition("=")[::2] for word in words if word.startswith("--"))
        assert not set(given) - set(table)
        labels = pod["metadata"]["labels"]
        group = labels["leaderworkerset.sigs.k8s.io/group-index"]
        ranks[group, given["--node-rank"]] += 1
        leads = labels["leaderworkerset.sigs.k8s.io/worker-index"] == "0"
        assert ("--headless" in given) is not leads
        # Headless processes refuse any other number of API servers.
        assert given["--api-server-count"] == ("2" if leads else "0")
        assert given["--master-addr"] == ("10.0.0.1" if leads else f"chat-{group}.chat-{group}.ml-serving")
    assert ranks == {(str(group), str(rank)): 1 for group in range(3) for rank in range(2)}


def test_workers_find_their_leader_in_a_service_of_their_group_that_takes_no_name_of_ours() -> None:
    found = manifest(workload())
    services = {one["metadata"]["name"]: one["spec"] for one in lws.services(found)}
    assert set(services) == {"chat-0", "chat-1"}
    for pod in lws.pods(found):
        selector = services[pod["spec"]["subdomain"]]["selector"]
        assert selector.items() <= pod["metadata"]["labels"].items()
        values = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
        name, subdomain, namespace = values["LWS_LEADER_ADDRESS"].split(".")
        assert (subdomain, namespace) == (pod["spec"]["subdomain"], "ml-serving")
        assert name == subdomain


def test_the_service_picks_leaders_only_and_the_budget_every_pod() -> None:
    result = deployed(workload())
    pods = lws.pods(one(result, "LeaderWorkerSet").inputs)
    selector = one(result, "Service").inputs["spec"]["selector"].items()
    served = [pod["metadata"]["name"] for pod in pods if selector <= pod["metadata"]["labels"].items()]
    assert served == ["chat-0", "chat-1"]
    every = one(result, "PodDisruptionBudget").inputs["spec"]["selector"]["matchLabels"].items()
    assert all(every <= pod["metadata"]["labels"].items() for pod in pods)


def test_a_set_takes_as_many_pods_as_its_ranks_need_nodes_or_as_it_says() -> None:
    assert workload({"pipelineParallelSize": 4}).group_size == 4
    assert workload({"tensorParallelSize": 4, "pipelineParallelSize": 2}).group_size == 1
    spread = workload({"tensorParallelSize": 4, "pipelineParallelSize": 2}, size=2)
    assert (spread.group_size, spread.resources.gpus, spread.pods, spread.gpus) == (2, 4, 4, 16)


def test_data_parallel_engines_over_nodes_listen_at_an_address_of_the_leaders_own() -> None:
    """ZeroMQ binds the data-parallel address, which follows --master-addr (vllm 0.33.0: engine/arg_utils.py)."""
    given = workload({"tensorParallelSize": 8, "pipelineParallelSize": 1, "dataParallelSize": 2})
    assert given.group_size == 2
    leader, worker = lws.pods(manifest(given))[:2]
    assert "--master-addr=10.0.0.1" in lws.expanded(leader)
    assert "--master-addr=chat-0.chat-0.ml-serving" in lws.expanded(worker)


def test_pods_of_a_group_get_time_to_find_each_other() -> None:
    alone = stack({"workloads": {"chat": {"engine": {"tensorParallelSize": 8}}}}).workloads["chat"].startup
    start = workload().startup
    # node 300 + image 600
    assert start.join == 900
    assert start.computed == alone.computed + 900
    assert start.progress_deadline == alone.progress_deadline + 900 + workload().drain.grace


def test_surge_adds_a_group_before_one_goes() -> None:
    spec = leader_worker_set_spec(workload(rollout="surge"))
    configuration = spec["rolloutStrategy"]["rollingUpdateConfiguration"]
    assert configuration == {"maxSurge": 1, "maxUnavailable": 0, "partition": 0}


def test_an_exclusive_topology_is_an_annotation_of_the_set() -> None:
    found = manifest(workload(exclusiveTopology="topology.kubernetes.io/zone"))
    assert found["metadata"]["annotations"]["leaderworkerset.sigs.k8s.io/exclusive-topology"] == (
        "topology.kubernetes.io/zone"
    )
    leaders = lws.pods(found)
    assert [pod["metadata"]["name"] for pod in leaders] == ["chat-0", "chat-1"]
    placed = lws.pods(found, topology={"chat-0": "us-east-1a", "chat-1": "us-east-1b"})
    assert [pod["spec"]["nodeSelector"].get("topology.kubernetes.io/zone") for pod in placed] == [
        None,
        "us-east-1a",
        None,
        "us-east-1b",
    ]


def test_a_pod_monitor_scrapes_the_leaders() -> None:
    monitor = one(deployed(workload(metrics="podMonitor")), "PodMonitor")
    assert monitor.inputs["spec"]["selector"] == {"matchLabels": LEADERS}


def test_the_set_waits_for_what_it_needs_and_everything_is_a_child_of_the_component() -> None:
    def program() -> None:
        first = pulumi.ComponentResource("test:index:Any", "first")
        ModelLeaderWorkerSet("chat", ModelLeaderWorkerSetArgs(workload=workload(), after=[first]))

    result = run(program, project="llm-serving", stack="test", config={})
    children = [item for item in result.resources if item.type.startswith("kubernetes:")]
    assert {item.parent for item in children} == {COMPONENT}
    needed = {urn.rsplit("$", 1)[-1].split("::")[0] for urn in one(result, "LeaderWorkerSet").dependencies}
    assert {"kubernetes:core/v1:ServiceAccount", "kubernetes:networking.k8s.io/v1:NetworkPolicy"} <= needed


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"rollout": "surge", "metrics": "none"},
    {"exclusiveTopology": "topology.kubernetes.io/zone", "restartPolicy": "RecreateGroupAfterStart"},
    {"replicas": 0, "priorityClassName": "high", "labels": {"team": "search"}, "env": {"NCCL_DEBUG": "INFO"}},
)


@pytest.mark.parametrize("keys", VARIANTS, ids=str)
def test_the_set_is_valid_by_its_definition_without_a_field_that_it_lacks(keys: dict[str, Any]) -> None:
    assert crds.errors(manifest(workload(**keys))) == []


def test_the_definition_finds_a_misspelt_field_at_any_depth() -> None:
    found = manifest(workload())
    found["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["nodeSelectors"] = {}
    found["spec"]["startupPolicy"] = "Later"
    said = " ".join(crds.errors(found))
    assert "nodeSelectors" in said
    assert "Later" in said


def test_shared_memory_holds_the_queues_of_the_pods_own_ranks() -> None:
    ours = workload()
    alone = stack({"workloads": {"chat": {"engine": {"tensorParallelSize": 8}}}}).workloads["chat"]
    assert least_shm(ours.parallelism, ours.group_size) == least_shm(alone.parallelism)
    assert ours.resources.shm == alone.resources.shm


def test_pods_of_a_group_ask_for_their_share_of_the_nodes_adapters_and_huge_pages() -> None:
    def limits(pods: int, efa: bool = True, **engine: Any) -> dict[str, str]:
        patch = {
            "platform": {"leaderWorkerSet": {}, "efaDevicePlugin": {}},
            "nodeGroups": {"gpu": {"maxSize": 4, "efa": efa}},
            "workloads": {"chat": {"kind": "LeaderWorkerSet", "size": pods, "engine": engine}},
        }
        template = leader_worker_set_spec(stack(patch).workloads["chat"])["leaderWorkerTemplate"]["workerTemplate"]
        (container,) = template["spec"]["containers"]
        resources = container["resources"]
        # Kubernetes wants equal requests and limits of extended resources and huge pages.
        assert {key: resources["requests"][key] for key in resources["limits"]} == resources["limits"]
        names = {one["name"] for one in container["env"]}
        assert ({"FI_PROVIDER", "FI_EFA_USE_DEVICE_RDMA"} <= names) is ("vpc.amazonaws.com/efa" in resources["limits"])
        return {key: value for key, value in resources["limits"].items() if key.endswith(("efa", "2Mi"))}

    whole = {"vpc.amazonaws.com/efa": "32", "hugepages-2Mi": "10240Mi"}
    assert limits(2, tensorParallelSize=8, pipelineParallelSize=2) == whole
    assert limits(2, tensorParallelSize=4, pipelineParallelSize=2) == {
        "vpc.amazonaws.com/efa": "16",
        "hugepages-2Mi": "5120Mi",
    }
    assert limits(1, tensorParallelSize=8) == {}
    assert limits(2, efa=False, tensorParallelSize=8, pipelineParallelSize=2) == {}


def test_the_controller_is_one_release_and_an_adopted_one_is_none() -> None:
    platform = {"leaderWorkerSet": {}, "efaDevicePlugin": {"install": False}}
    operators = stack({"platform": platform}).operators
    (chart,) = operators["leaderWorkerSet"].charts
    assert (chart.repository, chart.chart, chart.version) == ("oci://registry.k8s.io/lws/charts", "lws", "0.10.0")
    # The chart of the repository has `main` as the image's tag.
    assert chart.values["image"]["manager"]["tag"] == "v0.10.0"
    assert operators["efaDevicePlugin"].charts == ()
