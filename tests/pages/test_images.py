"""Picture grids and data URIs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pretint.errors import ResourceError
from pretint.pages.images import Row, data_uri, picture_grid, write_png

RED = np.tile(np.array([200, 10, 10], dtype=np.uint8), (8, 8, 1))
BLUE = np.tile(np.array([0.0, 0.0, 1.0]), (4, 8, 1))


def decoded(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))) as image:
        image.load()
    return image


def test_pictures_stand_in_their_cells():
    grid = np.asarray(picture_grid([Row(pictures=[RED, BLUE]), Row(pictures=[None, RED])], cell=32))
    assert grid.shape == (6 + 2 * 38, 6 + 2 * 38, 3)
    assert (grid[6:38, 6:38] == [200, 10, 10]).all()
    assert (grid[14:30, 44:76] == [0, 0, 255]).all()  # half as high as wide, in the middle of its cell
    assert (grid[6:14, 44:76] == 255).all()
    assert (grid[44:76, 6:38] == 238).all()  # empty
    assert (grid[44:76, 44:76] == [200, 10, 10]).all()


def test_captions_take_room_and_ink():
    bare = picture_grid([Row(pictures=[RED, RED])], cell=48)
    named = picture_grid([Row(pictures=[RED, RED], caption="epoch 5, Größe")], cell=48)
    assert named.width == bare.width
    assert named.height > bare.height + 10
    above = np.asarray(named)[: named.height - 54]
    assert above.min() < 100
    narrow = picture_grid([Row(pictures=[RED], caption="a long caption " * 20)], cell=48)
    assert narrow.width == 60
    assert (np.asarray(narrow)[:, -6:] == 255).all()  # cut off before the margin


def test_rows_may_differ_in_length_and_pictures_in_kind():
    grey = np.linspace(0, 1, 12).reshape(3, 4)
    large = np.zeros((300, 100, 3), dtype=np.uint8)
    grid = picture_grid([Row(pictures=[grey]), Row(pictures=[large, RED, BLUE])], cell=20)
    assert grid.width == 6 + 3 * 26


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((3, 4, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.full((4, 4, 3), 255.0), "lie in"),
        (np.full((4, 4, 3), np.nan), "lie in"),
    ],
)
def test_wrong_pictures_are_refused(picture, message):
    with pytest.raises(ValueError, match=message):
        picture_grid([Row(pictures=[picture])])


def test_a_grid_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        picture_grid([Row(pictures=[], caption="none")])


def test_data_uris():
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    uri = data_uri(noise)
    assert uri.startswith("data:image/png;base64,")
    assert (np.asarray(decoded(uri)) == noise).all()
    photo = data_uri(picture_grid([Row(pictures=[RED])], cell=16), "jpeg")
    assert photo.startswith("data:image/jpeg;base64,")
    assert np.abs(np.asarray(decoded(photo))[14, 14].astype(int) - [200, 10, 10]).max() < 12


def test_files_are_written_whole(tmp_path):
    path = tmp_path / "grid.png"
    path.write_bytes(b"older")
    write_png(picture_grid([Row(pictures=[RED])], cell=16), path)
    with Image.open(path) as image:
        assert image.size == (28, 28)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"file/grid.png: cannot be written \(Not a directory\)"):
        write_png(picture_grid([Row(pictures=[RED])], cell=16), tmp_path / "file" / "grid.png")
