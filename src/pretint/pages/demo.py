"""The demo's report: what the two arms scored, what was learned about colour, and what may be concluded. Loads no torch."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pretint.pages.curves import compared_losses, training_curves
from pretint.pages.facts import facts, shown_environment
from pretint.pages.images import Row, picture_grid, write_png
from pretint.pages.progress import progress_grid, progress_words
from pretint.pages.scores import (
    CONSTANT,
    POINTS,
    class_chart,
    class_table,
    in_points,
    labelled,
    named,
    scores_by_class,
    whole_scores,
)
from pretint.run_folder import RunFolder

PSNR_GAIN = 1.0
"""dB above the better of the two rows of knowing nothing, from which colours count as learned."""


def demo_document(
    out: Path,
    tasks: Mapping[str, str],
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    colours: Mapping[str, Mapping[str, Any]],
    examples: Sequence[Path],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The document of the demo, from what its runs scored.

    Args:
        out: folder of the demo; the picture grid is written there.
        tasks: the score that each task is told by.
        scores: by task and arm, what ``evaluate`` gives.
        colours: what ``evaluate`` gives for the pretraining.
        examples: held-out scenes, whose coloured versions lie in ``out/coloured``.
        options: of the demo.
    """
    run = RunFolder.open(out / "pretrain")
    differences = {
        task: scores[task]["pretrained"]["scores"][score] - scores[task]["scratch"]["scores"][score]
        for task, score in tasks.items()
    }
    gain = colours["model"]["psnr"]["mean"] - max(colours[row]["psnr"]["mean"] for row in ("grey", "mean_colour"))
    _write_examples(out, examples)
    return {
        "title": "pretint demo",
        "verdict": _verdict(tasks, scores, differences, gain),
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "summary": [
            f"A network learned to colour {options['unlabelled']} made scenes without labels. Then two tasks were learned from "
            f"{options['labelled']} labelled scenes, once from these weights and once from scratch, with the same data, order and "
            f"epochs. All was scored on {options['test']} scenes that no training saw. The trainings took {_minutes(out, tasks):.1f} minutes. {POINTS}"
        ],
        "sections": [
            _transfer(tasks, scores, out),
            _colours(colours),
            {
                "heading": "Training",
                "tables": [{"caption": "Pretraining", "columns": ["", ""], "rows": facts(run)}],
                "charts": training_curves(run),
                "images": _progress(run, out),
            },
        ],
        "notes": [
            "The scenes are made to be learnable: what a thing is decides its colour, so that colouring teaches what things are. "
            "Their design was fixed before any transfer was looked at. Photographs are harder; a result here says nothing of them.",
            "One seed an arm. The difference between the arms holds for this seed; how sure it is needs several.",
        ],
        "commands": [
            shlex.join(["pretint", "demo", "--out", str(out)])
            + "".join(f" --{name} {options[name]}" for name in ("seed", "unlabelled", "labelled", "test"))
        ],
        "environment": shown_environment(run.manifest["environment"]),
        "results": {"transfer": scores, "differences": differences, "colorization": colours, "psnr_gain": gain},
        "options": dict(options),
        "seconds": round(60 * _minutes(out, tasks), 1),
    }


def _minutes(out: Path, tasks: Mapping[str, str]) -> float:
    """Minutes that the trainings took, over all starts."""
    runs = ["pretrain", *(f"{task}-{arm}" for task in tasks for arm in ("scratch", "pretrained"))]
    return sum(float(RunFolder.open(out / name).manifest["seconds"]) for name in runs) / 60


def _verdict(
    tasks: Mapping[str, str],
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    differences: Mapping[str, float],
    gain: float,
) -> str:
    helped = [task for task, difference in differences.items() if difference > 0]
    told = " and ".join(
        f"{100 * scores[task]['scratch']['scores'][score]:.1f} to {100 * scores[task]['pretrained']['scores'][score]:.1f} points "
        f"of {named(score)} in {task}"
        for task, score in tasks.items()
    )
    if len(helped) == len(tasks):
        first = f"Pretraining helped, with this seed: from {told}."
    elif helped:
        first = f"Pretraining helped in {' and '.join(helped)} alone: from {told}."
    else:
        first = f"Pretraining did not help: from {told}."
    beats = "beats" if gain >= PSNR_GAIN else "does not clearly beat"
    return f"{first} The colorizer {beats} knowing nothing ({gain:+.1f} dB)."


