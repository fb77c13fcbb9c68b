"""Records -> batches: any range of steps of a training, or all pictures once, in order.

Batches are addressed like the random numbers: the order of an epoch and the view of a picture follow from (seed, epoch, picture), so that
a feed can start at any step, with any number of workers, on any rank, and gives the same bits.
"""

import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pretint.color import rgb_to_planes, standardize_rgb
from pretint.data.masks import read_pair, require_masks
from pretint.data.processes import context, outlive_signals, signals_later
from pretint.data.randomness import Purpose, generator
from pretint.data.reading import read_picture
from pretint.data.record import Record
from pretint.data.splits import label_matrix
from pretint.data.views import ViewOptions, side_to_decode, view
from pretint.errors import OptionError, PretintError, ResourceError

Target = Literal["labels", "mask"] | None


@dataclass(frozen=True, eq=False)
class Batch:
    """B pictures of H x W pixels and what is known of them.

    Attributes:
        rgb: uint8 (B, 3, H, W), its channels last in memory.
        ids: B stable names.
        numbers: int64 (B,) the pictures' numbers in the full list, on the CPU; addresses of their draws.
        flips: bool (B,) pictures that are still to be mirrored; ``to`` does it.
        seed, epoch: the rest of the address.
        labels: float32 (B, K), 1 where the class is shown, or None.
        mask: int64 (B, H, W) class indices, 255 = void, or None.
    """

    rgb: Tensor
    ids: tuple[str, ...]
    numbers: Tensor
    flips: Tensor
    seed: int = 0
    epoch: int = 0
    labels: Tensor | None = None
    mask: Tensor | None = None

    @classmethod
    def of_one(cls, rgb: np.ndarray, mask: np.ndarray | None = None, name: str = "") -> "Batch":
        """A batch of one picture, uint8 (H, W, 3), and its class indices (H, W) where it has them."""
        return cls(
            rgb=torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None],
            ids=(name,),
            numbers=torch.zeros(1, dtype=torch.int64),
            flips=torch.zeros(1, dtype=torch.bool),
            mask=None if mask is None else torch.from_numpy(mask)[None],
        )

    @classmethod
    def of_noise(cls, count: int, size: int) -> "Batch":
        """Pictures of noise, uint8 (count, 3, size, size), always the same and laid out as the feed lays them out: for timings."""
        draws = np.random.default_rng(0)
        return cls(
            rgb=torch.from_numpy(draws.integers(0, 256, (count, size, size, 3), dtype=np.uint8)).permute(0, 3, 1, 2),
            ids=tuple(map(str, range(count))),
            numbers=torch.arange(count),
            flips=torch.zeros(count, dtype=torch.bool),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on the device, with its mirrored pictures mirrored there."""
        batch = self._with_tensors(lambda tensor: tensor.to(device, non_blocking=True))
        if not self.flips.any():
            return batch
        rgb, mask = _mirrored(batch.rgb, self.flips), None if batch.mask is None else _mirrored(batch.mask, self.flips)
        return replace(batch, rgb=rgb, mask=mask, flips=torch.zeros_like(batch.flips))

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory; torch's loader calls it."""
        return self._with_tensors(lambda tensor: tensor.pin_memory())

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self,
            rgb=change(self.rgb),
            flips=change(self.flips),
            labels=None if self.labels is None else change(self.labels),
            mask=None if self.mask is None else change(self.mask),
        )

    def generators(self, purpose: Purpose = "pretext") -> list[np.random.Generator]:
        """One stream a picture, for draws that must not depend on how the batch was put together (masks, permutations)."""
        return [generator(self.seed, purpose, self.epoch, int(number)) for number in self.numbers]

    @cached_property
    def lab(self) -> Tensor:
        """float32 (B, 3, H, W): lightness in [-1, 1], a and b over 128 Lab units."""
        return rgb_to_planes(self.rgb)

    @property
    def lightness(self) -> Tensor:
        """float32 (B, 1, H, W) in [-1, 1]."""
        return self.lab[:, :1]

    @property
    def ab(self) -> Tensor:
        """float32 (B, 2, H, W): a and b over 128 Lab units, in [-1, 1]."""
        return self.lab[:, 1:]

    @cached_property
    def _standardized(self) -> Tensor:
        return standardize_rgb(self.rgb.float() / 255)

    def planes(self, names: str) -> Tensor:
        """What a backbone wants to see: "L" (B, 1, H, W), "ab" (B, 2, H, W), "Lab" or "RGB" (standardised) (B, 3, H, W)."""
        match names:
            case "L":
                return self.lightness
            case "ab":
                return self.ab
            case "Lab":
                return self.lab
            case "RGB":
                return self._standardized
        raise ValueError(f"planes {names!r} are none of L, ab, Lab, RGB")


