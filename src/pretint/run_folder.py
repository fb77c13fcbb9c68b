"""A run: the folder that a training leaves behind, readable while it runs and without torch.

    run.json            what was asked for and what was found: kind, options, data, environment, state
    metrics.jsonl       one JSON object a line: losses of training steps, scores of validations
    checkpoints/STEP/   weights.safetensors, optimizer.safetensors, progress.json
    last.json           which checkpoint a resume goes on from
    best.json           which checkpoint scored best on held-out pictures
    samples/            picture grids
    left_out.tsv        pictures that were not used, with the reason

Every file but metrics.jsonl is replaced as a whole (written beside, fsynced, renamed), so a reader or a crash never meets half a file;
metrics.jsonl grows by lines, of which the last may be cut off.
"""

import csv
import fcntl
import hashlib
import io
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from safetensors import SafetensorError, safe_open

from pretint.errors import ResourceError, RunError

MANIFEST = "run.json"
RESULTS = ".pretint.json"
"""Marks a folder whose pictures a verb has made."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, see `replacing`.

    Raises:
        ResourceError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of ``path`` as a whole: a crash leaves the old or the new content, never a mixture.

    Raises:
        ResourceError: it cannot be written.
    """
    beside = _beside(path)
    with writing(path):
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(path.parent)


def _beside(path: Path) -> Path:
    """Where this thread writes a file that takes the place of ``path``: two that write one page do not meet."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")


def begun(file: Path, name: str) -> bool:
    """Whether a file is what a kill left of one that was to be called ``name``: nothing of anybody's."""
    return file.name.startswith(f".{name}.") and file.name.endswith(".part")


