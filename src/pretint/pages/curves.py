"""Curves of runs: losses over steps and held-out scores over epochs, of one run or of several in the same chart. Loads no torch."""

import math
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from pretint.pages.scores import NAMES, first_up, in_points, labelled, named
from pretint.run_folder import RunFolder

MOST_VALUES = 100  # logged values of a curve that are drawn one by one; of more, means of stretches
MOST_STRETCHES, LEAST_STRETCH = 50, 5

_TASK_SCORES = "Scores on held-out pictures", "points"
# Scores of one run that share an axis: the chart's title, its label, and the words for each score. Others get their own.
_TOGETHER: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Colour error on held-out pictures",
        "a and b, CIELAB units",
        {"ab_error": "predicted", "grey_ab_error": "left grey"},
    ),
    ("Colourfulness on held-out pictures", "chroma, share of the originals'", {"chroma_share": "predicted"}),
    (*_TASK_SCORES, {score: NAMES[score] for score in ("map", "f1_micro", "f1_macro")}),
    (*_TASK_SCORES, {score: NAMES[score] for score in ("miou", "pixel_accuracy")}),
    (*_TASK_SCORES, {"top1": NAMES["top1"]}),
)
_NO_SCORE = ("step", "epoch", "kind", "pictures_per_second")


def training_curves(run: RunFolder) -> list[dict[str, Any]]:
    """Charts of the losses over steps, one a turn of the training, and of the held-out scores and probes over epochs.

    Losses of many steps are drawn as means of equal stretches, with the range that holds the middle 80 % of their values.
    Entries of metrics.jsonl of another kind are passed over.
    """
    entries = run.metrics()
    return [
        *_losses(_of_kind(entries, "train")),
        *_held_out(_of_kind(entries, "validation"), run.pointer("best")),
        *_probes(_of_kind(entries, "probe"), run.manifest.get("probe", {})),
    ]


def compared_curves(runs: Mapping[str, RunFolder], only: str | None = None) -> list[dict[str, Any]]:
    """The same quantities of several runs, each quantity in one chart with a line a run.

    Args:
        runs: by their names.
        only: the one held-out score that is drawn; all of them, and probes, where not given.

    Means of stretches are drawn without a band, which would hide the other lines.
    """
    held_out = {name: _of_kind(run.metrics(), "validation") for name, run in runs.items()}
    scores = dict.fromkeys(key for entries in held_out.values() for key in _score_keys(entries))
    shown = [score for score in scores if score != "grey_ab_error" and only in (None, score)]
    probes = _compared_probes(runs) if only is None else []
    return compared_losses(runs) + [_compared_scores(score, held_out) for score in shown] + probes


def compared_losses(runs: Mapping[str, RunFolder]) -> list[dict[str, Any]]:
    """The losses over steps, each in one chart with a line a run (the paper's Figure 8)."""
    train = {name: _of_kind(run.metrics(), "train") for name, run in runs.items()}
    losses = dict.fromkeys(key for entries in train.values() for key in _loss_keys(entries))
    return [_compared_losses(key, train) for key in losses]


def _of_kind(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry.get("kind") == kind]


def _loss_keys(entries: list[dict[str, Any]]) -> list[str]:
    """``player.term`` in the order in which they were logged first."""
    return list(dict.fromkeys(name for entry in entries for name in entry if "." in name))


def _score_keys(entries: list[dict[str, Any]]) -> list[str]:
    return list(
        dict.fromkeys(k for e in entries for k, v in e.items() if k not in _NO_SCORE and isinstance(v, int | float))
    )


def _logged(entries: list[dict[str, Any]], key: str, over: str) -> list[tuple[int, float]]:
    return [(entry[over], entry[key]) for entry in entries if entry.get(key) is not None]


# Losses


