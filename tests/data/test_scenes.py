"""Synthetic scenes: the same bits every time, labels and boxes that fit the masks, and colour that follows from the thing alone."""

import csv
import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from pretint.data.scenes import CLASSES, LEAST_VISIBLE, Scene, scene, write
from pretint.errors import DataError, OptionError, ResourceError
from tests.conftest import environment


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene(7, picture, 64) for picture in range(160)]


def test_the_same_address_gives_the_same_bits() -> None:
    first, again = scene(3, 11, 48), scene(3, 11, 48)
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.mask, again.mask)
    assert first.boxes == again.boxes
    assert not np.array_equal(first.rgb, scene(3, 12, 48).rgb)
    assert not np.array_equal(first.rgb, scene(4, 11, 48).rgb)


def test_shapes_and_types(scenes: list[Scene]) -> None:
    for one in scenes:
        assert one.rgb.shape == (64, 64, 3)
        assert one.rgb.dtype == one.mask.dtype == one.instances.dtype == np.uint8
        assert one.mask.shape == one.instances.shape == (64, 64)
        assert one.mask.max() <= len(CLASSES)
        assert 1 <= len(one.boxes) <= 4


def test_another_size_shows_the_same_things() -> None:
    for picture in range(12):
        small, large = scene(0, picture, 64), scene(0, picture, 128)
        assert [box.label for box in small.boxes] == [box.label for box in large.boxes]
        agreement = (small.mask == large.mask[::2, ::2]).mean()
        assert agreement > 0.97, picture
        shrunk = np.asarray(Image.fromarray(large.rgb).reduce(2), float)
        assert np.abs(shrunk - small.rgb).mean() < 12, picture


def test_odd_sizes() -> None:
    for size in (16, 37):
        assert scene(0, 0, size).rgb.shape == (size, size, 3)
    with pytest.raises(OptionError, match="at least 16"):
        scene(0, 0, 8)


def test_labels_are_what_the_mask_shows(scenes: list[Scene]) -> None:
    for one in scenes:
        counts = {name: sum(int(value) == number for value in one.mask.flat) for number, name in enumerate(CLASSES, 1)}
        assert one.labels == tuple(name for name in CLASSES if counts[name] >= LEAST_VISIBLE * one.mask.size)


def test_boxes_touch_the_visible_part_on_four_sides(scenes: list[Scene]) -> None:
    for one in scenes:
        assert set(np.unique(one.instances)) - {0} == set(range(1, len(one.boxes) + 1))
        for number, box in enumerate(one.boxes, start=1):
            places = [(x, y) for y in range(64) for x in range(64) if one.instances[y, x] == number]
            xs, ys = [x + 1 for x, _ in places], [y + 1 for _, y in places]  # counted from 1
            assert (box.left, box.top, box.right, box.bottom) == (min(xs), min(ys), max(xs), max(ys))
            assert {int(one.mask[y, x]) for x, y in places} == {CLASSES.index(box.label) + 1}
        assert np.array_equal(one.instances > 0, one.mask > 0)


def test_every_class_appears_often_and_is_seldom_hidden(scenes: list[Scene]) -> None:
    for name in CLASSES:
        assert 15 <= sum(name in one.labels for one in scenes) <= 60, name
    assert sum({box.label for box in one.boxes} != set(one.labels) for one in scenes) <= 4


def _explained(ab: np.ndarray, key: np.ndarray) -> float:
    """Share of the variance of ab (N, 2) that the mean of its key explains, means from the first half, tried on the second."""
    half = len(key) // 2
    overall = ab[:half].mean(0)
    means = {value: ab[:half][key[:half] == value].mean(0) for value in np.unique(key[:half])}
    guess = np.array([means.get(value, overall) for value in range(key.max() + 1)])[key[half:]]
    return float(1 - ((ab[half:] - guess) ** 2).sum() / ((ab[half:] - overall) ** 2).sum())


