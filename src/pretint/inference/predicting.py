"""A fine-tuned network on new pictures: a table of labels, or masks with overlays."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pretint.data.layouts.pictures import pictures_below
from pretint.data.masks import overlaid, voc_palette
from pretint.errors import DataError, OptionError, PretintError
from pretint.inference.applying import picture_logits, read_picture
from pretint.inference.models import TaskModel, best_device, load_task
from pretint.run_folder import make_folder, make_results_folder, write_atomically

LABELS = "labels.csv"
BEGUN = "labels.part.csv"
"""The lines of a table that was not finished: under a name of its own, since it would pass for a whole one."""
PICTURES = ("masks", "overlays")


@dataclass
class PredictResult:
    """What became of each picture.

    Attributes:
        written: files that were made.
        refused: (picture, reason) of those that could not be read.
    """

    written: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def predict_files(
    run: Path | str,
    paths: Sequence[Path],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    overwrite: bool = False,
) -> PredictResult:
    """Predict for pictures and folders of pictures.

    Labels: ``out/labels.csv``, a line a picture with the probability of each class. Masks: ``out/masks/NAME.png`` (palette,
    class indices) and ``out/overlays/NAME.png``, at the picture's own size. A stop leaves what is predicted until then; of labels in
    ``out/labels.part.csv``, which goes when a table is whole.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C; it says what is written.
        PretintError: no pictures, none that can be read, a run that is no fine-tuning, or results (which may be the labels that somebody
            made) in ``out`` already, unless they are to be overwritten.
    """
    model = load_task(run)
    kinds = PICTURES if model.task.target == "mask" else (LABELS,)
    present = next((name for name in kinds if (out / name).exists()), None)
    if present and not overwrite:
        raise OptionError(f"--out {out}: holds {present} already; choose another folder, or add --overwrite")
    device = best_device()
    model.network.to(device)
    result = PredictResult()
    jobs = _jobs(paths, out, endings=model.task.target != "mask")
    rows: list[list[str]] = []
    try:
        for done, (name, (source, below)) in enumerate(jobs.items()):
            if progress:
                progress(done, len(jobs))
            try:
                rgb = read_picture(model, source)
            except DataError as error:
                result.refused.append((source, str(error)))
                continue
            if model.task.target == "mask":
                result.written += _write_masks(model, rgb, out, name, device)
            else:
                rows.append([below.as_posix(), *(f"{p:.4f}" for p in _probabilities(model, rgb, device))])
    except BaseException as stop:
        if rows:
            _write_labels(out / BEGUN, model, rows)
        if isinstance(stop, KeyboardInterrupt) and (rows or result.written):
            raise KeyboardInterrupt(_left_by_a_stop(out, len(rows), len(result.written), len(jobs))) from None
        raise
    if result.refused and not (result.written or rows):
        raise PretintError(result.refused[0][1])
    if rows:
        _write_labels(out / LABELS, model, rows)
        (out / BEGUN).unlink(missing_ok=True)
        result.written.append(out / LABELS)
    return result


def _left_by_a_stop(out: Path, rows: int, files: int, pictures: int) -> str:
    """What is written, and how to begin anew, as a sentence."""
    if rows:
        return f"interrupted; {rows} of {pictures} pictures are in {out / BEGUN}, and the same command begins anew"
    return (
        f"interrupted; masks and overlays of {files // len(PICTURES)} of {pictures} pictures are in {out}, "
        "and the same command with --overwrite begins anew"
    )


def _jobs(paths: Sequence[Path], out: Path, endings: bool) -> dict[Path, tuple[Path, Path]]:
    """By the name of its result: each picture, and its place below the path that was given.

    Args:
        paths: pictures and folders.
        out: what earlier calls wrote there is passed over where it lies below a folder.
        endings: results are told apart by the pictures' endings too.
    """
    jobs: dict[Path, tuple[Path, Path]] = {}
    results = [out.resolve() / kind for kind in PICTURES]
    for path in paths:
        here = path.resolve()
        own = [folder for folder in results if path.is_dir() and folder.is_relative_to(here) and folder != here]
        for source, below in pictures_below(path):
            if any(source.resolve().is_relative_to(folder) for folder in own):
                continue
            name = below if endings else below.with_suffix("")
            if name in jobs and jobs[name][0] != source:
                raise DataError(
                    f"{jobs[name][0]} and {source} have one name, so their results would be one; "
                    "predict them into two folders"
                )
            jobs[name] = source, below
    if not jobs:
        raise DataError(f"{', '.join(map(str, paths))}: holds no pictures but those in --out {out}")
    return jobs


def _probabilities(model: TaskModel, rgb: NDArray[np.uint8], device: torch.device) -> list[float]:
    probabilities: list[float] = model.task.prediction(picture_logits(model, rgb, device))[0].tolist()
    return probabilities


def _write_labels(path: Path, model: TaskModel, rows: Sequence[Sequence[str]]) -> None:
    make_folder(path.parent)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["file", *model.task.classes], *rows])
    # A file's name may hold what is no character.
    write_atomically(path, text.getvalue().encode(errors="surrogateescape"))


def _write_masks(model: TaskModel, rgb: NDArray[np.uint8], out: Path, name: Path, device: torch.device) -> list[Path]:
    classes = model.task.prediction(picture_logits(model, rgb, device))[0].astype(np.uint8)
    mask = Image.fromarray(classes)
    mask.putpalette(voc_palette().reshape(-1).tolist())
    make_results_folder(out, "predict")
    written = []
    for folder, picture in zip(PICTURES, (mask, Image.fromarray(overlaid(rgb, classes))), strict=True):
        target = out / folder / name.with_name(f"{name.name}.png")
        make_folder(target.parent)
        content = io.BytesIO()
        picture.save(content, format="PNG")
        write_atomically(target, content.getvalue())
        written.append(target)
    return written
