"""Scores of a run on pictures it was not trained on, always beside the scores of knowing nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pretint.color import AB_SCALE, rgb_to_planes
from pretint.data.feed import Batch, once
from pretint.data.layouts import open_source
from pretint.data.masks import read_pair, validate_masks
from pretint.data.reading import read_rgb
from pretint.data.record import Record, Source
from pretint.data.screening import is_grey
from pretint.data.views import ViewOptions
from pretint.errors import DataError
from pretint.inference.applying import picture_logits
from pretint.inference.colorizing import TrainedColorizer
from pretint.inference.embedding import looks_at_the_batch
from pretint.inference.full_resolution import predict_ab, recolour
from pretint.inference.models import Setting, TaskModel, Trained, best_device, drawing_from
from pretint.inference.trained_on import trained_on
from pretint.metrics.ab_error import auc
from pretint.metrics.image import colourfulness, colourfulness_difference, psnr, ssim
from pretint.metrics.meters import BalancedAreaMeter, RunningMeter
from pretint.objective import finite
from pretint.pretexts.pretext import Decoding
from pretint.tasks.task import ScoreMeter

SMALLEST = 11
"""Sides in pixels of the smallest picture that SSIM's window fits into."""

Progress = Callable[[int, int], None] | None
Keep = Callable[[Batch, NDArray[Any], int], None]


