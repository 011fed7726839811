"""What providers do with a changed property, as data: replace the resource, or have the update refused.

Sources, all read 22 Nov 2026:

- Kubernetes objects that Pulumi replaces: `forceNew` and `forceNewProperties` in provider/pkg/provider/diff.go of
  pulumi/pulumi-kubernetes @94977969. Name and namespace replace every object. The data of a Secret or ConfigMap does,
  unless the provider has `enableSecretMutable` or `enableConfigMapMutable` and the object isn't `immutable`.
- Helm releases: `forceNewFields` in provider/pkg/provider/helm_release.go, same commit.
- The Kubernetes provider: `DiffConfig` in provider/pkg/provider/provider.go, same commit.
- Updates that the API server refuses and Pulumi doesn't turn into a replacement: `ValidateStorageClassUpdate` in
  pkg/apis/storage/validation, `ValidatePersistentVolumeClaimUpdate` in pkg/apis/core/validation and
  `ValidateJobSpecUpdate` in pkg/apis/batch/validation of kubernetes/kubernetes.
- AWS: `ForceNew` in the schemas of hashicorp/terraform-provider-aws, which pulumi-aws bridges:
  internal/service/eks/node_group.go, internal/service/iam/role.go and role_policy_attachment.go. For the launch
  template: internal/service/ec2/ec2_launch_template.go (`name` and `name_prefix`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CLAIM: Final = "kubernetes:core/v1:PersistentVolumeClaim"
VOLUME: Final = "kubernetes:core/v1:PersistentVolume"
STORAGE_CLASS: Final = "kubernetes:storage.k8s.io/v1:StorageClass"
NAMESPACE: Final = "kubernetes:core/v1:Namespace"
JOB: Final = "kubernetes:batch/v1:Job"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
KUBERNETES_PROVIDER: Final = "pulumi:providers:kubernetes"
NODE_GROUP: Final = "aws:eks/nodeGroup:NodeGroup"
LAUNCH_TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
ROLE: Final = "aws:iam/role:Role"
POLICY_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

_SELECTOR: Final = (("spec", "selector"),)
_VOLUME_SOURCES: Final = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath "
    "iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)

Paths = tuple[tuple[str, ...], ...]

_KUBERNETES: Final[Mapping[str, Paths]] = {
    "apps/v1:Deployment": _SELECTOR,
    "apps/v1:DaemonSet": _SELECTOR,
    "apps/v1:StatefulSet": (
        *_SELECTOR,
        ("spec", "podManagementPolicy"),
        ("spec", "revisionHistoryLimit"),
        ("spec", "serviceName"),
        ("spec", "volumeClaimTemplates"),
    ),
    "batch/v1:Job": (*_SELECTOR, ("spec", "completions"), ("spec", "parallelism"), ("spec", "template")),
    "core/v1:PersistentVolume": tuple(("spec", source) for source in _VOLUME_SOURCES.split()),
    "core/v1:PersistentVolumeClaim": (
        *_SELECTOR,
        ("spec", "accessModes"),
        ("spec", "storageClassName"),
        ("spec", "volumeName"),
    ),
    "core/v1:ResourceQuota": (("spec", "scopes"),),
    "core/v1:Secret": (("type",),),
    "core/v1:Service": (("spec", "clusterIP"),),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": (("roleRef",),),
    "rbac.authorization.k8s.io/v1:RoleBinding": (("roleRef",),),
    "storage.k8s.io/v1:StorageClass": (("parameters",), ("provisioner",)),
}
_IDENTITY: Final = (("metadata", "name"), ("metadata", "namespace"))

_OTHERS: Final[Mapping[str, Paths]] = {
    RELEASE: (("name",), ("namespace",)),
    NODE_GROUP: (
        ("amiType",),
        ("capacityType",),
        ("clusterName",),
        ("diskSize",),
        ("instanceTypes",),
        ("launchTemplate", "id"),
        ("launchTemplate", "name"),
        ("nodeGroupName",),
        ("nodeGroupNamePrefix",),
        ("nodeRoleArn",),
        ("remoteAccess",),
        ("subnetIds",),
    ),
    LAUNCH_TEMPLATE: (("name",), ("namePrefix",)),
    ROLE: (("name",), ("namePrefix",), ("path",)),
    POLICY_ATTACHMENT: (("role",), ("policyArn",)),
}

_DATA: Final[Mapping[str, tuple[str, Paths]]] = {
    "kubernetes:core/v1:Secret": ("enableSecretMutable", (("data",), ("stringData",))),
    "kubernetes:core/v1:ConfigMap": ("enableConfigMapMutable", (("data",), ("binaryData",))),
}

REFUSED: Final[Mapping[str, Paths]] = {
    STORAGE_CLASS: (("reclaimPolicy",), ("volumeBindingMode",)),
    CLAIM: (("spec", "volumeMode"), ("spec", "dataSource"), ("spec", "dataSourceRef")),
    JOB: (("spec", "completionMode"), ("spec", "podFailurePolicy"), ("spec", "backoffLimitPerIndex")),
}
"""Properties whose change the API server refuses while Pulumi tries to update in place: the deployment fails."""

REFERENCES: Final[Mapping[str, Mapping[tuple[str, ...], str]]] = {
    NODE_GROUP: {("nodeRoleArn",): ROLE, ("launchTemplate", "id"): LAUNCH_TEMPLATE},
    POLICY_ATTACHMENT: {("role",): ROLE},
}
"""Replacing properties that hold an output of another resource: a new role has a new ARN."""

ROLLS_NODES: Final[Paths] = (("launchTemplate",), ("releaseVersion",), ("version",))
"""Properties of a node group that EKS applies by replacing its nodes one batch after another (`resourceNodeGroupUpdate`)."""

NO_NEW_VERSION: Final[Paths] = (("tags",), ("tagsAll",), ("defaultVersion",), ("updateDefaultVersion",))
"""What a launch template changes without a new version (`updateKeys` in ec2_launch_template.go has the others)."""

LLM_INFERENCE_SERVICE: Final = "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService"
_LLM_KEYS = ("template", "worker", "labels", "annotations", "model", "parallelism")
INFERENCE_SERVICE: Final = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
_PREDICTOR_KEYS = (
    *(
        "model",
        "initContainers",
        "volumes",
        "workerSpec",
        "labels",
        "annotations",
        "securityContext",
        "serviceAccountName",
    ),
    *("nodeSelector", "tolerations", "topologySpreadConstraints", "terminationGracePeriodSeconds", "priorityClassName"),
    *("automountServiceAccountToken", "enableServiceLinks"),
)
"""What this program writes of a predictor's pods: the rest is numbers of copies, scaling and the rollout's strategy."""
RUNTIMES: Final = (
    "kubernetes:serving.kserve.io/v1alpha1:ServingRuntime",
    "kubernetes:serving.kserve.io/v1alpha1:ClusterServingRuntime",
)
"""What InferenceServices have their containers from: KServe restarts the pods of each that names one."""
POD_TEMPLATES: Final[Mapping[str, Paths]] = {
    "kubernetes:apps/v1:Deployment": (("spec", "template"),),
    "kubernetes:apps/v1:StatefulSet": (("spec", "template"),),
    "kubernetes:apps/v1:DaemonSet": (("spec", "template"),),
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": (("spec", "leaderWorkerTemplate"),),
    INFERENCE_SERVICE: tuple(("spec", "predictor", key) for key in _PREDICTOR_KEYS),
    LLM_INFERENCE_SERVICE: tuple((*where, key) for where in (("spec",), ("spec", "prefill")) for key in _LLM_KEYS),
    "kubernetes:ray.io/v1:RayService": (("spec", "rayClusterConfig"),),
}
"""Where each kind that serves keeps what its pods are made of."""

REPLICAS: Final[Paths] = (("spec", "replicas"), ("spec", "prefill", "replicas"), ("spec", "predictor", "minReplicas"))
"""Numbers of copies: an LLMInferenceService has the second too, an InferenceService the third, from which its autoscaler goes up."""

DATA_STORES: Final = (
    CLAIM,
    VOLUME,
    "aws:efs/fileSystem:FileSystem",
    "aws:fsx/lustreFileSystem:LustreFileSystem",
    "aws:ebs/volume:Volume",
    "aws:s3/bucket:Bucket",
)
"""Types that hold data."""


def known(type_token: str) -> bool:
    """Whether it is known here which properties replace a resource of this type."""
    return type_token.startswith("kubernetes:") or type_token in _OTHERS or type_token == KUBERNETES_PROVIDER


def force_new(type_token: str, inputs: Mapping[str, Any], provider: Mapping[str, Any]) -> Paths:
    """The properties that replace a resource. `inputs` are the new ones, `provider` those of its provider."""
    if type_token in _OTHERS:
        return _OTHERS[type_token]
    if type_token == KUBERNETES_PROVIDER:
        identified = bool(inputs.get("clusterIdentifier"))
        return (("clusterIdentifier",),) if identified else (("kubeconfig",), ("context",), ("cluster",))
    if not type_token.startswith("kubernetes:"):
        return ()
    paths = (*_IDENTITY, *_KUBERNETES.get(type_token.removeprefix("kubernetes:"), ()))
    if type_token in _DATA:
        setting, data = _DATA[type_token]
        if inputs.get("immutable") is True or str(provider.get(setting, "")).lower() != "true":
            paths += data
    return paths