def _transfer(
    tasks: Mapping[str, str], scores: Mapping[str, Mapping[str, Mapping[str, Any]]], out: Path
) -> dict[str, Any]:
    tables, charts = [], []
    for task, score in tasks.items():
        arms = scores[task]
        constant = arms["scratch"]["constant"]
        columns = whole_scores(constant)
        rows = [
            [CONSTANT, "", *(in_points(column, constant[column]) for column in columns)],
            *(
                [arm, _loaded(out, task, arm), *(in_points(column, result["scores"][column]) for column in columns)]
                for arm, result in arms.items()
            ),
        ]
        names = [labelled(column) for column in columns]
        tables.append(
            {
                "caption": f"{task}: scores on the test scenes, and the share of parameters that was loaded",
                "columns": ["arm", "loaded", *names],
                "rows": rows,
                "best": dict.fromkeys(names, "max"),
            }
        )
        charts.append(
            {
                "kind": "bars",
                "title": f"{named(score)}, {task}",
                "bars": [{"name": arm, "value": in_points(score, arms[arm]["scores"][score])} for arm in arms],
                "value_label": labelled(score),
                "reference": in_points(score, constant[score]),
                "reference_name": CONSTANT,
            }
        )
        for by in scores_by_class(constant):
            classes = {arm: result["scores"][by] for arm, result in arms.items()} | {CONSTANT: constant[by]}
            tables.append(class_table(by, classes, where=f", {task}"))
            charts.append(class_chart(by, classes, where=f", {task}"))
        runs = {arm: RunFolder.open(out / f"{task}-{arm}") for arm in arms}
        charts += [{**chart, "title": f"{chart['title']}, {task}"} for chart in compared_losses(runs)]
    return {"heading": "Did pretraining help?", "tables": tables, "charts": charts}


def _loaded(out: Path, task: str, arm: str) -> str:
    return f"{RunFolder.open(out / f'{task}-{arm}').manifest['loaded']['share']:.1%}"


def _colours(colours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        [name.replace("_", " "), *(colours[name][score]["mean"] for score in ("psnr", "ssim", "colourfulness"))]
        for name in ("model", "grey", "mean_colour")
    ]
    return {
        "heading": "Colours of scenes that it never saw",
        "text": [
            "A grey picture keeps the true lightness, so it is a strong opponent in PSNR and SSIM; both rows below know nothing."
        ],
        "tables": [
            {
                "caption": f"Means over {colours['pictures']} test scenes, at full size",
                "columns": ["", "PSNR, dB", "SSIM", "colourfulness"],
                "rows": [*rows, ["original", None, None, colours["original"]["colourfulness"]["mean"]]],
                "best": {"PSNR, dB": "max", "SSIM": "max"},
            }
        ],
        "images": [
            {
                "path": "examples.png",
                "alt": "Test scenes in three rows: grey, coloured by the network, original",
                "caption": "Test scenes. Rows: grey, coloured, original.",
            }
        ],
    }


def _progress(run: RunFolder, out: Path) -> list[dict[str, Any]]:
    """The progress of the pretraining, as a file of the demo."""
    made = progress_grid(run)
    if made is None:
        return []
    write_png(made[0], out / "progress.png")
    return [{"path": "progress.png", **progress_words(made[1])}]


def _write_examples(out: Path, examples: Sequence[Path]) -> None:
    originals = [np.asarray(Image.open(path).convert("RGB")) for path in examples]
    coloured = [np.asarray(Image.open(out / "coloured" / path.name).convert("RGB")) for path in examples]
    grey = [np.asarray(Image.open(path).convert("L").convert("RGB")) for path in examples]
    rows = [
        Row(pictures=grey, caption="grey"),
        Row(pictures=coloured, caption="coloured"),
        Row(pictures=originals, caption="original"),
    ]
    write_png(picture_grid(rows), out / "examples.png")
