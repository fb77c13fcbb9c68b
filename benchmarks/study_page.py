"""docs/study.md from the studies' numbers in benchmarks/results/ladder-*.json; ladder.py writes it after each stage.

python benchmarks/study_page.py
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import costs
import parts
from first_results import CLASSES, RESULTS
from rungs import PASSES, PRETRAININGS, RUNGS, TIMED

from pretint.pages.lines import Line, line_chart
from pretint.studies.checks import with_cells
from pretint.terminal import counted

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
PROBED = ("scratch", "paper", "bins-unet", "one-cycle", "simclr", "simmim")
"""Arms whose probes are drawn."""
NAMES = {"simclr": "SimCLR", "simmim": "SimMIM"}
"""The peers, as their papers call them."""
SCORES = {"map": "mAP", "miou": "mIoU"}
AIMS = (
    ("multilabel, all labels", "ladder-multilabel", 1.0, 12),
    ("multilabel, 10 % of the labels", "ladder-multilabel", 0.1, 12),
    ("segmentation of VOC, all labels, mIoU", "ladder-segmentation", 1.0, 8),
    ("segmentation of blood cells, 10 % of the labels, mIoU", "ladder-medical", 0.1, 0),
)
"""Words, study, share of the labels, least points."""
GROWTH = (
    (
        "Longer pretraining",
        "length",
        "passes over the photos",
        {"short": PASSES // 3, "growing": PASSES, "long": 3 * PASSES},
    ),
    (
        "More pictures, as many steps",
        "pictures",
        "unlabelled photos",
        {"tenth": 1_500, "third": 5_000, "growing": 15_000},
    ),
)
"""Heading, name, axis, and where each rung stands on it."""
ADVERSARY = (
    ("L1, paper's U-Net", "l1", "crops"),
    ("L1, residual backbone", "cgan-residual", "l1-residual"),
    ("bins, residual backbone", "cgan-bins", "growing"),
)
"""Content loss and backbone, and two rungs that differ in the adversary alone, the one held against the other."""


def page() -> str:
    """docs/study.md from the results that are there."""
    found: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("ladder-*.json"))}
    lines = [
        "# Study: from the paper's recipe to the best",
        "",
        "Written by `python benchmarks/ladder.py --data DATA --runs RUNS`; do not edit by hand. Points are scores x 100; intervals",
        "are of 95 %, paired over seeds and widened by the sampling of the test pictures ([statistics.md](statistics.md)).",
        "",
    ]
    found["ladder-rungs"] = parts.merged(studies := parts.parts())
    lines += target_lines(found)
    rungs = found["ladder-rungs"]
    if not rungs:
        lines += ["The ladder between the paper's recipe and the best, one change a rung: not run yet.", ""]
    else:
        lines += [*rung_lines(rungs, len(studies)), *adversary_lines(rungs), *depth_lines(rungs), *growth_lines(rungs)]
    if tried := found.get("ladder-peers"):
        lines += peer_lines(tried)
    if mark := found.get("ladder-upper-mark"):
        lines += mark_lines(mark)
    for name in ("multilabel", "segmentation", "medical"):
        if end := found.get(f"ladder-{name}"):
            lines += end_lines(name, end)
    return "\n".join(lines).rstrip() + "\n"


def target_lines(found: dict[str, Any]) -> list[str]:
    """What was aimed at, and what came of it."""
    lines = [
        "## Aims",
        "",
        "Recipe `best` against scratch at 96 px, differences in points with their 95 % intervals. An aim is met where the mean difference",
        "reaches it and the interval lies on its side of 0; that of the labels where a tenth of them is enough and the interval of that",
        "share ends below all of them.",
        "",
        "| | aim | found | met |",
        "|---|---|---|---|",
    ]
    for words, study, fraction, least in AIMS:
        row = difference(found.get(study), "best", "scratch", fraction)
        met = row is not None and row["low"] > 0 and 100 * row["mean"] >= least
        aim = f"at least +{least:g}" if least else "an interval above 0"
        lines.append(f"| {words} | {aim} | {told(row)} | {yes(row, met)} |")
    every = found.get("ladder-multilabel", {}).get("labels_saved", ())
    saved = next((row for row in every if (row["arm"], row["mode"]) == ("best", "finetune")), None)
    enough = saved is not None and saved["high"] is not None and (saved["already"] or (saved["fraction"] or 1) <= 0.1)
    lines.append(
        f"| multilabel: labels saved at scratch's score with all | 10 times | {saved['words'] if saved else 'not measured yet'} | "
        f"{yes(saved, enough)} |"
    )
    for method in NAMES:
        row = difference(found.get("ladder-rungs"), method, TIMED, 0.1)
        met = row is not None and row["high"] < 0
        lines.append(
            f"| {NAMES[method]} below `{TIMED}`, 10 % of the labels, 64 px, same cost | below | {told(row)} | {yes(row, met)} |"
        )
    return [*lines, ""]


def difference(done: dict[str, Any] | None, arm: str, reference: str, fraction: float) -> dict[str, Any] | None:
    """The fine-tuned difference of two arms, where it was measured with an interval."""
    place = (arm, reference, "finetune", fraction)
    rows = (done or {}).get("differences", ())
    return next(
        (r for r in rows if (r["arm"], r["reference"], r["mode"], r["fraction"]) == place and r["low"] is not None),
        None,
    )


def told(row: dict[str, Any] | None, sign: str = "+") -> str:
    """A difference in points with its interval, or with ``sign`` "" a score."""
    if row is None:
        return "not measured yet"
    span = "" if row["low"] is None else f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    return f"{100 * row['mean']:{sign}.1f}{span}"


def yes(row: dict[str, Any] | None, met: bool) -> str:
    """Whether an aim was met."""
    return "" if row is None else "yes" if met else "no"


def rung_lines(done: dict[str, Any], studies: int) -> list[str]:
    """The ladder as a table: each rung with its difference to scratch and to the rung below; ``studies``: in how many it was run."""
    changes = {rung.name: rung.change for rung in RUNGS} | {
        method: f"{name} at the same cost, on RGB" for method, name in NAMES.items()
    }  # fmt: skip
    there = {arm["name"] for arm in done["arms"]}
    missing = [f"`{name}`" for name in changes if name not in there]
    lines = [
        "## The ladder",
        "",
        f"`--stages rungs peers`: 64 px, {PASSES} passes over the unlabelled photos where nothing else is said, one pretraining each; then",
        f"multilabel on six VOC classes with a tenth of the labels, seeds {done['seeds']} of the fine-tuning, {done['test']['pictures']} test",
        f"pictures, mAP in points. {stamp(done)}. Probes are linear, on frozen features, at the best depth by their mean over seeds.",
        f"Minutes of pretraining are what it costs on one CPU thread, timed apart from the trainings: `--stages costs`, {where(costs.document())}.",
        "A star stands behind a difference that holds after Holm's correction. SimCLR (Chen et al. 2020) and SimMIM (Xie et al. 2022) are",
        "`benchmarks/peers.py`: the same backbone and photos, in colour, for the CPU time of "
        + f"`{TIMED}`; they should come out below it.",
        *(
            [
                f"Run in {studies} studies, each with a scratch of its own and what its rungs are held against; differences, and their",
                "corrections, are within one of them, scores those of the first that has the arm.",
            ]
            if studies > 1
            else []
        ),
        *([f"Not run yet: {', '.join(missing)}."] if missing else []),
        "",
        "| rung | what changes | against | minutes | mAP | deviation | to scratch | to that rung | probe |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    table = {row["arm"]: row for row in done["table"] if row["mode"] == "finetune"}
    probes: dict[str, float] = {}
    for row in done["table"]:
        if row["mode"] == "linear":
            probes[row["arm"]] = max(probes.get(row["arm"], 0), row["mean"])
    for arm in done["arms"]:
        row = table.get(arm["name"])
        if row is None:
            continue
        made = done["pretrainings"].get(arm["name"])
        against = next((rung.against for rung in RUNGS if rung.name == arm["name"]), TIMED if made else "")
        lines.append(
            f"| {arm['name']} | {changes.get(arm['name'], '')} | {against} | {minutes(made[0])} | " if made
            else f"| {arm['name']} | | | | "
        )  # fmt: skip
        lines[-1] += (
            f"{100 * row['mean']:.1f} | {100 * row['deviation']:.1f} | {gap(done, arm['name'], arm['reference'])} | {gap(done, arm['name'], against)} | "
            f"{100 * probes.get(arm['name'], float('nan')):.1f} |"
        )
    return [*lines, "", *check_lines(done), ""]


def check_lines(done: dict[str, Any]) -> list[str]:
    """What the study warns of."""
    return [f"- Check ({c['state']}): {c['words']}" for c in done["checks"] if c["state"] == "warning"]


def adversary_lines(done: dict[str, Any]) -> list[str]:
    """Whether the adversary serves the features: the rungs that differ in nothing else."""
    found = [
        f"- {words}: {row['words']}"
        for words, arm, reference in ADVERSARY
        if (row := difference(done, arm, reference, done["fractions"][0]))
    ]
    return ["### Does the adversary help?", "", *found, ""] if found else []


def depth_lines(done: dict[str, Any]) -> list[str]:
    """The linear probes over the depth of the backbone."""
    rows = [row for row in done["table"] if row["mode"] == "linear" and row["arm"] in PROBED]
    arms = [arm for arm in PROBED if any(row["arm"] == arm for row in rows)]
    if len(arms) < 2:
        return []
    drawn = [curve(arm, [row for row in rows if row["arm"] == arm], "depth") for arm in arms]
    chart = line_chart(
        drawn,
        title="Linear probes over depth",
        x_label="stride of the features",
        y_label="mAP, points",
        x_scale="log",
        interval="bars",
    )
    return [
        "### Probes by depth",
        "",
        picture("depth", chart, f"linear probes of {' and '.join(arms)} over the stride of the features"),
        "",
    ]


def growth_lines(done: dict[str, Any]) -> list[str]:
    """What longer pretraining and more pictures bring: fine-tuning and the best probe."""
    lines: list[str] = []
    for heading, name, x_label, arms in GROWTH:
        drawn = []
        for label, mode in (("fine-tuned", "finetune"), ("linear probe, best depth", "linear")):
            found = {arm: [row for row in done["table"] if (row["arm"], row["mode"]) == (arm, mode)] for arm in arms}
            best = [{**max(rows, key=lambda row: row["mean"]), "at": arms[arm]} for arm, rows in found.items() if rows]
            if len(best) > 1:
                drawn.append(curve(label, best, "at"))
        if not drawn:
            continue
        chart = line_chart(drawn, title=heading, x_label=x_label, y_label="mAP, points", x_scale="log", interval="bars")
        lines += [f"### {heading}", "", picture(name, chart, f"mAP over {x_label}"), ""]
    return lines


def peer_lines(tried: dict[str, Any]) -> list[str]:
    """What was tried for each peer before its pretraining."""
    lines = [
        "### Settings of the peers",
        "",
        f"Tried at about the cost of {tried['passes']} passes of `{TIMED}`'s recipe each; the best by linear probes on held-out training pictures, a tenth of the",
        "labels, three subsets, at the best depth by its mean, is pretrained for the ladder. "
        + "; ".join(dict.fromkeys(where(row) for row in tried["rows"]))
        + ".",
        "",
        "| method | settings | passes | probe, mean | by subset |",
        "|---|---|---|---|---|",
    ]
    for row in tried["rows"]:
        settings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row["settings"].items())
        best = max(row["probes"].values(), key=sum)
        by_subset = ", ".join(f"{100 * one:.1f}" for one in best)
        lines.append(
            f"| {NAMES[row['method']]} | {settings} | {row['epochs']} | {100 * sum(best) / len(best):.1f} | {by_subset} |"
        )
    return [*lines, ""]


def mark_lines(mark: dict[str, Any]) -> list[str]:
    """What 1.28 million labels of other pictures bring."""
    sizes = dict.fromkeys(row["size"] for row in mark["rows"])
    lines = [
        "### Supervision on ImageNet, an upper mark",
        "",
        f"`python benchmarks/upper_mark.py --data DATA/voc --weights FILE --sizes {' '.join(map(str, sizes))}`: linear probes of {mark['network']}, trained on the 1.28 million",
        "labelled photos of ImageNet (RGB), on the same test pictures and subsets of labels; mAP in points, at the best depth by its mean.",
        f"{where(mark)}.",
        "",
        "| size | labels | probe, mean of seeds | by seed |",
        "|---|---|---|---|",
    ]
    for size, fraction in dict.fromkeys((row["size"], row["fraction"]) for row in mark["rows"]):
        rows = [row for row in mark["rows"] if (row["size"], row["fraction"]) == (size, fraction)]
        best = max((row["map"] for row in rows), key=sum)
        by_seed = ", ".join(f"{100 * one:.1f}" for one in best)
        lines.append(f"| {size} px | {fraction:.0%} | {100 * sum(best) / len(best):.1f} | {by_seed} |")
    return [*lines, ""]


def picture(name: str, chart: str, alternative: str) -> str:
    """Keep a chart beside the page; gives back the Markdown that shows it."""
    path = PAGE.parent / "images" / f"study-{name}.svg"
    path.write_text(chart + "\n")
    return f"![{alternative}](images/{path.name})"


def minutes(made: dict[str, Any]) -> str:
    """What a pretraining costs on one thread of a CPU."""
    return f"{costs.seconds_a_picture(made['costs']) * made['pictures'] * made['epochs'] / 60:.0f}"


def gap(done: dict[str, Any], arm: str, reference: str | None) -> str:
    """A paired difference in points with its interval; * where it stands after Holm's correction."""
    row = difference(done, arm, reference or "", done["fractions"][0])
    return "" if row is None else told(row) + ("*" if row["verdict"] in ("helped", "hurt") else "")


