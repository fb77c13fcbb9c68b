"""A crash at any moment leaves a whole folder; pointers keep what is needed; nothing is ever a pickle."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pretint.run_folder
from pretint.errors import ResourceError, RunError
from pretint.run_folder import RunFolder, checksum, write_atomically
from tests.conftest import environment, files_up_to


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"kind": "pretrain", "state": "running"})


def _checkpoint(run: RunFolder, step: int, content: str = "w") -> Path:
    with run.new_checkpoint(step) as folder:
        for name in ("weights.safetensors", "optimizer.safetensors", "progress.json"):
            (folder / name).write_text(content)
    return run.checkpoint_path(step)


class _Crash(Exception):
    pass


def test_a_crash_before_the_rename_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"old")

    def crash(*_: object) -> None:
        assert path.read_bytes() == b"old"
        raise _Crash

    for moment in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            if moment == "fsync":
                patch.setattr(os, "fsync", crash)
            else:
                patch.setattr(Path, "replace", crash)
            with pytest.raises(_Crash):
                write_atomically(path, b"new and longer")
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["file.json"]  # what was written beside it is cleared away
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


def test_the_content_is_on_disk_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("sync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda a, b: (events.append("rename"), replace(a, b))[1])
    write_atomically(tmp_path / "file", b"content")
    assert events == ["sync", "rename", "sync"]  # the file, its new name, the folder that holds the name


def test_create_refuses_what_is_there(tmp_path: Path, run: RunFolder) -> None:
    with pytest.raises(RunError, match=r"--out .*run: holds a run already.*--resume"):
        RunFolder.create(run.path, {})
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").touch()
    with pytest.raises(RunError, match="not empty"):
        RunFolder.create(full, {})
    with pytest.raises(RunError, match="not empty"):
        RunFolder.create(full / "thesis.tex", {})
    empty = tmp_path / "empty"
    empty.mkdir()
    assert RunFolder.create(empty, {"kind": "x"}).manifest == {"kind": "x"}
    with pytest.raises(RunError, match=r"is not the folder of a run"):
        RunFolder.open(full)


def test_what_failed_before_it_began_is_begun_anew(run: RunFolder) -> None:
    run.update_manifest(state="failed")
    assert RunFolder.create(run.path, {"kind": "finetune", "state": "running"}).manifest["kind"] == "finetune"
    run.update_manifest(state="failed")
    _checkpoint(run, 10)
    run.point("last", 10)
    with pytest.raises(RunError, match="holds a run already"):
        RunFolder.create(run.path, {})


def test_manifest(run: RunFolder) -> None:
    run.update_manifest(state="finished", seconds=1.5)
    assert run.manifest == {"kind": "pretrain", "state": "finished", "seconds": 1.5}
    (run.path / "run.json").write_text('{"kind": ')
    with pytest.raises(RunError, match=r"run.json: is damaged"):
        _ = run.manifest


def test_metrics_survive_a_cut_line(run: RunFolder) -> None:
    assert run.metrics() == []
    for step in (1, 2, 3):
        run.append_metrics(step=step, loss=step / 2)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [entry["step"] for entry in run.metrics()] == [1, 2, 3]
    run.cut_metrics(2)
    run.append_metrics(step=3, loss=9)
    assert run.metrics() == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": 9}]
    run.cut_metrics(-1)
    assert run.metrics() == []


def test_pointers_keep_what_is_needed(run: RunFolder) -> None:
    with pytest.raises(RunError, match="has no checkpoint yet"):
        run.checkpoint()
    _checkpoint(run, 10)
    run.point("last", 10)
    assert run.checkpoint() == run.checkpoint("last") == run.checkpoint_path(10)
    run.point("best", 10, score="map", value=0.5)
    _checkpoint(run, 20)
    run.point("last", 20)
    assert run.pointer("best") == {"step": 10, "score": "map", "value": 0.5}
    assert {p.name for p in run.checkpoint("best").iterdir()} == {"weights.safetensors", "progress.json"}
    _checkpoint(run, 30)
    run.point("last", 30)
    assert {p.name for p in (run.path / "checkpoints").iterdir()} == {"00000010", "00000030"}
    assert (run.checkpoint("last") / "optimizer.safetensors").exists()
    run.point("best", 30)
    assert {p.name for p in (run.path / "checkpoints").iterdir()} == {"00000030"}


def test_a_crash_while_a_checkpoint_is_written_anew_leaves_one(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any of its renames."""
    _checkpoint(run, 10)
    run.point("last", 10)
    content = (run.checkpoint("last") / "weights.safetensors").read_bytes()
    rename = Path.rename
    for last in (0, 1):
        count = iter(range(9))

        def crash(self: Path, target: Path, count: Iterator[int] = count, last: int = last) -> Path:
            if next(count) == last:
                raise KeyboardInterrupt
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", crash)
            with pytest.raises(KeyboardInterrupt):
                _checkpoint(run, 10)
        assert (run.checkpoint("last") / "weights.safetensors").read_bytes() == content
    _checkpoint(run, 10)
    run.point("last", 10)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["00000010"]


