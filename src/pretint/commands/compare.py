"""``pretint compare``: did pretraining help, and how sure is that?"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pretint.commands.resolve import Schema, options_from_arguments, options_from_call
from pretint.errors import Interrupted, PretintError
from pretint.shipped import as_text
from pretint.studies.arms import architecture_of_arm
from pretint.studies.options import CompareOptions
from pretint.terminal import counted, percent, tell

SCHEMA = Schema(
    "compare",
    CompareOptions,
    {"task": "tasks", "backbone": "networks"},
    recipes="finetune",
    weights="arms",
    architecture=architecture_of_arm,
)


def compare(
    *,
    task: str,
    data: str | Path,
    out: str | Path,
    arms: str | Path | Sequence[str | Path] = (),
    quiet: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Compare pretrained arms with scratch on a task, over label fractions and seeds; gives back the content of study.json.

    Args:
        task: ``multilabel``, ``classification`` or ``segmentation``.
        data: folder of labelled pictures with a list of test pictures.
        out: folder for the study; with ``resume=True`` one that was stopped goes on.
        arms: runs, weights' files, ``scratch-rgb``, ``random-frozen``; ``NAME=WHERE`` names one. ``scratch`` is always there.
        quiet: print no progress.
        **options: every option of ``pretint compare`` by its name.

    Raises:
        PretintError: an option, the data, the arms or the folder is not right, or every cell failed.
        Interrupted: stopped by a signal; what was done is kept.
    """
    if isinstance(options.get("classes"), str):
        options["classes"] = options["classes"].split(",")
    chosen = [as_text(arm) for arm in ([arms] if isinstance(arms, str | Path) else arms)]
    return _run(options_from_call(SCHEMA, {"task": task, "data": data, "out": out, "arms": chosen, **options}), quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = options_from_arguments(SCHEMA, arguments)
    document = _run(options, quiet=False)
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        _show(document, options.out)
    if document["failed"]:
        raise PretintError(
            f"{options.out}: {counted(len(document['failed']), 'cell or trial', 'cells or trials')} failed, the others stand; --resume tries again what did not diverge"
        )


def _show(document: dict[str, Any], out: Path) -> None:
    from pretint.terminal import Terminal

    console = Terminal()
    for table in _tables(document):
        console.print(table)
    for check in document["checks"]:
        if check["state"] != "ok":
            tell(f"{check['state']}: {check['words']}")
    for key, why in document["failed"].items():
        tell(f"failed: {key}: {why}")
    print(document["verdict"])
    print(f"report: {out / 'report.html'}; all numbers: {out / 'study.json'}, {out / 'table.csv'}")


def _run(options: CompareOptions, quiet: bool) -> dict[str, Any]:
    from pretint.pages.building import build
    from pretint.pages.examples import draw_examples
    from pretint.studies.study import compare as run

    try:
        document = run(options, quiet)
    except Interrupted:
        build([options.out], None, lambda _: None)  # what is known so far
        raise
    draw_examples(options.out, document)
    build([options.out], None, lambda _: None)
    return document


def _tables(document: dict[str, Any]) -> list[Any]:
    """The study as tables for a terminal, in points."""
    from rich.table import Table

    title = f"{document['title']}: {document['score']} in points, mean over seeds"
    several = len(document["modes"]) > 1 or any(row["depth"] is not None for row in document["table"])
    modes = ["mode"] if several else []
    scores = Table(
        "arm", *modes, "labels", "seeds", "mean", "deviation", "95 % interval", title=title, title_justify="left"
    )
    constant = (document["constant"] or {}).get(document["score"])
    if constant is not None:
        scores.add_row("constant predictor", *("" for _ in modes), "", "", _points(constant), "", "")
    for row in document["table"]:
        scores.add_row(
            row["arm"],
            *_place(row, several),
            str(row["seeds"]),
            _points(row["mean"]),
            _points(row["deviation"]),
            _interval(row),
        )
    if not document["differences"]:
        return [scores]
    differences = Table(
        "arm", *modes, "labels", "difference", "95 % interval", "p (Holm)", "verdict",
        title="Differences from scratch, paired by seed", title_justify="left",
    )  # fmt: skip
    for row in document["differences"]:
        p = "" if row["p_holm"] is None else f"{row['p_holm']:.3g}"
        name = row["arm"] if row["reference"] == "scratch" else f"{row['arm']} (from {row['reference']})"
        difference = f"{100 * row['mean']:+.1f}"
        differences.add_row(name, *_place(row, several), difference, _interval(row), p, row["verdict"])
    return [scores, differences]


def _place(row: dict[str, Any], several: bool) -> list[str]:
    mode = [_mode(row)] if several else []
    return [*mode, percent(row["fraction"])]


def _mode(row: dict[str, Any]) -> str:
    return row["mode"] if row["depth"] is None else f"{row['mode']}, stride {row['depth']}"


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
