"""Types in words: what a value must look like, without a regular expression. Pure."""

from typing import Any, Literal, get_args, get_origin

from annotated_types import BaseMetadata, GroupedMetadata

from components.spec import Quantity
from stacks.problem import quoted
from stacks.shape import Type

PATTERNS: dict[str, str] = {
    r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()-]+)*/?"
    r"|oci(\+native)?://[a-z0-9][a-z0-9._:-]*(/[a-z0-9._-]+)+(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?)$": (
        "a folder in S3, such as s3://bucket/path, or an image, such as oci+native://registry/name:tag"
    ),
    r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$": (
        "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/weights"
    ),
    r"^[A-Za-z0-9_]+$": "the name of a KV connector (letters, digits and _)",
    r"^[A-Za-z0-9_.]+$": "a Python module, such as package.module",
    r"^[^=,\s]+$": "a name without spaces, commas and =",
    r"^[^:]+$": "a name without colons",
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": (
        "a DNS label (lower-case letters, digits and hyphens, a letter first, no hyphen last)"
    ),
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": (
        "the name of a Kubernetes object (lower-case letters, digits, hyphens and dots)"
    ),
    r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$": (
        "a Kubernetes label key (letters, digits, - _ and ., after a domain and a slash where it has one)"
    ),
    r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$": (
        "a Kubernetes label value (letters, digits, - _ and ., a letter or digit first and last)"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of an environment variable (letters, digits and _, no digit first)",
    r"^[A-Z]{3}[0-9]{3}$": "the code of a rule, such as MEM002",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+$": "a Hugging Face repository, such as mistralai/Mistral-7B-Instruct-v0.3",
    r"^[A-Za-z][A-Za-z0-9_.-]*$": "a configuration key without the namespace, such as hfToken",
    r"^fs-[0-9a-z-]+$": "the id of a file system, such as fs-0123456789abcdef0",
    r"^subnet-[0-9a-z-]+$": "the id of a subnet, such as subnet-0a1b2c3d4e5f60718",
    r"^sg-[0-9a-z-]+$": "the id of a security group, such as sg-0a1b2c3d4e5f60718",
    r"^[0-9A-Za-z][A-Za-z0-9_-]*$": "the name of an EKS cluster (letters, digits, hyphens and _, a letter or digit first)",
    r"^1\.[0-9]{2}$": 'a Kubernetes minor version in quotes, such as "1.34"',
    r"^--[a-z0-9-]+$": "an option of the engine, such as --max-model-len",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "the name of a placement group (letters, digits, _ . and -, a letter or digit first)",
    r"^[A-Za-z0-9_.-]+$": "the key of a Secret (letters, digits, - _ and .)",
    r"^[0-9]+\.[0-9]+$": 'a compute capability in quotes, such as "8.9"',
    r"^[1-7]g\.[0-9]+gb$": "a MIG profile, such as 1g.10gb",
    r"^[A-Za-z0-9_./-]+$": "a commit, tag or branch (letters, digits, - _ . and /)",
    r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$": "a folder inside the claim, such as mistral-7b/v0.3, without a slash first or last",
    r"^[0-9]+\.[0-9]+\.[0-9]+$": "a version of three numbers, such as 0.20.0",
    r"^[0-9a-fA-F.:]+/[0-9]{1,3}$": "an address range, such as 10.0.0.0/16",
    r"^[^/\s]+/[^/\s]+/[^/\s]+$": "organization/project/stack",
    r"^[^/\\]+\.ya?ml$": "the name of a stack file in the same folder, such as Pulumi.dev-infra.yaml",
    r"^[0-9A-Za-z][A-Za-z0-9_.+-]*$": "a release, such as 0.33.0 (letters, digits, . + - and _)",
    r"^[A-Za-z0-9_.:/-]+$": "an image, such as registry.example.com/vllm/vllm-openai",
    r"^v[0-9]+\.[0-9]+\.[0-9]+$": "a version of three numbers after a v, such as v0.20.0",
    r"^https?://": "a URL that starts with http:// or https://",
    r"^[a-z][a-z0-9_]*$": "the name of an engine argument, such as max_model_len",
    r"^[A-Za-z0-9_.-]{1,100}$": "a name of letters, digits, - _ and .",
    r"^(s3|gs|abfss|azure)://.+": "a folder in an object store, such as s3://bucket/adapters",
    r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$": "a host name or IPv4 address",
    r"^sha256:[0-9a-f]{64}$": "a digest: sha256: and 64 hexadecimal digits",
}
"""What each pattern of the stack file's types means; a test fails when one is missing."""

QUANTITY = "a Kubernetes quantity greater than zero, such as 500Gi or 4"
_QUANTITY_CHECK = get_args(Quantity)[1]


def expected(wanted: Type) -> str:
    """What may stand here: `a whole number from 1 to 65535`."""
    if wanted.members:
        return " or ".join(dict.fromkeys(expected(member) for member in wanted.members))
    base, metadata = wanted.base, _flat(wanted.metadata)
    origin = get_origin(base)
    if origin is Literal:
        names = [_literal(one) for one in get_args(base)]
        return quoted(names[0]) if len(names) == 1 else f"one of {', '.join(names)}"
    if any(one is _QUANTITY_CHECK for one in metadata):
        return QUANTITY
    if base is bool:
        return "true or false"
    if base in (int, float):
        return ("a whole number" if base is int else "a number") + _range(metadata)
    if base is str:
        return _text(metadata)
    if origin is list:
        return "a list" + _count(metadata)
    return "a mapping" + (_count(metadata) if origin is dict else "")


def _literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) and not value.strip() else str(value)


def _flat(metadata: tuple[Any, ...]) -> list[Any]:
    grouped = [
        one if isinstance(one, GroupedMetadata) and not isinstance(one, BaseMetadata) else [one] for one in metadata
    ]
    return [one for group in grouped for one in group]


def _limit(metadata: list[Any], name: str) -> Any:
    return next((value for one in metadata if (value := getattr(one, name, None)) is not None), None)


def _range(metadata: list[Any]) -> str:
    least, most, above = (_limit(metadata, name) for name in ("ge", "le", "gt"))
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if above is not None:
        return f" greater than {above}" + (f" and at most {most}" if most is not None else "")
    if least is not None:
        return f" of {least} or more"
    return f" of at most {most}" if most is not None else ""


def _count(metadata: list[Any]) -> str:
    least, most = _limit(metadata, "min_length"), _limit(metadata, "max_length")
    if not least and most is None:
        return ""
    if most is None:
        return " with at least one entry" if least == 1 else f" with {least} entries or more"
    return f" with {least or 0} to {most} entries"


def _text(metadata: list[Any]) -> str:
    pattern, least, most = (_limit(metadata, name) for name in ("pattern", "min_length", "max_length"))
    words = PATTERNS.get(pattern, "text of another form") if pattern else "text"
    if least is not None and most is not None:
        return f"{words}, {least} to {most} characters"
    if most is not None:
        return f"{words}, at most {most} characters"
    return f"{words} that isn't empty" if least else words
