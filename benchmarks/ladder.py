"""The figures of docs/study.md: from the paper's recipe to recipe `best`, one change a rung, by one command that goes on.

    python benchmarks/ladder.py --data DATA --runs RUNS
    python benchmarks/ladder.py --data DATA --runs RUNS --stages rungs --only paper crops

DATA holds ``photos/`` (unlabelled), ``voc/`` (Pascal VOC layout, six classes) and ``medical/`` (images, masks, train.txt,
test.txt). RUNS holds runs and studies; what is finished there is not run again, and what was stopped goes on. Stages:

    rungs   64 px, one pretraining each, three seeds of multilabel with a tenth of the labels, and linear probes
    peers   other methods (peers.py) on the same backbone, pictures and time as rung `one-cycle`, in the same study
    ends    96 px, three pretrainings of the best rung against scratch: multilabel over five shares of the labels,
            segmentation and blood cells over two

The studies' numbers are kept in benchmarks/results/ladder-*.json, and the page is written from them after each stage.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peers
from first_results import CLASSES, RESULTS, about, keep

import pretint
from pretint.pages.lines import Line, line_chart
from pretint.run_folder import RunFolder

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
PASSES = 15


@dataclass(frozen=True)
class Rung:
    """One pretraining of the ladder.

    Attributes:
        name: of the arm and its run.
        change: what differs from the rung that it is held against, in words.
        against: that rung; "" for the lowest.
        options: of ``pretint.pretrain``, complete.
    """

    name: str
    change: str
    against: str
    options: dict[str, Any] = field(default_factory=dict)


def _with(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Options with some of them changed; sections are merged."""
    merged = dict(base)
    for name, value in changes.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


PAPER = {
    "recipe": "paper", "size": 64, "epochs": PASSES, "validation": 0.02, "unet": {"width": 0.5}, "cgan": {"critic_width": 0.5},
}  # fmt: skip
CROPS = _with(PAPER, view={"crop": "random", "smallest": 0.35, "resize": "bilinear", "flip": True})
L1 = _with({k: v for k, v in CROPS.items() if k != "cgan"}, pretext="regression")
BINS = {
    "recipe": "paper", "size": 64, "epochs": PASSES, "validation": 0.02, "view": CROPS["view"], "pretext": "color_bins",
    "color_bins": {"rate": 0.0002, "weight_decay": 0.0},
}  # fmt: skip
BINS_UNET = _with(BINS, unet={"width": 0.5})
RESIDUAL = _with(BINS, backbone="residual", decoder="hypercolumn")
ONE_CYCLE = {"recipe": "bins", "size": 64, "epochs": PASSES}
_NO_BINS = {"backbone": "residual", "decoder": "hypercolumn", "size": 64, "epochs": PASSES, "validation": 0.02,
            "view": CROPS["view"], "recipe": "paper", "loop": {"schedule": "one-cycle"}}  # fmt: skip

RUNGS = (
    Rung("paper", "the paper's method at 64 px and half its width", "", PAPER),
    Rung("crops", "random crops and mirroring", "paper", CROPS),
    Rung("l1", "no adversary: L1 alone", "crops", L1),
    Rung("bins-unet", "a choice among bins of ab instead of L1", "l1", BINS_UNET),
    Rung("residual", "a residual backbone and a hypercolumn instead of the U-Net", "bins-unet", RESIDUAL),
    Rung("one-cycle", "AdamW, one cycle of the rate up to 0.002: recipe bins", "residual", ONE_CYCLE),
    Rung("l1-residual", "L1 in place of the bins", "one-cycle", _with(_NO_BINS, pretext="regression", regression={"rate": 0.002, "beta1": 0.9})),
    Rung("cgan-residual", "an adversary beside that L1", "l1-residual", _with(_NO_BINS, pretext="cgan", cgan={"rate": 0.002, "critic_rate": 0.0002, "beta1": 0.9, "critic_width": 0.5, "critic_normalization": "instance"})),
    Rung("soft", "soft bins", "one-cycle", _with(ONE_CYCLE, color_bins={"encoding": "soft"})),
    Rung("rebalanced", "places weighted by the rarity of their colour", "one-cycle", _with(ONE_CYCLE, color_bins={"rebalance": True})),
    Rung("growing", "sizes that grow from 32 to 64 px", "one-cycle", _with(ONE_CYCLE, loop={"first_size": 32})),
    Rung("short", "5 passes", "one-cycle", _with(ONE_CYCLE, epochs=5)),
    Rung("long", "45 passes", "one-cycle", _with(ONE_CYCLE, epochs=45)),
    Rung("tenth", "a tenth of the pictures, ten times the passes", "one-cycle", _with(ONE_CYCLE, epochs=10 * PASSES)),
    Rung("third", "a third of the pictures, three times the passes", "one-cycle", _with(ONE_CYCLE, epochs=3 * PASSES)),
)  # fmt: skip
SHARES = {"tenth": 10, "third": 3}
BEST = _with(ONE_CYCLE, size=96)
PRETRAININGS = 3
STAGES = ("rungs", "peers", "ends")
TIMED = "one-cycle"
"""The rung whose seconds the peers get."""


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--only", nargs="+", default=[rung.name for rung in RUNGS], help="rungs, in the ladder's order")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    data, runs = arguments.data, arguments.runs
    if "rungs" in arguments.stages:
        for rung in RUNGS:
            if rung.name in arguments.only:
                pretrain(rung.name, photos(data, runs, SHARES.get(rung.name, 1)), runs, rung.options)
                climb(data, runs)
    if "peers" in arguments.stages:
        seconds = RunFolder.open(runs / TIMED).manifest["seconds"]
        for method in peers.PEERS:
            if not finished(runs / method):
                peers.pretrain(method, data / "photos", runs / method, 64, seconds)
            climb(data, runs)
    if "ends" in arguments.stages:
        ends(data, runs)
    PAGE.write_text(page())


