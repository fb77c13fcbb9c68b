"""Made photos: as heavy as photos, the same for a seed, of the size that was asked for."""

from pathlib import Path

import numpy as np
from PIL import Image

from pretint.speed import photos


def test_weight(tmp_path: Path) -> None:
    folder = photos.write(tmp_path / "photos", 3)
    sizes = [path.stat().st_size for path in sorted(folder.iterdir())]
    assert all(55_000 < size < 90_000 for size in sizes), sizes
    with Image.open(folder / "0000.jpg") as first, Image.open(folder / "0001.jpg") as second:
        assert first.size == photos.LARGE
        assert np.asarray(first).std(axis=(0, 1)).min() > 20  # colours and light vary
        assert not np.array_equal(np.asarray(first), np.asarray(second))
    assert photos.photo(1, 40, 30).tobytes() == photos.photo(1, 40, 30).tobytes()


def test_large(tmp_path: Path) -> None:
    with Image.open(photos.write_large(tmp_path / "large.jpg", 2.0)) as picture:
        assert abs(picture.width * picture.height / 2e6 - 1) < 0.01
        assert abs(picture.width / picture.height - 4 / 3) < 0.01