def _mirrored(pictures: Tensor, flips: Tensor) -> Tensor:
    """A copy of (B, ..., W) with the pictures mirrored for which ``flips`` (B,), on the CPU, is true."""
    if (
        pictures.device.type == "cpu"
    ):  # one by one they stay in the cache: five times faster, and only those that need it
        mirrored = pictures.clone()
        for i in flips.nonzero()[:, 0].tolist():
            mirrored[i] = pictures[i].flip(-1)
        return mirrored
    here = flips.to(pictures.device, non_blocking=True).view(-1, *[1] * (pictures.dim() - 1))
    return torch.where(here, pictures.flip(-1), pictures)


Batches = Generator[Batch, None, None]
"""Batches one after the other; close() ends the processes that read them."""


@dataclass(frozen=True)
class _Address:
    """A batch that a worker is to make: positions in the records, side in pixels, and the epoch (None: without chance)."""

    positions: tuple[int, ...]
    size: int
    epoch: int | None


class _Pictures(Dataset["Batch | PretintError"]):
    """Makes the batch of an address. Faults are handed back as values: torch's loader would wrap them in a traceback."""

    def __init__(
        self,
        records: Sequence[Record],
        numbers: Sequence[int],
        options: ViewOptions,
        seed: int,
        labels: np.ndarray | None,
        mask_map: Mapping[int, int] | None,
    ) -> None:
        self.records, self.numbers = records, numbers
        self.options, self.seed = options, seed
        self.labels, self.mask_map = labels, mask_map

    def __getitem__(self, address: _Address) -> "Batch | PretintError":
        try:
            return self._batch(address)
        except PretintError as error:
            return error

    def _batch(self, address: _Address) -> Batch:
        pictures, masks, flips = [], [], []
        for position in address.positions:
            record = self.records[position]
            draws = (
                None if address.epoch is None else generator(self.seed, "view", address.epoch, self.numbers[position])
            )
            # Drawn first, so that a change of the crop leaves the mirroring as it was.
            flips.append(draws is not None and self.options.flip and draws.random() < 0.5)
            rgb, mask = view(*self._read(record, address.size), address.size, self.options, draws)
            pictures.append(rgb)
            if mask is not None:
                masks.append(mask)
        return Batch(
            rgb=torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
            ids=tuple(self.records[p].id for p in address.positions),
            numbers=torch.tensor([self.numbers[p] for p in address.positions]),
            flips=torch.tensor(flips),
            seed=self.seed,
            epoch=address.epoch or 0,
            labels=None if self.labels is None else torch.from_numpy(self.labels[list(address.positions)]).float(),
            mask=torch.from_numpy(np.stack(masks)) if masks else None,
        )

    def _read(self, record: Record, size: int) -> tuple[np.ndarray | Image.Image, np.ndarray | None]:
        if self.mask_map is None:
            return read_picture(record.where, side_to_decode(size, self.options)), None
        return read_pair(record, self.mask_map)


