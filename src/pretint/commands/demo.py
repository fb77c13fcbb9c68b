"""``pretint demo``: all of it on made scenes, with a report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretint import recipe
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError, RunError
from pretint.terminal import tell

TASKS = {"multilabel": "map", "segmentation": "miou"}
"""The demo's tasks with the score that each is told by."""
ARMS = ("scratch", "pretrained")


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Make scenes, learn from them without labels, transfer to two tasks with few labels, and report. About six minutes.

    examples:
      pretint demo
      pretint demo --out runs/demo1 --seed 1
    """

    out: Path = Path("runs/demo")
    """Folder for scenes, runs and the report; a demo that was stopped goes on."""
    seed: int = 0
    """Seed of scenes, weights and order."""
    unlabelled: int = 2400
    """Scenes without labels."""
    labelled: int = 200
    """Scenes with labels, for training."""
    test: int = 300
    """Scenes for testing."""

    def __post_init__(self) -> None:
        if min(self.unlabelled, self.labelled, self.test) < 100:
            raise OptionError(
                "--unlabelled, --labelled and --test: must be at least 100, or nothing can be told from them"
            )


def demo(
    *,
    out: str | Path = "runs/demo",
    seed: int = 0,
    unlabelled: int = 2400,
    labelled: int = 200,
    test: int = 300,
    quiet: bool = True,
) -> dict[str, Any]:
    """Run the demo; gives back the content of its report.json.

    Raises:
        PretintError: the folder holds something else.
        Interrupted: stopped by a signal, after saving.
    """
    options = DemoOptions(out=Path(out), seed=seed, unlabelled=unlabelled, labelled=labelled, test=test)
    return _run(options, quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(DemoOptions, "demo", arguments)
    document = _run(options, quiet=False)
    print(document["verdict"])
    print(f"report: {options.out / 'report.html'} and {options.out / 'report.json'}")


def _run(options: DemoOptions, quiet: bool) -> dict[str, Any]:
    from pretint.commands.colorize import colorize
    from pretint.commands.evaluate import evaluate
    from pretint.commands.finetune import finetune
    from pretint.commands.pretrain import pretrain
    from pretint.data import scenes
    from pretint.pages.demo import demo_document
    from pretint.pages.page import write_page
    from pretint.run_folder import write_atomically
    from pretint.training.progress import counting

    def say(line: str) -> None:
        tell(f"\n== {line}", quiet)

    _check_folder(options.out)
    out, data = options.out, options.out / "scenes"
    splits = {"unlabelled": options.unlabelled, "train": options.labelled, "test": options.test}
    say("1/5 making scenes")
    with counting("scenes", quiet) as progress:
        scenes.write(data, sum(splits.values()), options.seed, size=96, splits=splits, progress=progress)
    common: dict[str, Any] = {"recipe": "demo", "seed": options.seed, "resume": True, "quiet": quiet}
    say("2/5 pretraining without labels: learning to colour")
    pretrain(data=data, split="unlabelled", out=out / "pretrain", **common)
    scores: dict[str, dict[str, Any]] = {}
    for number, task in enumerate(TASKS):
        for arm in ARMS:
            say(f"{number + 3}/5 {task} with {options.labelled} labelled scenes: {arm}")
            init = "scratch" if arm == "scratch" else out / "pretrain"
            finetune(task=task, data=data, out=out / f"{task}-{arm}", init=init, **common)
            scores.setdefault(task, {})[arm] = evaluate(out / f"{task}-{arm}", data=data, split="test")
    say("5/5 colouring held-out scenes")
    colours = evaluate(out / "pretrain", data=data, split="test")
    examples = [data / "images" / f"{name}.jpg" for name in (data / "test.txt").read_text().split()[:8]]
    colorize(examples, out=out / "coloured", model=out / "pretrain", overwrite=True)
    document = demo_document(out, TASKS, scores, colours, examples, recipe.as_values(options))
    write_atomically(out / "report.json", (json.dumps(document, indent=2) + "\n").encode())
    write_page(out / "report.html", document)
    return document


def _check_folder(out: Path) -> None:
    """See that a folder is new, empty, or that of a demo that was begun: its scenes come first, and are there whole or not at all.

    Raises:
        RunError: it holds something else.
    """
    from pretint.run_folder import MANIFEST
    from pretint.studies.folder import STUDY

    if not out.exists():
        return
    begun = (out / "scenes" / "scenes.json").is_file() and not any((out / name).exists() for name in (MANIFEST, STUDY))
    # What a kill in the midst of the scenes leaves is no file of anybody.
    if not begun and (not out.is_dir() or any(not file.name.startswith(".scenes.") for file in out.iterdir())):
        raise RunError(f"--out {out}: exists and is not empty, and holds no demo; choose another folder")
