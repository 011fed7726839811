"""Plain values as a stack file writes them: the frozen base model and the annotated field types that every section uses."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

Manifest = Any
"""A camelCase Kubernetes object or a part of one. The SDK's typed dictionaries know only snake_case keys, so the type checker can't
look inside; tests hold every object against the API's own strict schemas."""

GIB = 1024**3
MIB = 1024**2

_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9),
    "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30),
    "Ti": Fraction(2**40), "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|([KMGTPE]i|[numkMGTPE]))?")


class Spec(BaseModel):
    """Base of everything that a stack file holds: immutable, no unknown keys, camelCase in YAML, no silent conversion of types."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        # Validators are built once, for the whole stack, and not for every class on its own: start-up time.
        defer_build=True,
    )


def quantity(text: str) -> Fraction:
    """The exact value of a Kubernetes quantity such as `500m`, `16Gi` or `2`.

    Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    Raises ValueError when `text` isn't one.
    """
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(
            f"{text!r} isn't a Kubernetes quantity: use a number with an optional suffix, such as 500Gi or 4"
        )
    number, exponent, suffix = match.groups()
    if exponent:
        return Fraction(Decimal(number + exponent))
    return Fraction(Decimal(number)) * _SUFFIXES[suffix or ""]


def to_bytes(text: str) -> int:
    """Whole bytes in a quantity of storage or memory, rounded up as Kubernetes does."""
    value = quantity(text)
    return -(-value.numerator // value.denominator)


def to_millis(text: str) -> int:
    """Thousandths in a quantity of CPU, rounded up as Kubernetes does."""
    value = quantity(text) * 1000
    return -(-value.numerator // value.denominator)


def mebibytes(size: int) -> str:
    """A byte count as a quantity in whole Mi (Gi where that is exact), rounded up."""
    mib = -(-size // MIB)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"


def _positive_quantity(value: str) -> str:
    try:
        parsed = quantity(value)
    except ValueError as error:
        raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from None
    if parsed <= 0:
        raise PydanticCustomError("quantity", "must be greater than zero")
    return value


def _number_to_quantity(value: Any) -> Any:
    """YAML reads a bare `4` as an integer; Kubernetes takes it as a quantity, so do we."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    BeforeValidator(_number_to_quantity, json_schema_input_type=str | int),
    AfterValidator(_positive_quantity),
]
"""A Kubernetes quantity greater than zero, for example `200Gi`."""

DnsLabel = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
"""A name that is part of Kubernetes object names: RFC 1035 label, kept to 40 characters so that derived names fit in 63."""

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
"""The name of an existing Kubernetes object: RFC 1123 subdomain."""

LabelKey = Annotated[
    str,
    Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", max_length=317),
]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
Labels = dict[LabelKey, LabelValue]

HuggingFaceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+$", max_length=200)]
"""A repository on the Hugging Face Hub, `organisation/name`."""

Seconds = Annotated[int, Field(ge=0, le=86400)]
Port = Annotated[int, Field(ge=1, le=65535)]
GpuCount = Annotated[int, Field(ge=1, le=1024)]
