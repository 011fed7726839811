"""What a container is started with: its words, its options and its variables. Pure."""

import shlex
from collections.abc import Iterator, Sequence

from policies.view import View
from preflight.container_facts import option_name


def words(container: View) -> list[str]:
    """Command and arguments; a shell script among them is split into its words."""
    found: list[str] = []
    for part in ("command", "args"):
        for view in container.at(part).each():
            text = view.text()
            found += _split(text) if any(one.isspace() for one in text.strip()) else [text]
    return found


def option(given: Sequence[str], name: str) -> str | None:
    """The value of an option, `--name value` or `--name=value`; the last one counts. None: not given."""
    value = None
    for index, word in enumerate(given):
        if option_name(word) == name:
            follows = given[index + 1] if index + 1 < len(given) else ""
            value = word.partition("=")[2] if "=" in word else follows
    return value


def variables(container: View) -> Iterator[tuple[str, View]]:
    """Name and entry of each environment variable."""
    for entry in container.at("env").each():
        yield entry.at("name").text(), entry


def is_vllm(container: View, given: Sequence[str]) -> bool:
    """Whether the container runs vLLM, by its command or its image."""
    command = any(word.rpartition("/")[2] == "vllm" or word.startswith("vllm.") for word in given)
    return command or "vllm" in container.at("image").text().partition("@")[0].rpartition("/")[2]


def _split(script: str) -> list[str]:
    try:
        return shlex.split(script)
    except ValueError:  # an unfinished quote: a template that another program fills in
        return script.split()