def _losses(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    turns: dict[str, list[str]] = {}
    for name in _loss_keys(entries):
        turns.setdefault(name.partition(".")[0], []).append(name)
    return [_loss_chart(turn, keys, entries) for turn, keys in turns.items()]


def _loss_chart(turn: str, keys: list[str], entries: list[dict[str, Any]]) -> dict[str, Any]:
    drawn = [_smoothed(key.partition(".")[2], _logged(entries, key, "step")) for key in keys]
    stretch = max(number for _, number in drawn)
    return {
        "kind": "lines",
        "title": f"Losses of the {turn}",
        "lines": [line for line, _ in drawn],
        "x_label": "step",
        "y_label": "loss",
        "y_scale": _loss_scale([line for line, _ in drawn]),
        "caption": f"Means of {stretch} logged values each; the bands hold the middle 80 % of them."
        if stretch > 1
        else "",
    }


def _compared_losses(key: str, train: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    turn, _, term = key.partition(".")
    drawn = [_smoothed(name, logged) for name, entries in train.items() if (logged := _logged(entries, key, "step"))]
    lines = [{"name": line["name"], "x": line["x"], "y": line["y"]} for line, _ in drawn]
    stretch = max((number for _, number in drawn), default=1)
    return {
        "kind": "lines",
        "title": f"Loss of the {turn}" if term == "loss" else f"{first_up(term)} term of the {turn}",
        "lines": lines,
        "x_label": "step",
        "y_label": "loss",
        "y_scale": _loss_scale(lines),
        "caption": f"Means of up to {stretch} logged values each." if stretch > 1 else "",
    }


def _loss_scale(lines: list[dict[str, Any]]) -> str:
    """Terms weighted very differently share a picture only on a log axis."""
    sizes = [median(line["y"]) for line in lines]
    return "log" if sizes and min(sizes) > 0 and max(sizes) > 10 * min(sizes) else "linear"


def _smoothed(name: str, logged: list[tuple[int, float]]) -> tuple[dict[str, Any], int]:
    """A line of at most MOST_STRETCHES points with its band, where there are many values, and how many values a point stands for."""
    if len(logged) <= MOST_VALUES:
        return {"name": name, "x": [x for x, _ in logged], "y": [y for _, y in logged]}, 1
    stretch = max(LEAST_STRETCH, math.ceil(len(logged) / MOST_STRETCHES))
    parts = [np.array(logged[start : start + stretch]) for start in range(0, len(logged), stretch)]
    low, high = np.array([np.quantile(part[:, 1], (0.1, 0.9)) for part in parts]).T.tolist()
    middle, mean = np.array([part.mean(axis=0) for part in parts]).T.tolist()
    return {"name": name, "x": middle, "y": mean, "low": low, "high": high}, stretch


# Scores on held-out pictures


def _held_out(entries: list[dict[str, Any]], best: dict[str, Any] | None) -> list[dict[str, Any]]:
    names = _score_keys(entries)
    known = {name for _, _, words in _TOGETHER for name in words}
    others = tuple(
        (f"{first_up(named(name))} on held-out pictures", labelled(name), {name: named(name)})
        for name in names
        if name not in known
    )
    charts: list[dict[str, Any]] = []
    for title, label, words in (*_TOGETHER, *others):
        logged = {word: _score(entries, name) for name, word in words.items() if name in names}
        chosen = f"The best checkpoint is that of epoch {best['epoch']}." if best and best.get("score") in words else ""
        charts += _course(title, label, logged, chosen)
    return charts


def _compared_scores(score: str, held_out: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    logged = {name: line for name, entries in held_out.items() if (line := _score(entries, score))}
    (chart,) = _course(f"{first_up(named(score))} on held-out pictures", labelled(score), logged, "")
    grey = {value for entries in held_out.values() for _, value in _logged(entries, "grey_ab_error", "epoch")}
    if score == "ab_error" and grey and max(grey) - min(grey) < 1e-3 * max(grey):
        chart |= {"reference": max(grey), "reference_name": "left grey"}
    return chart


def _score(entries: list[dict[str, Any]], score: str) -> list[tuple[int, float | None]]:
    return [(epoch, in_points(score, value)) for epoch, value in _logged(entries, score, "epoch")]


def _course(title: str, label: str, logged: Mapping[str, list[tuple[int, Any]]], caption: str) -> list[dict[str, Any]]:
    """A chart over epochs; of a single epoch, which is no course yet, a chart of bars; none of nothing."""
    epochs = {epoch for line in logged.values() for epoch, _ in line}
    if len(epochs) == 1:
        bars = [{"name": name, "value": line[-1][1]} for name, line in logged.items() if line]
        return [
            {
                "kind": "bars",
                "title": f"{title}, epoch {epochs.pop()}",
                "bars": bars,
                "value_label": label,
                "caption": caption,
            }
        ]
    if not epochs:
        return []
    lines = [{"name": name, "x": [x for x, _ in line], "y": [y for _, y in line]} for name, line in logged.items()]
    chart = {"kind": "lines", "title": title, "lines": lines, "x_label": "epoch", "y_label": label, "caption": caption}
    return [chart]


# Probes of frozen features


def _probes(entries: list[dict[str, Any]], account: dict[str, Any]) -> list[dict[str, Any]]:
    """What labels find in the frozen features, a line a depth, from the weights before the first step on."""
    if not entries:
        return []
    course = _since_untrained(entries, account)
    score = account["score"]
    method = {"ridge": "Ridge regression", "knn": "The 20 nearest neighbours"}[account["method"]]
    words = (
        f"{method} on the features of {account['training']:,} labelled pictures, scored on {account['scored']:,} others of "
        "the same training list. Epoch 0: the weights before the first step."
    )
    strides = list(entries[0]["scores"])
    found = {stride: [(e["epoch"], in_points(score, e["scores"][stride])) for e in course] for stride in strides}
    ranks = {stride: [(e["epoch"], e["ranks"][stride]) for e in course] for stride in strides}
    return [
        *_course(f"Probe of the frozen features, {named(score)}", labelled(score), _by_stride(found), words),
        *_course(
            "Effective rank of the features", "directions", _by_stride(ranks), "A fall says that the features collapse."
        ),
    ]


def _compared_probes(runs: Mapping[str, RunFolder]) -> list[dict[str, Any]]:
    """The same of several runs, a line each, at the depth that is best in the end; a chart a score."""
    found: dict[str, dict[str, list[tuple[int, Any]]]] = {}
    for name, run in runs.items():
        if entries := _of_kind(run.metrics(), "probe"):
            account, last = run.manifest["probe"], entries[-1]["scores"]
            score, stride = account["score"], max(last, key=last.__getitem__)
            line = [(e["epoch"], in_points(score, e["scores"][stride])) for e in _since_untrained(entries, account)]
            found.setdefault(score, {})[f"{name}, stride {stride}"] = line
    words = "Each run at the depth that is best in the end. Epoch 0: the weights before the first step. Runs compare where the labelled pictures are the same."
    return [
        chart
        for score, lines in found.items()
        for chart in _course(f"Probe of the frozen features, {named(score)}", labelled(score), lines, words)
    ]


def _since_untrained(entries: list[dict[str, Any]], account: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"epoch": 0, **account["untrained"]}, *entries]


def _by_stride(lines: Mapping[str, list[tuple[int, Any]]]) -> dict[str, list[tuple[int, Any]]]:
    return {f"stride {stride}": line for stride, line in lines.items()}
