"""The figures of docs/results.md, from pictures to page, by one command that goes on from whatever is there.

    python benchmarks/first_results.py --data DATA --runs RUNS
    python benchmarks/first_results.py --data DATA --runs RUNS --study voc-multilabel medical-segmentation voc-segmentation

    python benchmarks/first_results.py --data DATA --runs RUNS --ablation

The second is the study over seeds and label fractions: the cGAN and L1 alone as pretexts against scratch. Hours; it may be
stopped and started again at any moment. The third holds these two against each other, in the studies that are finished; it trains nothing.

DATA holds ``photos/`` (unlabelled), ``voc/`` (Pascal VOC layout, six classes), ``medical/`` (images, masks, train.txt,
test.txt) and ``colorization_test/``. Finished cells are kept as JSON in benchmarks/results/ and are not run again; RUNS holds
the runs with their checkpoints and may be thrown away afterwards.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pretint
from pretint.experiments.environment import environment
from pretint.run_folder import RunFolder
from pretint.studies import statistics
from pretint.studies.folder import StudyFolder
from pretint.studies.variances import Pair, compute_variance
from pretint.terminal import counted

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
PICTURES = PAGE.parent / "images" / "ten-photos.jpg"
CLASSES = ("cat", "cow", "dog", "horse", "person", "sheep")
ARMS = ("scratch", "pretrained")
SMALL = {"backbone": "unet", "unet": {"width": 0.5}, "size": 128}
"""The network of recipe `small`, said so that scratch has it too."""
TASKS: dict[str, dict[str, Any]] = {
    "voc-multilabel": {"task": "multilabel", "folder": "voc", "classes": CLASSES, "test": "val"},
    "voc-segmentation": {
        "task": "segmentation", "folder": "voc", "classes": CLASSES, "split": "trainaug", "test": "val",
    },
    "medical-segmentation": {"task": "segmentation", "folder": "medical", "test": "test"},
}  # fmt: skip


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5, help="passes of the pretraining over the photos")
    parser.add_argument("--only", nargs="+", default=list(TASKS), choices=list(TASKS), help="tasks to run")
    parser.add_argument("--study", nargs="+", default=[], choices=list(TASKS), help="compare on these tasks instead")
    parser.add_argument("--ablation", action="store_true", help="hold the cGAN against L1 alone, in finished studies")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, help="arms to run")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    pretrained = arguments.runs / "small"
    if arguments.study:
        study(arguments)
        return
    if arguments.ablation:
        ablation(arguments.runs)
        return
    if "pretrained" in arguments.arms:
        cell("pretraining", lambda: pretrain(arguments.data / "photos", pretrained, arguments.epochs))
        cell("colorization", lambda: pretint.evaluate(pretrained, data=arguments.data / "colorization_test"))
    for name in arguments.only:
        how = TASKS[name]
        for arm in arguments.arms:
            init = "scratch" if arm == "scratch" else pretrained
            cell(f"{name}-{arm}", lambda: finetune(arguments, f"{name}-{arm}", how, init))  # noqa: B023 - called at once
    PAGE.write_text(page())


def study(arguments: argparse.Namespace) -> None:
    """Pretrain with and without the adversarial term, and compare both with scratch; what is finished is not run again."""
    pretrain(arguments.data / "photos", arguments.runs / "small", arguments.epochs)
    pretrain(arguments.data / "photos", arguments.runs / "l1", arguments.epochs, pretext="regression")
    for name in arguments.study:
        how = TASKS[name]
        options = {key: how[key] for key in ("task", "classes", "split", "test") if key in how}
        out = arguments.runs / f"study-{name}"
        pretint.compare(
            data=arguments.data / how["folder"], out=out, arms=[f"cgan={arguments.runs / 'small'}", f"l1={arguments.runs / 'l1'}"],
            fractions=[0.1, 1.0], seeds=5, epochs=20, resume=True, quiet=False, **options,
        )  # fmt: skip
        keep(json.loads((out / "study.json").read_text()), f"study-{name}")
        PAGE.write_text(page())


def ablation(runs: Path) -> None:
    """What the adversary adds to L1: paired differences of the two arms, over the seeds of the fine-tuning and the test pictures."""
    rows = []
    for name in TASKS:
        folder = StudyFolder(runs / f"study-{name}")
        document = folder.document
        if document["state"] != "finished":
            continue
        for fraction in document["fractions"]:
            cgan, l1 = (
                [cell for cell in document["cells"] if (cell["arm"], cell["fraction"]) == (arm, fraction)]
                for arm in ("cgan", "l1")
            )
            pair = Pair(tuple(cell["key"] for cell in cgan), tuple(cell["key"] for cell in l1), 1)
            variance, pictures = compute_variance(folder, document["score"], pair)
            found = statistics.paired_difference(
                [cell["score"] for cell in cgan],
                [cell["score"] for cell in l1],
                picture_variance=variance,
                pictures=pictures,
            )
            rows.append({"task": name, "score": document["score"], "fraction": fraction, "seeds": found.n, "mean": found.mean,
                         "low": found.low, "high": found.high, "p": found.p})  # fmt: skip
    (RESULTS / "ablation.json").write_text(
        json.dumps({"rows": rows, "commit": environment()["commit"]}, indent=1) + "\n"
    )
    PAGE.write_text(page())


def keep(document: dict[str, Any], name: str, **further: Any) -> None:
    """Write what is kept of a study: names, and no places on this machine."""
    kept = {key: value for key, value in document.items() if key not in ("options", "command", "weights")}
    kept["arms"] = [{**arm, "init": [Path(one).name for one in arm["init"]]} for arm in document["arms"]]
    kept["data"] = {**document["data"], "folder": Path(document["data"]["folder"]).name}
    (RESULTS / f"{name}.json").write_text(json.dumps({**kept, **further}, indent=1) + "\n")


def cell(name: str, run: Any) -> None:
    """Run a cell unless its result is there."""
    path = RESULTS / f"{name}.json"
    if path.exists():
        return
    print(f"== {name}", flush=True)
    begun = time.monotonic()
    result = run()
    path.write_text(json.dumps({**result, "seconds_of_cell": round(time.monotonic() - begun)}, indent=2) + "\n")
    PAGE.write_text(page())


def pretrain(photos: Path, run: Path, epochs: int, **options: Any) -> dict[str, Any]:
    """Recipe small on the unlabelled photos."""
    pretint.pretrain(data=photos, out=run, recipe="small", epochs=epochs, resume=True, quiet=False, **options)
    manifest = RunFolder.open(run).manifest
    entries = [e for e in RunFolder.open(run).metrics() if e["kind"] == "validation"]
    return {"held_out": entries, **about(run), "pictures": manifest["data"]["training"]}


def finetune(arguments: argparse.Namespace, name: str, how: dict[str, Any], init: Any) -> dict[str, Any]:
    """One arm of one task, and its scores on the test pictures."""
    options = {key: how[key] for key in ("task", "classes", "split") if key in how} | SMALL
    run = arguments.runs / name
    data = arguments.data / how["folder"]
    pretint.finetune(data=data, out=run, init=init, resume=True, quiet=False, **options)
    return {**pretint.evaluate(run, data=data, split=how["test"]), **about(run)}


def about(run: Path) -> dict[str, Any]:
    """What a run was made with."""
    manifest = RunFolder.open(run).manifest
    environment = manifest["environment"]
    return {
        "commit": environment["commit"],
        "machine": f"{environment['processor']}, {counted(environment['cores'], 'core')}, torch {environment['torch']}",
        "precision": manifest["options"]["loop"]["precision"],
        "epochs": manifest["options"]["epochs"],
        "seed": manifest["options"]["seed"],
        "seconds": manifest["seconds"],
        "loaded": manifest.get("loaded", {}).get("share"),
    }


def page() -> str:
    """docs/results.md from the results that are there."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    lines = [
        "# Results",
        "",
        "Written by `python benchmarks/first_results.py --data DATA --runs RUNS`, the studies by the same with `--study`; do not edit",
        "by hand. The studies repeat each cell over five seeds and say how sure a difference is; the single runs below them do not.",
        "Machine, commit and time stand beside each figure. What DATA holds is told in [datasets.md](datasets.md), and what was tried on",
        "the way in [log.md](log.md).",
        "",
    ]
    if pre := found.get("pretraining"):
        lines += [
            "## Pretraining",
            "",
            f"`pretint pretrain --recipe small --data photos --epochs {pre['epochs']}`",
            "",
        ]
        lines += [
            "| epoch | held-out ab error (Lab units) | grey | chroma, share of the originals' |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {e['epoch']} | {e['ab_error']:.2f} | {e['grey_ab_error']:.2f} | {e['chroma_share']:.2f} |"
            for e in pre["held_out"]
        ]
        lines += ["", f"{pre['pictures']:,} photos; {stamp(pre)}.", ""]
    if colours := found.get("colorization"):
        lines += [
            "## Colorization",
            "",
            f"`pretint evaluate runs/small --data colorization_test`, the run above: {colours['pictures']} photos, mean (min to max)",
            "",
        ]
        lines += ["| | PSNR, dB | SSIM | colourfulness |", "|---|---|---|---|"]
        for row in ("model", "grey", "mean_colour"):
            lines.append(
                f"| {row.replace('_', ' ')} | "
                + " | ".join(spread(colours[row][s]) for s in ("psnr", "ssim", "colourfulness"))
                + " |"
            )
        lines += [f"| original | | | {spread(colours['original']['colourfulness'])} |", ""]
        if PICTURES.exists():
            lines += [
                "![Ten photos in three rows: grey, coloured, original](images/ten-photos.jpg)",
                "",
                "Every fiftieth of the test photos (BSDS500 and ImageNet-1k), none of them seen in training: grey, coloured, original.",
                "",
            ]
    for name, how in TASKS.items():
        if done := found.get(f"study-{name}"):
            lines += study_lines(name, how, done)
    if held := found.get("ablation"):
        lines += ablation_lines(held)
    for name, how in TASKS.items():
        arms = {arm: found[f"{name}-{arm}"] for arm in ARMS if f"{name}-{arm}" in found}
        if not arms:
            continue
        first = next(iter(arms.values()))
        scores = [s for s, value in first["scores"].items() if not isinstance(value, dict)]
        split = f" --split {how['split']}" if "split" in how else ""
        classes = f" --classes {','.join(how['classes'])}" if "classes" in how else ""
        lines += [
            f"## Single runs: {name}",
            "",
            f"`pretint finetune --task {how['task']} --data {how['folder']}{split}{classes} --init runs/small` (recipe `light`; scratch has",
            f"`--backbone unet --unet.width {SMALL['unet']['width']} --size {SMALL['size']}` in place of `--init`), then",
        ]
        lines += [f"`pretint evaluate` with `--split {how['test']}`, {first['pictures']} pictures", ""]
        lines += ["| arm | loaded | " + " | ".join(scores) + " |", "|---|---|" + "---|" * len(scores)]
        lines.append("| constant predictor | | " + " | ".join(f"{first['constant'][s]:.4f}" for s in scores) + " |")
        for arm, result in arms.items():
            lines.append(
                f"| {arm} | {result['loaded']:.1%} | " + " | ".join(f"{result['scores'][s]:.4f}" for s in scores) + " |"
            )
        lines += ["", *(f"{arm}: {stamp(result)}.  " for arm, result in arms.items()), ""]
    return "\n".join(lines).rstrip() + "\n"