def climb(data: Path, runs: Path) -> None:
    """Add to the study what was pretrained since; cells that are finished are not run again."""
    done = [rung for rung in RUNGS if finished(runs / rung.name)]
    names = {rung.name for rung in done}
    arms = [
        f"{rung.name}={runs / rung.name}" + (f"@against={rung.against}" if rung.against in names else "")
        for rung in done
    ]
    for method in peers.PEERS:
        if finished(runs / method):
            arms.append(f"{method}={runs / method / 'backbone.safetensors'}@planes=RGB@against={TIMED}")
    study(
        "rungs", runs, task="multilabel", data=data / "voc", classes=CLASSES, test="val", backbone="residual", size=64,
        arms=arms, fractions=[0.1], seeds=3, least_steps=300, modes=["finetune", "linear"],
    )  # fmt: skip


def ends(data: Path, runs: Path) -> None:
    """The best rung at 96 px, pretrained several times, against scratch."""
    for seed in range(PRETRAININGS):
        pretrain(f"best-seed{seed}", data / "photos", runs, {**BEST, "seed": seed})
    best = "best=" + ",".join(str(runs / f"best-seed{seed}") for seed in range(PRETRAININGS))
    common: dict[str, Any] = {"backbone": "residual", "size": 96, "arms": [best], "seeds": 2 * PRETRAININGS}
    study(
        "multilabel", runs, task="multilabel", data=data / "voc", classes=CLASSES, test="val",
        fractions=[0.05, 0.1, 0.25, 0.5, 1.0], modes=["finetune", "linear"], **common,
    )  # fmt: skip
    study("medical", runs, task="segmentation", data=data / "medical", test="test", fractions=[0.1, 1.0], **common)
    study(
        "segmentation", runs, task="segmentation", data=data / "voc", classes=CLASSES, split="trainaug", test="val",
        fractions=[0.1, 1.0], **common,
    )  # fmt: skip


def pretrain(name: str, photos: Path, runs: Path, options: dict[str, Any]) -> None:
    """One pretraining, unless it is finished."""
    if finished(runs / name):
        return
    print(f"== {name}", flush=True)
    pretint.pretrain(data=photos, out=runs / name, resume=True, quiet=False, **options)


def finished(run: Path) -> bool:
    """Whether a run has come to its end."""
    return (run / "run.json").exists() and RunFolder.open(run).manifest["state"] == "finished"


def study(name: str, runs: Path, **options: Any) -> None:
    """A comparison that goes on or grows, and its numbers as they are kept."""
    print(f"== study {name}", flush=True)
    begun = time.monotonic()
    document = pretint.compare(out=runs / f"study-{name}", resume=True, quiet=False, **options)
    pretrainings = {
        arm["name"]: [made(Path(init)) for init in arm["init"]] for arm in document["arms"] if arm["pretrainings"]
    }
    keep(document, f"ladder-{name}", pretrainings=pretrainings)
    print(f"{name}: {document['verdict']} ({time.monotonic() - begun:.0f} s)", flush=True)


def made(run: Path) -> dict[str, Any]:
    """How a pretraining was made, and how it ended; ``run`` is its folder, or the file of weights in it."""
    run = run.parent if run.suffix == ".safetensors" else run
    validations = [entry for entry in RunFolder.open(run).metrics() if entry["kind"] == "validation"]
    pictures = RunFolder.open(run).manifest["data"]["training"]
    return {**about(run), "pictures": pictures, "held_out": validations[-1] if validations else None}


def photos(data: Path, runs: Path, share: int) -> Path:
    """Every ``share``-th of the unlabelled photos, as a folder of links."""
    whole = data / "photos"
    if share == 1:
        return whole
    folder = runs / f"photos-1-of-{share}"
    folder.mkdir(exist_ok=True, parents=True)
    for path in sorted(whole.iterdir())[::share]:
        link = folder / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    return folder