def write_left_out(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Replace a left_out.tsv: a line a picture, its (id, what, why) between tabs; ``csv`` reads it back.

    Raises:
        ResourceError: it cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([("id", "what", "why"), *rows])
    write_atomically(path, text.getvalue().encode(errors="surrogateescape"))


def data_folders(manifest: Mapping[str, Any]) -> list[str]:
    """Where the pictures of a run lie: as it noted them, or as they were given where it has come to no pictures yet."""
    noted, given = manifest.get("data", {}), manifest["options"]["data"]
    folders = noted.get("folders") or noted.get("folder") or given
    return list(folders) if isinstance(folders, list) else [folders]


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        ResourceError: it cannot be made.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def make_results_folder(path: Path, kind: str) -> None:
    """Make a folder for the pictures that a verb writes; ``kind`` is the verb.

    One that is new or empty is marked, so that these pictures are not taken for data when a folder above it is read.

    Raises:
        ResourceError: it cannot be made.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        with os.scandir(path) as entries:  # ends at the first: it is asked before every picture
            new = next(entries, None) is None
    if new:
        write_atomically(path / RESULTS, (json.dumps({"kind": kind, "options": {}}) + "\n").encode())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell it as the disk's fault where the block cannot write; ``path`` is what it writes.

    Raises:
        ResourceError: it cannot be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in an error of its own
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ResourceError(f"{path}: cannot be written ({why}); make room, or choose another place") from error


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_description(path: Path) -> dict[str, Any] | None:
    """What a weights' file of pretint says about itself: entries of its run.json; None for any other file."""
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return None
    description: dict[str, Any] | None = json.loads(metadata["pretint"]) if "pretint" in metadata else None
    return description


_HELD: set[TextIO] = set()
"""Lock files that this process holds."""


def _let_go() -> None:
    """In a forked child: a process that reads pictures outlives a killed training by a moment, and must not hold its lock for it."""
    while _HELD:
        _HELD.pop().close()  # not unlocked, which would end the parent's hold too


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def hold(lock: Path, busy: str) -> Iterator[None]:
    """Hold a lock file while the block runs; the lock ends with the process, however that ends.

    Raises:
        RunError: another process holds it; ``busy`` says so.
        ResourceError: it cannot be written.
    """
    with writing(lock):
        file = lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(busy) from None
        _HELD.add(file)
        try:
            yield
        finally:
            _HELD.discard(file)


class RunFolder:
    """Access to one run's folder.

    Args:
        path: the folder. Use :meth:`create` for a new run and :meth:`open` for one that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, manifest: dict[str, Any]) -> "RunFolder":
        """Make the folder and write its manifest. A run that failed before its first checkpoint is begun anew.

        Raises:
            RunError: the folder holds a run already, or other files.
        """
        if (path / MANIFEST).exists():
            run = cls(path)
            if run.manifest.get("state") != "failed" or run.pointer("last"):
                raise RunError(
                    f"--out {path}: holds a run already; choose another folder, or add --resume to go on with it"
                )
            run.write_manifest(manifest)
            return run
        # A kill while the first run.json was written leaves its beginning: that is no file of anybody.
        if path.exists() and (not path.is_dir() or not all(begun(file, MANIFEST) for file in path.iterdir())):
            raise RunError(f"--out {path}: exists and is not empty; choose another folder")
        make_folder(path)
        for file in path.iterdir():
            file.unlink()
        run = cls(path)
        run.write_manifest(manifest)
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open the folder of an existing run.

        Raises:
            RunError: there is no run in this folder.
        """
        if not (path / MANIFEST).is_file():
            raise RunError(f"{path}: is not the folder of a run (it has no {MANIFEST})")
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            RunError: another process holds it.
        """
        busy = f"{self.path}: another process is training in this folder; wait for it or stop it"
        with hold(self.path / "run.lock", busy):
            yield

    # The manifest

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json.

        Raises:
            RunError: the file is damaged, or describes something else.
        """
        content = self._read_json(MANIFEST)
        if not isinstance(content, dict):
            raise RunError(f"{self.path / MANIFEST}: does not describe a run; restore it from a copy, or train again")
        return content

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replace run.json."""
        self._write_json(MANIFEST, manifest)

    def update_manifest(self, **changes: Any) -> None:
        """Replace some entries of run.json."""
        self.write_manifest({**self.manifest, **changes})

    # Metrics

    def append_metrics(self, **entry: Any) -> None:
        """Add a line to metrics.jsonl.

        Raises:
            ResourceError: it cannot be written.
        """
        path = self.path / "metrics.jsonl"
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl that are whole.

        Raises:
            RunError: one is damaged.
        """
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").split("\n")
        entries = []
        for number, line in enumerate(lines[:-1], 1):  # what stands after the last newline was cut off while writing
            try:
                entries.append(json.loads(line))
            except ValueError:
                raise RunError(f"{path}, line {number}: is damaged (not JSON); remove this line") from None
        return entries

    def cut_metrics(self, step: int, scored: bool = True) -> None:
        """Drop what was written after a step: a resumed run writes it again. Scores of that step too, unless it was ``scored``."""
        kept = [
            json.dumps(entry) + "\n"
            for entry in self.metrics()
            if entry["step"] < step or (entry["step"] == step and (scored or entry["kind"] == "train"))
        ]
        write_atomically(self.path / "metrics.jsonl", "".join(kept).encode())

    # Checkpoints

    @contextmanager
    def new_checkpoint(self, step: int) -> Iterator[Path]:
        """A folder to fill; when the block ends it is made durable and takes its final name.

        Raises:
            ResourceError: it cannot be written, by the block or here.
        """
        final = self.checkpoint_path(step)
        beside, aside = final.with_name(f".{final.name}.part"), _aside(final)
        with writing(final):
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            yield beside
            for file in beside.iterdir():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            _sync_folder(beside)
            if final.exists():  # the same step again, after a resume; at no moment there is neither
                shutil.rmtree(aside, ignore_errors=True)
                final.rename(aside)
            beside.rename(final)
            _sync_folder(final.parent)
            shutil.rmtree(aside, ignore_errors=True)

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.path / "checkpoints" / f"{step:08d}"

    def point(self, which: str, step: int, **extra: Any) -> None:
        """Let ``last`` or ``best`` point at a checkpoint, then remove what nothing needs any more.

        ``best`` is never resumed from, so it keeps no optimizer state unless it is ``last`` too.
        """
        self._write_json(f"{which}.json", {"step": step, **extra})
        last, best = (entry and self.checkpoint_path(entry["step"]) for entry in map(self.pointer, ("last", "best")))
        for folder in (self.path / "checkpoints").iterdir():
            if folder not in (last, best):
                shutil.rmtree(folder)
            elif folder != last:
                (folder / "optimizer.safetensors").unlink(missing_ok=True)

    def pointer(self, which: str) -> dict[str, Any] | None:
        """The entry of last.json or best.json; None where there is none yet."""
        return self._read_json(f"{which}.json") if (self.path / f"{which}.json").exists() else None

    def checkpoint(self, which: str = "best") -> Path:
        """The folder of the checkpoint that ``best`` or ``last`` points at; ``best`` falls to ``last`` before any validation.

        Raises:
            RunError: no checkpoint has been written yet, or it is gone.
        """
        entry = self.pointer(which) or self.pointer("last")
        if entry is None:
            raise RunError(f"{self.path}: has no checkpoint yet; train for longer, or choose another run")
        path = self.checkpoint_path(entry["step"])
        if not path.is_dir() and _aside(path).is_dir():  # a kill between the two renames of `new_checkpoint`
            return _aside(path)
        if not path.is_dir():
            raise RunError(f"{path}: the checkpoint that {which}.json names is missing")
        return path

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise RunError(f"{path}: is damaged (not JSON); restore it from a copy, or train again") from None
        return content

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self.path / name, (json.dumps(content, indent=2) + "\n").encode())


def _aside(checkpoint: Path) -> Path:
    """Where a checkpoint lies while a new one of the same step takes its place."""
    return checkpoint.with_name(f".{checkpoint.name}.old")


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
