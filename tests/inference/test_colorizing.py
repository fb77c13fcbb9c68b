"""Many pictures: where the results lie, what is left alone, what is refused, and that lightness stays."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

import pretint
from pretint.errors import DataError, OptionError, PretintError, WeightsError
from tests.conftest import paint
from tests.experiments.tiny_runs import PRETRAIN


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of three kinds, one of them two folders down."""
    folder = tmp_path / "photos"
    (folder / "old" / "1920").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b.JPG", "old/1920/c.webp")):
        Image.fromarray(paint(50 + i)[0]).save(folder / name)
    return folder


def test_folders_and_endings(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    result = pretint.colorize([photos, photos / "old" / "1920" / "c.webp"], out=tmp_path / "out", model=coloring_run)
    assert files(tmp_path / "out") == ["a.png", "b.JPG", "c.png", "old/1920/c.png"]
    assert sorted(result.written) == sorted(tmp_path / "out" / name for name in files(tmp_path / "out"))
    assert (result.present, result.refused) == ([], [])
    for name, kind in (("a.png", "PNG"), ("b.JPG", "JPEG")):
        with Image.open(tmp_path / "out" / name) as image:
            assert (image.format, image.size) == (kind, (48, 40))
    # the same result by another way
    assert (pixels(tmp_path / "out" / "c.png") == pixels(tmp_path / "out" / "old" / "1920" / "c.png")).all()


def test_two_pictures_with_one_result(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "a.png", photos / "a.webp")
    with pytest.raises(DataError, match=r"a\.png and .*a\.webp would both be written to .*a\.png"):
        pretint.colorize(photos, out=tmp_path / "out", model=coloring_run)
    assert not (tmp_path / "out").exists()
    again = pretint.colorize([photos / "a.png", photos / "a.png"], out=tmp_path / "out", model=coloring_run)
    assert len(again.written) == 1


def test_what_is_there_is_left(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    result = pretint.colorize(photos, out=out, model=coloring_run)
    assert result.present == [out / "a.png"]
    assert len(result.written) == 2
    assert (out / "a.png").read_bytes() == b"mine"
    result = pretint.colorize(photos, out=out, model=coloring_run, overwrite=True)
    assert len(result.written) == 3
    assert pixels(out / "a.png").shape == (40, 48, 3)


def test_samples(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    for out, seed in (("one", 1), ("again", 1), ("two", 2)):
        pretint.colorize(photos / "a.png", out=tmp_path / out, model=coloring_run, samples=3, seed=seed)
    assert files(tmp_path / "one") == ["a-1.png", "a-2.png", "a-3.png"]
    one = [pixels(path) for path in sorted((tmp_path / "one").iterdir())]
    assert not any((one[i] == one[j]).all() for i, j in ((0, 1), (0, 2), (1, 2)))
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()
    # one alone is without chance
    for out, seed in (("plain", 1), ("plain again", 2)):
        pretint.colorize(photos / "a.png", out=tmp_path / out, model=coloring_run, seed=seed)
    assert (pixels(tmp_path / "plain" / "a.png") == pixels(tmp_path / "plain again" / "a.png")).all()


def test_samples_need_dropout(pictures: Path, photos: Path, tmp_path: Path) -> None:
    options = {k: v for k, v in PRETRAIN.items() if k != "unet"}
    options |= {"backbone": "residual", "residual": {"width": 6, "blocks": (1, 1)}, "epochs": 1}
    pretint.pretrain(data=pictures, out=tmp_path / "run", **options)
    with pytest.raises(OptionError, match=r"--samples: .* without dropout"):
        pretint.colorize(photos, out=tmp_path / "out", model=tmp_path / "run", samples=2)
    assert len(pretint.colorize(photos, out=tmp_path / "out", model=tmp_path / "run").written) == 3


def test_broken_pictures_do_not_stop_the_others(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "b.JPG").write_bytes((photos / "b.JPG").read_bytes()[:200])
    result = pretint.colorize(photos, out=tmp_path / "out", model=coloring_run)
    assert files(tmp_path / "out") == ["a.png", "old/1920/c.png"]
    ((source, reason),) = result.refused
    assert source == photos / "b.JPG"
    assert str(source) in reason
    with pytest.raises(PretintError, match=r"b\.JPG"):  # nothing else to do
        pretint.colorize(photos / "b.JPG", out=tmp_path / "none", model=coloring_run)


def test_nothing_to_colour(coloring_run: Path, multilabel_run: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no pictures here"):
        pretint.colorize(tmp_path / "empty", out=tmp_path / "out", model=coloring_run)
    with pytest.raises(DataError, match=r"gone\.png: there is no such file"):
        pretint.colorize(photos / "gone.png", out=tmp_path / "out", model=coloring_run)
    with pytest.raises(WeightsError, match="needs one of pretint pretrain"):
        pretint.colorize(photos, out=tmp_path / "out", model=multilabel_run)


def test_lightness_is_kept(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    """Up to the rounding of a channel by half a level, which is 0.2 of L at most, wherever no channel was clipped."""
    Image.fromarray(paint(50, 61, 95)[0] // 2 + 60).save(photos / "a.png")
    pretint.colorize(photos / "a.png", out=tmp_path / "out", model=coloring_run)
    before, after = pixels(photos / "a.png"), pixels(tmp_path / "out" / "a.png")
    inside = ((after > 0) & (after < 255)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.abs(rgb2lab(after) - rgb2lab(before))[..., 0][inside].max() < 0.25
    assert np.ptp(after.astype(int), axis=2).mean() > 5  # and it is coloured


def test_results_below_the_source_are_not_coloured_again(coloring_run: Path, photos: Path) -> None:
    for _ in range(2):
        pretint.colorize(photos, out=photos / "coloured", model=coloring_run)
        assert files(photos / "coloured") == ["a.png", "b.JPG", "old/1920/c.png"]
