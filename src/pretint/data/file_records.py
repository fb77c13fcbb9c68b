"""Records of plain files, held as the bytes of their names: a million take some 60 MB, which processes that are forked share."""

import os
from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pretint.data.record import Fact, LazyRecords, Record


class Lines(Sequence[str]):
    """Strings in one run of bytes, each ended by the same byte, made when they are asked for.

    Args:
        text: in UTF-8, not to be changed any more; what is none stands for itself, as in names of files.
        end: the byte.
    """

    def __init__(self, text: bytes | bytearray, end: bytes = b"\n") -> None:
        self._text = text
        # A part at a time: the comparison makes a byte of each byte.
        parts = np.frombuffer(text, np.uint8)
        self._ends = np.concatenate(
            [
                np.empty(0, np.int64),
                *(i + np.flatnonzero(parts[i : i + _PART] == end[0]) for i in range(0, len(parts), _PART)),
            ]
        )

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        begin = self._ends[place - 1] + 1 if place else 0
        return self._text[begin : self._ends[place]].decode("utf-8", "surrogateescape")


_PART = 1 << 22


class FileRecords(LazyRecords):
    """Pictures that are files of their own.

    Args:
        root: folder that the names begin at.
        names: paths below it, with forward slashes; they are the ids.
        labels: of all pictures of one kind.
        kinds: int (N,): of each picture the place of its labels in these; None: no picture has any.
    """

    def __init__(
        self,
        root: Path,
        names: Lines,
        labels: Sequence[tuple[str, ...]] = (),
        kinds: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        self.root, self._names = root, names
        self._labels, self._kinds = labels, kinds

    def __len__(self) -> int:
        return len(self._names)

    def record(self, place: int) -> Record:
        name = self._names[place]
        return Record(name, self.root / name, self._labels_of(place))

    def _labels_of(self, place: int) -> tuple[str, ...] | None:
        return None if self._kinds is None else self._labels[self._kinds[place]]

    def facts(self, places: NDArray[np.int64]) -> Iterator[Fact]:
        root = str(self.root / "_")[:-1]  # as paths of records begin
        names, (sizes, changed) = self._names, self._statuses
        for place in places.tolist():
            name = names[place]
            yield Fact(name, root + name, int(sizes[place]), int(changed[place]), self._labels_of(place))

    @cached_property
    def _statuses(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bytes and times of change in ns, as they were when they were asked for first; -1 for files that are gone."""
        sizes, changed = array("q"), array("q")  # filled one by one, which is slow with numpy's
        root = os.open(self.root, os.O_RDONLY)  # names are then looked up from here, which is faster
        try:
            for place in range(len(self)):
                try:
                    status = os.stat(self._names[place], dir_fd=root)
                except OSError:
                    sizes.append(-1)
                    changed.append(-1)
                else:
                    sizes.append(status.st_size)
                    changed.append(status.st_mtime_ns)
        finally:
            os.close(root)
        return np.frombuffer(sizes, np.int64), np.frombuffer(changed, np.int64)
