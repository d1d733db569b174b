"""What the documentation shows is what the tree holds."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import isthmus as ist

ROOT = Path(__file__).parent.parent.parent
BLOCKS = re.findall(r"<!-- (\S+) -->\n\s*```\n(.*?)```", (ROOT / "docs" / "adding_an_op.md").read_text(), re.S)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", textwrap.dedent(text)).strip()


@pytest.mark.parametrize(("path", "block"), BLOCKS)
def test_adding_an_op_shows_the_tree(path: str, block: str) -> None:
    assert squeezed(block) in squeezed((ROOT / path).read_text())


def test_dataflow_names_files_and_functions_that_exist() -> None:
    text = (ROOT / "docs" / "dataflow.md").read_text()
    sources = {p.name: p.read_text() for p in (ROOT / "cpp").rglob("*") if p.suffix in (".cpp", ".h", ".def")}
    files = re.findall(r"`(?:cpp/[\w/]*/)?([\w.]+\.(?:cpp|h|def))`", text)
    assert len(files) > 10 and set(files) <= set(sources)
    everything = "\n".join(sources.values())
    for name in (
        "make_data",
        "make_node",
        "elementwise",
        "claim",
        "collect",
        "mark_leaving",
        "run_step",
        "plan_step",
        "run_elementwise",
        "publish",
    ):
        assert f"`{name}`" in text and re.search(rf"\b{name}\(", everything)


def test_the_readme_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_dataflow_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "dataflow.md").read_text()
    exec(compile(re.findall(r"```python\n(.*?)```", text, re.S)[0], "dataflow.md", "exec"), {"ist": ist})
    assert capsys.readouterr().out.strip() in text
