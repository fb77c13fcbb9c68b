"""What a run folder tells, as parts of a report's document: facts, curves, pictures of its progress. Loads no torch."""

import csv
import math
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pretint.run_folder import RunFolder

MOST_VALUES = 100  # logged values of a curve that are drawn one by one; of more, means of stretches
MOST_STRETCHES, LEAST_STRETCH = 50, 5

# Scores that share an axis: the chart's title, its label, and the words for each score. Others get a chart of their own.
_SCORES: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Colour error on held-out pictures",
        "a and b, CIELAB units",
        {"ab_error": "predicted", "grey_ab_error": "left grey"},
    ),
    ("Colourfulness on held-out pictures", "chroma, share of the originals'", {"chroma_share": "predicted"}),
    ("Scores on held-out pictures", "score", {"map": "mAP", "f1_micro": "F1, micro", "f1_macro": "F1, macro"}),
    ("Scores on held-out pictures", "score", {"miou": "mean IoU", "pixel_accuracy": "pixel accuracy"}),
    ("Scores on held-out pictures", "score", {"top1": "top-1 accuracy"}),
)
_NO_SCORE = ("step", "epoch", "kind", "pictures_per_second")


def training_curves(run: RunFolder) -> list[dict[str, Any]]:
    """Charts of the losses over steps, one a turn of the training, and of the held-out scores and probes over epochs.

    Losses of many steps are drawn as means of equal stretches, with the range that holds the middle 80 % of their values.
    """
    entries = run.metrics()
    train = [entry for entry in entries if entry["kind"] == "train"]
    held_out = [entry for entry in entries if entry["kind"] == "validation"]
    probes = [entry for entry in entries if entry["kind"] == "probe"]
    account = run.manifest.get("probe", {})
    return [*_losses(train), *_held_out_scores(held_out, run.pointer("best")), *_probe_charts(probes, account)]


