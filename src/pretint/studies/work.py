"""What a worker does with a job: a fine-tuning and its scores, probes of frozen features, a bootstrap, or the time a step takes.

A job's results lie in the study's folder: ``cells/KEY.json``, and beside it ``KEY.npz`` with what the resampling of test
pictures needs. For labels that is ``targets`` (N, K) and ``scores`` (N, K); for masks ``matrices`` (N, K, K), the confusion
matrix of each picture. Of some cells the masks themselves are kept in ``KEY-masks.npz``, to be looked at.
"""

import io
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pretint import recipe
from pretint.data.feed import Batch
from pretint.data.record import VOID
from pretint.errors import DataError, Diverged, RunError
from pretint.experiments.fine_tuning import finetune
from pretint.experiments.options import FinetuneOptions, with_sections
from pretint.inference.evaluating import evaluate_task
from pretint.inference.models import load_task
from pretint.metrics.segmentation import confusion_matrix
from pretint.run_folder import RunFolder, write_atomically
from pretint.studies.folder import StudyFolder
from pretint.training.hardware import kind_of_device

PATIENCE = 120
"""Seconds to wait for a training of a killed study to end: it saves first."""


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job; gives back what its outcome holds beside its state."""
    match job["kind"]:
        case "time":
            from pretint.studies.timing import seconds_a_step

            return {"seconds_a_step": seconds_a_step(options_of(job["values"]), job["classes"])}
        case "features":
            from pretint.studies.probes import probe

            return _keep(job, probe(job, options_of(job["values"])))
        case "variance":
            from pretint.studies.variances import done

            return done(job)
    return _fine_tuned(job)


def options_of(values: Mapping[str, Any]) -> FinetuneOptions:
    """Options of a fine-tuning from plain values."""
    kind = with_sections(FinetuneOptions, {"tasks": values["task"], "networks": values["backbone"]})
    options: FinetuneOptions = recipe.fill(kind, values, "study")
    return options


def _fine_tuned(job: Mapping[str, Any]) -> dict[str, Any]:
    begun = time.monotonic()
    options = options_of(job["values"])
    _wait_for(options.out)
    try:
        result = finetune(options, quiet=True, masks_seen=True)  # by the study, once
    except Diverged as error:
        if job["kind"] != "search":
            raise
        return _keep(
            job,
            {
                "held_out": {},
                "rate": options.rate,
                "diverged": str(error),
                "seconds": round(time.monotonic() - begun, 1),
            },
        )
    parts = RunFolder.open(options.out).manifest["loaded"]["parts"]
    if job["kind"] == "search" and not result.scores:
        raise DataError(
            f"--data {options.data}: nothing can be scored on the held-out masks, which are void throughout, so they choose no rate; give a single one of --rates"
        )
    outcome: dict[str, Any] = {"loaded": result.loaded, "parts": parts, "held_out": result.scores, "rate": options.rate}
    if job["kind"] == "finetune":
        picture_scores = _PictureScores(keep_masks=job["keep_masks"])
        scored = evaluate_task(
            load_task(options.out),
            options.data,
            job["test"],
            options.layout,
            None,
            without=job["without"],
            keep=picture_scores.add,
            masks_seen=True,
            device=torch.device(kind_of_device(options.loop)),
        )
        outcome |= {"scores": scored["scores"], "constant": scored["constant"], "pictures": scored["pictures"]}
        write_atomically(_folder(job).pictures_of(job["key"]), picture_scores.as_npz())
        if picture_scores.masks:
            write_atomically(_folder(job).masks_of(job["key"]), npz(picture_scores.masks))
    kept = _keep(job, {**outcome, "seconds": round(time.monotonic() - begun, 1)})
    if not job["keep_weights"]:
        _folder(job).forget_weights(job["key"])
    return kept


def _keep(job: Mapping[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    path = Path(job["study"]) / "cells" / f"{job['key']}.json"
    write_atomically(path, (json.dumps(outcome, indent=1) + "\n").encode())
    return outcome


def _folder(job: Mapping[str, Any]) -> StudyFolder:
    return StudyFolder(Path(job["study"]))


def _wait_for(run: Path) -> None:
    """Wait while a training of a killed study still saves; clear away a folder that was left before it was a run.

    Raises:
        RunError: it still trains after a while.
    """
    if run.exists() and not (run / "run.json").exists():
        shutil.rmtree(run)
    until = time.monotonic() + PATIENCE
    while run.exists():
        try:
            with RunFolder.open(run).locked():
                return
        except RunError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


SIDE = 160
"""Pixels of the longer side of masks that are kept to be looked at."""


class _PictureScores:
    """Gathers what is needed to score any resampling of the test pictures."""

    def __init__(self, keep_masks: bool) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._keep_masks = keep_masks
        self.masks: dict[str, NDArray[Any]] = {}

    def add(self, batch: Batch, prediction: NDArray[Any], classes: int) -> None:
        """Take a batch and what was predicted for it."""
        if batch.mask is None:
            assert batch.labels is not None
            found = {"targets": batch.labels.cpu().numpy().astype(bool), "scores": np.asarray(prediction, np.float64)}
        else:
            masks = batch.mask.cpu().numpy()
            for name, true, predicted in zip(batch.ids, masks, prediction, strict=True) if self._keep_masks else ():
                self.masks |= {f"true/{name}": _small(true), f"predicted/{name}": _small(predicted)}
            found = {
                "matrices": np.stack(
                    [confusion_matrix(m, p, classes, VOID) for m, p in zip(masks, prediction, strict=True)]
                )
            }
        found["ids"] = np.array(batch.ids)
        for name, part in found.items():
            self._parts.setdefault(name, []).append(part)

    def as_npz(self) -> bytes:
        """The content of the file."""
        return npz({name: np.concatenate(parts) for name, parts in self._parts.items()})


def _small(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """A mask for looking at: at most SIDE pixels a side."""
    picture = Image.fromarray(mask.astype(np.uint8))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.NEAREST)
    return np.asarray(picture)


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the content of a compressed .npz file, without a pickle."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()
