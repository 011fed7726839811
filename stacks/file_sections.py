"""The sections of a stack file around `llm-serving:stack`: Pulumi's own keys, and other configuration. Pure.

Keys: type ProjectStack (sdk/go/common/workspace/project.go) and ParseKey (sdk/go/common/resource/config/key.go) of
pulumi/pulumi 1b59498, read 2026-11-22.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stacks.messages import Found, described
from stacks.nearest import closest
from stacks.problem import Path
from stacks.secret_values import is_encrypted

PROJECT = "llm-serving"
STACK_KEY = f"{PROJECT}:stack"
FILE_KEYS = ("config", "encryptionsalt", "secretsprovider", "encryptedkey", "environment")


@dataclass(slots=True)
class Sections:
    """What a stack file holds besides the stack itself. Paths of `found` start at the top of the file."""

    stack: Any = None
    """Value of `llm-serving:stack`; None where it is missing."""
    stack_path: Path = ("config", STACK_KEY)
    """Where that value stands."""
    config: dict[str, Any] = field(default_factory=dict)
    """The `config` section under full keys (`namespace:name`)."""
    places: dict[str, Path] = field(default_factory=dict)
    """Where each full key stands."""
    environment: bool = False
    """Pulumi ESC adds configuration that isn't in the file."""
    found: list[Found] = field(default_factory=list)

    @property
    def region(self) -> str | None:
        """`aws:region`, where it is text."""
        region = self.config.get("aws:region")
        return region if isinstance(region, str) and region else None

    def settings(self) -> dict[str, bool]:
        """Our other keys, without the namespace, and whether each is a secret."""
        prefix = f"{PROJECT}:"
        return {
            key.removeprefix(prefix): is_encrypted(value)
            for key, value in self.config.items()
            if key.startswith(prefix) and key != STACK_KEY
        }

    def placed(self, one: Found) -> Found:
        """The same mistake, with the place of its full key for the key."""
        return replace(one, path=self.places[str(one.path[0])])


def sections(data: Any) -> Sections:
    """The sections of a whole stack file."""
    result = Sections()
    note = result.found.append
    if not isinstance(data, dict):
        note(Found(code="CFG006", path=(), message=f"expected a mapping with the key config, got {described(data)}"))
        return result
    for key in data:
        if key not in FILE_KEYS:
            near = closest(key, FILE_KEYS)
            if key == STACK_KEY or key.startswith(f"{PROJECT}:"):
                near_words = "it belongs under config"
            else:
                near_words = f"did you mean {near}?" if near else f"allowed: {', '.join(FILE_KEYS)}"
            note(Found(code="CFG004", path=(key,), message="unknown key", remedy=near_words, at_key=True))
    for key in ("encryptionsalt", "secretsprovider", "encryptedkey"):
        if key in data and not isinstance(data[key], str):
            note(Found(code="CFG006", path=(key,), message=f"expected text, got {described(data[key])}"))
    result.environment = bool(data.get("environment"))
    if "environment" in data and not isinstance(data["environment"], list | dict):
        words = "expected a list of environments, or a mapping with imports"
        note(Found(code="CFG006", path=("environment",), message=f"{words}, got {described(data['environment'])}"))
    config = data.get("config")
    if isinstance(config, dict):
        _read_config(config, result)
    elif "config" in data:
        note(Found(code="CFG006", path=("config",), message=f"expected a mapping, got {described(config)}"))
    if STACK_KEY not in result.config and (isinstance(config, dict) or "config" not in data):
        words = f"missing; everything that this program reads stands under {STACK_KEY}"
        note(Found(code="CFG005", path=("config", STACK_KEY), message=words, at_key=True))
    elif STACK_KEY in result.config and result.stack is None:
        words = "expected a mapping, got nothing; it needs at least cluster"
        note(Found(code="CFG006", path=result.stack_path, message=words, at_key=True))
    return result


def _read_config(config: Mapping[str, Any], result: Sections) -> None:
    for key, value in config.items():
        full = _full_key(key)
        path: Path = ("config", key)
        if full is None:
            words = "isn't a configuration key; write namespace:name"
            result.found.append(Found(code="CFG004", path=path, message=words, at_key=True))
        elif full in result.config:
            words = f"{full} is there already, written {result.places[full][1]}"
            result.found.append(Found(code="CFG003", path=path, message=words, at_key=True))
        else:
            result.config[full], result.places[full] = value, path
    if STACK_KEY in result.config:
        result.stack, result.stack_path = result.config[STACK_KEY], result.places[STACK_KEY]
    region = result.config.get("aws:region", "us-east-1")
    if not isinstance(region, str) or not region:
        words = f"expected the name of a region, such as us-east-1, got {described(region)}"
        result.found.append(Found(code="CFG006", path=result.places["aws:region"], message=words))


def _full_key(key: str) -> str | None:
    """With the namespace that the CLI gives a short key, which is the project's name."""
    match key.split(":"):
        case [name] if name:
            return f"{PROJECT}:{name}"
        case [namespace, name] if namespace and name:
            return key
        case [namespace, "config", name] if namespace and name:
            return f"{namespace}:{name}"
    return None


def setting_errors(settings: Mapping[str, bool], wanted: str | None) -> list[Found]:
    """Our keys beside `stack`: only the secret that `configSecret` names may be there. Paths are full keys."""
    result = []
    for name, secret in settings.items():
        path: Path = (f"{PROJECT}:{name}",)
        if name == wanted:
            if not secret:
                remedy = f"remove it and run `pulumi config set --secret {PROJECT}:{name}`"
                words = "a secret in plain text"
                result.append(Found(code="CFG009", path=path, message=words, remedy=remedy, at_key=True))
            continue
        near = closest(name, [one for one in ("stack", wanted) if one])
        remedy = (
            f"did you mean {PROJECT}:{near}?"
            if near
            else f"this program reads {STACK_KEY} and the secret of configSecret"
        )
        result.append(Found(code="CFG004", path=path, message="unknown key", remedy=remedy, at_key=True))
    return result
