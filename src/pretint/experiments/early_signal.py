"""``pretrain --probe``: does the backbone learn what labels ask for, and does it still?

After a validation the frozen features of a few labelled pictures are probed at each depth of the backbone. Nothing is
trained by it and no draw is made, so the training keeps its bits. The labels choose nothing either: the best checkpoint
stays that of the pretext's own score.

    metrics.jsonl   {"kind": "probe", "step", "epoch", "scores": {stride: mAP or top-1 in [0, 1]}, "ranks": {stride: rank},
                    "error": standard error of the best depth's score, over scored pictures}
    run.json        "probe": which pictures, which score, that of a constant predictor, and scores, ranks and error of the
                    weights before the first step

The scored pictures are a part of the labelled folder's training list; its test list is never opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pretint.data.layouts import open_source
from pretint.data.randomness import generator
from pretint.data.record import Record, fingerprint
from pretint.data.splits import carve_validation, label_matrix, subset
from pretint.errors import DataError, RunError
from pretint.experiments.options import PretrainOptions
from pretint.experiments.starting import Start
from pretint.inference.embedding import embed_records
from pretint.metrics.labels import mean_average_precision, top1
from pretint.metrics.probing import effective_rank, knn, linear_probe
from pretint.networks.backbone import Backbone
from pretint.objective import Objective
from pretint.pretexts.pretext import Pretext

SCORED = 0.25
"""Share of the probe's pictures that are scored; the others are learned from."""
RESAMPLINGS = 200
"""Bootstrap samples of the scored pictures, for the standard error."""
LEAST = 8
"""Labelled pictures below which a score says nothing."""


@dataclass(frozen=True)
class ProbePictures:
    """Labelled pictures of a probe.

    Attributes:
        folder: where they are from.
        layout: how they lie there.
        classes: names of the labels, K of them.
        training: pictures that the probe learns from.
        scored: pictures that it is scored on.
        score: ``top1`` where each picture has one label, else ``map``.
    """

    folder: Path
    layout: str
    classes: tuple[str, ...]
    training: Sequence[Record]
    scored: Sequence[Record]
    score: Literal["map", "top1"]


def choose_pictures(folder: Path, most: int, seed: int) -> ProbePictures:
    """Up to ``most`` pictures of the training list (all but the test list, where there is none), stratified, by the seed.

    Raises:
        DataError: the folder has no labels, or too few.
    """
    source = open_source(folder, task="labels")
    listed = source.split("train" if "train" in source.splits else "all")
    test = {record.id for record in source.splits.get("test", ())}
    records = [record for record in listed if record.labels is not None and record.id not in test]
    if not source.classes or len(records) < LEAST:
        raise DataError(
            f"--probe {folder}: the layout {source.layout} has {len(records) if source.classes else 0} labelled pictures "
            f"to train on here, and a probe needs at least {LEAST}; give a folder of labelled pictures"
        )
    if len(records) > most:
        records = [records[i] for i in subset(label_matrix(records, source.classes), most, seed)]
    training, scored = carve_validation(records, SCORED, seed)
    shown = [label_matrix(part, source.classes).any(axis=0) for part in (training, scored)]
    if not (shown[0] & shown[1]).any():
        raise DataError(
            f"--probe {folder}: no class is shown by several of the {len(records)} pictures; label more, or raise --probe-pictures"
        )
    single = len(source.classes) > 1 and all(len(record.labels or ()) == 1 for record in records)
    return ProbePictures(folder, source.layout, source.classes, training, scored, "top1" if single else "map")


