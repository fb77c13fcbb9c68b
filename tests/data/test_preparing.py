"""Shards hold the pictures that a look at their files gives, are the same however they are made, and go on where they were stopped."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pretint.data import preparing
from pretint.data.layouts import open_source
from pretint.data.preparing import How, Prepared, prepare
from pretint.data.reading import read_rgb
from pretint.data.record import Record
from pretint.errors import DataError, Interrupted, RunError
from tests.conftest import paint

RAW = How(size=24, format="raw")


@pytest.fixture
def records(tmp_path: Path) -> tuple[Record, ...]:
    """40 pictures of several sizes and kinds, one of them turned by EXIF, one smaller than 24 pixels, one wide."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for i in range(37):
        name = f"below/{i:02d}.png" if i % 3 else f"{i:02d}.jpg"
        Image.fromarray(paint(i)[0]).save(folder / name, quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(paint(50)[0]).save(folder / "turned.jpg", exif=exif)
    Image.fromarray(paint(51, 15, 30)[0]).save(folder / "small.png")
    Image.fromarray(paint(52, 40, 200)[0]).save(folder / "wide.png")
    return open_source(folder).split("all")


def _files(folder: Path) -> dict[str, bytes]:
    """What the tars of a folder hold, by ``tarfile``, in their order."""
    found = {}
    for tar in sorted(folder.glob("*.tar")):
        with tarfile.open(tar) as read:
            found |= {m.name: read.extractfile(m).read() for m in read.getmembers()}  # type: ignore[union-attr]
    return found


def _prepared(records: tuple[Record, ...], out: Path, how: How = RAW, **options: Any) -> Prepared:
    return prepare(records, out, how, **options)


def test_plain_pictures_are_resized_once(records: tuple[Record, ...], tmp_path: Path) -> None:
    found = _prepared(records, tmp_path / "out")
    assert (found.pictures, found.tars, found.broken) == (40, 1, ())
    files = _files(tmp_path / "out")
    assert list(files) == [record.id.rpartition(".")[0] + ".ppm" for record in records]
    for record, content in zip(records, files.values(), strict=True):
        with Image.open(record.path) as image:
            upright = image.transpose(Image.Transpose.ROTATE_270) if record.id == "turned.jpg" else image
            shorter = min(upright.size)
            size = tuple(round(side * 24 / shorter) for side in upright.size)
            wanted = upright if shorter < 24 else upright.resize(size, Image.Resampling.BILINEAR)  # type: ignore[arg-type]
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(wanted))
    assert Image.open(io.BytesIO(files["small.ppm"])).size == (30, 15)
    assert Image.open(io.BytesIO(files["wide.ppm"])).size == (120, 24)


def test_jpegs_have_the_quality_that_was_asked_for(records: tuple[Record, ...], tmp_path: Path) -> None:
    best, poor = (
        _prepared(records, tmp_path / str(q), How(size=24, format="jpeg", quality=q), workers=1).folder
        for q in (98, 20)
    )
    plain = _files(_prepared(records, tmp_path / "raw").folder)
    for name, content in _files(best).items():
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert not picture.getexif()
        true = np.asarray(Image.open(io.BytesIO(plain[name.replace(".jpg", ".ppm")]))).astype(int)
        assert np.abs(np.asarray(picture) - true).mean() < 3
    sizes = [sum(map(len, _files(folder).values())) for folder in (best, poor)]
    assert sizes[0] > 1.5 * sizes[1]


def test_large_jpegs_are_decoded_at_a_part_of_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(paint(1)[0]).resize((640, 480)).save(tmp_path / "large.jpg")
    decoded = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, *how: (decoded.append(image.size), resize(image, *how))[1])
    assert preparing.resized(tmp_path / "large.jpg", 100).size == (133, 100)
    assert decoded == [(160, 120)]


