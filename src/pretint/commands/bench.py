"""``pretint bench``: how fast this machine does the work, how fast it could, and what holds it up."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.recipe import fill
from pretint.terminal import tell


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Speed on this machine: its peaks, each rung from a plain training step to pretint's, the feed stage by stage,
    colouring, memory; each with its spread, beside the targets. Six to eight minutes on two quiet cores; Ctrl-C prints what
    was measured until then.

    examples:
      pretint bench --quick
      pretint bench --only peaks step --json
    """

    only: tuple[Literal["start", "peaks", "step", "feed", "colorize", "memory", "curves"], ...] = ()
    """Parts to measure; all but curves where not given."""
    quick: bool = False
    """A minute or two: smaller, without the step at 256 px and most rungs."""
    curves: bool = False
    """Measure too how time grows with pictures, resolution, batch and width."""
    threads: int | None = None
    """Threads of torch; as many as it takes by itself where not given."""
    clock: Literal["wall", "cpu"] = "wall"
    """wall: the time that passes; cpu: the CPU time of one thread (--threads 1), for machines that are never quiet."""
    batch: int = 8
    """Pictures in the step at 256 px; the paper's is 32, which takes four times as long and 4 GB more memory."""
    compile: bool = False
    """Measure a compiled step too; compiling takes a minute or more each."""
    markdown: Path | None = None
    """File to write the section of docs/performance.md to; one that is there is replaced."""
    json: bool = False
    """Print one JSON document."""

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"--threads {self.threads}: must be at least 1")
        if self.clock == "cpu" and self.threads != 1:
            raise OptionError("--clock cpu: the CPU time of several threads says nothing of speed; add --threads 1")
        if self.batch < 2:
            raise OptionError(f"--batch {self.batch}: must be at least 2, since one picture has no batch to norm by")
        if self.quick and self.batch != BenchOptions.batch:
            raise OptionError(
                "--batch: --quick leaves out the step at 256 px, which it is for; leave out one of the two"
            )
        if self.markdown is not None and (self.markdown.is_dir() or not self.markdown.parent.is_dir()):
            raise OptionError(f"--markdown {self.markdown}: give a file in a folder that exists, such as machine.md")


def bench(*, quiet: bool = True, **options: Any) -> dict[str, Any]:
    """Measure speed on this machine; gives back what ``pretint bench --json`` prints.

    Its keys are ``machine``, ``peaks``, ``step``, ``feed``, ``colorize``, ``memory``, ``curves``, ``start``, ``targets`` and
    ``missing``. A measured value is a mapping of ``median``, ``low``, ``high``, ``runs`` and ``quiet``, which is False where the
    machine was too busy to tell.

    Args:
        quiet: show no progress.
        **options: every option of ``pretint bench`` by its name: ``only``, ``quick``, ``curves``, ``threads``, ``clock``,
            ``batch``, ``compile``, ``markdown``.

    Raises:
        PretintError: an option is not right.
        KeyboardInterrupt: it was stopped.
    """
    document = _run(fill(BenchOptions, options, "bench"), quiet)
    if document["interrupted"]:
        raise KeyboardInterrupt
    return document


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(BenchOptions, "bench", arguments)
    if "--only" in arguments and not options.only:
        raise OptionError("--only: name at least one part to measure, such as step; leave it out for all of them")
    document = _run(options, quiet=False)
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        _print(document)
    if options.markdown:
        tell(f"page: {options.markdown}")
    if document["interrupted"]:
        raise KeyboardInterrupt


def _run(options: BenchOptions, quiet: bool) -> dict[str, Any]:
    from pretint.run_folder import write_atomically, writing
    from pretint.speed import plan as plans
    from pretint.speed.measuring import measure
    from pretint.speed.page import section
    from pretint.speed.progress import telling

    if options.markdown:
        with writing(options.markdown):  # or minutes of measuring would be in vain
            options.markdown.open("ab").close()
    plan = plans.quick() if options.quick else plans.full(options.batch)
    parts = tuple(dict.fromkeys([*(options.only or plan.parts), *([plans.CURVES] if options.curves else [])]))
    plan = plans.chosen(plan, parts=parts, clock=options.clock, threads=options.threads, compile=options.compile)
    with telling(quiet) as told:
        document = measure(plan, told)
    if options.markdown:
        write_atomically(options.markdown, section(document).encode())
    return document


def _print(document: dict[str, Any]) -> None:
    """Tables for a terminal."""
    from rich import box
    from rich.table import Table

    from pretint.speed.tables import machine_lines, tables
    from pretint.terminal import Terminal

    console = Terminal()
    for line in machine_lines(document):
        console.print(line)
    for one in tables(document):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i, column in enumerate(one.columns):
            table.add_column(column, justify="right" if i else "left", overflow="fold")
        for row in one.rows:
            table.add_row(*row)
        console.print()
        console.print(one.title, style="bold")
        console.print(table)
        if one.note:
            console.print(one.note)
    for why in document["missing"].values():
        console.print(f"not measured: {why}")
    minutes, seconds = divmod(round(document["seconds"]), 60)
    console.print(
        f"\nmeasured in {minutes} min {seconds} s" + (", and stopped there" if document["interrupted"] else "")
    )