class Feed:
    """Batches of a training.

    Args:
        records: the pictures.
        size: side of the squares, in pixels.
        view: what is cut out of a picture and how.
        batch_size: pictures a step, of all ranks and micro-batches together.
        seed: of the order and the views.
        order: "shuffled" anew in each epoch, or shuffled once and the "same" in all.
        workers: processes that read; 0 reads here.
        target: what a batch carries besides the picture.
        classes: names of the labels' columns; needed for target "labels".
        mask_map: id in the file -> class index, see ``Source``; needed for target "mask".
        rank, world: this process, of how many; each gets its consecutive part of every batch.
        micro: parts into which a rank's part of the batch is cut, handed out one after the other.
        numbers: the pictures' numbers in the full list, where the records are a part of it; default 0, 1, ...
        pin: page-locked memory, for a GPU.
        size_at: side of the squares by epoch, where it changes; default ``size`` in all.

    Raises:
        OptionError: the batch cannot be shared out, or the records do not fill one batch.
        DataError: a record lacks the target.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        size: int,
        view: ViewOptions,
        batch_size: int,
        seed: int,
        order: Literal["shuffled", "same"] = "shuffled",
        workers: int = 0,
        target: Target = None,
        classes: Sequence[str] = (),
        mask_map: Mapping[int, int] | None = None,
        rank: int = 0,
        world: int = 1,
        micro: int = 1,
        numbers: Sequence[int] | None = None,
        pin: bool = False,
        size_at: Callable[[int], int] | None = None,
    ) -> None:
        if batch_size < 1 or batch_size % (world * micro):
            raise OptionError(
                f"--batch-size {batch_size} cannot be shared out evenly to {world} processes x {micro} parts; "
                f"take a multiple of {world * micro}"
            )
        self.count, self.batch_size, self.seed, self.order = len(records), batch_size, seed, order
        self.workers, self.pin = workers, pin
        self.rank, self.world, self.micro = rank, world, micro
        self.steps_per_epoch = self.count // batch_size  # pictures that fill no whole batch are left out of the epoch
        if not self.steps_per_epoch:
            raise OptionError(
                f"--batch-size {batch_size} is more than the {self.count} pictures there are; take a smaller batch"
            )
        self.size_at = size_at or (lambda epoch: size)
        self._pictures = _pictures(records, numbers, view, seed, target, classes, mask_map)

    def epoch_order(self, epoch: int) -> np.ndarray:
        """Positions of the records in the order of an epoch, int64 (N,)."""
        return generator(self.seed, "order", 0 if self.order == "same" else epoch).permutation(self.count)

    def batches(self, first_step: int, last_step: int) -> Batches:
        """The batches of the steps first_step <= step < last_step, counted from the start of the training.

        Step s belongs to epoch s // steps_per_epoch. With ``micro`` > 1 each step gives that many batches in a row.

        Raises:
            DataError: a picture or mask cannot be read.
            ResourceError: a worker was killed.
        """
        return _load(self._pictures, self._addresses(first_step, last_step), self.workers, self.pin)

    def _addresses(self, first_step: int, last_step: int) -> Iterator[_Address]:
        known, order = -1, np.empty(0, dtype=np.int64)
        for step in range(first_step, last_step):
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != known:
                known, order = epoch, self.epoch_order(epoch)
            whole = order[place * self.batch_size : (place + 1) * self.batch_size]
            parts = np.array_split(np.array_split(whole, self.world)[self.rank], self.micro)
            yield from (_Address(tuple(part.tolist()), self.size_at(epoch), epoch) for part in parts)


def once(
    records: Sequence[Record],
    *,
    size: int,
    view: ViewOptions,
    batch_size: int,
    workers: int = 0,
    target: Target = None,
    classes: Sequence[str] = (),
    mask_map: Mapping[int, int] | None = None,
    pin: bool = False,
) -> Batches:
    """Every picture once, in order and without chance (``view.evaluation()``); the last batch may be short.

    Arguments and errors as in ``Feed``.
    """
    places = range(len(records))
    addresses = (_Address(tuple(places[i : i + batch_size]), size, None) for i in range(0, len(records), batch_size))
    pictures = _pictures(records, None, view.evaluation(), 0, target, classes, mask_map)
    return _load(pictures, addresses, workers, pin)


def _pictures(
    records: Sequence[Record],
    numbers: Sequence[int] | None,
    options: ViewOptions,
    seed: int,
    target: Target,
    classes: Sequence[str],
    mask_map: Mapping[int, int] | None,
) -> _Pictures:
    if target == "mask":
        require_masks(records)
        if mask_map is None:
            raise ValueError("target 'mask' needs a mask_map")
    return _Pictures(
        records,
        range(len(records)) if numbers is None else numbers,
        options,
        seed,
        label_matrix(records, classes) if target == "labels" else None,
        mask_map if target == "mask" else None,
    )


def _load(pictures: _Pictures, addresses: Iterable[_Address], workers: int, pin: bool) -> Batches:
    loader = DataLoader(
        pictures,
        batch_size=None,
        sampler=addresses,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_begin,
        multiprocessing_context=context() if workers else None,
        pin_memory=pin,
        generator=torch.Generator(),  # else the loader draws from torch's global stream
    )
    try:
        with signals_later():
            batches = iter(loader)
        for batch in batches:
            if isinstance(batch, PretintError):
                raise batch
            yield batch
    except RuntimeError as error:
        # A fault within such a process is told in words of its own, with its traceback.
        if not re.match(r"DataLoader worker \(pid.*\) (is killed|exited)", str(error)):
            raise
        raise ResourceError(
            "a process that reads pictures was killed, most likely for memory (of a container, it may be the shared memory); take "
            "fewer --loop.workers"
        ) from error


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin(worker: int) -> None:
    outlive_signals()
    sys.excepthook = _of_this_process


def _of_this_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Where the caller leaves while a batch is handed over, multiprocessing tells of the broken connection; nobody waits for that batch."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)