def end_lines(name: str, done: dict[str, Any]) -> list[str]:
    """One comparison at the end of the ladder: table, sentences, and the curve over labels."""
    rows = [row for row in done["table"] if row["mode"] == "finetune"]
    seeds = len(done["seeds"])
    lines = [
        f"## At the end: {name}",
        "",
        f"`--stages {name} --seeds {seeds}`: 96 px, {PRETRAININGS} pretrainings, {seeds} seeds, {done['test']['pictures']} test pictures, "
        f"{SCORES[done['score']]} in points.",
        f"A pretraining costs {minutes(done['pretrainings']['best'][0])} minutes of one CPU thread (`--stages costs`). Cells: {machines(done)}.",
        "Means, deviations and intervals are over seeds for scratch and over pretrainings, of the means of their seeds, for best.",
        *(
            [
                f"{2 * PRETRAININGS} seeds were planned; these are those that were complete when time ran out, whatever they scored."
            ]
            if seeds < 2 * PRETRAININGS
            else []
        ),
        "",
        "| arm | labels | mean | deviation | 95 % interval |",
        "|---|---|---|---|---|",
        *(
            f"| {row['arm']} | {row['fraction']:.0%} | {100 * row['mean']:.1f} | {100 * row['deviation']:.1f} "
            f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} |"
            for row in rows
        ),
        "",
        *(by_hand(done) if name == "multilabel" else []),
        *(
            f"- {row['fraction']:.0%} of the labels: {row['words']}"
            for row in done["differences"]
            if row["mode"] == "finetune"
        ),
        *(f"- {row['words']}" for row in done["labels_saved"]),
        *check_lines(done),
        "",
    ]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    if len({row["fraction"] for row in rows}) > 2:
        chart = line_chart(
            [curve(arm, [row for row in rows if row["arm"] == arm], "fraction") for arm in arms],
            title=f"{name}: {SCORES[done['score']]} over labels", x_label="share of the labels", y_label="points", x_scale="log",
            interval="bars",
        )  # fmt: skip
        lines += [picture(name, chart, f"{SCORES[done['score']]} of {' and '.join(arms)} over the share of labels"), ""]
    return lines


