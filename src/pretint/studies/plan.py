"""What a study runs: its cells, each with the complete options of one fine-tuning. Loads no torch.

All arms of a repetition share the validation pictures, the nested subsets of labels, the order, the crops, the number of
steps and the rule for the checkpoint; only the starting weights, the network where an arm brings its own, and the learning
rate that was chosen for the arm differ.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pretint.data.record import Record, Source
from pretint.data.splits import carve_validation, label_matrix, subset
from pretint.errors import DataError
from pretint.experiments.options import FinetuneOptions
from pretint.methods import names
from pretint.recipe import as_values
from pretint.studies.arms import Arm
from pretint.studies.options import CompareOptions
from pretint.terminal import counted

if TYPE_CHECKING:  # it loads torch
    from pretint.tasks.task import Task

SEARCH_SEED = 1_000_000
"""Added to the study's seed for the trial of learning rates, so that no repetition is the one that was tuned on."""


@dataclass(frozen=True)
class Job:
    """One piece of work for a worker: a cell, or a trial of a learning rate.

    Attributes:
        key: its name in the study's folder.
        kind: ``search`` scores on validation pictures, ``finetune`` on test pictures; ``features`` makes the cells of the
            linear probe and of k-NN.
        arm: name of the arm.
        seed: of the repetition.
        fraction: share of the labels.
        values: options of the fine-tuning; the run's folder is in ``out``.
        rate: learning rate.
        steps: of the training.
        fractions, modes: of a job of kind ``features``.
    """

    key: str
    kind: Literal["search", "finetune", "features"]
    arm: str
    seed: int
    fraction: float
    values: Mapping[str, Any]
    rate: float = 0.0
    steps: int = 0
    fractions: tuple[float, ...] = ()
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pictures:
    """Numbers of pictures: all training pictures after validation was carved out, held out, test."""

    training: int
    held_out: int
    test: int

    def at(self, fraction: float) -> int:
        """Training pictures at a share of the labels."""
        return max(1, round(fraction * self.training))


def searches(arm: Arm, options: CompareOptions, folder: Path, pictures: Pictures) -> list[Job]:
    """The trials of an arm's learning rate; none where a single one is given."""
    rates = options.rates_to_try
    if "finetune" not in options.modes or len(rates) == 1:
        return []
    fraction = options.search_fraction or min(options.fractions)
    seed = (options.seed if arm.first_seed is None else arm.first_seed) + SEARCH_SEED
    jobs = []
    for rate in rates:
        key = f"{arm.name}-search-{fraction:g}-rate{rate:g}"
        values, steps = _values(arm, options, folder / "runs" / key, pictures, fraction, seed, 0, rate)
        jobs.append(Job(key, "search", arm.name, seed, fraction, values, rate, steps))
    return jobs


def cells(arm: Arm, options: CompareOptions, folder: Path, pictures: Pictures, rate: float) -> list[Job]:
    """The cells of an arm, at the learning rate that was chosen for it."""
    jobs = []
    for repetition, seed in enumerate(seeds_of(arm, options)):
        for fraction in options.fractions if "finetune" in options.modes else ():
            key = f"{arm.name}-finetune-{fraction:g}-seed{seed}"
            values, steps = _values(arm, options, folder / "runs" / key, pictures, fraction, seed, repetition, rate)
            jobs.append(Job(key, "finetune", arm.name, seed, fraction, values, rate, steps))
        modes = tuple(mode for mode in options.modes if mode != "finetune")
        if modes:
            key = f"{arm.name}-features-seed{seed}"
            values, _ = _values(arm, options, folder / "runs" / key, pictures, 1.0, seed, repetition, options.rate)
            jobs.append(Job(key, "features", arm.name, seed, 1.0, values, fractions=options.fractions, modes=modes))
    return jobs


def seeds_of(arm: Arm, options: CompareOptions) -> tuple[int, ...]:
    """The seeds of an arm's repetitions."""
    first = options.seed if arm.first_seed is None else arm.first_seed
    return tuple(range(first, first + options.seeds))


