"""What a layout hands on: records of pictures, and the source that lists them by split."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from pretint.errors import DataError
from pretint.methods import suggest

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Usual names of splits in lower case, and what they are called here."""
VOID = 255
"""Class index of pixels that count nowhere: neither in losses nor in metrics."""


def split_name(words: str) -> str:
    """What a split is called: ``train``, ``val`` or ``test`` where it has one of their usual names, in any case; else as it stands."""
    words = words.strip()
    return SPLITS.get(words.lower(), words)


@dataclass(frozen=True, slots=True)
class Box:
    """One object: its class and its corners in pixels, right and bottom included (counted from 1, as in VOC)."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Span:
    """A picture inside a file of many: a stretch of its bytes.

    Attributes:
        path: the file, such as a tar.
        name: what the picture is called in it.
        offset: where the picture's bytes begin.
        size: how many there are.
        pixels: (height, width) where the bytes end in plain pixels, uint8 (height, width, 3); None: encoded as a picture's file is.
    """

    path: Path
    name: str
    offset: int
    size: int
    pixels: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.path}/{self.name}"


@dataclass(frozen=True, slots=True)
class Record:
    """One picture and what is known of it.

    Attributes:
        id: stable name: the path below the root of the data with forward slashes; stays the same when the root moves.
        path: the picture's file, or the file of many that it lies in.
        labels: names of the classes it shows, in the order of the source's classes; None when unknown (an empty tuple: none of them).
        mask: file of class ids, one a pixel, of the picture's size.
        span: where in ``path`` the picture lies; None: it is the whole file.
    """

    id: str
    path: Path
    labels: tuple[str, ...] | None = None
    mask: Path | None = None
    span: Span | None = None

    @property
    def where(self) -> Path | Span:
        """What to read the picture from, and what tells it from every other."""
        return self.span or self.path


class Fact(NamedTuple):
    """What tells a picture from every other, without opening it.

    Attributes:
        id: of its record.
        where: its path, and its name within it where it lies in a file of many.
        size: bytes; -1 where the file is gone.
        changed: when its file was changed last, in ns since 1970; -1 where it is gone.
        labels: as the record has them.
    """

    id: str
    where: str
    size: int
    changed: int
    labels: tuple[str, ...] | None = None


class LazyRecords(Sequence[Record]):
    """Records that are made when they are asked for: a million take as much memory as their names.

    A subclass gives ``__len__``, ``record`` and ``facts``; its records have no masks. Nothing in it may be a Python object a record: processes that are forked
    share arrays and bytes, but of objects each would in time have a copy.
    """

    def record(self, place: int) -> Record:
        """The record at a place, from 0 to below the length."""
        raise NotImplementedError

    def facts(self, places: NDArray[np.int64]) -> Iterator[Fact]:
        """What is known of the pictures at some places, in their order; makes no records."""
        raise NotImplementedError

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Record, ...]: ...

    def __getitem__(self, place: int | slice) -> Record | tuple[Record, ...]:
        chosen = range(len(self))[place]
        return self.record(chosen) if isinstance(chosen, int) else tuple(map(self.record, chosen))


class Picked(LazyRecords):
    """Some records of a list whose records are made when they are asked for; so are these."""

    def __init__(self, records: Sequence[Record], places: NDArray[np.int64]) -> None:
        self._records, self._places = records, places

    def __len__(self) -> int:
        return len(self._places)

    def record(self, place: int) -> Record:
        return self._records[int(self._places[place])]

    def facts(self, places: NDArray[np.int64]) -> Iterator[Fact]:
        return facts(self._records, self._places[places])


class Joined(LazyRecords):
    """Lists one after the other, with something before the ids of each; labels and masks are not handed on."""

    def __init__(self, lists: Iterable[tuple[str, Sequence[Record]]]) -> None:
        self._lists = list(lists)
        self._ends = np.cumsum([len(records) for _, records in self._lists])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._lists else 0

    def record(self, place: int) -> Record:
        which = int(np.searchsorted(self._ends, place, side="right"))
        prefix, records = self._lists[which]
        found = records[place - int(self._ends[which]) + len(records)]
        return Record(prefix + found.id, found.path, span=found.span)

    def facts(self, places: NDArray[np.int64]) -> Iterator[Fact]:
        which = np.searchsorted(self._ends, places, side="right")
        for run in np.split(np.arange(len(places)), np.flatnonzero(np.diff(which)) + 1) if len(places) else ():
            prefix, records = self._lists[which[run[0]]]
            begin = self._ends[which[run[0]]] - len(records)
            for found in facts(records, places[run] - begin):
                yield found._replace(id=prefix + found.id, labels=None)


def facts(records: Sequence[Record], places: NDArray[np.int64] | None = None) -> Iterator[Fact]:
    """What tells the pictures of records from all others, of all or of those at some places; no picture is opened."""
    places = np.arange(len(records)) if places is None else places
    if isinstance(records, LazyRecords):
        yield from records.facts(places)
        return
    for place in places.tolist():
        record = records[place]
        try:
            status = record.path.stat()
        except OSError:
            yield Fact(record.id, str(record.where), -1, -1, record.labels)
        else:
            size = status.st_size if record.span is None else record.span.size
            yield Fact(record.id, str(record.where), size, status.st_mtime_ns, record.labels)


def pick(records: Sequence[Record], places: Iterable[int] | NDArray[np.int64]) -> Sequence[Record]:
    """The records at some places, in the order of the places; a list that makes its records when they are asked for stays one."""
    if isinstance(records, tuple | list):
        return tuple(records[i] for i in places)
    return Picked(records, places if isinstance(places, np.ndarray) else np.fromiter(places, np.int64))


class Listed(NamedTuple):
    """The pictures of a list that was chosen.

    Attributes:
        name: of the list, or what stands for one: ``all but test``.
        records: its pictures.
        remark: a sentence where the choice is not what one might expect, else empty.
    """

    name: str
    records: Sequence[Record]
    remark: str = ""


@dataclass(frozen=True)
class Source:
    """The pictures of one folder.

    Attributes:
        layout: name of the layout that read it.
        root: the folder.
        classes: names of the labels, K of them; empty without labels.
        splits: records by the name of their split, each in a stable order; every layout has "all", the pictures of all splits and of none.
        mask_classes: names of the mask's class indices, index 0 first; empty without masks.
        mask_map: id in a mask's file -> class index, or VOID for pixels that count nowhere. Ids outside it are faults.
        remark: a sentence where pictures were left out, else empty.
        hint: where there are no labels or masks though the folder nearly lies like a layout that has them: what is amiss.
    """

    layout: str
    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Record]]
    mask_classes: tuple[str, ...] = ()
    mask_map: Mapping[int, int] = field(default_factory=dict)
    remark: str = ""
    hint: str = ""

    def without_others(self) -> "Source":
        """The same without the pictures that show none of the classes; how many that are is the remark."""
        splits = {
            name: pick(records, [i for i, record in enumerate(records) if record.labels])
            for name, records in self.splits.items()
        }
        total = len(self.splits["all"])
        gone = total - len(splits["all"])
        remark = f"{self.root}: of other classes, and so left out: {gone} of {total} pictures" if gone else ""
        return replace(self, splits=splits, remark=remark)

    def classes_for(self, task: str, target: Literal["labels", "mask"]) -> list[str]:
        """The classes that a task tells apart: those of labels, or of masks.

        Raises:
            DataError: there are none.
        """
        found, kind = (self.classes, "labels") if target == "labels" else (self.mask_classes, "masks")
        if not found:
            hint = f"; {self.hint}" if self.hint else ""
            raise DataError(
                f"--data {self.root}: the layout {self.layout} has no {kind} here, which {task} needs{hint}"
            )
        return list(found)

    def split(self, name: str) -> Sequence[Record]:
        """The records of a split, by its name or one that is usual for it.

        Raises:
            DataError: there is no split of this name.
        """
        known = name if name in self.splits else split_name(name)
        if known not in self.splits:
            raise DataError(f"{self.root}: no split {name!r} here; {suggest(name, self.splits)}")
        return self.splits[known]

    def training_split(self, name: str | None = None) -> Listed:
        """What to train on: the named list, else ``train``, else ``all`` without the pictures of ``test`` and ``val``.

        Raises:
            DataError: there is no list of this name, it is empty, or no picture is left.
        """
        if name or "train" in self.splits:
            name = name or "train"
            if not (records := self.split(name)):
                raise DataError(f"{self.root}: the list {name} holds no picture; fill it, or name another with --split")
            return Listed(name, records)
        others = [other for other in ("test", "val") if other in self.splits]
        if not others:
            lists = [other for other in self.splits if other != "all"]
            remark = (
                f"{self.root}: has no list train, val or test; taken are all pictures, those of {', '.join(lists)} too"
            )
            return Listed("all", self.split("all"), remark if lists else "")
        unseen = {record.id for other in others for record in self.splits[other]}
        pictures = self.split("all")
        left = tuple(record for record in pictures if record.id not in unseen)
        if not left:
            raise DataError(
                f"{self.root}: has no list train, and every picture is in {' or '.join(others)}, so none is left to train on; "
                "add a list train, or name one with --split"
            )
        chosen = f"all but {' and '.join(others)}"
        return Listed(
            chosen, left, f"{self.root}: has no list train; taken are {chosen}, {len(left)} of {len(pictures)} pictures"
        )

    def test_split(self, name: str | None = None) -> Listed:
        """What to score on: the named list, else ``test``, else ``val``, else ``all``.

        Raises:
            DataError: there is no list of this name.
        """
        name = name or next(known for known in ("test", "val", "all") if known in self.splits)
        return Listed(name, self.split(name))


def fingerprint(*lists: Sequence[Record], gone: bool = False) -> str:
    """A short name of the data: 16 hex digits of SHA-256 over ids, labels, file sizes of pictures and masks, in their order.

    Equal where the same pictures are given in the same order, wherever their folder lies, and whether they lie there as files or in
    shards; it opens no picture.

    Args:
        lists: of records.
        gone: let files that are gone count, as of size -1.

    Raises:
        DataError: a file is gone, unless such count.
    """
    digest = hashlib.sha256()
    for records in lists:
        # Lists that make their records when they are asked for have no masks.
        masks = repeat(None) if isinstance(records, LazyRecords) else (record.mask for record in records)
        for mask, fact in zip(masks, facts(records), strict=False):
            mask_size, missing = None, fact.where if fact.size < 0 else None
            if mask:
                try:
                    mask_size = mask.stat().st_size
                except OSError:
                    mask_size, missing = -1, missing or str(mask)
            if missing and not gone:
                raise DataError(f"{missing}: this file was listed but is gone; restore it or list the folder anew")
            digest.update(repr((fact.id, fact.labels, (fact.size, mask_size))).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
