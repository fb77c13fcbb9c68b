"""A study folder that was made up: three arms, two label fractions, three seeds; for the tests of its report."""

import json
import math

CLASSES = ("cat", "dog", "sun")
ARMS = ("scratch", "cgan", "l1")
SEEDS = (0, 1, 2)


def score_of(arm, fraction, seed):
    """In [0, 1]; every cell's differs."""
    return 0.3 + 0.1 * fraction + {"scratch": 0, "cgan": 0.05, "l1": -0.01}[arm] + seed / 100


def by_class(arm, fraction, seed):
    """The mean over the classes is the score; the last class is absent from the test set."""
    score = score_of(arm, fraction, seed)
    return {"cat": score - 0.1, "dog": score + 0.1, "sun": None}


def study(**changes):
    """The content of a study.json in which all cells are finished."""
    places = [(fraction, arm) for fraction in (0.1, 1.0) for arm in ARMS]
    cells, table = [], []
    for fraction, arm in places:
        scores = [score_of(arm, fraction, seed) for seed in SEEDS]
        mean = sum(scores) / 3
        table.append({"arm": arm, "mode": "finetune", "depth": None, "fraction": fraction, "seeds": 3, "mean": mean,
                      "deviation": 0.01, "low": mean - 0.0248, "high": mean + 0.0248})  # fmt: skip
        cells += [
            {"key": f"{arm}-{fraction}-{seed}", "arm": arm, "mode": "finetune", "depth": None, "fraction": fraction,
             "seed": seed, "state": "finished", "score": score, "seconds": 3.0, "error": None,
             "scores": {"map": score, "f1_micro": 0.5, "ap": by_class(arm, fraction, seed)}}
            for seed, score in zip(SEEDS, scores, strict=True)
        ]  # fmt: skip
    differences = [
        {"arm": arm, "reference": "scratch", "mode": "finetune", "depth": None, "fraction": fraction, "seeds": 3,
         "mean": gain, "deviation": 0.002, "low": gain - 0.005, "high": gain + 0.005, "p": 0.00123, "p_holm": 0.0492,
         "comparisons": 4, "verdict": verdict, "words": f"{arm} is told of in words."}
        for fraction in (0.1, 1.0) for arm, gain, verdict in (("cgan", 0.05, "helped"), ("l1", -0.01, "hurt"))
    ]  # fmt: skip
    arms = [
        {"name": arm, "init": ["scratch"] if arm == "scratch" else [f"/home/someone/runs/{arm}"], "planes": "L",
         "reference": None if arm == "scratch" else "scratch", "loaded": None if arm == "scratch" else 0.912,
         "parts": [] if arm == "scratch" else ["backbone"], "rate": 3e-4,
         "search": [{"rate": 1e-4, "score": 0.25}, {"rate": 3e-4, "score": 0.375}],
         "pretrainings": {"scratch": 0, "cgan": 1, "l1": 3}[arm]}
        for arm in ARMS
    ]  # fmt: skip
    return {
        "kind": "study", "state": "finished", "task": "multilabel", "score": "map", "title": "A study of tests",
        "options": {"recipe": "light"}, "command": "pretint compare --data voc --out runs/study",
        "environment": {"pretint": "0.1.0", "gpu": None, "cores": 2}, "begun": "2026-01-02 03:04:05", "seconds": 7200.0,
        "fractions": [0.1, 1.0], "seeds": list(SEEDS), "modes": ["finetune"], "test": {"split": "test", "pictures": 1449},
        "data": {"folder": "/home/someone/voc", "layout": "voc", "fingerprint": "00ff", "training": 1318, "held_out": 146},
        "arms": arms, "cells": cells, "table": table, "differences": differences,
        "labels_saved": [{"arm": "cgan", "reference": "scratch", "mode": "finetune", "fraction": 0.4, "low": 0.3,
                          "high": None, "words": "cgan needs 40 % of the labels."}],
        "constant": {"map": 0.07, "f1_micro": 0.1, "ap": {"cat": 0.08, "dog": 0.06, "sun": None}},
        "checks": [{"name": "splits", "state": "ok", "words": "no picture is in two splits."},
                   {"name": "leak", "state": "warning", "words": "3 test pictures are in the pool."},
                   {"name": "pretext loss", "state": "unknown", "words": "there are no metrics."}],
        "verdict": "cgan helped, by 5.0 points.",
    } | changes  # fmt: skip


def write_study(folder, content):
    """The folder of a study, with the run of every cell that is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(content))
    for cell in content["cells"]:
        if cell["state"] != "finished" or cell["mode"] != "finetune":
            continue
        run = folder / "runs" / cell["key"]
        run.mkdir(parents=True, exist_ok=True)
        (run / "run.json").write_text(json.dumps({"kind": "finetune", "state": "finished", "options": {}}))
        lines = [
            {"step": s, "epoch": 1 + s // 5, "kind": "train", "network.loss": math.exp(-s / 5)} for s in range(1, 11)
        ]
        lines += [
            {"step": 5 * e, "epoch": e, "kind": "validation", "map": cell["score"], "f1_micro": 0.5} for e in (1, 2)
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
