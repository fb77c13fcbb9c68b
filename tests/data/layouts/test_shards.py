"""Training from shards: the pictures, order and views of a folder of the files that they hold."""

import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import pretint
from pretint.data.feed import Batch, Feed, once
from pretint.data.layouts import LAYOUTS, open_pool, open_source
from pretint.data.preparing import How, prepare
from pretint.data.reading import read_rgb
from pretint.data.record import Span, fingerprint
from pretint.data.screening import screen
from pretint.data.views import ViewOptions
from pretint.errors import DataError
from pretint.run_folder import RunFolder
from tests.conftest import paint
from tests.experiments.tiny_runs import PRETRAIN


@pytest.fixture(scope="module", params=["jpeg", "raw"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Shards, and a folder of the files that they hold."""
    photos = tmp_path_factory.mktemp("photos")
    (photos / "below").mkdir()
    for i in range(22):
        picture = Image.fromarray(paint(i, 30 + i, 70 - i)[0])
        picture = picture.convert("L") if i == 5 else picture  # a grey one, to be left out of the pretraining
        picture.save(photos / f"{'below/' * (i % 2)}{i:02d}.{('png', 'jpg', 'v2.png')[i % 3]}")
    root = tmp_path_factory.mktemp("both")
    prepare(open_pool([photos]), root / "shards", How(size=18, format=request.param, shard_bytes=15_000))
    assert len(list((root / "shards").glob("*.tar"))) > 2
    for tar in (root / "shards").glob("*.tar"):
        with tarfile.open(tar) as packed:
            packed.extractall(root / "files", filter="data")
    return root / "shards", root / "files"


def _same(one: Batch, other: Batch) -> bool:
    return one.ids == other.ids and torch.equal(one.to("cpu").rgb, other.to("cpu").rgb)


def test_shards_are_recognised(both: tuple[Path, Path]) -> None:
    shards, files = (open_source(folder) for folder in both)
    assert (shards.layout, files.layout) == ("shards", "pictures")
    assert LAYOUTS[0] == "shards"
    assert [r.id for r in shards.split("all")] == [r.id for r in files.split("all")]
    assert shards.training_split().name == "all"
    with pytest.raises(DataError, match="--layout shards"):
        open_source(both[1], "shards")
    # Of several folders the names begin with their place, as those of files do.
    pool = open_pool([both[0], both[1]])
    assert (pool[0].id, pool[22].id) == (f"0/{shards.split('all')[0].id}", f"1/{files.split('all')[0].id}")
    assert isinstance(pool[0].where, Span)


def test_the_same_pictures_in_the_same_order_with_the_same_views(both: tuple[Path, Path]) -> None:
    shards, files = map(open_pool, ([folder] for folder in both))
    assert fingerprint(shards) == fingerprint(files)
    for one, other in zip(shards, files, strict=True):
        np.testing.assert_array_equal(read_rgb(one.where), read_rgb(other.where))
    for crop in ("random", "window", "centre"):
        view = ViewOptions(crop=crop)  # type: ignore[arg-type]
        feeds = [Feed(r, size=16, view=view, batch_size=4, seed=7, workers=w) for r, w in ((shards, 1), (files, 0))]
        ones, others = (list(feed.batches(3, 8)) for feed in feeds)
        assert len(ones) == 5
        assert all(map(_same, ones, others))
    ones, others = (list(once(r, size=16, view=ViewOptions(), batch_size=8)) for r in (shards, files))
    assert all(map(_same, ones, others))


def test_a_training_from_shards_is_one_from_files(both: tuple[Path, Path], tmp_path: Path) -> None:
    runs = [pretint.pretrain(data=folder, out=tmp_path / folder.name, **PRETRAIN) for folder in both]
    shards, files = (RunFolder.open(result.run) for result in runs)
    assert shards.manifest["data"]["fingerprint"] == files.manifest["data"]["fingerprint"]
    assert shards.manifest["data"]["training"] == 17  # of 22, one is grey and four are held out
    ones, others = (load_file(run.checkpoint("last") / "weights.safetensors") for run in (shards, files))
    assert ones.keys() == others.keys()
    assert all(torch.equal(ones[name], others[name]) for name in ones)
    left = [(run.path / "left_out.tsv").read_text() for run in (shards, files)]
    assert left[0] == left[1]
    assert left[0].count("grey") == 1


def test_screening_remembers_each_picture_of_a_tar(both: tuple[Path, Path], tmp_path: Path) -> None:
    records, cache = open_pool([shutil.copytree(both[0], tmp_path / "shards")]), tmp_path / "cache.tsv"
    first = screen(records, cache=cache)
    assert [r.id for r in first.kept] == [r.id for r in screen(open_pool([both[1]])).kept]
    assert len(first.grey) == 1
    for tar in (tmp_path / "shards").glob(
        "*.tar"
    ):  # emptied, but by size and time as they were: nothing is opened again
        status = tar.stat()
        tar.write_bytes(b"x" * status.st_size)
        os.utime(tar, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = screen(records, cache=cache)
    assert list(again.kept) == list(first.kept)
    assert (again.grey, again.mean_ab) == (first.grey, first.mean_ab)
    if records[0].span.pixels is None:  # type: ignore[union-attr]
        for tar in (tmp_path / "shards").glob("*.tar"):
            os.utime(tar, ns=(0, 0))
        with pytest.raises(DataError, match="22 of 22 pictures cannot be read"):
            screen(records, cache=cache)


def test_colours_of_shards_are_scored(both: tuple[Path, Path], coloring_run: Path) -> None:
    shards, files = (pretint.evaluate(coloring_run, data=folder) for folder in both)
    assert shards["pictures"] == 21
    assert shards["left_out"] == {"grey": 1, "small": 0, "unreadable": 0}
    assert (shards["trained_on_these"], files["trained_on_these"]) == (None, False)  # copies tell of no files
    assert shards | {"trained_on_these": False} == files


def test_what_is_broken_within_a_tar_is_named(both: tuple[Path, Path], tmp_path: Path) -> None:
    span = open_pool([both[0]])[1].where
    assert isinstance(span, Span)
    tar = tmp_path / "cut.tar"
    tar.write_bytes(span.path.read_bytes()[: span.offset + span.size // 2])
    cut = Span(tar, span.name, span.offset, span.size, span.pixels)
    with pytest.raises(DataError, match=rf"cut\.tar/{span.name}: .*ends before it does"):
        read_rgb(cut)
    with pytest.raises(DataError, match=r"gone\.tar/.*is missing"):
        read_rgb(Span(tmp_path / "gone.tar", span.name, span.offset, span.size, span.pixels))
    if span.pixels:
        with pytest.raises(DataError, match="do not hold 300x200 pixels"):
            read_rgb(Span(span.path, span.name, span.offset, span.size, (200, 300)))


def test_labels_are_not_handed_on(both: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="shards has no labels here"):
        pretint.finetune(data=both[0], out=tmp_path / "run", task="multilabel")
