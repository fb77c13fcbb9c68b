"""The progress of a colorizer as one picture (the paper's Figure 7): grey, coloured after some epochs, original. Loads no torch."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretint.pages.images import Row, data_uri, picture_grid
from pretint.run_folder import RunFolder

MOST_EPOCHS = 4  # rows between grey and original
CELL = 128  # pixels


def progress_grid(run: RunFolder) -> tuple[Image.Image, list[int]] | None:
    """The grid and the epochs that it shows: the first, the last and some between; None where no sample can be read.

    A run's samples are pictures of three rows (grey, predicted, true) of squares; the last may be half written.
    """
    files = sorted((run.path / "samples").glob("epoch-*.png"), key=_epoch)
    read = {_epoch(path): squares for path in files if (squares := _squares(path)) is not None}
    if not read:
        return None
    epochs = list(read)
    spread = np.linspace(0, len(epochs) - 1, min(MOST_EPOCHS, len(epochs))).round().astype(int)
    chosen = [epochs[i] for i in spread]
    last = read[chosen[-1]]
    rows = [Row(pictures=list(last[0]), caption="grey")]
    rows += [Row(pictures=list(read[epoch][1]), caption=f"after epoch {epoch}") for epoch in chosen]
    rows.append(Row(pictures=list(last[2]), caption="original"))
    return picture_grid(rows, cell=CELL), chosen


def progress_images(run: RunFolder) -> list[dict[str, Any]]:
    """The grid as an image of a document, carried in the document itself; none where there are no samples."""
    made = progress_grid(run)
    return [{"uri": data_uri(made[0], "jpeg"), "size": made[0].size, **progress_words(made[1])}] if made else []


def progress_words(epochs: list[int]) -> dict[str, str]:
    """What is said of the grid, by its epochs."""
    told = ", ".join(f"after epoch {epoch}" for epoch in epochs)
    return {
        "alt": f"Pictures in rows: grey, coloured by the network {told}, original",
        "caption": f"The same pictures: grey, {told}, original.",
    }


def _squares(path: Path) -> NDArray[np.uint8] | None:
    """A sample as (3, pictures, side, side, 3); None for a file that is no such picture."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for files that are cut off
        return None
    side = pixels.shape[0] // 3
    if not side or pixels.shape[0] != 3 * side or pixels.shape[1] % side:
        return None
    return pixels.reshape(3, side, -1, side, 3).transpose(0, 2, 1, 3, 4)


def _epoch(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
