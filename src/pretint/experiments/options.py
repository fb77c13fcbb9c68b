"""Options of the two kinds of training. Loads no torch.

Each method's own options are a section named like the method (``--cgan.l1-weight``), joined on by :func:`with_sections`.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pretint.data.views import ViewOptions
from pretint.errors import OptionError
from pretint.methods import KINDS, names, options_of
from pretint.training.options import FREE_ON_RESUME, SMALLEST_SIZE, LoopOptions


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What pretraining and fine-tuning have in common."""

    out: Path
    """Folder for the run; it must not hold one already, unless --resume is given."""
    resume: bool = False
    """Go on with the run in --out from its last checkpoint; without one there, begin."""
    backbone: str = "unet"
    """Network that transfers; unet is the paper's."""
    decoder: Literal["auto", "unet", "hypercolumn"] = "auto"
    """What joins the backbone's features to one map; auto takes unet for a unet and hypercolumn for a residual backbone."""
    size: int = 128
    """Side in pixels of the square that the network sees in training."""
    epochs: int = 20
    """Passes over the training pictures."""
    batch_size: int = 32
    """Pictures a step, over all devices and micro-batches."""
    seed: int = 0
    """Seed of weights, order, crops and dropout."""
    layout: str | None = None
    """How the data lie in their folder: shards, voc, masks, table, imagefolder or pictures; recognised where not given."""
    order: Literal["shuffled", "same"] = "shuffled"
    """A new order every epoch, or the same one every epoch (the authors' code)."""
    view: ViewOptions = field(default_factory=ViewOptions)
    """What of a picture the network sees in training."""
    loop: LoopOptions = field(default_factory=LoopOptions)
    """How the loop runs."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        if not 0 <= self.seed < 2**64:
            raise OptionError(f"--seed {self.seed}: a seed is a whole number from 0 to 2**64 - 1")
        if self.size < SMALLEST_SIZE:
            raise OptionError(f"--size {self.size}: must be at least {SMALLEST_SIZE} pixels")
        if self.epochs < 1 or self.batch_size < 1:
            raise OptionError("--epochs and --batch-size: must be at least 1")
        if self.loop.first_size > self.size:
            raise OptionError(f"--loop.first-size {self.loop.first_size:g}: must not be above --size {self.size}")
        shares = self.loop.devices * self.loop.accumulate
        if self.batch_size % shares:
            raise OptionError(
                f"--batch-size {self.batch_size}: must be a multiple of --loop.devices x --loop.accumulate = {shares}"
            )


@dataclass(frozen=True, kw_only=True)
class PretrainOptions(TrainingOptions):
    """Learn from pictures without labels: hide their colour, and learn to predict it.

    examples:
      pretint pretrain --data PHOTOS --out runs/photos
      pretint pretrain --data PHOTOS --out runs/photos --probe LABELLED
      pretint pretrain --recipe small --data PHOTOS --out runs/small
    """

    data: tuple[Path, ...]
    """Folders of pictures; they are searched recursively."""
    recipe: str = "best"
    """Named set of values, or a file ending in .toml: best (colour bins, 96 px), bins (64 px), small (cGAN, 128 px), paper, paper-code, paper-text."""
    split: str | None = None
    """List of pictures to use; where not given: train in folders that have such a list, else all but those of test and val."""
    pretext: str = "cgan"
    """What is learned from the pictures: color_bins (recipe best), cgan (the paper's), regression."""
    validation: float = 0.02
    """Share (below 1) or number of the pictures that are held out to score the training."""
    most_broken: float = 0.05
    """Largest share of unreadable pictures that are left out before the run stops, in [0, 1]."""
    keep_grey: bool = False
    """Train on pictures without colour too; left out otherwise, since they teach that things are grey."""
    probe: Path | None = None
    """Folder of labelled pictures (any layout): after each validation a probe of the frozen features at each depth is scored on a part of its training list, to see whether the training works and when to stop. It changes nothing in the training."""
    probe_method: Literal["ridge", "knn"] = "ridge"
    """How features are probed: ridge regression (a linear probe), or the 20 nearest neighbours by cosine."""
    probe_every: int = 1
    """Epochs between two probes; there is none where nothing is validated, and always one after the last epoch."""
    probe_pictures: int = 2000
    """Most labelled pictures that are probed, a quarter of them scored; chosen by the seed."""
    apart_from: tuple[Path, ...] = ()
    """Folders whose test pictures must not be in the pool (their list test, else val, else all): near copies are left out and listed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data == ():
            raise OptionError("--data: name at least one folder of pictures")
        _check_name("pretexts", self.pretext)
        if not 0 <= self.most_broken <= 1:
            raise OptionError(f"--most-broken {self.most_broken}: must lie in [0, 1]")
        _check_name("networks", self.backbone)
        _check_validation(self.validation)
        if self.probe_every < 1 or self.probe_pictures < 8:
            raise OptionError("--probe-every: must be at least 1, and --probe-pictures at least 8")


@dataclass(frozen=True, kw_only=True)
class TaskOptions(TrainingOptions):
    """What every training on a task has in common, whatever it starts from."""

    task: str
    """What is learned: several labels a picture (multilabel), one label (classification), a class a pixel (segmentation)."""
    data: Path
    """Folder of labelled pictures."""
    recipe: str = "light"
    """Named set of values, or a file ending in .toml: light (default) or paper."""
    classes: tuple[str, ...] = ()
    """Names of the classes to learn, separated by commas; all that the data have where not given."""
    other_classes: Literal["void", "background"] = "void"
    """What mask pixels of further classes count as: void (ignored) or background."""
    split: str | None = None
    """List of training pictures; where not given: train, else all pictures but those of test and val."""
    validation: float = 0.2
    """Share (below 1) or number of the training pictures that are held out to choose the best checkpoint; 0 keeps the last."""
    rate: float = 3e-4
    """Learning rate; of the head alone while the transferred part is frozen."""
    frozen_epochs: int = 0
    """First epochs in which a transferred part does not learn; they count towards --epochs. From scratch nothing is frozen."""
    unfrozen_rate: float | None = None
    """Learning rate after the frozen epochs; --rate where not given."""
    head_factor: float = 1.0
    """Factor on the learning rate of the new head, which starts from nothing while the features may not."""
    weight_decay: float = 0.0
    """Decoupled decay of the weights, relative to the rate."""
    eps: float = 1e-7
    """Adam's epsilon; 1e-7 is Keras' default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "classes", _class_names(self.classes))
        _check_name("tasks", self.task)
        _check_name("networks", self.backbone)
        _check_validation(self.validation)
        if self.rate <= 0 or self.head_factor <= 0:
            raise OptionError("--rate and --head-factor: must be above 0")
        if self.unfrozen_rate is not None and self.unfrozen_rate <= 0:
            raise OptionError(f"--unfrozen-rate {self.unfrozen_rate}: must be above 0")
        if self.weight_decay < 0 or self.eps <= 0:
            raise OptionError("--weight-decay: must not be negative, and --eps must be above 0")
        if not 0 <= self.frozen_epochs < self.epochs:
            raise OptionError(
                f"--frozen-epochs {self.frozen_epochs}: must be at least 0 and below --epochs {self.epochs}"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TaskOptions):
    """Train a backbone on a task with labels, from pretrained weights or from scratch.

    examples:
      pretint finetune --task segmentation --data CELLS --init runs/photos --out runs/cells
      pretint finetune --task multilabel --data VOC2012 --classes cat,dog --init pretint --out runs/pets
    """

    init: str = "scratch"
    """Where the weights come from: a run of pretint, a .safetensors file, pretint (the model that comes with the package), or scratch; random-frozen trains only the head, on features that are random."""
    fraction: float = 1.0
    """Share of the labelled training pictures to use, in (0, 1]; smaller shares are contained in larger ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.fraction <= 1:
            raise OptionError(f"--fraction {self.fraction}: must lie in (0, 1]")


PROBES = frozenset({"probe", "probe_method", "probe_every", "probe_pictures"})
"""Options of a pretraining that add scores and leave the training as it is."""


def with_sections(options: type[TrainingOptions], chosen: Mapping[str, str]) -> type[Any]:
    """The options dataclass with a section for each chosen method: ``{"pretexts": "cgan", "networks": "unet"}``.

    What chooses a method takes the names that there are, so that the help lists them.
    """
    sections: list[tuple[str, Any, Any]] = []
    inherited = {field.name: field.default for field in dataclasses.fields(options)}
    for family, option in KINDS.items():
        if option in inherited:
            kind = cast(Any, Literal)[names(family)]
            sections.append((option, kind, field(default=inherited[option])))
    for family, name in chosen.items():
        kind = options_of(family, name)
        sections.append((name, kind, field(default_factory=kind)))
    joined = dataclasses.make_dataclass(options.__name__, sections, bases=(options,), frozen=True, kw_only=True)
    joined.__doc__ = options.__doc__
    joined.__module__ = options.__module__
    return joined


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of options that differ and change a result, dotted; ``out``, ``data`` and ``resume`` are told apart elsewhere.

    A probe only looks; whether it looks at the same pictures is told apart elsewhere too.
    """
    found = []
    for name in sorted(before.keys() | now.keys()):
        dotted = prefix + name
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{dotted}.")
        elif old != new and dotted not in FREE_ON_RESUME | PROBES | {"out", "data", "resume", "recipe"}:
            found.append(dotted)
    return found


def _class_names(given: Sequence[str]) -> tuple[str, ...]:
    """The names without the space around them; what a comma too many leaves is none."""
    names = tuple(name for one in given if (name := one.strip()))
    if given and not names:
        raise OptionError("--classes: names no class; leave the option out to take all that the data have")
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"--classes: names {', '.join(doubles)} twice; name each class once")
    return names


def _check_name(family: str, name: str) -> None:
    # On the command line a required option holds a placeholder until its argument is read.
    if isinstance(name, str) and name not in names(family):
        raise OptionError(f"--{KINDS[family]} {name}: unknown; choose one of {', '.join(names(family))}")


def _check_numbers(options: Any, prefix: str = "--") -> None:
    """See that no number is infinite or none: every comparison with nan is false, so it would pass all other checks."""
    for entry in fields(options):
        value = getattr(options, entry.name)
        if is_dataclass(value):
            _check_numbers(value, f"{prefix}{entry.name.replace('_', '-')}.")
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise OptionError(f"{prefix}{entry.name.replace('_', '-')} {value}: must be a finite number")


def _check_validation(value: float) -> None:
    if value < 0 or (value >= 1 and value != int(value)):
        raise OptionError(f"--validation {value}: must be a share below 1 or a whole number of pictures")
