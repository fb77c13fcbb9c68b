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
PROBE_DEPTH = 16
"""Stride of the probes in the table: the coarsest of the residual backbone, and one that the U-Net has too."""
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
    rungs, probes = (parts.merged(parts.parts(study)) for study in ("rungs", "probes"))
    lines += target_lines({**found, "ladder-rungs": rungs})
    if not rungs:
        lines += ["The ladder between the paper's recipe and the best, one change a rung: not run yet.", ""]
    else:
        lines += [*rung_lines(rungs), *duel_lines(found.get("ladder-duel"))]
    if probes:
        lines += [*probe_lines(probes), *depth_lines(probes)]
    if rungs and probes:
        lines += [*adversary_lines(rungs, probes), *growth_lines(rungs, probes)]
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
        row = difference(found.get("ladder-duel", found.get("ladder-rungs")), method, TIMED, 0.1)
        met = row is not None and row["high"] < 0
        lines.append(
            f"| {NAMES[method]} below `{TIMED}`, 10 % of the labels, 64 px, same cost | below | {told(row)} | {yes(row, met)} |"
        )
    return [*lines, ""]


def difference(
    done: dict[str, Any] | None, arm: str, reference: str, fraction: float, depth: int | None = None
) -> dict[str, Any] | None:
    """The difference of two arms, where it was measured with an interval: fine-tuned, or probed at a depth."""
    place = (arm, reference, depth, fraction)
    rows = (done or {}).get("differences", ())
    return next(
        (r for r in rows if (r["arm"], r["reference"], r["depth"], r["fraction"]) == place and r["low"] is not None),
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


CHANGES = {rung.name: rung.change for rung in RUNGS} | {
    method: f"{name} at the same cost, on RGB" for method, name in NAMES.items()
}
"""What is different about each rung, and the peers."""


def in_order(done: dict[str, Any]) -> list[dict[str, Any]]:
    """The arms of a study of the ladder: those from random weights, the rungs, the peers."""
    order = list(CHANGES)
    return sorted(done["arms"], key=lambda arm: order.index(arm["name"]) if arm["name"] in order else -1)


def against(arm: str) -> str:
    """The rung that a rung or a peer is held against; empty for one from random weights."""
    return next((rung.against for rung in RUNGS if rung.name == arm), TIMED if arm in NAMES else "")


def rung_lines(done: dict[str, Any]) -> list[str]:
    """The ladder as a table: each rung fine-tuned, with its difference to scratch and to the rung below."""
    there = {arm["name"] for arm in done["arms"]}
    missing = [f"`{name}`" for name in CHANGES if name not in there]
    lines = [
        "## The ladder",
        "",
        f"`--stages rungs peers`: 64 px, {PASSES} passes over the unlabelled photos where nothing else is said, one pretraining each; then",
        f"multilabel on six VOC classes with a tenth of the labels, seeds {done['seeds']} of the fine-tuning, {done['test']['pictures']} test",
        f"pictures, mAP in points. {stamp(done)}.",
        f"Minutes of pretraining are what it costs on one CPU thread, timed apart from the trainings: `--stages costs`, {where(costs.document())}.",
        "A star stands behind a difference that holds after Holm's correction. SimCLR (Chen et al. 2020) and SimMIM (Xie et al. 2022) are",
        f"`benchmarks/peers.py`: the same backbone and photos, in colour, for the CPU time of `{TIMED}`; they should come out below it.",
        *in_parts(done),
        *([f"Not run yet: {', '.join(missing)}."] if missing else []),
        "",
        "| rung | what changes | against | minutes | mAP | deviation | to scratch | to that rung |",
        "|---|---|---|---|---|---|---|---|",
    ]
    table = {row["arm"]: row for row in done["table"] if row["mode"] == "finetune"}
    for arm in in_order(done):
        name = arm["name"]
        if row := table.get(name):
            made = done["pretrainings"].get(name)
            words = [
                name, CHANGES.get(name, ""), against(name), minutes(made[0]) if made else "",
                f"{100 * row['mean']:.1f}", f"{100 * row['deviation']:.1f}",
                gap(done, name, arm["reference"], done["fractions"][0]), gap(done, name, against(name), done["fractions"][0]),
            ]  # fmt: skip
            lines.append(f"| {' | '.join(words)} |")
    return [*lines, "", *check_lines(done), ""]


def duel_lines(done: dict[str, Any] | None) -> list[str]:
    """The peers and the rung that they are held against, with more seeds than the ladder has."""
    if done is None:
        return []
    (fraction,) = done["fractions"]
    table = {row["arm"]: row for row in done["table"]}
    lines = [
        "### The peers once more",
        "",
        f"`--stages duel`: the same pretrainings and fine-tuning, seeds {done['seeds'][0]} to {done['seeds'][-1]}, which the ladder has not seen, at the rate that all",
        f"three chose there; a tenth of the labels, mAP in points. {stamp(done)}.",
        "",
        "| pretraining | mAP | deviation |",
        "|---|---|---|",
        *(
            f"| {n} | {100 * table[n]['mean']:.1f} | {100 * table[n]['deviation']:.1f} |"
            for n in (TIMED, *NAMES)
            if n in table
        ),
        "",
    ]
    rows = [difference(done, method, TIMED, fraction) for method in NAMES]
    return [*lines, *(f"- {row['words']}" for row in rows if row), ""]


def in_parts(done: dict[str, Any]) -> list[str]:
    """What to know of a study that was run in parts; nothing of one that was not."""
    if done["parts"] < 2:
        return []
    return [
        f"Run in {done['parts']} studies, each with a scratch of its own and what its rungs are held against; differences, and their",
        "corrections, are within one of them, scores those of the first that has the arm.",
    ]


def probe_lines(done: dict[str, Any]) -> list[str]:
    """The same rungs by linear probes of their frozen features, which cost so little that there are more seeds."""
    few, whole = done["fractions"]
    lines = [
        "### Linear probes",
        "",
        f"`--stages probes`: frozen features at stride {PROBE_DEPTH}, pooled; {len(done['seeds'])} seeds of which labels are known, the same pretrainings; mAP in points.",
        f"{stamp(done)}.",
        *in_parts(done),
        "",
        "| rung | against | "
        + " | ".join(f"{fraction:.0%} of the labels | to scratch | to that rung" for fraction in (few, whole))
        + " |",
        "|---|---|---|---|---|---|---|---|",
    ]
    table = {
        (row["arm"], row["fraction"]): row["mean"]
        for row in done["table"]
        if (row["mode"], row["depth"]) == ("linear", PROBE_DEPTH)
    }
    for arm in in_order(done):
        name = arm["name"]
        if (name, whole) in table:
            words = [name, against(name)]
            for fraction in (few, whole):
                references = (arm["reference"], against(name))
                words += [
                    f"{100 * table[name, fraction]:.1f}", *(gap(done, name, one, fraction, PROBE_DEPTH) for one in references),
                ]  # fmt: skip
            lines.append(f"| {' | '.join(words)} |")
    return [*lines, ""]


def check_lines(done: dict[str, Any]) -> list[str]:
    """What the study warns of."""
    return [f"- Check ({c['state']}): {c['words']}" for c in done["checks"] if c["state"] == "warning"]


def adversary_lines(rungs: dict[str, Any], probes: dict[str, Any]) -> list[str]:
    """Whether the adversary serves the features: the rungs that differ in nothing else."""
    lines = []
    for words, arm, reference in ADVERSARY:
        for how, done, fraction, depth in (
            ("fine-tuned, 10 % of the labels", rungs, rungs["fractions"][0], None),
            ("probed, all labels", probes, probes["fractions"][-1], PROBE_DEPTH),
        ):
            if row := difference(done, arm, reference, fraction, depth):
                lines.append(f"- {words}, {how}: {row['words']}")
    return ["### Does the adversary help?", "", *lines, ""] if lines else []


def depth_lines(done: dict[str, Any]) -> list[str]:
    """The linear probes over the depth of the backbone, with all labels."""
    whole = done["fractions"][-1]
    rows = {
        arm: [row for row in done["table"] if (row["arm"], row["mode"], row["fraction"]) == (arm, "linear", whole)]
        for arm in PROBED
    }
    drawn = [curve(arm, found, "depth") for arm, found in rows.items() if found]
    if len(drawn) < 2:
        return []
    chart = line_chart(
        drawn,
        title="Linear probes over depth, all labels",
        x_label="stride of the features",
        y_label="mAP, points",
        x_scale="log",
        interval="bars",
    )
    words = f"linear probes of {' and '.join(line.name for line in drawn)} over the stride of the features"
    return [picture("depth", chart, words), ""]


def growth_lines(rungs: dict[str, Any], probes: dict[str, Any]) -> list[str]:
    """What longer pretraining and more pictures bring: fine-tuned, and by probes."""
    lines: list[str] = []
    few, whole = probes["fractions"]
    kinds = (
        (f"fine-tuned, {few:.0%} of the labels", rungs, ("finetune", None, few)),
        (f"probe, {few:.0%}", probes, ("linear", PROBE_DEPTH, few)),
        ("probe, all labels", probes, ("linear", PROBE_DEPTH, whole)),
    )
    for heading, name, x_label, arms in GROWTH:
        drawn = []
        for label, done, place in kinds:
            rows = [
                {**row, "at": arms[row["arm"]]}
                for row in done["table"]
                if row["arm"] in arms and (row["mode"], row["depth"], row["fraction"]) == place
            ]
            if len(rows) > 1:
                drawn.append(curve(label, rows, "at"))
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


def gap(done: dict[str, Any], arm: str, reference: str | None, fraction: float, depth: int | None = None) -> str:
    """A paired difference in points with its interval; * where it stands after Holm's correction."""
    row = difference(done, arm, reference or "", fraction, depth)
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
