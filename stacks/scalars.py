"""What a plain YAML scalar means to the Pulumi CLI, so that `check` sees what `pulumi up` hands to the program. Pure.

The CLI decodes stack files with gopkg.in/yaml.v3 v3.0.1 (resolve.go) and hands an object to the program as JSON written
by Go (pulumi/pulumi 1b59498, sdk/go/common/resource/config/object.go); both read 2026-11-22. So, unlike in YAML 1.1:

    yes, no, on, off, y, n     text (only true, false and their capitalised forms are booleans)
    1_000, 0x10, 0b1, 0o17     whole numbers; 017 too is octal (15)
    1e3, 8192.0                whole numbers, since Go's JSON writes 1000 and 8192
    12:30                      text
    2001-01-01                 a date, which reaches the program as "2001-01-01 00:00:00 +0000 UTC"; here it stays a
                               date, which no key takes, so that the message can say to quote it
    ~, null, nothing           null
    .inf, .nan                 numbers that JSON can't hold: the CLI refuses the file, and so do we
"""

import datetime
import math
import re
from functools import lru_cache

Scalar = str | int | float | bool | None | datetime.date

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
}
_MAYBE_NUMBER = frozenset("+-.0123456789")
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|(0[0-7]*)|([1-9][0-9]*))")
_BASES = (16, 2, 8, 8, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"([Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?)?"
)
_LEAST, _MOST, _DIGITS = -(2**63), 2**64 - 1, 1000
# Go's JSON writes a float below 1e21 without an exponent, so a whole one reads as an integer.
_EXPONENT_FROM = 1e21


@lru_cache(maxsize=8192)
def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAYBE_NUMBER:
        return text
    if text[0] == ".":
        return _float(text) if _POINT_FLOAT.fullmatch(text) else text
    if date := _DATE.fullmatch(text):
        try:
            return datetime.date(int(date[1]), int(date[2]), int(date[3]))
        except ValueError:
            pass
    return _number(text)


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    found = _INTEGER.fullmatch(digits)
    if found and len(digits) <= _DIGITS:
        sign, *groups = found.groups()
        value = next(int(group, base) for group, base in zip(groups, _BASES, strict=True) if group)
        value = -value if sign == "-" else value
        # uint64 is tried after int64, and takes no sign
        if _LEAST <= value < 2**63 or (not sign and value <= _MOST):
            return value
    return _float(text) if _FLOAT.fullmatch(digits) else text


def _float(text: str) -> int | float | str:
    value = float(text.replace("_", ""))
    if math.isinf(value):  # out of range is no number to Go
        return text
    return int(value) if value.is_integer() and abs(value) < _EXPONENT_FROM else value
