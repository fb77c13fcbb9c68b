"""``pretint reproduce``: the paper's numbers beside what this version computes, and what they mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.recipe import fill
from pretint.terminal import tell

_WIDEST = 34  # characters of a value in the terminal's table


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """The numbers of the paper, computed and held against their claims. About a minute; with --voc and --coco the paper's
    trainings are run on them too, and their results stand beside what was published.

    examples:
      pretint reproduce
      pretint reproduce --voc VOC2012 --coco PHOTOS --coco-test TEST_PHOTOS --out reproduction.md
    """

    voc: Path | None = None
    """Pascal VOC 2012, or a part of it in its layout: both transfers are run on it, scratch and pretrained."""
    coco: Path | None = None
    """Pictures without labels for the pretraining; the paper's are COCO 2014 train."""
    coco_test: Path | None = None
    """Pictures that the colorizer is scored on; the paper's are 4,000 of COCO 2014 test."""
    scale: Literal["laptop", "paper"] = "laptop"
    """laptop: recipe paper at 64 px, a quarter of its width and 5 epochs of pretraining; paper: as published, for a GPU."""
    seeds: int = 3
    """Repetitions of both transfers."""
    runs: Path = Path("runs/reproduce")
    """Folder for the trainings; what is finished in it is not run again."""
    out: Path | None = None
    """File of Markdown to write the page to; one that is there is replaced."""
    json: bool = False
    """Print one JSON document: a list of numbers with id, topic, title, what, source, claim, ours and status."""

    def __post_init__(self) -> None:
        if (self.voc is None) != (self.coco is None) or (self.coco_test is not None and self.coco is None):
            raise OptionError("--voc and --coco: the transfer needs both, labelled pictures and unlabelled ones")
        if self.voc is None:
            for field in fields(self):
                if field.name in ("scale", "seeds", "runs") and getattr(self, field.name) != field.default:
                    raise OptionError(f"--{field.name}: is for trainings; give --voc and --coco too, or leave it out")
        if "," in str(self.runs):
            raise OptionError(
                f"--runs {self.runs}: commas stand between the arms of a study; choose a name without one"
            )
        if self.seeds < 1:
            raise OptionError(f"--seeds {self.seeds}: must be at least 1")
        if self.out is not None and (self.out.is_dir() or not self.out.parent.is_dir()):
            raise OptionError(f"--out {self.out}: give a file in a folder that exists, such as reproduction.md")


def reproduce(*, out: str | Path | None = None, quiet: bool = True, **options: Any) -> list[dict[str, Any]]:
    """Compute the paper's numbers; gives back what ``pretint reproduce --json`` prints.

    Each is a mapping: ``id``; ``topic``; ``title``; ``what`` it is; ``source`` of the claim ("paper", "authors' code" or
    "computed"); ``claim``; ``ours``, None where it needs data; ``status`` ("reproduced", "differs", "explained", "needs
    data", "measured" or "not reproducible").

    Args:
        out: file of Markdown to write the page to.
        quiet: show no progress.
        **options: every option of ``pretint reproduce`` by its name: ``voc``, ``coco``, ``coco_test``, ``scale``, ``seeds``, ``runs``.

    Raises:
        PretintError: the page cannot be written where ``out`` says, or data or folders are not right.
        Interrupted: a training was stopped by a signal; the same call goes on.
    """
    chosen = fill(ReproduceOptions, {"out": out, **options}, "reproduce")
    return _run(chosen, quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(ReproduceOptions, "reproduce", arguments)
    document = _run(options, quiet=False)
    if options.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return

    from pretint.reproduction.page import verdict
    from pretint.terminal import Terminal

    console = Terminal()
    for table in _tables(document):
        console.print(table)
    console.print(verdict(document))
    if options.out:
        console.print(f"page: {options.out}", soft_wrap=True)


def _run(options: ReproduceOptions, quiet: bool) -> list[dict[str, Any]]:
    from pretint.reproduction.collecting import collect
    from pretint.reproduction.page import page
    from pretint.run_folder import write_atomically

    def say(topic: str, done: int, total: int) -> None:
        tell(f"{done + 1}/{total} {topic}", quiet)

    if options.voc and options.coco:
        from pretint.commands import paper_runs

        paper_runs.check(options.voc, options.coco, options.coco_test)
    document = collect(say)
    if options.voc and options.coco:
        measured = paper_runs.measure(
            options.voc, options.coco, options.coco_test, options.runs, options.scale, options.seeds, quiet
        )
        document = paper_runs.merged(document, measured)
    if options.out:
        write_atomically(options.out, page(document, _words(options)).encode())
    return document


def _words(options: ReproduceOptions) -> str:
    """The options as a command, with what the folders hold in place of their names."""
    words = ["pretint", "reproduce"]
    for name, what in (("voc", "VOC2012"), ("coco", "PHOTOS"), ("coco_test", "TEST_PHOTOS")):
        words += [f"--{name.replace('_', '-')}", what] if getattr(options, name) else []
    for name in ("scale", "seeds"):
        if (value := getattr(options, name)) != getattr(ReproduceOptions, name):
            words += [f"--{name}", str(value)]
    return " ".join([*words, "--out", str(options.out)])


def _tables(document: Sequence[Mapping[str, Any]]) -> list[Any]:
    """A table a topic, for a terminal."""
    from rich.table import Table

    from pretint.reproduction.page import shown

    def short(value: Any) -> str:
        words = shown(value)
        return words if len(words) <= _WIDEST or not isinstance(value, list | dict) else f"{len(value)} values"

    tables = []
    for topic in dict.fromkeys(number["topic"] for number in document):
        table = Table("number", "published or expected", "this version", "status", title=topic, title_justify="left")
        for number in document:
            if number["topic"] == topic:
                table.add_row(number["title"], short(number["claim"]), short(number["ours"]), number["status"])
        tables.append(table)
    return tables
