"""Shards: many pictures in few files. What lies in a folder of them, and how it is read and written.

    shards.json     what the folder is, how it was made, its tars with their bytes, and a fingerprint of what they hold
    index.npy       a row a picture, of the type ``ROW``: number of the tar, offset and size of the picture's bytes in it, height, width
    names.txt       a name a line, in the order of the index: the path of the picture in its tar
    000000.tar ...  plain tars, as WebDataset and ``tar`` read them: NAME.jpg, or NAME.ppm for plain pixels

A PPM is a line that tells the size, then the pixels, uint8 (height, width, 3): nothing is to be decoded. Names have no dot but before the
ending, since WebDataset takes all behind the first for the ending.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.data.file_records import Lines
from pretint.data.record import Fact, LazyRecords, Record, Span
from pretint.errors import DataError

DESCRIPTION, INDEX, NAMES = "shards.json", "index.npy", "names.txt"
ENDINGS = {"jpeg": ".jpg", "raw": ".ppm"}
"""How pictures are kept, and what their names end in."""
ROW = np.dtype([("tar", "<u4"), ("offset", "<u8"), ("size", "<u4"), ("height", "<u4"), ("width", "<u4")])
"""A row of the index, 24 bytes."""
VERSION = 1
END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Shards:
    """A folder of shards.

    Attributes:
        folder: where they lie.
        description: the content of shards.json.
        rows: (N,) of the type ``ROW``.
        names: N names.
    """

    folder: Path
    description: dict[str, Any]
    rows: NDArray[np.void]
    names: Lines

    def records(self) -> "ShardRecords":
        """A record a picture, in the order of the index."""
        return ShardRecords(self)


class ShardRecords(LazyRecords):
    """Records of pictures in shards: a million take no more memory than index and names, some 60 MB, which processes that are forked
    share."""

    def __init__(self, shards: Shards) -> None:
        self._rows, self._names = shards.rows, shards.names
        self._tars = [shards.folder / tar["name"] for tar in shards.description["tars"]]
        self._plain = shards.description["format"] == "raw"

    def __len__(self) -> int:
        return len(self._rows)

    def facts(self, places: NDArray[np.int64]) -> Iterator[Fact]:
        changed = []
        for tar in self._tars:
            try:
                changed.append(tar.stat().st_mtime_ns)
            except OSError:
                changed.append(-1)
        for place in places.tolist():
            row, name = self._rows[place], self._names[place]
            tar = int(row["tar"])
            size = int(row["size"]) if changed[tar] >= 0 else -1
            yield Fact(name, f"{self._tars[tar]}/{name}", size, changed[tar])

    def record(self, place: int) -> Record:
        tar, offset, size, height, width = self._rows[place].tolist()
        name, path = self._names[place], self._tars[tar]
        return Record(name, path, span=Span(path, name, offset, size, (height, width) if self._plain else None))


def describes(folder: Path) -> bool:
    """Whether the folder says that it holds shards."""
    return (folder / DESCRIPTION).is_file()


def describe(folder: Path) -> dict[str, Any]:
    """The content of shards.json.

    Raises:
        DataError: it is damaged, or of a version that is not known.
    """
    path = folder / DESCRIPTION
    try:
        description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = description["version"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: is damaged; prepare the pictures anew") from None
    if version != VERSION:
        raise DataError(
            f"{path}: is of version {version}, and {VERSION} is what can be read; prepare the pictures anew"
        )
    return description


def open_shards(folder: Path) -> Shards:
    """Read description, index and names; of the tars only their sizes are looked at.

    Raises:
        DataError: the shards are not finished, or a file is missing, damaged or cut off.
    """
    description = describe(folder)
    if description["state"] != "finished":
        raise DataError(
            f"{folder}: these shards are not finished; call the same pretint prepare with --resume until it is done"
        )
    try:
        rows = np.load(folder / INDEX, allow_pickle=False)
        text = (folder / NAMES).read_bytes()
        text.decode()
        names = Lines(text)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder}: the index cannot be read ({error}); prepare the pictures anew") from None
    tars = description["tars"]
    if rows.dtype != ROW or not len(rows) == len(names) == sum(tar["pictures"] for tar in tars):
        raise DataError(
            f"{folder}: {INDEX}, {NAMES} and {DESCRIPTION} do not belong together; prepare the pictures anew"
        )
    for tar in tars:
        path = folder / tar["name"]
        if not path.is_file() or path.stat().st_size != tar["bytes"]:
            raise DataError(
                f"{path}: the shard {'has another size than when it was written' if path.exists() else 'is missing'}; "
                "restore it, or prepare the pictures anew"
            )
    ends = rows["offset"] + rows["size"]
    if len(rows) and (
        rows["tar"].max() >= len(tars) or (ends > np.array([t["bytes"] for t in tars])[rows["tar"]]).any()
    ):
        raise DataError(f"{folder / INDEX}: names bytes beyond the end of a tar; prepare the pictures anew")
    return Shards(folder, description, rows, names)


def member(name: str, content: bytes) -> tuple[bytes, int]:
    """The bytes of one file in a tar, its head and its padding with it, and where in them the content begins.

    Who wrote it and when is left open, so that the same pictures make the same bytes.
    """
    head = tarfile.TarInfo(name)
    head.size = len(content)
    written = head.tobuf(tarfile.GNU_FORMAT, encoding="utf-8")
    return written + content + bytes(-len(content) % tarfile.BLOCKSIZE), len(written)


def member_names(ids: Iterable[str], ending: str) -> Iterator[str]:
    """A name for each id, all different: the id without its ending, without other dots or signs that a list of lines cannot hold."""
    taken: set[str] = set()
    for identity in ids:
        folder, slash, file = identity.rpartition("/")
        # A folder x.jpg would be in the way of a picture x.jpg when the tar is unpacked.
        if f"{ending}/" in folder + slash:
            folder = "/".join(part.replace(".", "_") if part.endswith(ending) else part for part in folder.split("/"))
        stem = file.rpartition(".")[0] or file
        name = plain = folder + slash + stem.replace(".", "_")
        name = plain = "".join(sign if sign.isprintable() else "_" for sign in plain)
        number = 1
        while name in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name)
        yield name + ending


def walk_order(name: str) -> str:
    """Sorts names as a folder of the unpacked files is walked: by name, files before folders.

    One string a name and no tuples, which would take a gigabyte for a few million; the signs that mark files, folders and ends stand
    before all that names can hold.
    """
    *folders, file = name.split("/")
    return "".join(f"\2{folder}\0" for folder in folders) + f"\1{file}"


def content_fingerprint(names: Iterable[str], digests: bytes | bytearray) -> str:
    """A short name of what shards hold: 16 hex digits of SHA-256 over names and SHA-256 digests of the pictures' bytes, in their order.

    It does not depend on how the pictures are dealt out to tars.
    """
    whole = hashlib.sha256()
    for i, name in enumerate(names):
        whole.update(name.encode() + b"\0" + digests[32 * i : 32 * (i + 1)])
    return whole.hexdigest()[:16]
