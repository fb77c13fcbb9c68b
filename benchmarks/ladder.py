"""The figures of docs/study.md: from the paper's recipe to recipe `best`, one change a rung, by one command that goes on.

    python benchmarks/ladder.py --data DATA --runs RUNS
    python benchmarks/ladder.py --data DATA --runs RUNS --stages rungs --only paper crops

Where RUNS is new, as on another machine, what benchmarks/results/ holds is whole and not run again, but for rungs that others which
are still missing are held against: these are pretrained anew, and a second study, kept beside the first, has both.

DATA holds ``photos/`` (unlabelled), ``voc/`` (Pascal VOC layout, six classes) and ``medical/`` (images, masks, train.txt,
test.txt). RUNS holds runs and studies; what is finished there is not run again, and what was stopped goes on. Stages:

    costs   what a pretraining of each rung and of each peer costs, timed on the CPU (costs.py)
    rungs   64 px, one pretraining each, seeds of multilabel with a tenth of the labels
    peers   other methods (peers.py) on the same backbone and pictures, at the cost of rung `one-cycle`, in the same study; each with
            the settings that did best in short trials, by probes on held-out training pictures
    duel    the peers and the rung that they are held against once more, with seeds of fine-tuning that the ladder has not seen
    probes  linear probes of all of these, with more seeds, since they cost next to nothing
    best    three pretrainings of recipe `best`, at 96 px
    multilabel, segmentation, medical
            these against scratch: six classes over five shares of the labels, segmentation and blood cells over two

The studies' numbers are kept in benchmarks/results/ladder-*.json, and the page is written from them after each stage.
"""

import argparse
import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import costs
import held_out_probes
import parts
import peers
import torch
from first_results import CLASSES, RESULTS, about, keep
from rungs import BEST, PASSES, PRETRAININGS, RUNGS, SHARES, SIZE, TIMED
from study_page import CHANGES, PAGE, against, page

import pretint
from pretint.experiments.environment import environment
from pretint.run_folder import RunFolder
from pretint.training.allocator import raise_allocator_thresholds

RATES = (0.00017, 0.0005, 0.0015, 0.0045)
"""Tried for each arm at the ends; on the ladder, where each arm counts, the three that `compare` takes by itself."""
SEARCHED_AT = 0.5
"""Share of the labels at which the rates for labels of whole pictures are tried: with 5 % of them, rates a factor of 25 apart differ by
half a point of mAP on held-out pictures, for either arm. For masks it is all of them."""
ON_THE_LADDER: dict[str, Any] = {
    "task": "multilabel", "classes": CLASSES, "test": "val", "backbone": "residual", "decoder": "hypercolumn", "size": SIZE,
    "fractions": [0.1], "least_steps": 300,
}  # fmt: skip
ENDS: dict[str, dict[str, Any]] = {
    "multilabel": {
        "task": "multilabel", "classes": CLASSES, "test": "val", "fractions": [0.05, 0.1, 0.25, 0.5, 1.0],
        "search_fraction": SEARCHED_AT,
    },
    "segmentation": {
        "task": "segmentation", "classes": CLASSES, "split": "trainaug", "test": "val", "fractions": [0.1, 1.0], "search_fraction": 1.0,
    },
    "medical": {"task": "segmentation", "test": "test", "fractions": [0.1, 1.0], "search_fraction": 1.0},
}  # fmt: skip
RUNG_SEEDS = 3
PROBE_SEEDS = 10
DUEL_SEEDS = 7
DUEL_RATE = 0.000167
"""What each of the three has chosen on the ladder."""
STAGES = ("costs", "rungs", "peers", "duel", "probes", "best", *ENDS)


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    rungs = [rung.name for rung in RUNGS]
    parser.add_argument("--only", nargs="+", default=rungs, choices=rungs, metavar="RUNG", help="of the ladder's rungs")
    parser.add_argument("--jobs", type=int, default=-1, help="cells of a study side by side, see `pretint compare`")
    parser.add_argument("--workers", type=int, default=-1, help="processes that read pictures for each of these cells")
    parser.add_argument(
        "--seeds", type=int,
        help=f"repetitions, {RUNG_SEEDS} on the ladder, {DUEL_SEEDS} of its duel, {PROBE_SEEDS} of its probes and {2 * PRETRAININGS} at the ends by default; more may follow",
    )  # fmt: skip
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    raise_allocator_thresholds()  # as `pretint` does for its own commands
    torch.set_num_threads(1)  # so costs are CPU time of one thread, and probes do not take the cores of cells
    data, runs = arguments.data, arguments.runs
    how = {"jobs": arguments.jobs, "loop": {"workers": arguments.workers}}
    rung_how = {**how, "seeds": arguments.seeds or RUNG_SEEDS}
    if "costs" in arguments.stages:
        costs.measure(data / "photos")
    if "rungs" in arguments.stages:
        for rung in RUNGS:
            if rung.name in arguments.only and rung.name in wanted(runs, rung_how["seeds"]):
                pretrain(rung.name, photos(data, runs, SHARES.get(rung.name, 1)), runs, rung.options)
                climb(data, runs, **rung_how)
    if "peers" in arguments.stages:
        for method in peers.PEERS:
            if method not in wanted(runs, rung_how["seeds"]):
                continue
            settings = best_settings(method, data, runs)
            epochs = costs.passes_of_peer(method, settings, PASSES)
            peers.pretrain(method, data / "photos", runs / method, SIZE, epochs, **settings)
            climb(data, runs, **rung_how)
    if "duel" in arguments.stages:
        duelling = (TIMED, *peers.PEERS)
        if len(arms := arms_of(runs, duelling)) == len(duelling):
            study(
                "duel", runs, data=data / "voc", arms=arms, rates=[DUEL_RATE], seed=RUNG_SEEDS,
                seeds=arguments.seeds or DUEL_SEEDS, **ON_THE_LADDER, **how,
            )  # fmt: skip
        else:  # as where RUNS is new, and results/ holds the ladder whole
            print(f"duel: left as it is, since RUNS has not all of {', '.join(duelling)}", flush=True)
    if "probes" in arguments.stages:
        study(
            "probes", runs, task="multilabel", data=data / "voc", classes=CLASSES, test="val", backbone="residual", decoder="hypercolumn",
            size=SIZE, arms=arms_of(runs), fractions=[0.1, 1.0], modes=["linear"], seeds=arguments.seeds or PROBE_SEEDS, **how,
        )  # fmt: skip
    if "best" in arguments.stages:
        for run in bests(runs):
            pretrain(run.name, data / "photos", runs, {**BEST, "seed": int(run.name[-1])})
    for name, options in ENDS.items():
        if name in arguments.stages:
            best = "best=" + ",".join(map(str, bests(runs)))
            study(
                name, runs, data=data / ("medical" if name == "medical" else "voc"), backbone="residual", size=96, arms=[best],
                seeds=arguments.seeds or 2 * PRETRAININGS, rates=RATES, **how, **options,
            )  # fmt: skip
    PAGE.write_text(page())


