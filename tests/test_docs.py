"""The documentation tells the truth: its tree is the disk's, its links lead somewhere, its commands and examples work."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from pretint import recipe
from pretint.cli import VERBS, main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The lines of a page's shell blocks."""
    return [line for block in blocks(page, "sh") for line in block.splitlines() if line]


def named_in_tree() -> Iterator[str]:
    """Files of the tree in docs/architecture.md, as paths below src/pretint; each line has a phrase."""
    (tree,) = (b for b in blocks(ROOT / "docs" / "architecture.md", "") if b.startswith("src/pretint/"))
    folders: list[str] = []
    for line in tree.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        name, _, phrase = line.strip().partition(" ")
        del folders[depth:]
        if name.endswith("/"):
            folders.append(name)
        else:
            assert phrase.strip(), f"{name} has no phrase"
            yield "".join(folders) + name


def test_the_tree_is_the_disk() -> None:
    source = ROOT / "src" / "pretint"
    on_disk = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file() and p.stat().st_size}
    named = list(named_in_tree())
    assert sorted(named) == sorted(path for path in on_disk if "__pycache__" not in path)


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links: as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        if not link.startswith(("https:", "http:")):
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@EACH_PAGE
def test_commands_name_what_exists(page: Path) -> None:
    """Verbs and make targets that a page's commands name."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in commands(page):
        program, *rest = shlex.split(line)
        assert program in ("pretint", "make"), line
        assert set(rest) <= set(targets) if program == "make" else rest[0] in {*VERBS, "--help", "--version"}, line


class _Parsed(Exception):
    """Raised in place of the verb's work."""


def parsed(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """See that a command's options are read and checked; its work is left out."""

    def stop(*_: object, **__: object) -> None:
        raise _Parsed

    monkeypatch.setattr(import_module(f"pretint.commands.{arguments[0]}"), "_run", stop)
    with pytest.raises(_Parsed):
        main(arguments)


def is_short(arguments: list[str]) -> bool:
    """Whether a command takes no data and no time."""
    shows = arguments[0] == "describe" and arguments[1] in recipe.shipped("pretrain")
    return shows or arguments[-1] in ("--help", "--version")


@pytest.mark.parametrize(
    ("page", "line"),
    [(page, line) for page in PAGES for line in commands(page) if line.startswith("pretint ")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_commands(
    page: Path, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Short commands run; of the others every option is read and checked, and the work is left out."""
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "toml"):  # a recipe that the page shows under its name: "# cells.toml"
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block)
        tomllib.loads(block)
    arguments = shlex.split(line)[1:]
    if is_short(arguments):
        try:
            assert main(arguments) == 0
        except SystemExit as end:  # tyro ends the process itself
            assert not end.code  # noqa: PT017
        assert capsys.readouterr().out
        return

    parsed(arguments, monkeypatch)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_has_examples_that_work(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their options are read and checked; the work is left out."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    examples = re.findall(r"^ +(pretint .*)$", capsys.readouterr().out, re.MULTILINE)
    assert any(shlex.split(line)[1] == verb for line in examples)
    for line in examples:
        parsed(shlex.split(line)[1:], monkeypatch)


def test_every_verb_is_shown() -> None:
    shown = {shlex.split(line)[1] for line in commands(ROOT / "docs" / "command-line.md")}
    assert set(VERBS) <= shown
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"| `pretint {verb}` |" not in readme] == []


def test_the_readme_has_the_numbers_of_the_study() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines, words = text.splitlines(), " ".join(text.split())

    def found(name: str) -> dict[str, Any]:
        return json.loads((ROOT / "benchmarks" / "results" / f"ladder-{name}.json").read_text(encoding="utf-8"))

    for name, task in {
        "multilabel": "what a photo shows, mAP",
        "segmentation": "outlines in photos, mIoU",
        "medical": "outlines of blood cells, mIoU",
    }.items():
        study = found(name)
        means = {(row["arm"], row["fraction"]): f"{100 * row['mean']:.1f}" for row in study["table"]}
        for fraction, first in ((0.1, f"| {task} |"), (1, "| |")):
            row = next(row for row in study["differences"] if row["fraction"] == fraction)
            told = f"{100 * row['mean']:+.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
            scores = f"{means['scratch', fraction]} | {means['best', fraction]}"
            assert f"{first} {fraction:.0%} | {scores} | {told} | {row['verdict']} |".replace("%", " %") in lines
    (saved,) = found("multilabel")["labels_saved"]
    costs, made = found("costs")["costs"], found("multilabel")["pretrainings"]["best"][0]
    timings = [one for row in costs.values() for one in row["reference"]]
    minutes = median(costs["best"]["ratios"]) * median(timings) * made["pictures"] * made["epochs"] / 60
    assert f"which costs {minutes:.0f} minutes of one core" in words
    assert f"With {100 * saved['fraction']:.0f} % of the labels" in words
    assert f"at most {100 * saved['high']:.0f} %" in words


@pytest.mark.parametrize("page", ["python.md", "statistics.md"])
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a page, in their order."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / page, "python"):
        exec(block, names)


@pytest.mark.long
def test_the_pretext_of_the_guide_works(tmp_path: Path) -> None:
    """The example of CONTRIBUTING.md, put into a copy of the package, keeps its promises and is formatted and typed."""
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    written = []
    for block in blocks(ROOT / "CONTRIBUTING.md", "python"):
        first, _, rest = block.partition("\n")
        written.append(first.removeprefix("# "))
        (tmp_path / written[-1]).write_text(rest)
    assert written == ["src/pretint/pretexts/rotation.py", "tests/pretexts/test_rotation.py"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    checks = ["pytest -q " + written[1], "ruff check " + " ".join(written), "ruff format --check " + " ".join(written)]
    for check in (*checks, "mypy " + written[0]):
        command = [sys.executable, "-m", *check.split()]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    command = [sys.executable, "-m", "pretint", "pretrain", "--help"]
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert "{cgan,color_bins,regression,rotation}" in shown
