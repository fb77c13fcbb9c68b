"""Colours many picture files with a trained pretext; some may fail without stopping the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from pretint.data.layouts.pictures import pictures_below
from pretint.errors import DataError, OptionError, PretintError, ResourceError
from pretint.inference.files import colorize_file, default_name
from pretint.inference.models import Setting, Trained, best_device, load_pretext
from pretint.networks.unet import Dropout, set_dropout_at_inference
from pretint.pretexts.pretext import ColorizationPretext


@dataclass
class ColorizeResult:
    """What became of each picture.

    Attributes:
        written: coloured files.
        present: files that were there already and were left as they are.
        refused: (picture, reason) of those that could not be read.
    """

    written: list[Path] = field(default_factory=list)
    present: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


class TrainedColorizer:
    """A trained colorizer as a function of lightness.

    Args:
        model: a run of ``pretint pretrain``, a weights' file of one, ``pretint``, or what was opened already.
        random: keep dropout on, so that every call gives another colorization.
        setting: ``accurate`` or ``vivid``.

    Raises:
        OptionError: ``random`` is asked of a network without dropout, or the model has no such setting.
    """

    def __init__(self, model: Path | str | Trained, random: bool = False, setting: Setting = "accurate") -> None:
        self.pretext, self.trained = load_pretext(model)
        self.use(setting)
        self.size: int = self.trained.options["size"]
        self.device = best_device()
        self.pretext.to(self.device)
        if random:
            if not any(isinstance(layer, Dropout) and layer.probability for layer in self.pretext.modules()):
                raise OptionError(
                    f"--samples: {self.trained.source} has a network without dropout, so all its colorizations are equal"
                )
            set_dropout_at_inference(self.pretext, True)

    def use(self, setting: Setting) -> None:
        """Colour by another setting from now on.

        Raises:
            OptionError: the model has no such setting.
        """
        decoding = self.trained.decoding(setting)
        if isinstance(self.pretext, ColorizationPretext):
            self.pretext.decoding = decoding

    @torch.inference_mode()
    def __call__(self, lightness: Tensor) -> Tensor:
        """Lightness (1, 1, h, w) in [-1, 1] -> ab (1, 2, h, w) in [-1, 1]."""
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
        progress: told (pictures done, all).

    Raises:
        PretintError: no pictures, two pictures with one result, or a model that does not fit.
    """
    colorizer = TrainedColorizer(model, random=samples > 1, setting=setting)
    jobs = _jobs(paths, out)
    result = ColorizeResult()
    for done, (source, target) in enumerate(jobs):
        if progress:
            progress(done, len(jobs))
        for sample in range(samples):
            numbered = target.with_stem(f"{target.stem}-{sample + 1}") if samples > 1 else target
            if numbered.exists() and not overwrite:
                result.present.append(numbered)
                continue
            torch.manual_seed(seed * 1_000_003 + sample)
            numbered.parent.mkdir(parents=True, exist_ok=True)
            try:
                colorize_file(source, numbered, colorizer, colorizer.size)
            except (DataError, ResourceError) as error:
                result.refused.append((source, str(error)))
                break
            result.written.append(numbered)
    if progress:
        progress(len(jobs), len(jobs))
    if result.refused and not result.written and not result.present:
        raise PretintError(result.refused[0][1])
    return result


def _jobs(paths: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Pairs of source and target, each target once."""
    jobs: dict[Path, Path] = {}
    for path in paths:
        for source, below in pictures_below(path):
            if path.is_dir() and source.resolve().is_relative_to(out.resolve()):
                continue  # what an earlier call wrote below the folder that is coloured
            target = out / below.parent / default_name(source)
            if target in jobs and jobs[target] != source:
                raise DataError(
                    f"{jobs[target]} and {source} would both be written to {target}; colour them into two folders"
                )
            jobs[target] = source
    return [(source, target) for target, source in jobs.items()]
