"""Colours many picture files with a trained pretext; some may fail without stopping the others.

Each core colours pictures of its own from reading to writing, so that decoding, network and encoding overlap: threads do,
since Pillow and torch release Python's lock. A picture's network and colours run on one thread, so that the bytes written
are the same whatever else is in the folder.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pretint.data.layouts.pictures import pictures_below
from pretint.data.processes import cores
from pretint.data.reading import picture_size
from pretint.errors import DataError, OptionError, PretintError, ResourceError
from pretint.inference.files import colorize_file, default_name
from pretint.inference.models import Setting, Trained, best_device, drawing_from, load_pretext
from pretint.inference.small_maps import Precision, arithmetic, prepare
from pretint.networks.unet import Dropout, set_dropout_at_inference
from pretint.pretexts.pretext import ColorizationPretext
from pretint.run_folder import make_folder, make_results_folder
from pretint.training.hardware import choose_precision
from pretint.training.options import LoopOptions

PIXELS_IN_HAND = 50_000_000
"""Pictures are coloured side by side while they have no more pixels than this in all; one alone may have more."""


@dataclass
class ColorizeResult:
    """What became of each picture.

    Attributes:
        written: coloured files.
        present: files that were there already and were left as they are.
        refused: (picture, reason) of those that could not be read.
        how: one line about what computed.
    """

    written: list[Path] = field(default_factory=list)
    present: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    how: str = ""


class TrainedColorizer:
    """A trained colorizer as a function of lightness; several threads may call it.

    Args:
        model: a run of ``pretint pretrain``, a weights' file of one, ``pretint``, or what was opened already.
        random: keep dropout on, so that every call gives another colorization.
        setting: ``accurate`` or ``vivid``.
        precision: arithmetic on a CPU; ``auto`` is bf16 where the CPU has instructions for it. A GPU computes in float32.

    Attributes:
        how: one line about what computes.

    Raises:
        OptionError: ``random`` is asked of a network without dropout, or the model has no such setting.
    """

    def __init__(
        self,
        model: Path | str | Trained,
        random: bool = False,
        setting: Setting = "accurate",
        precision: Literal["auto", "float32", "bf16"] = "float32",
    ) -> None:
        self.pretext, self.trained = load_pretext(model)
        self.use(setting)
        self.size: int = self.trained.options["size"]
        self.device = best_device()
        self.pretext.to(self.device)
        dropout = [layer for layer in self.pretext.modules() if isinstance(layer, Dropout) and layer.probability]
        if random:
            if not dropout:
                raise OptionError(
                    f"--samples: {self.trained.source} has a network without dropout, so all its colorizations are equal"
                )
            set_dropout_at_inference(self.pretext, True)
        self._random = any(layer.at_inference for layer in dropout)
        self._one_at_a_time = threading.Lock()
        self.precision: Precision = "float32"
        self.how = f"network on {self.device}: float32"
        if self.device.type == "cpu":
            chosen, reason = choose_precision(LoopOptions(precision=precision, accelerator="cpu"))
            self.precision = "bf16" if chosen == "bf16" else "float32"
            self.how = f"network on the CPU: {self.precision} ({reason})"
            prepare(self.pretext, self.precision)

    def use(self, setting: Setting) -> None:
        """Colour by another setting from now on.

        Raises:
            OptionError: the model has no such setting.
        """
        decoding = self.trained.decoding(setting)
        if isinstance(self.pretext, ColorizationPretext):
            self.pretext.decoding = decoding

    @torch.inference_mode()
    def __call__(self, lightness: Tensor, seed: int | None = None) -> Tensor:
        """Lightness (1, 1, h, w) in [-1, 1] -> ab (1, 2, h, w) in [-1, 1]; `seed` is that of a network with dropout."""
        if self._random and seed is not None:
            # The draws come from torch's own generator, which all threads share.
            with self._one_at_a_time, drawing_from(seed, self.device):
                return self._predict(lightness)
        return self._predict(lightness)

    def _predict(self, lightness: Tensor) -> Tensor:
        if self.device.type == "cpu":
            with arithmetic(self.precision):
                ab = self.pretext.predict(lightness.contiguous(memory_format=torch.channels_last))
        else:
            ab = self.pretext.predict(lightness.to(self.device))
        if ab is None:
            raise OptionError(
                f"--model {self.trained.source}: this pretext does not colour pictures; choose another run"
            )
        return ab


def colorize_files(
    paths: Sequence[Path],
    out: Path,
    model: Path | str,
    *,
    samples: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    setting: Setting = "accurate",
    precision: Literal["auto", "float32", "bf16"] = "auto",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ColorizeResult:
    """Colour files and folders of files into ``out``.

    Args:
        paths: pictures, or folders that are searched recursively (their structure is kept).
        out: folder for the results.
        model: a run of ``pretint pretrain``, a weights' file of one, or ``pretint``.
        samples: colorizations a picture; more than one keeps dropout on and numbers the files.
        seed: of the samples.
        overwrite: colour again what is there already.
        setting: ``accurate`` or ``vivid``.
        precision: arithmetic of the network on a CPU; ``auto`` is bf16 where the CPU has instructions for it.
        workers: pictures side by side; as many as there are cores where not given.
        progress: told (pictures done, all).

    Raises:
        PretintError: no pictures, two pictures with one result, or a model that does not fit.
    """
    colorizer = TrainedColorizer(model, random=samples > 1, setting=setting, precision=precision)
    jobs = _jobs(paths, out)
    _spare_originals(jobs, samples, out)
    result = ColorizeResult(how=colorizer.how)
    ended = threading.Event()
    room = _Room(PIXELS_IN_HAND)

    def colour(job: tuple[Path, Path]) -> ColorizeResult:
        source, target = job
        done = ColorizeResult()
        with room.taken(_pixels(source)):
            for sample, numbered in enumerate(_numbered(target, samples)):
                if ended.is_set():
                    break
                if numbered.exists() and not overwrite:
                    done.present.append(numbered)
                    continue
                predictor = partial(colorizer, seed=seed * 1_000_003 + sample)
                try:
                    make_results_folder(out, "colorize")
                    make_folder(numbered.parent)
                    colorize_file(source, numbered, predictor, colorizer.size)
                except (DataError, ResourceError) as error:
                    done.refused.append((source, str(error)))
                    break
                done.written.append(numbered)
        return done

    if progress:
        progress(0, len(jobs))
    with closing(_side_by_side(colour, jobs, min(workers or cores(), len(jobs)), ended)) as finished:
        for count, done in enumerate(finished, 1):
            result.written += done.written
            result.present += done.present
            result.refused += done.refused
            if progress:
                progress(count, len(jobs))
    if result.refused and not result.written and not result.present:
        raise PretintError(result.refused[0][1])
    return result


def _side_by_side(
    work: Callable[[tuple[Path, Path]], ColorizeResult],
    jobs: Sequence[tuple[Path, Path]],
    workers: int,
    ended: threading.Event,
) -> Generator[ColorizeResult, None, None]:
    """``work`` of every job by threads that each compute alone, in the order of the jobs; `ended` tells them to stop."""
    waiting: deque[Future[ColorizeResult]] = deque()
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "colouring", torch.set_num_threads, (1,))
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        ended.set()
        pool.shutdown(wait=True, cancel_futures=True)  # what is being written becomes whole
        torch.set_num_threads(threads)  # part of the setting is the program's, not the thread's


class _Room:
    """So many pixels at a time; who wants more than all of them waits until nobody has any."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + pixels <= self._pixels)
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()