def by_hand(done: dict[str, Any]) -> list[str]:
    """How to repeat a cell with the shipped model, which is the first of the pretrainings."""
    rate = next(arm["rate"] for arm in done["arms"] if arm["name"] == "best")
    return [
        f"One cell by hand, the shipped model with all labels: `pretint finetune --task multilabel --data DATA/voc --classes {' '.join(CLASSES)}",
        f"--size 96 --rate {rate:g} --init pretint --out RUN`, then `pretint evaluate RUN --data DATA/voc --split val`.",
        "",
    ]


def curve(name: str, rows: Sequence[dict[str, Any]], over: str) -> Line:
    """Means and intervals of an arm, in points, over one of their values."""
    rows = sorted(rows, key=lambda row: row[over])
    return Line(
        name=name, x=[row[over] for row in rows], y=[100 * row["mean"] for row in rows],
        low=[100 * row["low"] for row in rows], high=[100 * row["high"] for row in rows],
    )  # fmt: skip


def stamp(done: dict[str, Any]) -> str:
    """How long a study took, and where and with what."""
    return f"{done['seconds'] / 3600:.1f} h on {where(done)}"


def machines(done: dict[str, Any]) -> str:
    """Where the cells of a study were trained."""
    finished = len(done["cells"]) + sum(len(arm["search"]) for arm in done["arms"])
    environments = with_cells(done.get("environments", [done["environment"]]), finished)
    return "; ".join(dict.fromkeys(where({"environment": one}) for one in environments))


def where(done: dict[str, Any]) -> str:
    """Where and with what something was measured."""
    environment = done["environment"]
    card = f"{environment['gpu']}, " if environment["gpu"] else ""
    return (
        f"{card}{environment['processor']}, {counted(environment['cores'], 'core')}, torch {environment['torch']}, "
        f"commit {environment['commit']}"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
