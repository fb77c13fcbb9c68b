"""Pictures of any size -> shards of pictures that are resized once; see ``shards`` for what comes out.

    prepare(records, Path("shards"), How(size=144), workers=8)

Processes read, resize and encode chunks of pictures; this one writes what they give, in its order, to one tar after the other. So what is
written does not depend on the number of processes. A tar takes its final name when it is whole, and a note of what it holds is put beside
it in parts/. Work that was stopped goes on behind the last tar with a note; the one that was being written is begun again.
"""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, overload

import numpy as np
from PIL import Image

from pretint.data import shards
from pretint.data.file_records import Lines
from pretint.data.processes import in_order
from pretint.data.reading import read_picture
from pretint.data.record import Record, Span, facts, fingerprint, pick
from pretint.errors import DataError, Interrupted, ResourceError, RunError
from pretint.run_folder import hold, make_folder, write_atomically, write_left_out

PARTS = "parts"
"""Folder of the notes, while the work goes on."""
LEFT_OUT = "left_out.tsv"
_KEPT = ("name", "bytes", "pictures", "last")  # of a note, in memory
_CHUNK = 32
_SUBSAMPLING = 0  # colour at full resolution (4:4:4): it is what is learned


@dataclass(frozen=True, kw_only=True)
class How:
    """What is made of a picture.

    Attributes:
        size: shorter side in pixels; smaller pictures stay as they are.
        format: "jpeg", or "raw": plain pixels.
        quality: of the JPEGs, 1 to 100.
        shard_bytes: a tar that has reached this is closed.
    """

    size: int
    format: Literal["jpeg", "raw"] = "jpeg"
    quality: int = 90
    shard_bytes: int = 128_000_000


@dataclass(frozen=True)
class Prepared:
    """What came of it.

    Attributes:
        folder: of the shards.
        pictures: how many they hold.
        tars: how many there are.
        bytes: of all tars.
        fingerprint: of the content; equal for the same pictures under the same names, however they are dealt out to tars.
        broken: (id, why) of pictures that could not be read.
    """

    folder: Path
    pictures: int
    tars: int
    bytes: int
    fingerprint: str
    broken: tuple[tuple[str, str], ...]


class _Encoded(NamedTuple):
    """A picture as it stands in a tar: the bytes of its member, where its content begins and how long it is, what it shows."""

    member: bytes
    begin: int
    size: int
    height: int
    width: int
    digest: bytes


class _Work(Sequence[tuple[Record, str]]):
    """Pictures and their names in the tars, in the order in which they are written; pairs are made when they are asked for."""

    def __init__(self, records: Sequence[Record], ending: str) -> None:
        names = _lines(shards.member_names((fact.id for fact in facts(records)), ending))
        order = sorted(range(len(names)), key=lambda place: shards.walk_order(names[place]))
        self.records = pick(records, np.array(order, np.int64))
        self._names, self._order = names, np.array(order, np.int64)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> tuple[Record, str]: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[tuple[Record, str], ...]: ...

    def __getitem__(self, place: int | slice) -> tuple[Record, str] | tuple[tuple[Record, str], ...]:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(len(self))))
        return self.records[place], self._names[int(self._order[place])]


def _lines(names: Iterable[str]) -> Lines:
    text = bytearray()
    for name in names:
        text += f"{name}\n".encode()
    return Lines(text)


@dataclass(frozen=True)
class _Task:
    """Pictures that a process is to encode, and their names in the tar."""

    pictures: tuple[tuple[Path | Span, str], ...]
    how: How


