"""The in-process resource monitor and engine that the Pulumi SDK talks to in place of the CLI's.

Every method is one RPC of Pulumi's `ResourceMonitor` or `Engine` service and gets the real protobuf request.
What it answers is what a first `pulumi preview` without any cloud would know: the inputs, and nothing that
only a provider computes. The SDK resolves properties that are missing from an answer as unknown in a preview
(`resolve_properties` in pulumi/runtime/rpc.py, pulumi 3.272.0).
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from pulumi.runtime.proto import engine_pb2, provider_pb2, resource_pb2

from preview.computed import mark_computed
from preview.registered import (
    STACK_TYPE,
    Registered,
    from_read_request,
    from_register_request,
    make_urn,
    secret_properties,
)
from preview.values import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_SENTINEL, decode_struct

# What this monitor serves. Without TRANSFORMS and the hooks the SDK raises as soon as a program uses one,
# which is better than a preview that silently leaves them out.
_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
)
_SEVERITIES = {
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


class LogMessage(NamedTuple):
    """A message that the program or the SDK logged; `severity` is info, warning or error."""

    severity: str
    message: str
    urn: str


class PreviewMonitor:
    """Records what a program registers. Use as `monitor` and `engine` of `pulumi.runtime.Settings`.

    The SDK calls it from several threads; a request is kept as it came and decoded only when asked for.
    """

    def __init__(self, project: str, stack: str) -> None:
        self._project = project
        self._stack = stack
        self._lock = threading.Lock()
        self._requests: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._logs: list[LogMessage] = []
        self.unanswered_invokes: list[str] = []

    def registered(self) -> tuple[Registered, ...]:
        """Every resource below the stack, sorted by URN."""
        found = []
        for urn, request in sorted(self._requests.items()):
            if request.type == STACK_TYPE:
                continue
            if isinstance(request, resource_pb2.ReadResourceRequest):
                found.append(from_read_request(urn, request))
                continue
            resource = from_register_request(urn, request)
            if urn in self._outputs:
                resource.outputs.update(decode_struct(self._outputs[urn]))
            found.append(resource)
        return tuple(found)

    def stack_outputs(self) -> dict[str, Any]:
        """What the program exported."""
        urn = make_urn(self._stack, self._project, "", STACK_TYPE, f"{self._project}-{self._stack}")
        return decode_struct(self._outputs[urn]) if urn in self._outputs else {}

    def logs(self) -> tuple[LogMessage, ...]:
        """Info, warnings and errors: first the program's in its order, then each resource's."""
        return tuple(sorted(self._logs, key=lambda log: log.urn))

    # -- ResourceMonitor

    def RegisterResource(self, request: Any) -> Any:
        urn = self._record(request)
        answer = resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        if request.custom and request.type.startswith("kubernetes:"):
            answer.id = _name_kubernetes_object(answer.object, request.type)
        elif request.custom:
            mark_computed(answer.object, request.type)
        _hide(answer.object, request)
        return answer

    def ReadResource(self, request: Any) -> Any:
        urn = self._record(request)
        known_id = "" if request.id == UNKNOWN_SENTINEL else request.id
        answer = resource_pb2.ReadResourceResponse(urn=urn, id=known_id, properties=request.properties)
        _hide(answer.properties, request)
        return answer

    def RegisterResourceOutputs(self, request: Any) -> None:
        with self._lock:
            self._outputs[request.urn] = request.outputs

    def Invoke(self, request: Any) -> Any:
        if request.tok == "pulumi:pulumi:getResource":
            return self._get_resource(request.args.fields["urn"].string_value)
        with self._lock:
            self.unanswered_invokes.append(request.tok)
        return resource_pb2.ResourceInvokeResponse(unknown=True)

    def Call(self, request: Any) -> Any:
        # A call has no `unknown` flag; the SDK looks for unknowns among the returned values.
        answer = provider_pb2.CallResponse()
        fields: Any = getattr(answer, "return").fields
        fields["result"].string_value = UNKNOWN_SENTINEL
        return answer

    def ExistsResource(self, request: Any) -> Any:
        return resource_pb2.ExistsResourceResponse(unknown=True)

    def GetDeploymentInfo(self, request: Any) -> Any:
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SupportsFeature(self, request: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=False)

    def RegisterPackage(self, request: Any) -> Any:
        parameter = request.parameterization
        return resource_pb2.RegisterPackageResponse(ref=f"{parameter.name or request.name}@{parameter.version}")

    def SignalAndWaitForShutdown(self, request: Any) -> None:
        """Nothing runs after the program, so it need not wait."""

    # -- Engine

    def Log(self, request: Any) -> None:
        severity = _SEVERITIES.get(request.severity)
        if severity is not None:
            self._logs.append(LogMessage(severity, request.message, request.urn))

    def RequirePulumiVersion(self, request: Any) -> Any:
        return engine_pb2.RequirePulumiVersionResponse()

    # --

    def _record(self, request: Any) -> str:
        urn = make_urn(self._stack, self._project, request.parent, request.type, request.name)
        with self._lock:
            if urn in self._requests:
                raise ValueError(
                    f"Duplicate resource URN '{urn}': two {request.type} with the same parent are named "
                    f"'{request.name}'; give one of them another name"
                )
            self._requests[urn] = request
        return urn

    def _get_resource(self, urn: str) -> Any:
        """Answers the SDK when it turns a resource reference back into a resource object."""
        request = self._requests[urn]
        answer = resource_pb2.ResourceInvokeResponse()
        fields: Any = getattr(answer, "return").fields
        fields["urn"].string_value = urn
        fields["id"].string_value = UNKNOWN_SENTINEL
        state = request.properties if isinstance(request, resource_pb2.ReadResourceRequest) else request.object
        fields["state"].struct_value.CopyFrom(state)
        return answer


def _hide(answer: Any, request: Any) -> None:
    """Mark the properties as secret that the provider, or `additional_secret_outputs`, makes secret."""
    for key in secret_properties(request.type, request.additionalSecretOutputs):
        value = answer.fields.get(key)
        if value is None or SIGNATURE in value.struct_value.fields:
            continue
        inner = type(value)()
        inner.CopyFrom(value)
        value.Clear()
        value.struct_value.fields[SIGNATURE].string_value = SECRET_SIGNATURE
        value.struct_value.fields["value"].CopyFrom(inner)


def _name_kubernetes_object(answer: Any, type_token: str) -> str:
    """The object's id where its name is explicit, else '' (unknown); an automatic name is made unknown too.

    An id is `<namespace>/<name>`, or `<name>` for objects without a namespace (provider, `fqObjName`). Without a
    namespace among the inputs it could be either, so only a Namespace, which never has one, gets an id then.
    """
    metadata = answer.fields["metadata"].struct_value if "metadata" in answer.fields else None
    if metadata is None or SIGNATURE in metadata.fields or type_token.startswith("kubernetes:helm.sh/"):
        return ""
    if "name" not in metadata.fields:
        if answer.fields["metadata"].WhichOneof("kind") == "struct_value":
            metadata.fields["name"].string_value = UNKNOWN_SENTINEL
        return ""
    name = metadata.fields["name"].string_value
    namespace = metadata.fields["namespace"].string_value if "namespace" in metadata.fields else ""
    if not name or UNKNOWN_SENTINEL in (name, namespace):
        return ""
    if namespace:
        return f"{namespace}/{name}"
    return name if type_token == "kubernetes:core/v1:Namespace" else ""