def training_pictures(source: Source, options: CompareOptions, seed: int) -> tuple[Sequence[Record], Sequence[Record]]:
    """Training and held-out pictures of a repetition, as the fine-tuning takes them."""
    records = source.training_split(options.split).records
    return carve_validation(records, options.validation, seed) if options.validation else (records, ())


def check_positives(source: Source, options: CompareOptions, arms: Sequence[Arm]) -> None:
    """See that the smallest subset of labels of every repetition shows each class often enough.

    Raises:
        DataError: it does not; the sentence names the class.
    """
    if not options.least_positives or not source.classes:
        return
    for seed in sorted({seed for arm in arms for seed in seeds_of(arm, options)}):
        training, _ = training_pictures(source, options, seed)
        if any(record.labels is None for record in training):
            return
        labels = label_matrix(training, source.classes)
        fraction = min(options.fractions)
        rows = subset(labels, fraction, seed) if fraction < 1 else range(len(labels))
        positives = labels[rows].sum(axis=0)
        if positives.min() < options.least_positives:
            name = source.classes[int(positives.argmin())]
            raise DataError(
                f"--fractions {fraction:g}: only {positives.min()} of its {len(rows)} pictures show {name} (seed {seed}), "
                f"and --least-positives asks for {options.least_positives}; take a larger fraction"
            )


def check_probes(options: CompareOptions, pictures: Pictures) -> None:
    """See that the smallest subset of labels is enough for a linear probe.

    Raises:
        DataError: it is not.
    """
    fraction = min(options.fractions)
    if "linear" in options.modes and pictures.at(fraction) < 2:
        raise DataError(
            f"--fractions {fraction:g}: is one of {counted(pictures.training, 'training picture')}, and a linear probe needs two; take "
            "a larger fraction"
        )


def check_held_out(source: Source, options: CompareOptions, arms: Sequence[Arm], task: "Task") -> None:
    """See that the held-out pictures of every repetition, and of the trials of rates, can be scored.

    Raises:
        DataError: they cannot.
    """
    if not options.validation or "finetune" not in options.modes:
        return
    seeds = {seed for arm in arms for seed in seeds_of(arm, options)}
    if len(options.rates_to_try) > 1:
        seeds |= {seeds_of(arm, options)[0] + SEARCH_SEED for arm in arms}
    for seed in sorted(seeds):
        _, held_out = training_pictures(source, options, seed)
        task.check(
            held_out, f"--validation {options.validation:g}: the held-out part (seed {seed})",
            "take a larger one, or 0 with a single one of --rates",
        )  # fmt: skip


def _values(
    arm: Arm,
    options: CompareOptions,
    out: Path,
    pictures: Pictures,
    fraction: float,
    seed: int,
    repetition: int,
    rate: float,
) -> tuple[dict[str, Any], int]:
    """The options of one fine-tuning, and the steps that it makes."""
    assert arm.network is not None
    study = as_values(options)
    known = {name for family in ("tasks", "networks") for name in names(family)}
    own = set(FinetuneOptions.__dataclass_fields__) | {study["task"]}
    values = {name: value for name, value in study.items() if name in own and name not in known - {study["task"]}}
    epochs, steps = epochs_at(options, pictures.at(fraction))
    # What is told in epochs grows with them, and the second phase's rate moves with the first's, so that every arm is searched
    # alike whatever its schedule.
    longer = epochs / options.epochs
    every = max(1, round(options.loop.validate_every * longer))
    unfrozen = None if options.unfrozen_rate is None else options.unfrozen_rate * rate / options.rate
    loop = {**study["loop"], "validate_every": every}
    return {
        **values,
        **arm.network,
        "init": arm.init(repetition),
        "out": str(out),
        "resume": True,
        "fraction": fraction,
        "seed": seed,
        "rate": rate,
        "unfrozen_rate": unfrozen,
        "epochs": epochs,
        "frozen_epochs": round(options.frozen_epochs * longer),
        "loop": loop,
    }, steps


def epochs_at(options: CompareOptions, pictures: int) -> tuple[int, int]:
    """Epochs and steps with so many training pictures: at least ``--least-steps``."""
    an_epoch = max(1, pictures // min(options.batch_size, pictures))
    epochs = max(options.epochs, math.ceil(options.least_steps / an_epoch))
    return epochs, epochs * an_epoch