def _pixels(path: Path) -> int:
    try:
        height, width = picture_size(path)
    except DataError:
        return 0  # said when it is read
    return height * width


def _numbered(target: Path, samples: int) -> list[Path]:
    """Where the colorizations of a picture are written to."""
    return [target.with_stem(f"{target.stem}-{i + 1}") for i in range(samples)] if samples > 1 else [target]


def _spare_originals(jobs: Sequence[tuple[Path, Path]], samples: int, out: Path) -> None:
    """Nothing is written over a picture that is to be coloured, be it of the same job or of another.

    Raises:
        OptionError: something would be.
    """
    originals = {_identity(source): source for source, _ in jobs if source.exists()}
    for _, target in jobs:
        for path in _numbered(target, samples):
            if path.exists() and (original := originals.get(_identity(path))):
                raise OptionError(
                    f"--out {out}: {original} is the original and would be written over; choose another folder"
                )


def _identity(path: Path) -> tuple[int, int]:
    """Tells a file from all others, by whatever name."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _jobs(paths: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Pairs of source and target, each target once."""
    jobs: dict[Path, Path] = {}
    there = out.resolve()
    for path in paths:
        here = path.resolve()
        if path.is_dir() and here == there:
            raise OptionError(f"--out {out}: is the folder that is to be coloured; choose another")
        for source, below in pictures_below(path):
            if path.is_dir() and there.is_relative_to(here) and source.resolve().is_relative_to(there):
                continue  # what an earlier call wrote below the folder that is coloured
            target = out / below.parent / default_name(source)
            if target in jobs and jobs[target] != source:
                raise DataError(
                    f"{jobs[target]} and {source} would both be written to {target}; colour them into two folders"
                )
            jobs[target] = source
    if not jobs:
        raise DataError(f"{', '.join(map(str, paths))}: holds no pictures but those in --out {out}")
    return [(source, target) for target, source in jobs.items()]