def test_colour_follows_the_class_and_not_the_lightness(scenes: list[Scene]) -> None:
    lab = np.concatenate([rgb2lab(one.rgb).reshape(-1, 3) for one in scenes])
    mask = np.concatenate([one.mask.ravel() for one in scenes]).astype(int)
    things = mask > 0
    lab, mask = lab[things], mask[things]

    means = np.array([lab[mask == number, 1:].mean(0) for number in range(1, len(CLASSES) + 1)])
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    apart[np.diag_indices(len(CLASSES))] = np.inf
    assert apart.min() > 8, "two classes share their mean colour"

    assert _explained(lab[:, 1:], mask) > 0.7
    assert _explained(lab[:, 1:], (lab[:, 0] // 5).astype(int)) < 0.2

    lightness = np.array([lab[mask == number, 0].mean() for number in range(1, len(CLASSES) + 1)])
    spread = np.array([lab[mask == number, 0].std() for number in range(1, len(CLASSES) + 1)])
    assert np.ptp(lightness) < 2.5 * spread.mean()


def test_scenes_vary_in_number_and_light(scenes: list[Scene]) -> None:
    counts = np.bincount([len(one.boxes) for one in scenes], minlength=5)[1:5]
    assert (counts >= 10).all()
    assert {one.rgb[0].mean() > one.rgb[-1].mean() for one in scenes} == {True, False}


def test_write_gives_the_whole_layout(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = write(
        tmp_path / "new" / "scenes",
        7,
        5,
        size=32,
        splits={"train": 4, "test": 3},
        progress=lambda *told: seen.append(told),
    )
    assert seen == [(done, 7) for done in range(1, 8)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["classes.txt", "images", "labels.csv", "masks", "scenes.json", "test.txt", "train.txt"]
    )
    assert list(folder.parent.iterdir()) == [folder]
    assert (folder / "classes.txt").read_text().split() == ["background", *CLASSES]
    train, test = ((folder / f"{name}.txt").read_text().split() for name in ("train", "test"))
    assert (len(train), len(test)) == (4, 3)
    assert sorted(train + test) == [f"{picture:06d}" for picture in range(7)]
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for picture, row in enumerate(rows):
        expected = scene(5, picture, 32)
        assert row == {"file": f"images/{picture:06d}.jpg"} | {
            name: str(int(name in expected.labels)) for name in CLASSES
        }
        with Image.open(folder / row["file"]) as image:
            assert (image.mode, image.size) == ("RGB", (32, 32))
            assert np.abs(np.asarray(image, float) - expected.rgb).mean() < 3
        with Image.open(folder / "masks" / f"{picture:06d}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), expected.mask)


def test_writing_again_leaves_the_folder_and_refuses_others(tmp_path: Path) -> None:
    folder = write(tmp_path / "scenes", 5, 0, size=16)
    assert json.loads((folder / "scenes.json").read_text())["splits"] == {"train": 4, "test": 1}
    stamp = (folder / "scenes.json").stat().st_mtime_ns
    assert write(folder, 5, 0, size=16) == folder
    assert (folder / "scenes.json").stat().st_mtime_ns == stamp
    with pytest.raises(DataError, match="holds something other"):
        write(folder, 5, 1, size=16)
    (folder / "masks" / "000002.png").unlink()
    with pytest.raises(DataError, match="holds something other"):
        write(folder, 5, 0, size=16)
    with pytest.raises(OptionError, match="add up"):
        write(tmp_path / "other", 5, 0, splits={"train": 4})
    with pytest.raises(OptionError, match="cannot name a split"):
        write(tmp_path / "other", 5, 0, splits={"../train": 5})
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]


def test_a_fault_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for workers in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "scenes", 5, 0, size=16, workers=workers, progress=stop)
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ResourceError, match=r"scenes: cannot be written \(No space left on device\)"):
        write(tmp_path / "scenes", 5, 0, size=16, workers=0)
    assert list(tmp_path.iterdir()) == []


def test_processes_write_the_same_files(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", 40, 2, size=16, workers=0)
    shared = write(tmp_path / "shared", 40, 2, size=16, workers=2)
    for path in sorted(alone.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (shared / path.relative_to(alone)).read_bytes()


def test_a_plain_script_writes_with_processes(tmp_path: Path) -> None:
    """One without ``if __name__ == "__main__"``, as one tries things out: no process may run it again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom pretint.data.scenes import write\n"
        f"print(write(Path({str(tmp_path / 'scenes')!r}), 6, 0, size=16, workers=2))\n"
    )
    done = subprocess.run([sys.executable, script], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{tmp_path / 'scenes'}\n")
    assert len(list((tmp_path / "scenes" / "images").iterdir())) == 6


def test_drawing_loads_no_torch() -> None:
    code = "import sys, pretint.data.scenes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