def test_the_index_says_where_each_picture_lies(records: tuple[Record, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = _prepared(records, out, How(size=20, format="raw", shard_bytes=9000))
    assert found.tars > 5
    assert found.bytes == sum(tar.stat().st_size for tar in out.glob("*.tar"))
    assert not list(out.glob(".*"))
    assert not (out / "parts").exists()
    rows, names = np.load(out / "index.npy"), (out / "names.txt").read_text().splitlines()
    files = _files(out)
    assert names == list(files)
    tars = json.loads((out / "shards.json").read_text())["tars"]
    for row, content in zip(rows, files.values(), strict=True):
        tar = (out / tars[row["tar"]]["name"]).read_bytes()
        assert tar[row["offset"] : row["offset"] + row["size"]] == content
        assert Image.open(io.BytesIO(content)).size == (row["width"], row["height"])
    # A tar is closed when it has reached its size, not before.
    assert all(9000 <= tar["bytes"] - 1024 < 9000 + 20 * 100 * 3 + 2048 for tar in tars[:-1])


def test_neither_processes_nor_cuts_change_what_is_written(records: tuple[Record, ...], tmp_path: Path) -> None:
    one = _prepared(records, tmp_path / "one", How(size=16))
    cut = _prepared(records, tmp_path / "cut", How(size=16, shard_bytes=4000), workers=2)
    moved = tmp_path / "moved"
    shutil.copytree(records[0].path.parent, moved)
    again = _prepared(open_source(moved).split("all")[::-1], tmp_path / "again", How(size=16))
    assert _files(one.folder) == _files(cut.folder) == _files(again.folder)
    assert one.fingerprint == cut.fingerprint == again.fingerprint
    assert cut.tars > one.tars == 1
    assert (tmp_path / "one" / "000000.tar").read_bytes() == (tmp_path / "again" / "000000.tar").read_bytes()
    other = _prepared(records, tmp_path / "other", How(size=17))
    assert other.fingerprint != one.fingerprint
    assert _prepared(records[1:], tmp_path / "fewer", How(size=16)).fingerprint != one.fingerprint


def test_progress_is_told(records: tuple[Record, ...], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    _prepared(records, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(32, 40), (40, 40)]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_stopped_goes_on(
    records: tuple[Record, ...], tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    how, out = How(size=20, format="raw", shard_bytes=9000), tmp_path / "out"
    monkeypatch.setattr(preparing, "_CHUNK", 4)
    whole = _prepared(records, tmp_path / "whole", how)
    asked = iter([False, False, True])
    with pytest.raises(Interrupted, match="--resume"):
        _prepared(records, out, how, workers=workers, stop=lambda: next(asked))
    finished = {tar: tar.stat().st_mtime_ns for tar in out.glob("*.tar")}
    assert 0 < len(finished) < whole.tars
    with pytest.raises(DataError, match="not finished"):
        open_source(out)

    # As a kill leaves it: half a tar under its passing name, and a whole one whose note was not written.
    (out / ".000009.tar.part").write_bytes(b"half")
    last = max(finished)
    (out / "parts" / f"{last.stem}.json").unlink()
    opened = []
    encode = preparing._encode
    monkeypatch.setattr(preparing, "_encode", lambda task: (opened.extend(task.pictures), encode(task))[1])
    assert _prepared(records, out, how, resume=True) == Prepared(
        out, whole.pictures, whole.tars, whole.bytes, whole.fingerprint, ()
    )
    for tar in (tmp_path / "whole").glob("*"):
        if tar.suffix in (".tar", ".npy", ".txt"):
            assert (out / tar.name).read_bytes() == tar.read_bytes()
    assert all(tar.stat().st_mtime_ns == changed for tar, changed in finished.items() if tar != last)
    assert 0 < len(opened) < 40

    # Once it is done there is nothing to do.
    monkeypatch.setattr(preparing, "_encode", None)
    assert _prepared(records, out, how, resume=True).fingerprint == whole.fingerprint
    with pytest.raises(RunError, match=r"--out .*out: holds shards already.*--resume"):
        _prepared(records, out, how)


def test_only_the_same_work_goes_on(records: tuple[Record, ...], tmp_path: Path) -> None:
    _prepared(records, tmp_path / "out", How(size=20))
    for how, told in (
        (How(size=24), "--size differs"),
        (How(size=20, format="raw"), "--format differs"),
        (How(size=20, shard_bytes=5), "--shard-mb differs"),
    ):
        with pytest.raises(RunError, match=told):
            _prepared(records, tmp_path / "out", how, resume=True)
    with pytest.raises(RunError, match="pictures have changed"):
        _prepared(records[1:], tmp_path / "out", How(size=20), resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(RunError, match="not empty"):
        _prepared(records, tmp_path / "full", resume=True)


def test_one_process_at_a_time_writes(records: tuple[Record, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = []

    def meanwhile(done: int, of: int) -> None:
        with pytest.raises(RunError, match="another process writes these shards"):
            _prepared(records, out, resume=True)
        told.append((done, of))

    assert _prepared(records, out, progress=meanwhile).pictures == told[-1][1] == 40


def test_broken_pictures_are_left_out_and_listed(records: tuple[Record, ...], tmp_path: Path) -> None:
    for record in (records[0], records[-1]):
        record.path.write_bytes(record.path.read_bytes()[:300])
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"2 of 40 pictures cannot be read, more than the 4%.*--most-broken"):
        _prepared(records, out, How(size=20, shard_bytes=9000), most_broken=0.04)
    found = _prepared(records, out, How(size=20, shard_bytes=9000), most_broken=0.06, resume=True)
    assert found.pictures == len(open_source(out).split("all")) == 38
    assert [identity for identity, _ in found.broken] == [records[0].id, records[-1].id]
    assert all(
        str(record.path) in why for record, (_, why) in zip((records[0], records[-1]), found.broken, strict=True)
    )
    lines = (out / "left_out.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [[records[0].id, "broken"], [records[-1].id, "broken"]]


def test_finished_shards_need_no_list_of_what_was_left_out(records: tuple[Record, ...], tmp_path: Path) -> None:
    found = _prepared(records, tmp_path / "out")
    (tmp_path / "out" / "left_out.tsv").unlink()
    assert _prepared(records, tmp_path / "out", resume=True) == found


def test_a_link_to_nothing_is_left_out_and_listed(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "c.png"):
        Image.fromarray(paint(0)[0]).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "b.png").symlink_to("gone.png")
    for resume in (False, True):
        records = open_source(tmp_path / "photos").split("all")
        found = _prepared(tuple(records), tmp_path / "out", most_broken=0.5, resume=resume)
        ((identity, why),) = found.broken
        assert (found.pictures, identity, "missing" in why) == (2, "b.png", True)
    Image.fromarray(paint(0)[0]).save(tmp_path / "photos" / "gone.png")  # now it links to something
    with pytest.raises(RunError, match="the pictures have changed"):
        _prepared(records, tmp_path / "out", resume=True)


def test_a_strip_too_long_for_a_jpeg_is_left_out_and_listed(records: tuple[Record, ...], tmp_path: Path) -> None:
    strip = Record("strip.png", tmp_path / "strip.png")
    Image.new("RGB", (70_000, 20)).save(strip.path)
    found = _prepared((*records, strip), tmp_path / "out", How(size=24))
    assert found.pictures == 40
    ((identity, why),) = found.broken
    assert identity == "strip.png"
    assert f"{strip.path}: cannot be written as a JPEG of 70000 x 20 pixels" in why
    assert _prepared((*records, strip), tmp_path / "raw", RAW).pictures == 41


def test_nothing_but_broken_pictures_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of the 1 pictures"):
        _prepared((Record("a.jpg", tmp_path / "a.jpg"),), tmp_path / "out", most_broken=1)


def test_shards_can_be_prepared_again(records: tuple[Record, ...], tmp_path: Path) -> None:
    large = _prepared(records, tmp_path / "large", RAW)
    small = _prepared(open_source(large.folder).split("all"), tmp_path / "small", How(size=10, format="raw"))
    with Image.open(records[0].path) as image:
        assert image.size == (48, 40)
        once = image.resize((29, 24), Image.Resampling.BILINEAR)
    twice = once.resize((12, 10), Image.Resampling.BILINEAR)
    first = open_source(small.folder).split("all")[0]
    np.testing.assert_array_equal(read_rgb(first.where), np.asarray(twice))


def test_webdataset_reads_the_shards(records: tuple[Record, ...], tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    for format, ending in (("jpeg", "jpg"), ("raw", "ppm")):
        out = _prepared(records, tmp_path / format, How(size=20, format=format)).folder  # type: ignore[arg-type]
        samples = list(webdataset.WebDataset([str(out / "000000.tar")], shardshuffle=False).decode("rgb8"))
        assert len(samples) == 40
        for sample, record in zip(samples, open_source(out).split("all"), strict=True):
            np.testing.assert_array_equal(sample[ending], read_rgb(record.where))
