"""The progress of a colorizer: the right squares of the right epochs, also while a sample is being written."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pretint.pages.progress import CELL, progress_grid, progress_images
from pretint.run_folder import RunFolder

GREY, TRUE = (100, 100, 100), (10, 200, 30)


def sample(run, epoch, pictures=2, side=16):
    """A sample whose predicted squares are of the colour (epoch, 0, 10 x picture)."""
    (run.path / "samples").mkdir(exist_ok=True)
    pixels = np.zeros((3 * side, pictures * side, 3), np.uint8)
    pixels[:side], pixels[2 * side :] = GREY, TRUE
    for picture in range(pictures):
        pixels[side : 2 * side, picture * side : (picture + 1) * side] = (epoch, 0, 10 * picture)
    Image.fromarray(pixels).save(run.path / "samples" / f"epoch-{epoch:04d}.png")


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "r", {"kind": "pretrain"})


def squares(grid):
    """The colours that fill a square of CELL pixels, from top to bottom in the first and in the second column."""
    pixels = np.asarray(grid)
    found = []
    for left in (6, 6 + CELL + 6):
        column = pixels[:, left : left + CELL]
        flat = [tuple(row[0].tolist()) for row in column if (row == row[0]).all() and tuple(row[0]) != (255, 255, 255)]
        found.append([colour for i, colour in enumerate(flat) if i == 0 or flat[i - 1] != colour])
    return found


@pytest.mark.parametrize(
    ("epochs", "chosen"),
    [([3], [3]), ([1, 2], [1, 2]), ([1, 2, 3, 4, 5, 6, 7], [1, 3, 5, 7]), ([2, 90, 100], [2, 90, 100])],
)
def test_rows_are_grey_some_epochs_original(run, epochs, chosen):
    for epoch in epochs:
        sample(run, epoch)
    grid, shown = progress_grid(run)
    assert shown == chosen
    assert squares(grid) == [[GREY, *((epoch, 0, 10 * column) for epoch in chosen), TRUE] for column in (0, 1)]


def test_epochs_are_in_the_order_of_their_numbers(run):
    for epoch in (9999, 10000, 2):
        (run.path / "samples").mkdir(exist_ok=True)
        sample(run, epoch % 256)
        (run.path / "samples" / f"epoch-{epoch % 256:04d}.png").rename(run.path / "samples" / f"epoch-{epoch:04d}.png")
    assert progress_grid(run)[1] == [2, 9999, 10000]


def test_a_sample_that_is_half_written_is_passed_over(run):
    sample(run, 1)
    whole = (run.path / "samples" / "epoch-0001.png").read_bytes()
    (run.path / "samples" / "epoch-0002.png").write_bytes(whole[: len(whole) // 2])
    (run.path / "samples" / "epoch-0003.png").write_bytes(b"")
    Image.new("RGB", (20, 20)).save(run.path / "samples" / "epoch-0004.png")  # not three rows of squares
    assert progress_grid(run)[1] == [1]
    (run.path / "samples" / "epoch-0001.png").unlink()
    assert progress_grid(run) is None
    assert progress_images(run) == []


def test_the_document_carries_the_grid(run):
    assert progress_images(run) == []
    sample(run, 5)
    (image,) = progress_images(run)
    with Image.open(io.BytesIO(base64.b64decode(image["uri"].partition(",")[2]))) as picture:
        assert picture.size == tuple(image["size"])
    assert "after epoch 5" in image["alt"]