def progress_images(run: RunFolder) -> list[dict[str, str]]:
    """The picture grids of the first, the middle and the last epoch that has one; paths are absolute."""
    grids = sorted((run.path.resolve() / "samples").glob("epoch-*.png"), key=_epoch)
    chosen = [grids[i] for i in sorted({0, (len(grids) - 1) // 2, len(grids) - 1})] if grids else []
    return [
        {
            "path": str(path),
            "alt": f"Pictures after epoch {_epoch(path)}, in three rows: grey, with predicted colours, with true colours",
            "caption": f"After epoch {_epoch(path)}. Rows: grey, predicted, true.",
        }
        for path in chosen
    ]


def facts(run: RunFolder) -> list[list[Any]]:
    """Rows (name, value) for a table: what was trained, on what, for how long, where; what is not known is left out."""
    manifest, entries = run.manifest, run.metrics()
    options, data = manifest.get("options", {}), manifest.get("data", {})
    environment = manifest.get("environment", {})
    rows = [
        ("Run", run.path.name),
        ("State", manifest.get("state")),
        ("Method", _method(manifest["kind"], options)),
        ("Data", _data(data)),
        ("Pictures trained on", data.get("training")),
        ("Pictures held out", data.get("held_out")),
        ("Pictures left out", _left_out(run.path / "left_out.tsv")),
        ("Share of the labels", f"{options['fraction']:.4g}" if options.get("fraction", 1) < 1 else None),
        (
            "Size and batch",
            f"{options['size']} px, {manifest.get('batch_size', options['batch_size'])} a step"
            if "batch_size" in options
            else None,
        ),
        ("Epochs", _epochs(entries, options.get("epochs"))),
        ("Time", _duration(manifest.get("seconds"))),
        ("Speed", _speed(entries)),
        ("Weights at the start", _loaded(manifest.get("loaded"))),
        ("Best on held-out pictures", _best(run.pointer("best"))),
        ("Seed", options.get("seed")),
        ("Begun", manifest.get("begun")),
        ("Commit", environment.get("commit")),
        ("Machine", _machine(environment, options.get("loop", {}))),
        ("Software", _named(environment, ("pretint", "torch", "python"))),
    ]
    return [[name, value] for name, value in rows if value not in (None, "")]


def _losses(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [name for entry in entries for name in entry if "." in name]
    turns: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        turns.setdefault(name.partition(".")[0], []).append(name)
    return [_loss_chart(turn, keys, entries) for turn, keys in turns.items()]


def _loss_chart(turn: str, keys: list[str], entries: list[dict[str, Any]]) -> dict[str, Any]:
    lines, stretch = [], 1
    for key in keys:
        logged = [(entry["step"], entry[key]) for entry in entries if key in entry]
        line, stretch = _smoothed(key.partition(".")[2], logged)
        lines.append(line)
    sizes = [median(line["y"]) for line in lines]
    # Terms weighted very differently share a picture only on a log axis.
    apart = min(sizes) > 0 and max(sizes) > 10 * min(sizes)
    return {
        "kind": "lines",
        "title": f"Losses of the {turn}",
        "lines": lines,
        "x_label": "step",
        "y_label": "loss",
        "y_scale": "log" if apart else "linear",
        "caption": f"Means of {stretch} logged values each; the bands hold the middle 80 % of them."
        if stretch > 1
        else "",
    }


def _smoothed(name: str, logged: list[tuple[int, float]]) -> tuple[dict[str, Any], int]:
    """A line of at most MOST_STRETCHES points with its band, where there are many values, and how many values a point stands for."""
    if len(logged) <= MOST_VALUES:
        return {"name": name, "x": [x for x, _ in logged], "y": [y for _, y in logged]}, 1
    stretch = max(LEAST_STRETCH, math.ceil(len(logged) / MOST_STRETCHES))
    parts = [np.array(logged[start : start + stretch]) for start in range(0, len(logged), stretch)]
    low, high = np.array([np.quantile(part[:, 1], (0.1, 0.9)) for part in parts]).T.tolist()
    middle, mean = np.array([part.mean(axis=0) for part in parts]).T.tolist()
    return {"name": name, "x": middle, "y": mean, "low": low, "high": high}, stretch


def _held_out_scores(entries: list[dict[str, Any]], best: dict[str, Any] | None) -> list[dict[str, Any]]:
    names = dict.fromkeys(k for e in entries for k, v in e.items() if k not in _NO_SCORE and isinstance(v, int | float))
    known = {name for _, _, words in _SCORES for name in words}
    others = tuple((f"{name} on held-out pictures", name, {name: name}) for name in names if name not in known)
    charts: list[dict[str, Any]] = []
    for title, label, words in (*_SCORES, *others):
        logged = {
            word: [(entry["epoch"], entry[name]) for entry in entries if name in entry]
            for name, word in words.items()
            if name in names
        }
        epochs = {epoch for line in logged.values() for epoch, _ in line}
        if len(epochs) == 1:  # no course yet
            bars = [{"name": word, "value": line[-1][1]} for word, line in logged.items()]
            charts.append(
                {"kind": "bars", "title": f"{title}, epoch {epochs.pop()}", "bars": bars, "value_label": label}
            )
        elif epochs:
            lines = [
                {"name": word, "x": [x for x, _ in line], "y": [y for _, y in line]} for word, line in logged.items()
            ]
            chosen = (
                f"The best checkpoint is that of epoch {best['epoch']}." if best and best.get("score") in words else ""
            )
            chart = {"kind": "lines", "title": title, "lines": lines, "x_label": "epoch", "y_label": label}
            charts.append({**chart, "caption": chosen})
    return charts


def _probe_charts(entries: list[dict[str, Any]], account: dict[str, Any]) -> list[dict[str, Any]]:
    """What labels find in the frozen features, a line a depth, from the weights before the first step on."""
    if not entries:
        return []
    course = [{"epoch": 0, **account["untrained"]}, *entries]
    score = {"map": "mAP", "top1": "top-1 accuracy"}[account["score"]]
    method = {"ridge": "Ridge regression", "knn": "The 20 nearest neighbours"}[account["method"]]
    words = (
        f"{method} on the features of {account['training']:,} labelled pictures, scored on {account['scored']:,} others of "
        "the same training list. Epoch 0: the weights before the first step."
    )
    return [
        {
            "kind": "lines",
            "title": title,
            "lines": [
                {"name": f"stride {stride}", "x": [e["epoch"] for e in course], "y": [e[key][stride] for e in course]}
                for stride in entries[0][key]
            ],
            "x_label": "epoch",
            "y_label": label,
            "caption": caption,
        }
        for key, title, label, caption in (
            ("scores", "Probe of the frozen features", score, words),
            ("ranks", "Effective rank of the features", "directions", "A fall says that the features collapse."),
        )
    ]


def _epoch(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _method(kind: str, options: dict[str, Any]) -> str:
    learned = options.get("pretext") or options.get("task")
    words = [kind, *(str(word) for word in (learned, options.get("backbone")) if word)]
    return ", ".join(words) + (f" (recipe {options['recipe']})" if options.get("recipe") else "")


def _data(data: dict[str, Any]) -> str:
    """Last names of the folders: what lies above them is of no use on another machine."""
    folders = data.get("folders") or ([data["folder"]] if "folder" in data else [])
    names = ", ".join(Path(folder).name for folder in folders)
    return f"{names} (fingerprint {data['fingerprint']})" if names and "fingerprint" in data else names


def _left_out(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        kinds = Counter(row["what"] for row in csv.DictReader(file, delimiter="\t"))
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds.items()) or "0"


def _epochs(entries: list[dict[str, Any]], asked: int | None) -> str | int | None:
    begun = max((entry["epoch"] for entry in entries), default=0)
    done = max((entry["epoch"] for entry in entries if entry["kind"] == "validation"), default=None)
    if asked is None or done == asked:
        return asked
    return f"{done} of {asked} scored" if done else f"in {begun} of {asked}"


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _speed(entries: list[dict[str, Any]]) -> str | None:
    speeds = [entry["pictures_per_second"] for entry in entries if entry.get("pictures_per_second")]
    return f"{median(speeds):,.3g} pictures a second" if speeds else None


def _loaded(loaded: dict[str, Any] | None) -> str | None:
    if loaded is None:
        return None
    if not loaded["loaded"]:
        return f"from scratch: none of {loaded['total']:,} parameters loaded"
    return (
        f"{loaded['share']:.1%} of {loaded['total']:,} parameters from {Path(loaded['init']).name} "
        f"({' and '.join(loaded['parts'])})"
    )


def _best(best: dict[str, Any] | None) -> str | None:
    return f"{best['score']} {best['value']:.4g}, epoch {best['epoch']}" if best and "score" in best else None


def _machine(environment: dict[str, Any], loop: dict[str, Any]) -> str:
    processor = environment.get("processor")
    words = [
        environment.get("gpu"),
        processor and f"{processor}, {environment.get('cores')} cores",
        loop.get("precision"),
    ]
    return "; ".join(str(word) for word in words if word)


def _named(environment: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {environment[name]}" for name in names if name in environment)