@dataclass(frozen=True)
class EarlySignal:
    """Probes the backbone while it is trained; called by the loop after each validation with (epochs done, objective)."""

    pictures: ProbePictures
    options: PretrainOptions
    start: Start
    steps_per_epoch: int

    def begin(self, pretext: Pretext) -> None:
        """Probe the weights before the first step, the floor of all that follows, and note it in run.json.

        Raises:
            RunError: the run that is resumed was probed otherwise.
        """
        if not self.start.first:
            return
        chosen = self.pictures
        account = {
            "folder": str(chosen.folder),
            "layout": chosen.layout,
            "fingerprint": fingerprint((*chosen.training, *chosen.scored)),
            "training": len(chosen.training),
            "scored": len(chosen.scored),
            "classes": list(chosen.classes),
            "method": self.options.probe_method,
            "score": chosen.score,
            "constant": self._constant(),
        }
        before = self.start.run.manifest.get("probe")
        if before is None:
            pretext.to(self.start.fabric.device)
            untrained = self._measured(pretext.backbone)
            self.start.note(probe={**account, "untrained": untrained})
            self.start.say(f"untrained  probe {_listed(chosen.score, untrained)}  constant {account['constant']:.3f}")
        elif {**before, **account, "folder": ""} != {**before, "folder": ""}:
            raise RunError(
                f"--probe {chosen.folder}: {self.start.run.path} was probed on other pictures or in another way, and the "
                "scores would not compare; leave the probe's options as they were, or resume without --probe"
            )

    def __call__(self, epochs: int, objective: Objective) -> None:
        """Probe, add a line to metrics.jsonl, and say one."""
        if epochs % self.options.probe_every and epochs < self.options.epochs:
            return
        assert isinstance(objective, Pretext)
        run = self.start.run
        earlier = [entry for entry in run.metrics() if entry["kind"] == "probe"]
        found = self._measured(objective.backbone, epochs)
        run.append_metrics(step=epochs * self.steps_per_epoch, epoch=epochs, kind="probe", **found)
        account = run.manifest["probe"]
        words = [f"epoch {epochs}  probe {_listed(self.pictures.score, found)}", _course(found, earlier)]
        words += [f"untrained {_best(account['untrained']):.3f}, constant {account['constant']:.3f}"]
        self.start.say("  ".join(filter(None, words)))

    def _measured(self, backbone: Backbone, epochs: int = 0) -> dict[str, Any]:
        """``scores`` and ``ranks`` by stride, and the ``error`` of the best score."""
        chosen = self.pictures
        records = (*chosen.training, *chosen.scored)
        options = self.options
        embedding = embed_records(
            backbone,
            records,
            view=options.view,
            size=options.size,
            batch_size=options.batch_size,
            workers=self.start.workers,
        )
        if embedding.refused:
            self.start.say(f"probe: {len(embedding.refused)} pictures left out; the first: {embedding.refused[0][1]}")
        learned = embedding.rows < len(chosen.training)
        labels = label_matrix([records[i] for i in embedding.rows], chosen.classes)
        if learned.sum() < 2 or not (labels[learned].any(axis=0) & labels[~learned].any(axis=0)).any():
            raise DataError(f"--probe {chosen.folder}: too few of its pictures can be read; {embedding.refused[0][1]}")
        scores: dict[str, float] = {}
        ranks: dict[str, float] = {}
        best = np.empty((0, 0))
        for stride, features in embedding.features.items():
            seen, target, others = features[learned], labels[learned], features[~learned]
            said = (
                knn(seen, target, others)
                if options.probe_method == "knn"
                else linear_probe(seen, target, others).scores
            )
            score = self._score(labels[~learned], said)
            best = said if score > max(scores.values(), default=-1) else best
            scores[str(stride)] = score
            ranks[str(stride)] = effective_rank(features)
        draws = generator(options.seed, "probe", epochs)
        return {"scores": scores, "ranks": ranks, "error": self._error(labels[~learned], best, draws)}

    def _score(self, labels: NDArray[np.bool_], said: NDArray[np.float64]) -> float:
        return top1(labels, said) if self.pictures.score == "top1" else mean_average_precision(labels, said)

    def _error(self, labels: NDArray[np.bool_], said: NDArray[np.float64], draws: np.random.Generator) -> float:
        """Standard error of a score by the bootstrap over scored pictures (Efron 1979)."""
        samples = (draws.integers(0, len(labels), len(labels)) for _ in range(RESAMPLINGS))
        # A sample of few pictures can miss every class; then it has no mAP.
        return float(np.nanstd([self._score(labels[rows], said[rows]) for rows in samples]))

    def _constant(self) -> float:
        """Score of telling every picture the labels' frequencies."""
        chosen = self.pictures
        frequencies = label_matrix(chosen.training, chosen.classes).mean(axis=0)
        labels = label_matrix(chosen.scored, chosen.classes)
        return self._score(labels, np.tile(frequencies, (len(labels), 1)))


def _listed(score: str, found: Mapping[str, Any]) -> str:
    """``map at stride 2: 0.301  4: 0.322  (effective rank 3.1 to 9.8)``"""
    ranks = found["ranks"].values()
    listed = "  ".join(f"{stride}: {value:.3f}" for stride, value in found["scores"].items())
    return f"{score} at stride {listed}  (effective rank {min(ranks):.1f} to {max(ranks):.1f})"


def _best(found: Mapping[str, Any]) -> float:
    return float(max(found["scores"].values()))


def _course(found: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> str:
    """Whether the best depth still gains, and what chance alone may do."""
    if not earlier:
        return f"standard error {found['error']:.3f}"
    peak = earlier[int(np.argmax([_best(entry) for entry in earlier]))]
    gained = _best(found) - _best(peak)
    words = "the best so far, by" if gained > 0 else f"not above epoch {peak['epoch']}, by"
    return f"{words} {abs(gained):.3f} (standard error {found['error']:.3f})"
