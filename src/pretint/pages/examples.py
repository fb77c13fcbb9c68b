"""The easiest and the hardest test pictures of a segmentation study, with the masks of every arm. Loads no torch."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretint.data.masks import overlaid
from pretint.data.reading import read_rgb
from pretint.errors import DataError
from pretint.metrics.segmentation import mean_iou
from pretint.pages.images import Row, picture_grid, write_png
from pretint.run_folder import make_folder

SHOWN = 6
"""Pictures in each grid."""
_SIDE = 160  # pixels of a cell


def draw_examples(study: Path, document: Mapping[str, Any]) -> None:
    """Write ``examples/easiest.png`` and ``hardest.png``: pictures, true masks, and what each arm predicted.

    A picture is as hard as the mean over the arms of its own mean IoU. Of each arm the first repetition with the most labels is
    shown. Nothing is written where no masks were kept or the pictures are not there any more.

    Args:
        study: its folder.
        document: the content of its study.json.

    Raises:
        ResourceError: they cannot be written.
    """
    with ExitStack() as files:
        masks = _masks(study, document, files)
        if masks:
            _draw(study, document, masks)


def _draw(study: Path, document: Mapping[str, Any], masks: Mapping[str, Any]) -> None:
    first = next(iter(masks.values()))
    ease = _ease(study, document, list(masks))
    order = sorted(ease, key=lambda name: (ease[name], name))
    root = Path(document["data"]["folder"])
    for which, chosen in (("hardest", order[:SHOWN]), ("easiest", order[::-1][:SHOWN])):
        try:
            pictures = [_small(read_rgb(root / name)) for name in chosen]
        except DataError:
            return
        grid = picture_grid(
            [
                Row(pictures=pictures, caption="test pictures"),
                Row(pictures=_shown(first, "true", chosen, pictures), caption="true masks"),
                *(
                    Row(pictures=_shown(found, "predicted", chosen, pictures), caption=arm)
                    for arm, found in masks.items()
                ),
            ],
            cell=_SIDE,
        )
        make_folder(study / "examples")
        write_png(grid, study / "examples" / f"{which}.png")


def _masks(study: Path, document: Mapping[str, Any], files: ExitStack) -> dict[str, Any]:
    """By arm: the file with ``true/ID`` and ``predicted/ID``, of which each is read when it is asked for."""
    found: dict[str, Any] = {}
    for cell in document["cells"]:
        path = study / "cells" / f"{cell['key']}-masks.npz"
        if path.is_file() and cell["arm"] not in found:
            found[cell["arm"]] = files.enter_context(np.load(path, allow_pickle=False))
    return found


def _ease(study: Path, document: Mapping[str, Any], arms: list[str]) -> dict[str, float]:
    """By picture: its mean IoU, mean over the arms."""
    found: dict[str, list[float]] = {}
    for arm in arms:
        cells = (cell["key"] for cell in document["cells"] if cell["arm"] == arm)
        key = next(key for key in cells if (study / "cells" / f"{key}-masks.npz").is_file())
        with np.load(study / "cells" / f"{key}.npz", allow_pickle=False) as file:
            for name, matrix in zip(file["ids"].tolist(), file["matrices"], strict=True):
                score = mean_iou(matrix)
                found.setdefault(name, []).append(0.0 if np.isnan(score) else score)
    return {name: float(np.mean(scores)) for name, scores in found.items()}


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(rgb)
    picture.thumbnail((_SIDE, _SIDE))
    return np.asarray(picture)


def _shown(masks: Any, which: str, names: list[str], pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Masks laid over their pictures."""
    shown = []
    for name, picture in zip(names, pictures, strict=True):
        height, width = picture.shape[:2]
        mask = Image.fromarray(masks[f"{which}/{name}"]).resize((width, height), Image.Resampling.NEAREST)
        shown.append(overlaid(picture, np.asarray(mask)))
    return shown
