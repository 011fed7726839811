"""Secrets where a plain value belongs: by their form, or by the name of their variable; and `secure:` values. Pure.

Forms: the prefixes that the services give their tokens, so that scanners find them
(https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns, and for `hf_`
https://huggingface.co/docs/hub/security-tokens; read 2026-11-22).
"""

import re
from collections.abc import Iterator
from typing import Any

from stacks.problem import Path

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|sk-[A-Za-z0-9_-]{20,}|nvapi-[A-Za-z0-9_-]{20,}|pul-[0-9a-f]{40}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
    r")|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_NAME = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|(API|ACCESS|PRIVATE|SECRET)_?KEY)($|_(ID|KEY)$)", re.I
)
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+=_~.-][A-Za-z0-9+/=_~.-]{11,}")
_BASE64 = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+=_-][A-Za-z0-9+/=_-]{39,}")


def looks_secret(text: str) -> bool:
    """It has the form of a token or a private key."""
    return _TOKEN.search(text) is not None


def plain_secrets(data: Any, path: Path = ()) -> Iterator[Path]:
    """Places of values that look like secrets."""
    if isinstance(data, str):
        if looks_secret(data) or (len(path) > 1 and path[-2] == "env" and _is_secret_variable(str(path[-1]), data)):
            yield path
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from plain_secrets(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from plain_secrets(value, (*path, index))


def encrypted(data: Any, path: Path = ()) -> Iterator[Path]:
    """Places of `secure:` mappings, which the Pulumi CLI decrypts wherever they are."""
    if isinstance(data, dict):
        if is_encrypted(data):
            yield path
        for key, value in data.items():
            yield from encrypted(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from encrypted(value, (*path, index))


def is_encrypted(value: Any) -> bool:
    """A mapping whose only key is `secure`, with text (pulumi/pulumi 1b59498, config/object.go, isSecureValue)."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("secure"), str)


def _is_secret_variable(name: str, value: str) -> bool:
    return bool(_BASE64.fullmatch(value)) or bool(_NAME.search(name) and _RANDOM.fullmatch(value))
