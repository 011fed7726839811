"""One registered resource, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from preview.values import Secret, Unknown, decode_struct

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"

# The provider marks these as secret in the state whatever the program says; so does the preview.
_ALWAYS_SECRET: Final = {
    "kubernetes:core/v1:Secret": ("data", "stringData"),
    "kubernetes:core/v1:SecretPatch": ("data", "stringData"),
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A resource that the program registered, or read (then `read_id` is what it asked for).

    `parent` is a URN, or '' below the stack. `provider` is the provider's URN, or '' for the default provider.
    `inputs` holds Python values with `UNKNOWN` and `Secret` markers, maps sorted by key. `outputs` are those that a
    component registered. `custom_timeouts` maps create, update and delete to Go durations ('10m').
    """

    urn: str
    type: str
    name: str
    custom: bool
    remote: bool
    parent: str
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    providers: dict[str, str] = field(default_factory=dict)
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: dict[str, str] = field(default_factory=dict)
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    read_id: str = ""

    @property
    def package(self) -> str:
        """The first part of the type token (`kubernetes`, `aws`, `llm-serving`)."""
        return self.type.split(":", 1)[0]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider instance, not something that the provider makes."""
        return self.type.startswith(PROVIDER_PREFIX)


def make_urn(stack: str, project: str, parent: str, type_token: str, name: str) -> str:
    """The URN that Pulumi's engine gives: the parent's type chain, without the stack's type.

    Source: pulumi/pulumi pkg/resource/deploy, `generateURN`: "skip empty parents and don't use the root stack type".
    """
    chain = parent.split("::", 3)[2] if parent else ""
    prefix = f"{chain}$" if chain and chain != STACK_TYPE else ""
    return f"urn:pulumi:{stack}::{project}::{prefix}{type_token}::{name}"


def from_register_request(urn: str, request: Any) -> Registered:
    """A `RegisterResourceRequest` as plain data."""
    return Registered(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        remote=request.remote,
        parent=_parent(request.parent),
        inputs=_inputs(request.type, request.object),
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(request.propertyDependencies[key].urns))
            for key in sorted(request.propertyDependencies)
            if request.propertyDependencies[key].urns
        },
        provider=_provider_urn(request.provider),
        providers={key: _provider_urn(request.providers[key]) for key in sorted(request.providers)},
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        aliases=(*_alias_urns(urn, request), *request.aliasURNs),
        custom_timeouts={
            name: value for name in ("create", "update", "delete") if (value := getattr(request.customTimeouts, name))
        },
        delete_before_replace=request.deleteBeforeReplace,
        retain_on_delete=request.retainOnDelete,
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
    )


def from_read_request(urn: str, request: Any) -> Registered:
    """A `ReadResourceRequest` (`SomeResource.get`, `StackReference`) as plain data."""
    return Registered(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=True,
        remote=False,
        parent=_parent(request.parent),
        inputs=_inputs(request.type, request.properties),
        dependencies=tuple(sorted(request.dependencies)),
        provider=_provider_urn(request.provider),
        additional_secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
        read_id=request.id,
    )


def secret_properties(type_token: str, additional: Any = ()) -> frozenset[str]:
    """The top-level properties that are secret whatever the program says of their values."""
    return frozenset((*_ALWAYS_SECRET.get(type_token, ()), *additional))


def _inputs(type_token: str, struct: Any) -> dict[str, Any]:
    inputs = decode_struct(struct)
    for key in _ALWAYS_SECRET.get(type_token, ()):
        if key in inputs:
            inputs[key] = _each_secret(inputs[key])
    return inputs


def _each_secret(value: Any) -> Any:
    """Hide the values but keep the keys: which keys a Secret has is no secret."""
    if isinstance(value, Secret) and isinstance(value.reveal(), Mapping):
        value = value.reveal()
    if isinstance(value, Mapping):
        return {key: _each_secret(item) for key, item in value.items()}
    return value if isinstance(value, (Secret, Unknown)) or value is None else Secret(value)


def _parent(urn: str) -> str:
    return "" if f"::{STACK_TYPE}::" in urn else urn


def _provider_urn(reference: str) -> str:
    """A provider reference is `<urn>::<id>`; in a first preview the id is unknown and says nothing."""
    return reference.rpartition("::")[0]


def _alias_urns(urn: str, request: Any) -> tuple[str, ...]:
    stack, project = urn.removeprefix("urn:pulumi:").split("::", 2)[:2]
    found = []
    for alias in request.aliases:
        if alias.urn:
            found.append(alias.urn)
            continue
        spec = alias.spec
        parent = "" if spec.noParent else (spec.parentUrn or request.parent)
        found.append(
            make_urn(
                spec.stack or stack,
                spec.project or project,
                parent,
                spec.type or request.type,
                spec.name or request.name,
            )
        )
    return tuple(found)