def ablation_lines(held: dict[str, Any]) -> list[str]:
    """The section on the adversary."""
    return [
        "## What the adversary adds to L1",
        "",
        f"`python benchmarks/first_results.py --data DATA --runs RUNS --ablation` (commit {held['commit']}): the arm `cgan` less the arm `l1` in the studies above, in",
        "points, paired by seed; intervals of 95 % over seeds and test pictures, not corrected; p also by Holm for these comparisons. One pretraining",
        "each: that another cGAN and another L1 would differ so is not shown.",
        "",
        "| task | labels | seeds | difference | 95 % interval | p | p, Holm |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row['task']}, {row['score']} | {row['fraction']:.0%} | {row['seeds']} | {100 * row['mean']:+.1f} "
            f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} | {row['p']:.3f} | {corrected:.3f} |"
            for row, corrected in zip(held["rows"], statistics.holm([row["p"] for row in held["rows"]]), strict=True)
        ),
        "",
    ]


def study_lines(name: str, how: dict[str, Any], done: dict[str, Any]) -> list[str]:
    """The section of a study."""
    environment = done["environment"]
    classes = f" --classes {','.join(how['classes'])}" if "classes" in how else ""
    split = f" --split {how['split']}" if "split" in how else ""
    lines = [
        f"## Study: {name}",
        "",
        f"`pretint compare --task {how['task']} --data {how['folder']}{split}{classes} --test {how['test']} "
        f"--arms cgan=runs/small l1=runs/l1 --fractions 0.1 1 --seeds 5 --epochs 20`: seeds {done['seeds']} repeat the "
        "fine-tuning; one pretraining an arm, `runs/l1` that of `runs/small` with `--pretext regression`."
        f" {done['test']['pictures']} test pictures, {done['score']} in points. "
        f"{done['seconds'] / 3600:.1f} h, {environment['processor']}, {counted(environment['cores'], 'core')}, commit {environment['commit']}.",
        "",
        "| arm | labels | mean | deviation | 95 % interval |",
        "|---|---|---|---|---|",
        f"| constant predictor | | {100 * done['constant'][done['score']]:.1f} | | |",
    ]
    lines += [
        f"| {row['arm']} | {row['fraction']:.0%} | {100 * row['mean']:.1f} | {100 * row['deviation']:.1f} "
        f"| {100 * row['low']:.1f} to {100 * row['high']:.1f} |"
        for row in done["table"]
    ]
    lines += ["", *(f"- {row['fraction']:.0%} of the labels: {row['words']}" for row in done["differences"])]
    lines += [f"- {row['words']}" for row in done["labels_saved"]]
    lines += [f"- Check ({check['state']}): {check['words']}" for check in done["checks"] if check["state"] != "ok"]
    return [*lines, ""]


def spread(values: dict[str, float]) -> str:
    """Mean and range."""
    return f"{values['mean']:.3f} ({values['min']:.2f} to {values['max']:.2f})"


def stamp(result: dict[str, Any]) -> str:
    """What a figure was made with, in words."""
    return (
        f"{result['epochs']} epochs, seed {result['seed']}, {result['seconds'] / 60:.0f} min, {result['precision']}, "
        f"{result['machine']}, commit {result['commit']}"
    )


if __name__ == "__main__":
    main()
