"""Looks at many pictures as arrays, and the file that keeps them.

    looks.safetensors    key       uint64 (N,): of the whole path (its folder's links resolved), size and time of change
                         state     uint8 (N,): ``PLAIN``, ``HASHED`` or ``BROKEN``
                         numbers   float64 (N, 4): spread, left, a, b
                         hashes    uint8 (N, 96): see ``picture_hash``
                         metadata  ``faults``: a JSON list of sentences, one a broken picture, in their order; ``crc32`` of each tensor

A picture that could not be read counts as broken in the run that the file is of, for as long as it goes on. Others look again, and so does
one that begins anew (``forget_faults``): a disk or a network that failed for a while breaks no picture.

Hashes are read only where they are asked for: screening a million pictures again takes 41 MB, not the 137 MB of the file.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pretint.data import picture_hash
from pretint.data.record import Fact, Record, facts
from pretint.run_folder import writing

LOOKS = "looks.safetensors"
"""Name of the file in the folder of a run or a study."""
UNSEEN, PLAIN, HASHED, BROKEN = range(4)
"""State of a look: none yet; a picture without hashes; one with them; a picture that cannot be read."""
GONE = 0
"""Key of a file that is not there; its look is never kept."""


class Look(NamedTuple):
    """What was seen of one picture.

    Attributes:
        fault: why the picture cannot be read; "" where it can, else the rest is empty.
        spread: of its ab, in Lab units.
        left: of the spread when a cubic in the lightness is taken away.
        a: mean a, in Lab units.
        b: mean b.
        hashes: see ``picture_hash.hashes``; empty for a picture of one grey.
    """

    fault: str
    spread: float = 0.0
    left: float = 0.0
    a: float = 0.0
    b: float = 0.0
    hashes: bytes = b""


@dataclass(frozen=True)
class Looks(Sequence[Look]):
    """Looks at N pictures.

    Attributes:
        keys: uint64 (N,).
        state: uint8 (N,).
        numbers: float64 (N, 4): spread, left, a, b.
        hashes: uint8 (N, ``picture_hash.SIZE``), where they were asked for.
        faults: by place.
        kept: bool (N,): known from the cache that is brought up to date.
    """

    keys: NDArray[np.uint64]
    state: NDArray[np.uint8]
    numbers: NDArray[np.float64]
    hashes: NDArray[np.uint8]
    faults: dict[int, str]
    kept: NDArray[np.bool_]

    @classmethod
    def none_of(cls, records: Sequence[Record]) -> "Looks":
        """Room for looks at these pictures."""
        count = len(records)
        return cls(
            _keys(records),
            np.full(count, UNSEEN, np.uint8),
            np.zeros((count, 4)),
            np.zeros((count, picture_hash.SIZE), np.uint8),  # memory that is not written to is not taken
            {},
            np.zeros(count, bool),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Look: ...

    @overload
    def __getitem__(self, place: slice) -> list[Look]: ...

    def __getitem__(self, place: int | slice) -> Look | list[Look]:
        chosen = range(len(self))[place]
        if not isinstance(chosen, int):
            return [self[i] for i in chosen]
        if self.state[chosen] == BROKEN:
            return Look(self.faults[chosen])
        hashes = self.hashes[chosen].tobytes() if self.state[chosen] == HASHED else b""
        spread, left, a, b = self.numbers[chosen].tolist()
        return Look("", spread, left, a, b, hashes)

    def put(self, place: int, look: Look) -> None:
        """Note a look at the picture at this place."""
        self.state[place] = BROKEN if look.fault else HASHED if look.hashes else PLAIN
        self.numbers[place] = look.spread, look.left, look.a, look.b
        if look.fault:
            self.faults[place] = look.fault
        if look.hashes:
            self.hashes[place] = np.frombuffer(look.hashes, np.uint8)

    def fill(self, file: Path, *, hashes: bool, cache: bool) -> None:
        """Take from a file what is not known yet; a file that is not there, or damaged, gives nothing: it is only a cache.

        Args:
            file: of earlier looks.
            hashes: take the hashes too.
            cache: it is the one that is brought up to date; of any other, broken pictures are not taken over.
        """
        members = _read(file, hashes)
        if members is None:
            return
        keys, state = members.tensors["key"], members.tensors["state"]
        here, there = self._common(keys)
        if not cache:
            readable = state[there] != BROKEN
            here, there = here[readable], there[readable]
        self.state[here] = state[there]
        self.numbers[here] = members.tensors["numbers"][there]
        broken = np.flatnonzero(self.state[here] == BROKEN)
        ranks = np.cumsum(state == BROKEN) - 1  # which of the sentences a broken picture's is
        sentences = members.sentences
        for place, row in zip(here[broken].tolist(), there[broken].tolist(), strict=True):
            self.faults[place] = sentences[ranks[row]]
        if hashes:
            self.hashes[here] = members.tensors["hashes"][there]
        if cache:
            self.kept[here] = True

    def _common(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places that are not known yet, and rows of the file with their keys."""
        wanted = np.flatnonzero((self.state == UNSEEN) & (self.keys != GONE))
        if not len(keys):
            return wanted[:0], wanted[:0]
        if len(wanted) == len(self) and np.array_equal(keys, self.keys):  # mostly: no need to sort a million
            return wanted, wanted
        order = np.argsort(keys, kind="stable")
        rows = order[np.minimum(np.searchsorted(keys, self.keys[wanted], sorter=order), len(keys) - 1)]
        found = keys[rows] == self.keys[wanted]
        return wanted[found], rows[found]

    def save(self, file: Path) -> None:
        """Add to the file what is known here and was not known there.

        Raises:
            ResourceError: it cannot be written.
        """
        new = np.flatnonzero((self.state != UNSEEN) & ~self.kept & (self.keys != GONE))
        broken = new[self.state[new] == BROKEN]
        added: dict[str, NDArray[Any]] = {
            "key": self.keys[new],
            "state": self.state[new],
            "numbers": self.numbers[new],
            "hashes": self.hashes if len(new) == len(self) else self.hashes[new],
        }
        sentences = [self.faults[place] for place in broken.tolist()]
        if members := _read(file, hashes=True):
            sentences = [*members.sentences, *sentences]
            added = {name: np.concatenate([members.tensors[name], part]) for name, part in added.items()}
        _write(file, added, sentences)