def prepare(
    records: Sequence[Record],
    out: Path,
    how: How,
    *,
    workers: int = 0,
    resume: bool = False,
    most_broken: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Write the pictures of records into shards, in the order in which a folder of the shards' unpacked files is walked.

    Args:
        records: the pictures; labels and masks are not handed on.
        out: folder for the shards.
        how: what is made of a picture.
        workers: processes that read; 0 reads here.
        resume: go on with what is in ``out``; finished tars are not written again.
        most_broken: the largest share of broken pictures that is left out without an error.
        progress: told (pictures done, all pictures) now and then.
        stop: asked now and then whether to stop.

    Raises:
        RunError: ``out`` holds something else, or shards that were begun otherwise or of other pictures.
        DataError: too many pictures are broken; with a larger ``most_broken`` and ``resume`` the others can be used.
        Interrupted: stopped by ``stop``.
        ResourceError: a process was killed, or the disk is full.
    """
    work = _Work(records, shards.ENDINGS[how.format])
    plan = {**asdict(how), "source": fingerprint(work.records, gone=True), "listed": len(work)}
    description = _begin(out, plan, resume)
    if description["state"] == "finished":
        return _told(out, description)
    try:
        (out / PARTS).mkdir(exist_ok=True)
        with hold(out / PARTS / "lock", f"{out}: another process writes these shards; wait for it or stop it"):
            notes = _notes(out)
            done = notes[-1]["last"] if notes else 0
            if done < len(work):
                notes += _write(work, done, len(notes), out, how, workers, progress, stop)
            return _finish(out, description, notes, most_broken)
    except OSError as error:
        raise ResourceError(f"--out {out}: cannot be written ({error}); make room or choose another folder") from error


def _begin(out: Path, plan: dict[str, Any], resume: bool) -> dict[str, Any]:
    """What shards.json says, now that it agrees with the plan."""
    if shards.describes(out):
        description = shards.describe(out)
        if not resume:
            raise RunError(
                f"--out {out}: holds shards already; choose another folder, or add --resume to go on with them"
            )
        if changed := [key for key in plan if description["plan"].get(key) != plan[key]]:
            what = {"source": "the pictures have changed", "listed": "the pictures have changed"}.get(
                changed[0], f"--{changed[0].replace('shard_bytes', 'shard-mb')} differs"
            )
            raise RunError(f"--resume: {what} since {out} was begun; leave it as it was, or choose another --out")
        return description
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"--out {out}: exists and is not empty; choose another folder")
    make_folder(out)
    description = {"kind": "shards", "version": shards.VERSION, "state": "running", "plan": plan}
    _write_json(out / shards.DESCRIPTION, description)
    return description


def _notes(out: Path) -> list[dict[str, Any]]:
    """The notes of the tars that are whole, in their order."""
    notes: list[dict[str, Any]] = []
    while (out / PARTS / f"{len(notes):06d}.json").is_file():
        note = _note(out, len(notes))
        tar = out / note["name"]
        if note["pictures"] and not (tar.is_file() and tar.stat().st_size == note["bytes"]):
            break
        notes.append({key: note[key] for key in _KEPT})
    return notes


def _note(out: Path, number: int) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((out / PARTS / f"{number:06d}.json").read_text(encoding="utf-8"))
    return note


def _write(
    work: Sequence[tuple[Record, str]],
    done: int,
    number: int,
    out: Path,
    how: How,
    workers: int,
    progress: Callable[[int, int], None] | None,
    stop: Callable[[], bool],
) -> Iterator[dict[str, Any]]:
    """Writes tars from picture ``done`` on, and gives a note of each."""
    tasks = (
        _Task(tuple((record.where, name) for record, name in work[i : i + _CHUNK]), how)
        for i in range(done, len(work), _CHUNK)
    )
    tar = _Tar(out, number, done)
    try:
        for results in in_order(_encode, tasks, workers):
            for result in results:
                tar.add(work[done], result)
                done += 1
                if tar.end >= how.shard_bytes:
                    yield tar.close(done)
                    tar = _Tar(out, tar.number + 1, done)
            if progress:
                progress(done, len(work))
            if stop():
                raise Interrupted(out)
        if tar.first < done:
            yield tar.close(done)
    finally:
        tar.drop()


class _Tar:
    """The tar that is being written.

    Args:
        out: folder of the shards.
        number: which one it is.
        first: the first picture of the work that is dealt with here.
    """

    def __init__(self, out: Path, number: int, first: int) -> None:
        self.out, self.number, self.first = out, number, first
        self.path = out / f"{number:06d}.tar"
        self.beside = out / f".{self.path.name}.part"
        self.file: BinaryIO = self.beside.open("wb")
        self.end = 0
        self.rows: list[tuple[Any, ...]] = []
        self.broken: list[tuple[str, str]] = []

    def add(self, picture: tuple[Record, str], result: _Encoded | str) -> None:
        """Append an encoded picture; of one that could not be read, keep why."""
        record, name = picture
        if isinstance(result, str):
            self.broken.append((record.id, result))
            return
        self.file.write(result.member)
        self.rows.append((name, self.end + result.begin, result.size, result.height, result.width, result.digest.hex()))
        self.end += len(result.member)

    def close(self, last: int) -> dict[str, Any]:
        """Finish the tar, which dealt with the pictures before ``last``, and write its note; gives the note."""
        self.file.write(shards.END_OF_TAR)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if self.rows:
            self.beside.replace(self.path)
        note = {
            "name": self.path.name, "bytes": self.end + len(shards.END_OF_TAR), "pictures": len(self.rows), "last": last,
            "rows": self.rows, "broken": self.broken,
        }  # fmt: skip
        _write_json(self.out / PARTS / f"{self.number:06d}.json", note)
        return {key: note[key] for key in _KEPT}

    def drop(self) -> None:
        """Leave nothing behind of a tar that was not closed."""
        self.file.close()
        self.beside.unlink(missing_ok=True)


def _finish(out: Path, description: dict[str, Any], notes: Sequence[dict[str, Any]], most_broken: float) -> Prepared:
    """Index and description of whole shards; the notes go."""
    rows, names, digests, broken = [np.empty(0, shards.ROW)], bytearray(), bytearray(), []
    for number in range(len(notes)):
        note = _note(out, number)
        broken += note["broken"]
        rows.append(np.array([(number, *numbers) for _, *numbers, _ in note["rows"]], dtype=shards.ROW))
        names += "".join(f"{row[0]}\n" for row in note["rows"]).encode()
        digests += bytes.fromhex("".join(row[-1] for row in note["rows"]))
    write_left_out(out / LEFT_OUT, ((identity, "broken", why) for identity, why in broken))
    listed = description["plan"]["listed"]
    if len(broken) > most_broken * listed:
        raise DataError(
            f"{len(broken)} of {listed} pictures cannot be read, more than the {most_broken:.0%} that are left out without an error "
            f"(list: {out / LEFT_OUT}); mend or remove them and begin in another folder, or add --resume and a larger "
            f"--most-broken (the first: {broken[0][1]})"
        )
    if not names:
        raise DataError(
            f"--out {out}: none of the {listed} pictures can be read (the first: {broken[0][1]}); choose others"
        )
    table = io.BytesIO()
    np.save(table, np.concatenate(rows), allow_pickle=False)
    write_atomically(out / shards.INDEX, table.getvalue())
    write_atomically(out / shards.NAMES, bytes(names))
    lines = Lines(names)
    done = {
        **description,
        "state": "finished",
        "format": description["plan"]["format"],
        "pictures": len(lines),
        "broken": len(broken),
        "fingerprint": shards.content_fingerprint(lines, digests),
        # The last note may be of broken pictures alone, without a tar.
        "tars": [{key: note[key] for key in ("name", "bytes", "pictures")} for note in notes if note["pictures"]],
    }
    _write_json(out / shards.DESCRIPTION, done)
    shutil.rmtree(out / PARTS)
    return _told(out, done)


def _told(out: Path, description: dict[str, Any]) -> Prepared:
    broken: list[list[str]] = []
    if (out / LEFT_OUT).is_file():  # shards are whole without it, as where they were copied
        with (out / LEFT_OUT).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            broken = list(csv.reader(file, delimiter="\t"))[1:]
    tars = description["tars"]
    return Prepared(
        out,
        description["pictures"],
        len(tars),
        sum(tar["bytes"] for tar in tars),
        description["fingerprint"],
        tuple((identity, why) for identity, _, why in broken),
    )


def _encode(task: _Task) -> list[_Encoded | str]:
    """The pictures of a task as members of a tar, or why one cannot be read or written."""
    encoded: list[_Encoded | str] = []
    for where, name in task.pictures:
        try:
            picture = resized(where, task.how.size)
        except DataError as error:
            encoded.append(str(error))
            continue
        try:
            content = _content(picture, task.how)
        except OSError as error:  # of Pillow, in memory: a JPEG has at most 65500 pixels a side
            size = f"{picture.width} x {picture.height} pixels"
            encoded.append(f"{where}: cannot be written as a JPEG of {size} ({error}); cut it up or remove it")
            continue
        member, begin = shards.member(name, content)
        digest = hashlib.sha256(content).digest()
        encoded.append(_Encoded(member, begin, len(content), picture.height, picture.width, digest))
    return encoded


def resized(where: Path | Span, size: int) -> Image.Image:
    """A picture, upright and RGB, its shorter side ``size`` pixels or, where it has fewer, as it is.

    Raises:
        DataError: it cannot be read.
    """
    read = read_picture(where, at_least=size)
    picture = read if isinstance(read, Image.Image) else Image.fromarray(read)
    shorter = min(picture.size)
    if shorter <= size:
        return picture
    width, height = (max(1, round(side * size / shorter)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _content(picture: Image.Image, how: How) -> bytes:
    if how.format == "raw":
        return b"P6\n%d %d\n255\n" % picture.size + picture.tobytes()
    content = io.BytesIO()
    picture.info.clear()  # what the camera noted stays behind: the picture is upright already, and bytes are to follow from pixels
    picture.save(content, "JPEG", quality=how.quality, subsampling=_SUBSAMPLING)
    return content.getvalue()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(content) + "\n").encode())
