"""Many pictures: where the results lie, what is left alone, what is refused, and that lightness stays."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

import pretint
from pretint.data.layouts import open_source
from pretint.errors import DataError, OptionError, PretintError, WeightsError
from pretint.inference.colorizing import _Room, colorize_files
from tests.conftest import paint
from tests.experiments.tiny_runs import PRETRAIN


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def files(folder: Path) -> list[str]:
    """What one sees of them: not the mark of a folder of results."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


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
    one = [pixels(path) for path in sorted((tmp_path / "one").glob("*.png"))]
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


def test_only_results_below_the_source_are_left_alone(coloring_run: Path, photos: Path) -> None:
    """Not all that lies below --out: there the pictures may lie themselves."""
    result = pretint.colorize(photos, out=photos.parent, model=coloring_run)
    assert len(result.written) == 3
    with pytest.raises(OptionError, match=r"is the folder that is to be coloured"):
        pretint.colorize(photos, out=photos, model=coloring_run)
    only = photos.parent / "only"
    pretint.colorize(photos, out=only / "coloured", model=coloring_run)
    with pytest.raises(DataError, match=r"only: no pictures here"):
        pretint.colorize(only, out=only / "coloured", model=coloring_run)


def test_results_are_not_taken_for_pictures_by_another_call(coloring_run: Path, photos: Path) -> None:
    """Nor for data of a training; of a folder that held something before, all counts."""
    before = [record.id for record in open_source(photos).split("all")]
    for out in ("coloured", "vivid"):
        pretint.colorize(photos, out=photos / out, model=coloring_run)
        assert files(photos / out) == ["a.png", "b.JPG", "old/1920/c.png"]
    assert [record.id for record in open_source(photos).split("all")] == before
    assert len(open_source(photos / "vivid").split("all")) == 3
    pretint.colorize(photos / "a.png", out=photos / "old", model=coloring_run)
    assert len(open_source(photos).split("all")) == len(before) + 1


def test_the_original_is_not_a_result_that_is_there(coloring_run: Path, photos: Path) -> None:
    """And where one would be written over, none of the others is coloured before that is said."""
    with pytest.raises(OptionError, match=r"a.png is the original"):
        pretint.colorize([photos / "old" / "1920" / "c.webp", photos / "a.png"], out=photos, model=coloring_run)
    assert not (photos / "c.png").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_sample_is_written_over_another_original(coloring_run: Path, tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, name in enumerate(("photo.png", "photo-2.png")):
        Image.fromarray(paint(50 + i)[0]).save(folder / name)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    paths = [folder / "photo.png", folder / "photo-2.png"]
    with pytest.raises(OptionError, match=r"photo-2.png is the original and would be written over"):
        pretint.colorize(paths, out=folder, model=coloring_run, samples=2, overwrite=overwrite)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_a_folder_that_cannot_be_made(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PretintError, match=r"cannot be written"):
        pretint.colorize(photos, out=tmp_path / "file", model=coloring_run)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Twelve pictures of several sizes; the third is broken."""
    folder = tmp_path / "album"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(paint(70 + i, 40 + 9 * (i % 3), 48 + 16 * (i % 2))[0]).save(folder / f"{i:02d}.jpg")
    (folder / "02.jpg").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("samples", [1, 2])
def test_side_by_side_is_one_after_the_other(coloring_run: Path, album: Path, tmp_path: Path, samples: int) -> None:
    def coloured(name: str, workers: int) -> dict[str, bytes]:
        out, told = tmp_path / name, []
        result = colorize_files(
            [album], out, coloring_run, samples=samples, workers=workers, progress=lambda *now: told.append(now)
        )
        assert result.written == sorted(result.written)
        assert len(result.written) == 11 * samples
        assert [source.name for source, _ in result.refused] == ["02.jpg"]
        assert told == [(done, 12) for done in range(13)]
        return {path.name: path.read_bytes() for path in out.iterdir()}

    threads = torch.get_num_threads()
    one = coloured("one", 1)
    assert coloured("four", 4) == one
    assert torch.get_num_threads() == threads
    alone = colorize_files([album / "07.jpg"], tmp_path / "alone", coloring_run, samples=samples)
    assert [path.read_bytes() for path in alone.written] == [one[path.name] for path in alone.written]


def test_an_interrupt_leaves_whole_pictures(coloring_run: Path, album: Path, tmp_path: Path) -> None:
    (album / "02.jpg").unlink()
    running = threading.active_count()

    def interrupt(done: int, all_pictures: int) -> None:
        if done == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        colorize_files([album], tmp_path / "out", coloring_run, workers=2, progress=interrupt)
    assert threading.active_count() == running
    written = files(tmp_path / "out")
    assert 1 <= len(written) < 11
    for name in written:
        assert not name.startswith(".")
        assert pixels(tmp_path / "out" / name).shape == pixels(album / name).shape


def test_large_pictures_take_turns() -> None:
    """Never more than the room has, but for what is larger than it: that has it alone."""
    room, held, most = _Room(100), [], []

    def work(size: int) -> None:
        for _ in range(20):
            with room.taken(size):
                held.append(size)
                most.append(sorted(held))
                time.sleep(0.0005)
                held.remove(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (30, 40, 60, 250)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert all(sum(now) <= 100 or now == [250] for now in most)
    assert any(len(now) > 1 for now in most)


def test_bf16_gives_nearly_the_same(
    coloring_run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pretint.inference.colorizing.best_device", lambda: torch.device("cpu"))
    said = {}
    for precision in ("float32", "bf16"):
        result = pretint.colorize(photos / "a.png", out=tmp_path / precision, model=coloring_run, precision=precision)
        said[precision] = result.how
    assert said == {name: f"network on the CPU: {name} (asked for)" for name in said}
    exact, short = (pixels(tmp_path / name / "a.png").astype(int) for name in said)
    assert np.square(exact - short).mean() < 255**2 / 10**4.5  # 45 dB
    assert np.ptp(exact, axis=2).mean() > 1  # of colours


MEASURE = """
import resource, sys
from pathlib import Path
from pretint.inference.colorizing import colorize_files
result = colorize_files([Path(sys.argv[1])], Path(sys.argv[2]), sys.argv[3], workers=4)
assert len(result.written) == 4
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts kilobytes on Linux only")
def test_an_album_of_48_megapixels_takes_less_than_two_gigabytes(coloring_run: Path, tmp_path: Path) -> None:
    rows, columns = np.ogrid[0:6000, 0:8000]
    (tmp_path / "album").mkdir()
    picture = Image.fromarray(((rows * columns // 4000 + columns) % 251).astype(np.uint8))
    for i in range(3):
        picture.save(tmp_path / "album" / f"{i}.jpg")
    picture.resize((4000, 3000)).save(tmp_path / "album" / "small.jpg")
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "album"), str(tmp_path / "out"), str(coloring_run)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) < 2_000_000  # kilobytes