def test_a_crash_while_a_checkpoint_is_written_leaves_the_last(run: RunFolder) -> None:
    _checkpoint(run, 10)
    run.point("last", 10)

    def crash() -> None:
        with run.new_checkpoint(20) as folder:
            (folder / "weights.safetensors").write_text("half")
            raise _Crash

    with pytest.raises(_Crash):
        crash()
    assert run.checkpoint("last") == run.checkpoint_path(10)
    assert not run.checkpoint_path(20).exists()
    _checkpoint(run, 20, "whole")  # what the crash left is no hindrance
    run.point("last", 20)
    assert [p.name for p in (run.path / "checkpoints").iterdir()] == ["00000020"]


def test_a_crash_between_checkpoint_and_pointer(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _checkpoint(run, 10, "old")
    run.point("last", 10)
    _checkpoint(run, 20)

    def crash(*_: object) -> None:
        raise _Crash

    with monkeypatch.context() as patch:
        patch.setattr(pretint.run_folder, "write_atomically", crash)
        with pytest.raises(_Crash):
            run.point("last", 20)
    assert (run.checkpoint("last") / "weights.safetensors").read_text() == "old"


def test_a_checkpoint_that_is_gone(run: RunFolder) -> None:
    (run.path / "checkpoints").mkdir()
    run._write_json("best.json", {"step": 5})
    with pytest.raises(RunError, match=r"00000005: the checkpoint that best.json names is missing"):
        run.checkpoint("best")


def test_one_holder(run: RunFolder) -> None:
    with (
        run.locked(),
        pytest.raises(RunError, match="another process is training in this folder"),
        RunFolder.open(run.path).locked(),
    ):
        pass
    with run.locked():
        pass


@pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # the child calls the system alone
def test_a_fork_holds_no_lock(run: RunFolder) -> None:
    """What reads pictures may outlive a training that was killed; a resume need not wait for it."""
    ready, tell = os.pipe()
    listen, end = os.pipe()
    with run.locked():
        child = os.fork()
        if not child:
            os.close(end)
            os.write(tell, b"1")
            os.read(listen, 1)
            os._exit(0)
        os.close(listen)
        os.read(ready, 1)
        with pytest.raises(RunError, match="another process"), RunFolder.open(run.path).locked():
            pass  # that the child has closed its copy does not end the hold
    with run.locked():  # as at the end of the parent, the child being there still
        pass
    os.close(end)
    assert os.waitpid(child, 0)[1] == 0


def test_checksum(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert checksum(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_files_are_json(run: RunFolder) -> None:
    run.append_metrics(step=1)
    assert json.loads((run.path / "metrics.jsonl").read_text()) == {"step": 1}


def test_a_full_disk_is_told_with_the_file(run: RunFolder) -> None:
    run.append_metrics(step=1, kind="train", loss=0.5)
    with files_up_to(60), pytest.raises(ResourceError, match=r"metrics\.jsonl: cannot be written .*make room"):
        run.append_metrics(step=2, kind="train", note="x" * 100)
    run.cut_metrics(1)
    assert run.metrics() == [{"step": 1, "kind": "train", "loss": 0.5}]
    with files_up_to(60), pytest.raises(ResourceError, match=r"00000007: cannot be written .*make room"):
        _checkpoint(run, 7, "x" * 100)
    assert not run.checkpoint_path(7).exists()


def test_a_full_disk_at_the_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    manifest = {"kind": "pretrain", "state": "running", "note": "x" * 100}
    with files_up_to(60), pytest.raises(ResourceError, match=r"run\.json: cannot be written .*make room"):
        RunFolder.create(tmp_path / "run", manifest)
    assert RunFolder.create(tmp_path / "run", manifest).manifest == manifest


def test_a_kill_at_the_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """It falls while the first run.json is written; beside other files it is somebody's folder all the same."""
    (tmp_path / ".run.json.part").write_text('{"kind"')
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="exists and is not empty"):
        RunFolder.create(tmp_path, {"state": "running"})
    (tmp_path / "thesis.tex").unlink()
    RunFolder.create(tmp_path, {"state": "running"})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_lock_that_cannot_be_written_is_told(run: RunFolder) -> None:
    (run.path / "run.lock").mkdir()
    with pytest.raises(ResourceError, match=r"run\.lock: cannot be written"), run.locked():
        pass


WRITER = """
import sys
from pathlib import Path
from pretint.run_folder import write_atomically
content = sys.argv[2].encode() * 100_000
for _ in range(30):
    write_atomically(Path(sys.argv[1]), content)
"""


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """As a study that ends and a report of it: each file is one of theirs as a whole."""
    path = tmp_path / "report.html"
    path.write_bytes(b"a" * 100_000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, letter], env=environment()) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