def evaluate_colorization(
    trained: Trained,
    folder: Path,
    split: str | None,
    layout: str | None,
    progress: Progress,
    setting: Setting | None = None,
    note: Callable[[str, str, Mapping[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Coloured pictures against their originals, at their own size and as ``colorize`` writes them in float32.

    Rows: ``settings``, one for each setting of the model (or for the one that is named), with its ``decoding``; ``model``, that
    of the first of them, which is what ``colorize`` does in float32; ``grey``, the same pictures without colour; ``mean_colour``, all
    pixels in the mean colour of the training pictures. Columns: ``psnr`` (dB, over RGB), ``ssim`` (RGB), ``colourfulness``
    (Hasler and Suesstrunk), ``colourfulness_difference`` (to the original) and ``auc`` (area under Zhang's curve of ab errors),
    each with mean, min and max over pictures; ``auc_balanced``, one number over all pixels, all true colours weighing alike;
    ``colourfulness_share``, the mean colourfulness over that of the originals. Beside them ``original``, the originals'
    colourfulness, and ``left_out``: how many originals were ``grey`` (see :mod:`pretint.data.screening`; nothing can be told
    from colouring them), ``small`` or ``unreadable``, the reasons for the last in ``refused``.

    Args:
        trained: a colorizer.
        folder: the pictures.
        split: list of pictures; test, else val, else all where it is None.
        layout: of the folder; recognised where it is None.
        progress: told (pictures done, all).
        setting: the only one that is scored; all that the model has where it is None.
        note: told (id of a picture, row, its scores), for what is to be computed picture by picture.

    Raises:
        DataError: there are no pictures with colour of at least 11 pixels a side that can be read.
        OptionError: the model has no such setting.
    """
    settings: tuple[Setting, ...] = (setting,) if setting else tuple(trained.settings)
    colorizer = TrainedColorizer(trained, setting=settings[0])
    data = open_source(folder, layout)
    chosen = data.test_split(split)
    records = chosen.records
    mean = torch.tensor(colorizer.trained.description["mean_colour"], dtype=torch.float32).view(1, 2, 1, 1)
    meters: dict[str, dict[str, RunningMeter]] = {}
    left_out = {"grey": 0, "small": 0, "unreadable": 0}
    refused: list[str] = []
    scored: list[Record] = []
    balanced: dict[str, BalancedAreaMeter] = {}
    for done, record in enumerate(records):
        if progress:
            progress(done, len(records))
        try:
            original = read_rgb(record.where)
        except DataError as error:
            left_out["unreadable"] += 1
            refused.append(str(error))
            continue
        if min(original.shape[:2]) < SMALLEST:
            left_out["small"] += 1
            continue
        if is_grey(original):
            left_out["grey"] += 1
            continue
        scored.append(record)
        true = _ab(original)
        planes = {"grey": torch.zeros(1, 2, 1, 1), "mean_colour": mean}
        for each in settings:
            colorizer.use(each)
            planes[each] = predict_ab(original, partial(colorizer, seed=0), colorizer.size)  # as `colorize` draws
        for name, ab in planes.items():
            coloured = recolour(original, ab)
            written = _ab(coloured)
            scores = {
                "psnr": min(psnr(original, coloured), PSNR_OF_EQUALS),
                "ssim": ssim(original, coloured),
                "colourfulness": colourfulness(coloured),
                "colourfulness_difference": colourfulness_difference(coloured, original),
                "auc": auc(written, true),
            }
            if note:
                note(record.id, name, scores)
            balanced.setdefault(name, BalancedAreaMeter()).update(written, true)
            for score, value in scores.items():
                meters.setdefault(name, {}).setdefault(score, RunningMeter()).update(value)
        meters.setdefault("original", {}).setdefault("colourfulness", RunningMeter()).update(colourfulness(original))
    if refused and not any((scored, left_out["grey"], left_out["small"])):
        raise DataError(refused[0])
    if not scored:
        raise DataError(
            f"--data {folder}: no picture here has colour and is at least {SMALLEST} pixels wide and high "
            f"({left_out['grey']} are grey, {left_out['small']} smaller, {len(refused)} cannot be read); choose other pictures"
        )
    rows: dict[str, dict[str, Any]] = {
        name: {score: meter.compute() for score, meter in scores.items()} for name, scores in meters.items()
    }
    for name, meter in balanced.items():
        rows[name]["auc_balanced"] = meter.compute()
        lively = rows["original"]["colourfulness"]["mean"]
        rows[name]["colourfulness_share"] = rows[name]["colourfulness"]["mean"] / lively
    told = {each: {**rows.pop(each), "decoding": _told(trained.decoding(each))} for each in settings}
    return {
        "model": {score: value for score, value in told[settings[0]].items() if score != "decoding"},
        **rows,
        "setting": settings[0],
        "settings": told,
        "pictures": len(scored),
        "left_out": left_out,
        "refused": refused,
        "split": chosen.name,
        "trained_on_these": trained_on(colorizer.trained, data, scored),
    }


PSNR_OF_EQUALS = 100.0
"""dB: what a picture without any error counts as, whose PSNR is infinite."""


def evaluate_task(
    model: TaskModel,
    folder: Path,
    split: str | None,
    layout: str | None,
    progress: Progress,
    *,
    without: Collection[str] = (),
    keep: Keep | None = None,
    masks_seen: bool = False,
    device: torch.device | None = None,
) -> dict[str, Any]:
    """A fine-tuned network on labelled pictures: ``scores`` of the network and of the ``constant`` predictor.

    Masks are scored at their own size, labels at the size of the training.

    Args:
        model: the network.
        folder: the pictures.
        split: list of pictures; test, else val, else all where it is None.
        layout: of the folder; recognised where it is None.
        progress: told (pictures done, all).
        without: ids of pictures that are left out.
        keep: told each batch, what was predicted for it (as ``Task.prediction`` gives it), and the number of classes.
        masks_seen: the masks were looked at by the caller, who scores many networks on them.
        device: what computes; a GPU where there is one, if it is None.

    Raises:
        DataError: the data have no such labels or masks, or other classes.
    """
    options = model.trained.options
    classes = list(model.task.classes)
    named = options["classes"] or None
    data = open_source(
        folder, layout, named, other_classes=options["other_classes"], task=model.task.target,
        one_class=options["task"] == "classification",
    )  # fmt: skip
    theirs = data.classes_for(options["task"], model.task.target)
    if theirs != classes:
        raise DataError(
            f"--data {folder}: has the classes {', '.join(theirs)}, but the run learned {', '.join(classes)}"
        )
    chosen = data.test_split(split)
    records = [record for record in chosen.records if record.id not in without]
    what = f"--data {folder}: the list {chosen.name}"
    model.task.check(records, what, "choose another list with --split")
    scores, constant = model.task.meter(), model.task.meter()
    device = device or best_device()
    model.network.to(device)
    if model.task.target == "mask" and not masks_seen:
        validate_masks(records, data.mask_map)
    done = 0
    with drawing_from(options["seed"], device):
        for batch in _batches(model, data, records):
            if progress:
                progress(done, len(records))
            prediction = _predict(model, batch, device)
            scores.update(batch, prediction)
            if keep:
                keep(batch, prediction, len(classes))
            _constant(model, batch, constant)
            done += len(batch)
    found = _finite(scores.compute())
    if found[model.task.best] is None:
        raise DataError(
            f"{what} has masks that are void throughout, so nothing can be scored; choose another with --split"
        )
    return {
        "task": options["task"],
        "scores": found,
        "constant": _finite(constant.compute()),
        "pictures": len(records),
        "split": chosen.name,
        "trained_on_these": trained_on(model.trained, data, records),
    }


def _told(decoding: Decoding) -> dict[str, float]:
    """Its dials; the marginal is too long to be told."""
    return {name: value for name, value in asdict(decoding).items() if name != "marginal"}


def _batches(model: TaskModel, data: Source, records: Sequence[Record]) -> Any:
    options = model.trained.options
    if model.task.target == "labels":
        view = ViewOptions(**options["view"])
        # One by one, as `predict` sees them, where a picture's features hang on what lies beside it in the batch.
        batch_size = 1 if looks_at_the_batch(model.network.backbone) else 32
        yield from once(
            records, size=options["size"], view=view, batch_size=batch_size, target="labels", classes=model.task.classes
        )
        return
    for record in records:
        rgb, mask = read_pair(record, data.mask_map)
        yield Batch.of_one(rgb, mask, record.id)


@torch.inference_mode()
def _predict(model: TaskModel, batch: Batch, device: torch.device) -> NDArray[Any]:
    backbone = model.network.backbone
    if batch.mask is None:
        batch = batch.to(device)
        return model.task.prediction(finite(model.network(batch.planes(backbone.planes))))
    return model.task.prediction(picture_logits(model, batch.rgb[0].permute(1, 2, 0).numpy(), device))


def _constant(model: TaskModel, batch: Batch, meter: ScoreMeter) -> None:
    target = batch.labels if batch.mask is None else batch.mask
    assert target is not None
    meter.update(batch, model.task.constant(model.trained.description["constant"], tuple(target.shape)))


def _finite(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores for JSON: a class that the pictures do not show has none (null)."""
    return {
        name: _finite(value) if isinstance(value, dict) else (None if np.isnan(value) else value)
        for name, value in scores.items()
    }


def _ab(rgb: NDArray[Any]) -> NDArray[Any]:
    """a and b of a picture uint8 (H, W, 3), (H, W, 2) in Lab units."""
    planes = rgb_to_planes(torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None])
    return AB_SCALE * planes[0, 1:].permute(1, 2, 0).numpy()