def best_settings(method: str, data: Path, runs: Path) -> dict[str, Any]:
    """Of a peer's settings those with the best probes after a short pretraining; all that were tried are kept for the page."""
    path = RESULTS / "ladder-peers.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    for settings in peers.TRIED[method]:
        if any((row["method"], row["settings"]) == (method, settings) for row in rows):
            continue
        epochs = costs.passes_of_peer(method, settings, peers.TRIED_PASSES)
        out = runs / "trials" / costs.peer_name(method, settings)
        weights = peers.pretrain(method, data / "photos", out, SIZE, epochs, **settings)
        found = [
            held_out_probes.probes(peers.load(weights), data / "voc", SIZE, seed) for seed in held_out_probes.SEEDS
        ]
        by_depth = {depth: [round(one[depth], 4) for one in found] for depth in found[0]}
        rows.append(
            {"method": method, "settings": settings, "epochs": epochs, "probes": by_depth, "environment": environment()}
        )
        path.write_text(json.dumps({"passes": peers.TRIED_PASSES, "rows": rows}, indent=1) + "\n")
    tried = [row for row in rows if row["method"] == method]
    best: dict[str, Any] = max(tried, key=lambda row: max(map(sum, row["probes"].values())))["settings"]
    return best


def wanted(runs: Path, seeds: int) -> set[str]:
    """The rungs and peers that have to be pretrained here: those that no study elsewhere has whole, and what they are held against."""
    here = runs / "study-rungs" / "study.json"
    begun = json.loads(here.read_text())["begun"] if here.exists() else ""
    elsewhere = (one for one in parts.parts("rungs") if one["begun"] != begun)
    missing = {*(rung.name for rung in RUNGS), *peers.PEERS} - parts.whole(elsewhere, seeds)
    return missing | {against(name) for name in missing}


def climb(data: Path, runs: Path, **how: Any) -> None:
    """Add to the study what was pretrained since; cells that are finished are not run again."""
    study(
        "rungs", runs, data=data / "voc", arms=arms_of(runs), search_fraction=SEARCHED_AT, modes=["finetune", "linear"],
        **ON_THE_LADDER, **how,
    )  # fmt: skip


def arms_of(runs: Path, only: Collection[str] = CHANGES) -> list[str]:
    """The rungs and peers that are pretrained here, each with what it is held against."""
    done = [rung for rung in RUNGS if rung.name in only and finished(runs / rung.name)]
    names = {rung.name for rung in done}
    arms = [
        f"{rung.name}={runs / rung.name}" + (f"@against={rung.against}" if rung.against in names else "")
        for rung in done
    ]
    for method in peers.PEERS:
        if (weights := runs / method / "backbone.safetensors").exists():
            arms.append(f"{method}={weights}@planes=RGB" + (f"@against={TIMED}" if TIMED in names else ""))
    return arms


def bests(runs: Path) -> list[Path]:
    """The pretrainings of recipe `best`."""
    return [runs / f"best-seed{seed}" for seed in range(PRETRAININGS)]


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
    kept = parts.name_of(name, document["begun"]) if name in ("rungs", "probes") else f"ladder-{name}"
    cells = [] if name == "probes" else document["cells"]  # thousands, which its table sums up
    keep({**document, "cells": cells}, kept, pretrainings=pretrainings)
    PAGE.write_text(page())
    print(f"{name}: {document['verdict']} ({time.monotonic() - begun:.0f} s)", flush=True)


def made(run: Path) -> dict[str, Any]:
    """How a pretraining was made, its name in costs.py, and how it ended; ``run`` is its folder, or the file of weights in it."""
    run = run.parent if run.suffix == ".safetensors" else run
    folder = RunFolder.open(run)
    entries, pictures = folder.metrics(), folder.manifest["data"]["training"]
    validations = [entry for entry in entries if entry["kind"] == "validation"]
    options, name = folder.manifest["options"], "best" if run.name.startswith("best-seed") else run.name
    if method := options.get("method"):
        name = costs.peer_name(method, {key: options[key] for key in peers.TRIED[method][0]})
    return {**about(run), "costs": name, "pictures": pictures, "held_out": validations[-1] if validations else None}


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


if __name__ == "__main__":
    main()