def forget_faults(file: Path) -> None:
    """Take the broken pictures out of a file of looks, so that they are looked at again; without one there is nothing to do.

    Raises:
        ResourceError: it cannot be written.
    """
    members = _read(file, hashes=True)
    if members and members.sentences:
        readable = members.tensors["state"] != BROKEN
        _write(file, {name: part[readable] for name, part in members.tensors.items()}, [])


_TYPES = {"key": "uint64", "state": "uint8", "numbers": "float64", "hashes": "uint8"}


class _Members(NamedTuple):
    """What a file of looks holds."""

    tensors: dict[str, NDArray[Any]]
    sentences: list[str]


def _read(file: Path, hashes: bool) -> _Members | None:
    """The content of a file of looks, with hashes or without; None where there is none, or one that is damaged or of another kind."""
    names = [name for name in _TYPES if hashes or name != "hashes"]
    try:
        with safe_open(file, "numpy") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in names}
        sums, sentences = json.loads(metadata["crc32"]), json.loads(metadata["faults"])
        sound = all(tensors[name].dtype == _TYPES[name] and _sum(tensors[name]) == sums[name] for name in names)
        whole = len({len(tensor) for tensor in tensors.values()}) == 1
        told = len(sentences) == np.count_nonzero(tensors["state"] == BROKEN)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return _Members(tensors, sentences) if sound and whole and told else None


def _write(file: Path, tensors: dict[str, NDArray[Any]], sentences: list[str]) -> None:
    sums = {name: _sum(part) for name, part in tensors.items()}
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(tensors, beside, {"faults": json.dumps(sentences), "crc32": json.dumps(sums)})
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)  # on a full disk it would take what room there is


def _sum(tensor: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(tensor).data) if tensor.size else 0


def _keys(records: Sequence[Record]) -> NDArray[np.uint64]:
    resolved: dict[str, str] = {}  # a folder at a time: a million pictures lie in few

    def key(fact: Fact) -> int:
        if fact.size < 0:
            return GONE
        end = fact.where.rfind("/") + 1
        folder = fact.where[:end]
        if folder not in resolved:
            # However the folder was named: another verb may name it from elsewhere, or by its links' ends.
            resolved[folder] = os.path.realpath(folder)
        told = f"{resolved[folder]}/{fact.where[end:]}\0{fact.size}\0{fact.changed}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")

    return np.fromiter(map(key, facts(records)), np.uint64, len(records))
