"""New pictures: a table of probabilities, masks in VOC's palette at the picture's own size, overlays."""

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

import pretint
from pretint.cli import main
from pretint.data.masks import voc_palette
from pretint.errors import DataError, OptionError, PretintError, ResourceError, WeightsError
from pretint.inference import predicting
from pretint.inference.models import TaskModel, load_task
from tests.conftest import paint


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@torch.no_grad()
def test_labels(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    """Each line against the network on a picture that is squashed and taken to Lab without pretint."""
    result = pretint.predict(multilabel_run, labelled, out=tmp_path / "out")
    assert result.written == [tmp_path / "out" / "labels.csv"]
    head, *rows = table(tmp_path / "out" / "labels.csv")
    assert head == ["file", "warm", "bright"]
    assert [row[0] for row in rows] == [f"{i:02d}.png" for i in range(16)]
    network = load_task(multilabel_run).network
    for name, *probabilities in rows:
        with Image.open(labelled / name) as image:
            small = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
        lightness = torch.from_numpy(rgb2lab(small)[None, None, ..., 0] / 50 - 1).float()
        expected = torch.sigmoid(network(lightness))[0].tolist()
        assert [float(p) for p in probabilities] == pytest.approx(expected, abs=2e-4)


@torch.no_grad()
def test_a_large_jpeg_is_read_as_in_validation(multilabel_run: Path, tmp_path: Path) -> None:
    """Decoded at the scale that the feed takes; the same file decoded in full gives other numbers."""
    fine = np.random.default_rng(0).integers(0, 256, (200, 136, 3), dtype=np.uint8)
    fine[:, :40] //= 4
    Image.fromarray(fine).save(tmp_path / "fine.jpg", quality=60)
    pretint.predict(multilabel_run, tmp_path / "fine.jpg", out=tmp_path / "out")
    network = load_task(multilabel_run).network

    def probabilities(draft: bool) -> list[float]:
        with Image.open(tmp_path / "fine.jpg") as image:
            if draft:
                image.draft(None, (16, 16))
            small = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
        lightness = torch.from_numpy(rgb2lab(small)[None, None, ..., 0] / 50 - 1).float()
        found: list[float] = torch.sigmoid(network(lightness))[0].tolist()
        return found

    written = [float(p) for p in table(tmp_path / "out" / "labels.csv")[1][1:]]
    assert written == pytest.approx(probabilities(draft=True), abs=2e-4)
    assert probabilities(draft=False) != pytest.approx(probabilities(draft=True), abs=1e-3)


@torch.no_grad()
def test_masks_and_overlays(segmentation_run: Path, tmp_path: Path) -> None:
    sizes = {"wide": (40, 60), "deep/high": (75, 31)}
    (tmp_path / "new" / "deep").mkdir(parents=True)
    for i, (name, (height, width)) in enumerate(sizes.items()):
        Image.fromarray(paint(120 + i, height, width)[0]).save(tmp_path / "new" / f"{name}.png")
    result = pretint.predict(segmentation_run, tmp_path / "new", out=tmp_path / "out")
    folders = {kind: tmp_path / "out" / kind for kind in ("masks", "overlays")}
    assert sorted(result.written) == sorted(f / f"{name}.png" for f in folders.values() for name in sizes)
    found: set[int] = set()
    for name, (height, width) in sizes.items():
        picture = np.asarray(Image.open(tmp_path / "new" / f"{name}.png"))
        with Image.open(folders["masks"] / f"{name}.png") as mask:
            assert (mask.mode, mask.size) == ("P", (width, height))
            assert mask.getpalette()[:15] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128]
            classes, colours = np.asarray(mask), np.asarray(mask.convert("RGB"))
        overlay = np.asarray(Image.open(folders["overlays"] / f"{name}.png")).astype(int)
        shown = classes > 0
        assert (overlay[~shown] == picture[~shown]).all()
        assert np.abs(overlay[shown] - (picture[shown].astype(int) + colours[shown]) / 2).max(initial=0) <= 0.5
        found |= set(np.unique(classes).tolist())
    assert 0 in found
    assert found & {1, 2}
    assert found <= {0, 1, 2}


def test_the_palette_is_vocs() -> None:
    palette = voc_palette()
    published = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
    assert [tuple(row) for row in palette[:7].tolist()] == published
    assert tuple(palette[20].tolist()) == (0, 64, 128)  # tv/monitor
    assert tuple(palette[255].tolist()) == (224, 224, 192)  # void
    assert len(np.unique(palette, axis=0)) == 256


