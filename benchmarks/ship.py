"""Puts a trained colorizer into the package, with its card: what the name ``pretint`` stands for.

    python benchmarks/ship.py RUN --test PHOTOS --licence "..." --transfer studies/voc/study.json

Writes src/pretint/model/: ``weights.safetensors`` (half precision, settings chosen on pictures that the training held out, checked
to lose less than 0.1 dB), ``run.json``, ``metrics.jsonl`` and ``best.json`` of the training, and the card ``MODEL.md``. Scores
of the card are of the pictures of --test, which nothing was chosen on, with 95 % intervals over pictures (bootstrap, 10,000
draws); differences from the grey picture and from the mean colour are paired by picture.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from study_page import told

import pretint
from pretint import shipped
from pretint.data.layouts import open_source
from pretint.experiments.describing import networks_of_description
from pretint.experiments.environment import environment as this_environment
from pretint.inference.evaluating import evaluate_colorization
from pretint.inference.models import open_trained
from pretint.inference.trained_on import trained_on
from pretint.run_folder import RunFolder
from pretint.terminal import counted
from pretint.training.progress import counting

MOST_MB = 16
FOLDER = Path(__file__).parents[1] / "src" / "pretint" / "model"
COLUMNS = {"psnr": "PSNR, dB", "ssim": "SSIM", "auc": "AUC of ab", "colourfulness": "colourfulness"}
LIMITS = """\
- Colours are likely, not true: what a grey picture does not tell, no network knows. Do not take them for evidence of anything.
- The network sees {size} px of the shorter side. Small coloured things are missed, and colours may run over edges.
- It has learned from the photographs named above. Drawings, scans, microscopy and old processes are other pictures.
- `accurate` is pale where the network is unsure. `vivid` is livelier and more often wrong.
- Whether its features help a task is told by `pretint compare --arms pretint` on that task, and not by the scores above."""

Scores = dict[str, dict[str, list[float]]]


def main() -> None:
    """Export, evaluate, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run of pretint pretrain")
    parser.add_argument("--test", type=Path, required=True, help="photos that nothing was chosen on")
    parser.add_argument("--licence", required=True, help="of the pictures and of the weights, in a sentence or two")
    parser.add_argument(
        "--transfer", type=Path, nargs="*", default=[], help="study.json of comparisons with this model"
    )
    parser.add_argument("--replace", action="store_true", help="put it in the place of the model that is there")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder of the package's model")
    arguments = parser.parse_args()
    folder: Path = arguments.into
    if folder.exists() and not arguments.replace:
        sys.exit(f"{folder}: holds a model already; --replace puts this one in its place")
    studies = [json.loads(path.read_text()) for path in arguments.transfer]
    for study in studies:
        for arm in study["arms"]:
            if arm["pretrainings"] and Path(arm["init"][0]).name not in (Path(arguments.run).name, "pretint"):
                sys.exit(
                    f"--transfer: arm {arm['name']} of {study['title']} begins with {arm['init'][0]}, which is not this run"
                )
    source = open_source(arguments.test)
    if trained_on(open_trained(arguments.run), source, source.test_split().records) is not False:
        sys.exit(f"--test {arguments.test}: holds pictures of the training, or nobody can tell; choose others")
    unfinished = folder.with_name(".model.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    weights = unfinished / shipped.WEIGHTS
    with counting("exporting"):
        result = pretint.export(arguments.run, weights, half=True)
    if result.bytes > MOST_MB * 1e6:
        shutil.rmtree(unfinished)
        sys.exit(
            f"{arguments.run}: has {result.bytes / 1e6:.1f} MB in half precision, but the package takes at most {MOST_MB} MB; "
            "train a narrower network"
        )
    if "vivid" not in result.description.get("settings", {}):
        print("this model has no setting vivid; its card says nothing of one", file=sys.stderr)
    keep_training(RunFolder.open(Path(arguments.run)), result.description, unfinished)
    by_picture: Scores = {}

    def note(_: str, row: str, scores: Mapping[str, float]) -> None:
        for score, value in scores.items():
            by_picture.setdefault(row, {}).setdefault(score, []).append(value)

    with counting("scoring") as progress:
        scores = evaluate_colorization(open_trained(weights), arguments.test, None, None, progress, note=note)
    text = card(result.description, result.bytes, scores, by_picture, arguments.test.name, arguments.licence, studies)
    (unfinished / shipped.CARD).write_text(text)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    print(text)


def keep_training(run: RunFolder, description: Mapping[str, Any], folder: Path) -> None:
    """What `pretint report pretint` shows of the training."""
    manifest = {
        name: value for name, value in description.items() if name not in ("settings", "check", "scores", "half")
    }
    (folder / "run.json").write_text(json.dumps(manifest, indent=2) + "\n")
    for name in ("metrics.jsonl", "best.json"):
        if (run.path / name).exists():
            shutil.copyfile(run.path / name, folder / name)


def card(
    description: Mapping[str, Any],
    size: int,
    scores: Mapping[str, Any],
    by_picture: Scores,
    test: str,
    licence: str,
    studies: list[dict[str, Any]],
) -> str:
    """The model card, in Markdown."""
    options, environment, data = description["options"], description["environment"], description["data"]
    networks = ", ".join(f"{count['total']:,}" for count in networks_of_description(description).values())
    hours = description["seconds"] / 3600
    shown = [*scores["settings"], "grey", "mean_colour"]
    lines = [
        "# The model that comes with pretint",
        "",
        f"It colours photographs (`{options['pretext']}` on a {options['backbone']} backbone, {options['size']} px, {networks} parameters,",
        f"{size / 1e6:.1f} MB in half precision), and its backbone is a start for tasks with few labels. The name `pretint` stands for it",
        "wherever a run is taken: `pretint colorize photo.jpg`, `pretint finetune --init pretint ...`.",
        "",
        "## Training",
        "",
        f"- Pictures: {', '.join(data['folders'])}, {data['training']:,} for training and {data['held_out']:,} held out, without labels",
        f"  (fingerprint {data['fingerprint']}).",
        f"- Licence: {licence}",
        f"- Recipe `{options['recipe']}`, {options['epochs']} epochs of batches of {description.get('batch_size', options['batch_size'])}, seed {options['seed']}; all options stand in `run.json`.",
        f"- Compute: {hours:.1f} hours on {environment['gpu'] or environment['processor']}, {counted(environment['cores'], 'core')};"
        f" pretint {environment['pretint']} (commit {environment['commit']}), torch {environment['torch']}.",
        "",
        "## Settings",
        "",
        f"Chosen on {description['chosen_on']['pictures']} pictures ({description['chosen_on']['which']}), never on test pictures.",
        "",
        "| setting | temperature | lambda | gain |",
        "|---|---|---|---|",
    ]
    for name, row in scores["settings"].items():
        dials = row["decoding"]
        lines.append(f"| `{name}` | {dials['temperature']:g} | {dials['uniform']:g} | {dials['gain']:g} |")
    left = ", ".join(f"{count} {kind}" for kind, count in scores["left_out"].items())
    lines += [
        "",
        "## Colour",
        "",
        f"By `python benchmarks/ship.py RUN --test DATA/{test}` (commit {this_environment()['commit']}; `pretint evaluate pretint` gives the means): {scores['pictures']} pictures at",
        f"their own size (left out: {left}); mean and 95 % interval over pictures. `share` is the mean colourfulness over that of the originals.",
        "",
        f"| | {' | '.join(COLUMNS.values())} | share |",
        "|---|" + "---|" * (len(COLUMNS) + 1),
    ]
    for row in shown:
        cells = [interval(by_picture[row][score], 2 if score in ("psnr", "colourfulness") else 4) for score in COLUMNS]
        share = (scores["settings"].get(row) or scores[row])["colourfulness_share"]
        lines.append(f"| {row.replace('_', ' ')} | {' | '.join(cells)} | {share:.0%} |")
    lines += ["", "PSNR, paired by picture, in dB:", "", "| | less grey | less the mean colour |", "|---|---|---|"]
    for row in scores["settings"]:
        cells = [
            interval(np.subtract(by_picture[row]["psnr"], by_picture[other]["psnr"]), 2)
            for other in ("grey", "mean_colour")
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    if check := description.get("check"):
        told = "; ".join(
            f"`{name}` {one['float32']:.3f} dB, in half precision {one['half']:.3f}"
            for name, one in check.items()
            if name != "pictures"
        )
        lines += ["", f"What half precision costs, on {check['pictures']} held-out pictures: {told}."]
    lines += ["", "## Transfer", "", *(transfer(studies) or ["Not measured yet."])]
    lines += ["", "## Limits", "", LIMITS.format(size=options["size"]), ""]
    return "\n".join(lines)


def transfer(studies: list[dict[str, Any]]) -> list[str]:
    """Scores of the studies' arms and their differences from scratch, in points."""
    if not studies:
        return []
    counts = {arm["pretrainings"] for study in studies for arm in study["arms"] if arm["pretrainings"] > 1}
    several = [f"An arm is {count} pretrainings of one recipe, of which this model is the first." for count in counts]
    lines = [
        "`pretint compare` against the same network from scratch: scores and differences in points, with 95 % intervals; commands,",
        "machines and checks stand in docs/study.md.",
        *several,
        "",
        "| task | arm | labels | score | scratch | difference | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for study in studies:
        cells = {(row["arm"], row["mode"], row["depth"], row["fraction"]): told(row, "") for row in study["table"]}
        for row in study["differences"]:
            place = row["mode"], row["depth"], row["fraction"]
            its, other = (cells[arm, *place] for arm in (row["arm"], row["reference"]))
            lines.append(
                f"| {study['title']} | {row['arm']}, {row['mode']} | {row['fraction']:.0%} | {its} | {other} | {told(row)} "
                f"| {row['verdict']} |"
            )
    return lines


def interval(values: Any, digits: int) -> str:
    """Mean and 95 % interval over pictures: percentiles of the means of 10,000 draws."""
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(0)
    means = [array[draws.integers(len(array), size=len(array))].mean() for _ in range(10_000)]
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{array.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
