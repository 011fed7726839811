"""What the documents show is what the program prints."""

import re
import shlex
from pathlib import Path

import pytest

from tests.programs import ROOT
from tests.test_cli import cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- (output|file): (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
MARKED = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


def shown(kind: str, what: str) -> str:
    if kind == "file":
        return f"```yaml\n{(ROOT / what).read_text(encoding='utf-8')}```\n"
    result = cli(*shlex.split(what))
    assert "Traceback" not in result.stderr
    return f"```console\n$ llm-serving {what}\n{result.stdout}```\n"


@pytest.mark.parametrize("page", MARKED, ids=lambda page: page.name)
def test_a_page_shows_what_the_program_prints(page: Path, request: pytest.FixtureRequest, golden: object) -> None:
    text = page.read_text(encoding="utf-8")
    current = BLOCK.sub(lambda found: found[1] + shown(found[2], found[3]) + found[5], text)
    if request.config.getoption("--update-golden"):
        page.write_text(current, encoding="utf-8")
    else:
        assert text == current, "run `make golden`"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def codes(stack: str) -> list[str]:
    return re.findall(r"\[([A-Z]{3}\d{3})[,\]]", cli("check", f"docs/examples/Pulumi.{stack}.yaml").stdout)


def test_every_mistake_of_the_page_that_can_be_typed_has_a_message() -> None:
    assert {"ENG001", "ENG003", "ENG013", "ROL001", "PAR003", "SEC003", "SEC007", "POD015"} <= set(codes("page"))


def test_every_option_of_the_pages_time_that_is_gone_is_refused() -> None:
    found = codes("page-options")
    assert found.count("ENG002") == 7
    assert "ENG012" in found
