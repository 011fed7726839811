"""What the JSON options of vLLM have in common: typed keys in the stack file, vLLM's own names on the command line. Pure."""

import json
from typing import Any

from components.engines.base import Launch
from components.spec import Spec


class JsonOption(Spec):
    """One JSON option. Keys left out keep the version's default."""

    def content(self, launch: Launch) -> dict[str, Any]:
        """The object that vLLM gets, under vLLM's own names, with what the stack file sets only."""
        return {
            name: plain(value, launch)
            for name in type(self).model_fields
            if name in self.model_fields_set and (value := getattr(self, name)) is not None
        }


def plain(value: Any, launch: Launch) -> Any:
    """A value of an option as JSON has it."""
    if isinstance(value, JsonOption):
        return value.content(launch)
    if isinstance(value, list | tuple):
        return [plain(one, launch) for one in value]
    return value


def text(value: Any) -> str:
    """JSON in one form only, so that the order of keys in a stack file doesn't restart pods."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
