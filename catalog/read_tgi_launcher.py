"""For maintainers: the option table of a TGI release, from the source of its launcher.

Run in a clone of https://github.com/huggingface/text-generation-inference, from this repository's folder:

    git -C ../text-generation-inference show v3.3.7:launcher/src/main.rs | python -m catalog.read_tgi_launcher 3.3.7 <commit> > \
        catalog/data/tgi_options_3.3.7.json

It reads the `struct Args` that clap derives the command line from, and the enums of its values.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_NUMBERS = {"usize": "int", "u16": "int", "u32": "int", "u64": "int", "f32": "float"}
_FIELD = re.compile(r"#\[clap\((?P<attributes>[^\]]*)\)\]\s*(?:pub\s+)?(?P<name>[a-z_]+):\s*(?P<type>[A-Za-z<>0-9]+),")
_DEFAULT = re.compile(r'default_value\s*=\s*"([^"]*)"')
_VARIANT = re.compile(r'(?:#\[clap\(name = "(?P<named>[^"]+)"\)\]\s*)?(?P<name>[A-Z]\w*)\s*,')


def read(source: str) -> dict[str, dict[str, Any]]:
    """The options of a launcher's `main.rs`, by name in the order of the alphabet, in the format of the option tables.

    `env` is the environment variable that sets the option too. Raises ValueError for a type that it doesn't know.
    """
    body = _block(source, "struct Args")
    enums = {name: tuple(_choices(source, name)) for name in re.findall(r"enum (\w+)", source)}
    rows = {}
    for found in _FIELD.finditer(body):
        name, attributes = found["name"], found["attributes"]
        flags = {one.strip() for one in attributes.split(",")}
        default = _DEFAULT.search(attributes)
        row = {**_kind(found["type"], enums), "default": default[1] if default else "None"}
        if row["nargs"] == 0:
            row["default"] = "False"
        row["env"] = name.upper() if "env" in flags else None
        rows["--" + name.replace("_", "-")] = row
    return dict(sorted(rows.items()))


def _kind(written: str, enums: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    inner = re.sub(r"^Option<(.*)>$", r"\1", written)
    if written == "bool":
        return {"nargs": 0, "choices": None, "type": "None"}
    if inner == "bool":
        return {"nargs": None, "choices": ["true", "false"], "type": "str"}
    if inner in enums:
        return {"nargs": None, "choices": list(enums[inner]), "type": "str"}
    if inner in _NUMBERS:
        return {"nargs": None, "choices": None, "type": _NUMBERS[inner]}
    if inner in ("String", "Vec<String>", "Vec<usize>"):
        return {"nargs": None, "choices": None, "type": "str"}
    raise ValueError(f"type {written} of the launcher's options isn't known; add it to catalog/read_tgi_launcher.py")


def _choices(source: str, name: str) -> Iterator[str]:
    """Values of a clap ValueEnum: kebab-case names of the variants, or what their own attribute says."""
    for found in _VARIANT.finditer(_block(source, f"enum {name}")):
        yield found["named"] or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", found["name"]).lower()


def _block(source: str, head: str) -> str:
    """The text between the braces after `head`, comments left out."""
    start = re.search(rf"\b{head}\s*\{{", source)
    if start is None:
        raise ValueError(f"no `{head}` in the launcher's source")
    return re.sub(r"//.*", "", source[start.end() : source.index("\n}", start.end())])


def main() -> None:
    """Reads the source on stdin; version and commit are arguments."""
    version, commit = sys.argv[1:3]
    rows = read(sys.stdin.read())
    head = {
        "source": f"struct Args of launcher/src/main.rs, huggingface/text-generation-inference v{version} (commit {commit})",
        "date": datetime.now(UTC).date().isoformat(),
        "notes": [
            'nargs 0: a flag without a value. type and default are texts; "None" is no default: decided at start.',
            "env: the environment variable that sets the option too; the command line wins.",
            "Short names are left out: -p belongs to --port and to --prometheus-port.",
        ],
    }
    lines = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
    text = json.dumps(head, indent=2)[:-2] + ',\n  "rows": {\n' + ",\n".join(lines) + "\n  }\n}"
    print(text)


if __name__ == "__main__":
    main()
