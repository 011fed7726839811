"""One problem of a stack: a mistake in the stack file, or a broken rule, with its place and a way out. Pure.

Codes of the stack file itself (rules have codes of their own, see `preflight`):

    CFG001  no file, or one that can't be read        CFG006  a value of the wrong type
    CFG002  bad YAML                                  CFG007  a value that isn't allowed
    CFG003  a key that is there twice                 CFG008  a name that stands for nothing
    CFG004  an unknown key                            CFG009  a secret where a plain value belongs
    CFG005  a missing key                             CFG010  another file that the stack names can't be used
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "notice"]
Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[\w:/-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, where, and what to do about it."""

    code: str
    """`CFG004`, or the code of a rule, such as `MEM001`."""
    severity: Severity
    path: Path
    """Keys and list indexes below `llm-serving:stack`, or from the top of the file for what is outside it."""
    message: str
    """The value, and what is allowed."""
    remedy: str = ""
    """One way out."""
    line: int | None = None
    """1-based; None where no file has the value."""
    column: int | None = None
    """1-based, in characters."""
    file: str = ""
    """Name of the stack file."""

    def place(self) -> str:
        """`Pulumi.dev.yaml:14:9`, as much of it as is known."""
        return ":".join(str(part) for part in (self.file or None, self.line, self.column) if part is not None)

    def text(self) -> str:
        """One line: place, key path, what is wrong, what to do about it."""
        words = "; ".join(part for part in (self.message, self.remedy) if part)
        return ": ".join(part for part in (self.place(), path_text(self.path), words) if part)

    def full_text(self) -> str:
        """`text()`, with the code of a rule, which `allow` takes, and the severity of what is no error."""
        notes = ([] if self.code.startswith("CFG") else [self.code]) + (
            [self.severity] if self.severity != "error" else []
        )
        return f"{self.text()} [{', '.join(notes)}]" if notes else self.text()

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {**asdict(self), "path": list(self.path)}


def path_text(path: Path) -> str:
    """`workloads.chat.engine.extraArgs[0]`; a key with other characters than a name has is quoted: `labels["a.b"]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{quoted(key)}]"
    return text


def quoted(text: str, most: int = 80) -> str:
    """In double quotes, control and bidirectional characters escaped, long text cut."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return json.dumps(cut, ensure_ascii=not cut.replace("…", "").isprintable())