def test_broken_pictures_do_not_stop_the_others(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    shutil.copy(labelled / "00.png", tmp_path / "new" / "good.png")
    (tmp_path / "new" / "bad.png").write_bytes(b"no picture")
    result = pretint.predict(multilabel_run, tmp_path / "new", out=tmp_path / "out")
    assert [source.name for source, _ in result.refused] == ["bad.png"]
    assert [row[0] for row in table(tmp_path / "out" / "labels.csv")] == ["file", "good.png"]
    with pytest.raises(PretintError, match=r"bad\.png"):
        pretint.predict(multilabel_run, tmp_path / "new" / "bad.png", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_two_pictures_with_one_name(segmentation_run: Path, masked: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(masked / "images" / "00.png", tmp_path / "other" / "00.png")
    with pytest.raises(DataError, match=r"images/00\.png and .*other/00\.png have one name"):
        pretint.predict(segmentation_run, [masked / "images", tmp_path / "other"], out=tmp_path / "out")
    picture = masked / "images" / "00.png"
    assert len(pretint.predict(segmentation_run, [picture, picture], out=tmp_path / "out").written) == 2


def test_two_pictures_with_one_name_but_for_the_ending(
    multilabel_run: Path, segmentation_run: Path, tmp_path: Path
) -> None:
    """A table has a row for each; their masks would be one file."""
    new = tmp_path / "new"
    new.mkdir()
    for i, name in enumerate(("x.jpg", "x.png")):
        Image.fromarray(paint(i)[0]).save(new / name)
    pretint.predict(multilabel_run, new, out=tmp_path / "out")
    assert [row[0] for row in table(tmp_path / "out" / "labels.csv")] == ["file", "x.jpg", "x.png"]
    with pytest.raises(DataError, match="have one name"):
        pretint.predict(segmentation_run, new, out=tmp_path / "masked")
    (tmp_path / "x.png").write_bytes((new / "x.png").read_bytes())
    with pytest.raises(DataError, match="have one name"):
        pretint.predict(multilabel_run, [new, tmp_path / "x.png"], out=tmp_path / "again")


@pytest.mark.parametrize("below", [".", "predicted"])
def test_results_below_the_source_are_not_predicted_again(segmentation_run: Path, tmp_path: Path, below: str) -> None:
    album = tmp_path / "album"
    (album / "sub").mkdir(parents=True)
    for i, name in enumerate(("a.png", "sub/b.png")):
        Image.fromarray(paint(i)[0]).save(album / name)
    first = pretint.predict(segmentation_run, album, out=album / below)
    assert len(first.written) == 4
    again = pretint.predict(segmentation_run, album, out=album / below, overwrite=True)
    assert again.written == first.written
    for picture in ("a.png", "sub/b.png"):
        (album / picture).unlink()
    with pytest.raises(DataError, match=r"no pictures (here|but those in --out)"):
        pretint.predict(segmentation_run, album, out=album / below, overwrite=True)


def test_a_run_without_a_task(coloring_run: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs one of pretint finetune"):
        pretint.predict(coloring_run, labelled, out=tmp_path / "out")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ctrl-C at the fourth picture."""
    left = [predicting.read_picture] * 3

    def read(model: TaskModel, path: Path) -> np.ndarray:
        if not left:
            raise KeyboardInterrupt
        return left.pop()(model, path)

    with monkeypatch.context() as patch:
        patch.setattr(predicting, "read_picture", read)
        yield


@pytest.mark.parametrize("before", [False, True])
def test_a_stop_loses_no_line(
    multilabel_run: Path, labelled: Path, tmp_path: Path, request: pytest.FixtureRequest, before: bool
) -> None:
    """Three lines stand in a file that passes for no whole table; a table of all, from an earlier call, stays."""
    out = tmp_path / "out"
    if before:
        pretint.predict(multilabel_run, labelled, out=out)
    request.getfixturevalue("stopped")
    with pytest.raises(KeyboardInterrupt, match=r"; 3 of 16 pictures are in .*labels\.part\.csv, and the same command"):
        pretint.predict(multilabel_run, labelled, out=out, overwrite=before)
    assert [row[0] for row in table(out / "labels.part.csv")] == ["file", "00.png", "01.png", "02.png"]
    assert (out / "labels.csv").exists() == before
    if before:
        assert len(table(out / "labels.csv")) == 17


def test_the_same_command_after_a_stop(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "labels.part.csv").write_text("file,warm,bright\n")
    pretint.predict(multilabel_run, labelled, out=out)
    assert [path.name for path in out.iterdir()] == ["labels.csv"]
    assert len(table(out / "labels.csv")) == 17


@pytest.mark.usefixtures("stopped")
def test_a_stop_tells_how_many_masks_there_are(
    segmentation_run: Path, masked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["predict", str(segmentation_run), str(masked / "images"), "--out", str(out)]) == 130
    assert capsys.readouterr().err.endswith(
        f"pretint: interrupted; masks and overlays of 3 of 16 pictures are in {out}, "
        "and the same command with --overwrite begins anew\n"
    )
    assert [len(list((out / kind).iterdir())) for kind in ("masks", "overlays")] == [3, 3]


def test_a_stop_before_anything_is_written_says_no_more(
    segmentation_run: Path, masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predicting, "read_picture", at_once)
    with pytest.raises(KeyboardInterrupt) as stop:
        pretint.predict(segmentation_run, masked / "images", out=tmp_path / "out")
    assert not str(stop.value)
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_not_replaced(
    multilabel_run: Path, segmentation_run: Path, labelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    (out / "masks").mkdir(parents=True)
    for name in ("labels.csv", "masks/00.png"):
        (out / name).write_text("somebody's own work")
    for run, held in ((multilabel_run, "labels.csv"), (segmentation_run, "masks")):
        with pytest.raises(OptionError, match=rf"holds {held} already; choose another folder, or add --overwrite"):
            pretint.predict(run, labelled / "00.png", out=out)
    assert [(out / name).read_text() for name in ("labels.csv", "masks/00.png")] == ["somebody's own work"] * 2
    pretint.predict(multilabel_run, labelled / "00.png", out=out, overwrite=True)
    assert table(out / "labels.csv")[0] == ["file", "warm", "bright"]


def test_names_that_are_no_characters(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"m\xfcller.png")
    (tmp_path / "old").mkdir()
    shutil.copy(labelled / "00.png", tmp_path / "old" / name)
    pretint.predict(multilabel_run, tmp_path / "old", out=tmp_path / "out")
    assert b"m\xfcller.png" in (tmp_path / "out" / "labels.csv").read_bytes()


def test_a_folder_that_cannot_be_made(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ResourceError, match=r"cannot be written"):
        pretint.predict(multilabel_run, labelled, out=tmp_path / "file" / "out")
