"""``pretint reproduce``: the paper's numbers beside what this version computes, and what they mean."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretint.commands.resolve import plain_options
from pretint.errors import OptionError

_WIDEST = 34  # characters of a value in the terminal's table


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """The numbers of the paper that need no data, computed and held against their claims. About a minute."""

    out: Path | None = None
    """File of Markdown to write the page to; one that is there is replaced."""
    json: bool = False
    """Print one JSON document: a list of numbers with id, topic, title, what, source, claim, ours and status."""

    def __post_init__(self) -> None:
        if self.out is not None and (self.out.is_dir() or not self.out.parent.is_dir()):
            raise OptionError(f"--out {self.out}: give a file in a folder that exists, such as reproduction.md")


def reproduce(*, out: str | Path | None = None, quiet: bool = True) -> list[dict[str, Any]]:
    """Compute the paper's numbers; gives back what ``pretint reproduce --json`` prints.

    Each is a mapping: ``id``; ``topic``; ``title``; ``what`` it is; ``source`` of the claim ("paper", "authors' code" or
    "computed"); ``claim``; ``ours``, None where it needs data; ``status`` ("reproduced", "differs", "explained", "needs
    data" or "not reproducible").

    Raises:
        PretintError: the page cannot be written where ``out`` says.
    """
    return _run(ReproduceOptions(out=None if out is None else Path(out)), quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(ReproduceOptions, "reproduce", arguments)
    document = _run(options, quiet=False)
    if options.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from pretint.reproduction.page import verdict

    console = Console(highlight=False)
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
        if not quiet:
            print(f"{done + 1}/{total} {topic}", file=sys.stderr)

    document = collect(say)
    if options.out:
        write_atomically(options.out, page(document).encode())
    return document


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
