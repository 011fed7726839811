"""Property values of a resource with their paths, and the marker for what is known only after the deployment. Pure."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class Unknown(enum.Enum):
    """A value that exists only after the deployment; `UNKNOWN` is the only one."""

    UNKNOWN = "<computed>"


UNKNOWN: Final = Unknown.UNKNOWN


class UnknownValueRead(Exception):
    """A decision needs the value at `path`, which is known only after the deployment."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is known only after the deployment")
        self.path = path


@dataclass(frozen=True, slots=True)
class View:
    """A value and where it is. Walking never fails: what is absent, or of another form than the API's, is None.

    Reading an unknown value, or below one, raises `UnknownValueRead`.
    """

    value: Any = None
    path: str = ""

    def at(self, *keys: str) -> "View":
        """The value below these keys."""
        value, path = self.value, self.path
        for key in keys:
            if value is UNKNOWN:
                break
            value = value.get(key) if isinstance(value, Mapping) else None
            path = f'{path}["{key}"]' if "." in key or "/" in key else f"{path}.{key}" if path else key
        return View(value, path)

    def read(self) -> Any:
        """The value itself."""
        if self.value is UNKNOWN:
            raise UnknownValueRead(self.path)
        return self.value

    def each(self) -> Iterator["View"]:
        """The items of a list."""
        value = self.read()
        if isinstance(value, Sequence) and not isinstance(value, str):
            for index, item in enumerate(value):
                yield View(item, f"{self.path}[{index}]")

    def items(self) -> Iterator[tuple[str, "View"]]:
        """The entries of a map."""
        value = self.read()
        if isinstance(value, Mapping):
            for key in value:
                yield str(key), self.at(str(key))

    def exists(self) -> bool:
        """Whether there is a value, known or not."""
        return self.value is not None

    def text(self) -> str:
        """The text; '' when absent. Numbers are given as Kubernetes prints them, since quantities may be numbers."""
        value = self.read()
        return "" if value is None or isinstance(value, bool | Mapping | list) else str(value)

    def integer(self, default: int) -> int:
        """The whole number; `default` when absent."""
        value = self.read()
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def is_true(self) -> bool:
        """Whether it is `true`."""
        return self.read() is True