def page() -> str:
    """docs/study.md from the results that are there."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("ladder-*.json"))}
    lines = [
        "# Study: from the paper's recipe to the best",
        "",
        "Written by `python benchmarks/ladder.py --data DATA --runs RUNS`; do not edit by hand. Points are scores x 100; intervals",
        "are of 95 %, paired over seeds and widened by the sampling of the test pictures ([statistics.md](statistics.md)).",
        "",
    ]
    if rungs := found.get("ladder-rungs"):
        lines += rung_lines(rungs)
    for name in ("multilabel", "segmentation", "medical"):
        if end := found.get(f"ladder-{name}"):
            lines += end_lines(name, end)
    return "\n".join(lines).rstrip() + "\n"


def rung_lines(done: dict[str, Any]) -> list[str]:
    """The ladder as a table: each rung with its difference to scratch and to the rung below."""
    changes = {rung.name: rung.change for rung in RUNGS} | {
        "simclr": "SimCLR in the same time, on RGB", "simmim": "SimMIM in the same time, on RGB",
    }  # fmt: skip
    lines = [
        "## The ladder",
        "",
        f"`--stages rungs peers`: 64 px, {PASSES} passes over the unlabelled photos where nothing else is said, one pretraining each; then",
        f"multilabel on six VOC classes with a tenth of the labels, seeds {done['seeds']} of the fine-tuning, {done['test']['pictures']} test",
        f"pictures, mAP in points. {stamp(done)}. Probes are linear, on frozen features, at the best depth by their mean over seeds.",
        "",
        "| rung | what changes | against | minutes | mAP | to scratch | to that rung | probe |",
        "|---|---|---|---|---|---|---|---|",
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
            f"| {arm['name']} | {changes.get(arm['name'], '')} | {against} | {made[0]['seconds'] / 60:.0f} | " if made
            else f"| {arm['name']} | | | | "
        )  # fmt: skip
        lines[-1] += (
            f"{100 * row['mean']:.1f} | {gap(done, arm['name'], arm['reference'])} | {gap(done, arm['name'], against)} | "
            f"{100 * probes.get(arm['name'], float('nan')):.1f} |"
        )
    lines += ["", *(f"- Check ({c['state']}): {c['words']}" for c in done["checks"] if c["state"] == "warning"), ""]
    return lines


def gap(done: dict[str, Any], arm: str, reference: str | None) -> str:
    """A paired difference in points with its interval; * where it stands after Holm's correction."""
    for row in done["differences"]:
        if (row["arm"], row["reference"], row["mode"]) == (arm, reference, "finetune") and row["low"] is not None:
            star = "*" if row["verdict"] in ("helped", "hurt") else ""
            return f"{100 * row['mean']:+.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f}){star}"
    return ""


def end_lines(name: str, done: dict[str, Any]) -> list[str]:
    """One comparison at the end of the ladder: table, sentences, and the curve over labels."""
    rows = [row for row in done["table"] if row["mode"] == "finetune"]
    lines = [
        f"## At the end: {name}",
        "",
        f"`--stages ends`: 96 px, {PRETRAININGS} pretrainings, {len(done['seeds'])} seeds, {done['test']['pictures']} test pictures, "
        f"{done['score']} in points. {stamp(done)}.",
        "",
        "| arm | labels | mean | deviation | 95 % interval |",
        "|---|---|---|---|---|",
        *(
            f"| {row['arm']} | {row['fraction']:.0%} | {100 * row['mean']:.1f} | {100 * row['deviation']:.1f} "
            f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} |"
            for row in rows
        ),
        "",
        *(
            f"- {row['fraction']:.0%} of the labels: {row['words']}"
            for row in done["differences"]
            if row["mode"] == "finetune"
        ),
        *(f"- {row['words']}" for row in done["labels_saved"]),
        "",
    ]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    if len({row["fraction"] for row in rows}) > 2:
        chart = line_chart(
            [curve(arm, [row for row in rows if row["arm"] == arm]) for arm in arms],
            title=f"{name}: {done['score']} over labels", x_label="share of the labels", y_label="points", x_scale="log",
            interval="bars",
        )  # fmt: skip
        picture = PAGE.parent / "images" / f"study-{name}.svg"
        picture.write_text(chart + "\n")
        lines += [f"![{done['score']} of {' and '.join(arms)} over the share of labels](images/{picture.name})", ""]
    return lines


def curve(arm: str, rows: Sequence[dict[str, Any]]) -> Line:
    """Means and intervals of an arm over its shares of the labels."""
    rows = sorted(rows, key=lambda row: row["fraction"])
    return Line(
        name=arm, x=[row["fraction"] for row in rows], y=[100 * row["mean"] for row in rows],
        low=[100 * row["low"] for row in rows], high=[100 * row["high"] for row in rows],
    )  # fmt: skip


def stamp(done: dict[str, Any]) -> str:
    """Where and with what a study was made."""
    environment = done["environment"]
    return (
        f"{done['seconds'] / 3600:.1f} h on {environment['processor']}, {environment['cores']} cores, torch {environment['torch']}, "
        f"commit {environment['commit']}"
    )


if __name__ == "__main__":
    main()
