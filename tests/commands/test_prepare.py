"""``pretint prepare`` from the command line and from Python; stopped and resumed as a process."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import pretint
from pretint.cli import main
from pretint.data.layouts import open_source
from pretint.errors import DataError, OptionError
from tests.conftest import paint


def test_a_folder_becomes_shards(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(pictures), "--out", str(tmp_path / "x"), "--size", "24", "--workers", "1"]) == 0
    result = pretint.prepare(pictures, out=tmp_path / "y", size=24)
    printed = capsys.readouterr().out
    assert printed == (
        f"16 pictures in {tmp_path / 'x'}: 1 shard, {result.bytes / 1e6:.1f} MB, fingerprint {result.fingerprint}\n"
    )
    for name in ("000000.tar", "index.npy", "names.txt"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_several_folders_and_a_list(pictures: Path, masked: Path, tmp_path: Path) -> None:
    (masked / "few.txt").write_text("03\n07\n")
    try:
        result = pretint.prepare([masked], out=tmp_path / "few", split="few")
        assert result.pictures == 2
        assert [r.id for r in open_source(tmp_path / "few").split("all")] == ["images/03.jpg", "images/07.jpg"]
    finally:
        (masked / "few.txt").unlink()
    both = pretint.prepare([pictures, masked / "images"], out=tmp_path / "both")
    assert both.pictures == 32
    assert {r.id[:2] for r in open_source(both.folder).split("all")} == {"0/", "1/"}


def test_broken_pictures_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(paint(0)[0]).save(photos / "good.png")
    (photos / "bad.png").write_bytes(b"bad")
    call = ["prepare", str(photos), "--out", str(tmp_path / "out"), "--workers", "0"]
    assert main(call) == 2
    assert "1 of 2 pictures cannot be read" in capsys.readouterr().err
    assert main([*call, "--resume", "--most-broken", "0.5"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith(f"left out: 1 broken picture (list: {tmp_path / 'out' / 'left_out.tsv'})")
    assert said.out.startswith("1 picture in ")


@pytest.mark.parametrize(
    "options",
    [
        {"size": 7},
        {"quality": 0},
        {"quality": 101},
        {"shard_mb": 0},
        {"shard_mb": float("inf")},
        {"workers": -2},
        {"most_broken": 1.5},
    ],
    ids=str,
)
def test_options_out_of_range_are_told(options: dict[str, float], pictures: Path, tmp_path: Path) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=f"--{name.replace('_', '-')} "):
        pretint.prepare(pictures, out=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_format_that_is_not_there(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--format jpg: unknown; did you mean jpeg\?"):
        pretint.prepare(pictures, out=tmp_path / "out", format="jpg")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="at least one folder"):
        pretint.prepare([], out=tmp_path / "out")
    with pytest.raises(DataError, match="no such folder"):
        pretint.prepare(tmp_path / "gone", out=tmp_path / "out")


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_was_ended_goes_on(
    how: signal.Signals, tmp_path: Path, start_command: Callable[..., "subprocess.Popen[str]"]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(paint(0)[0]).resize((800, 600)).save(photos / "000.jpg")
    for i in range(1, 400):
        shutil.copy(photos / "000.jpg", photos / f"{i:03d}.jpg")
    call = ["prepare", photos, "--size", 96, "--shard-mb", 0.1, "--workers", 2, "--out"]
    process = start_command(*call, tmp_path / "out")
    while len(list((tmp_path / "out").glob("*.tar"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 75)
    finished = {tar: tar.stat().st_mtime_ns for tar in (tmp_path / "out" / "parts").glob("*.json")}
    assert len(finished) >= 2
    tars = {tmp_path / "out" / f"{note.stem}.tar" for note in finished}
    before = {tar: tar.stat().st_mtime_ns for tar in tars}
    time.sleep(3)  # processes of one that was killed end by themselves
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    again = start_command(*call, tmp_path / "out", "--resume")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert all(tar.stat().st_mtime_ns == changed for tar, changed in before.items())
    whole = pretint.prepare(photos, out=tmp_path / "whole", size=96, shard_mb=0.1)
    assert whole.fingerprint in out
