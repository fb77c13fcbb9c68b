"""A fine-tuning: labelled pictures, a network from scratch or from pretrained weights, the loop, the run folder."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from pretint import recipe
from pretint.data.layouts import open_source
from pretint.data.masks import validate_masks
from pretint.data.record import Record, Source, fingerprint
from pretint.data.splits import carve_validation, label_matrix, subset
from pretint.errors import OptionError
from pretint.experiments.architecture import FROM_NOTHING, RANDOM_FROZEN, architecture_of, check_size
from pretint.experiments.initializing import initialize
from pretint.experiments.options import FinetuneOptions
from pretint.experiments.results import FinetuneResult
from pretint.experiments.starting import begin, feed, once_each, run_loop, scores_of_best, seed_weights
from pretint.inference.models import build_task_network
from pretint.methods import load
from pretint.shipped import where
from pretint.tasks.fine_tuning import FineTuning, Schedule
from pretint.terminal import counted


class Numbered(NamedTuple):
    """Some of the training pictures, with their numbers in the full list."""

    records: tuple[Record, ...]
    numbers: tuple[int, ...]


def finetune(options: FinetuneOptions, quiet: bool = False, *, masks_seen: bool = False) -> FinetuneResult:
    """Run or resume a fine-tuning.

    Args:
        options: what is asked for.
        quiet: print no progress.
        masks_seen: the masks of the list were looked at by the caller, who starts many trainings on them.

    Raises:
        PretintError: the options, the data, the weights or the folder are not right.
        Interrupted: stopped by a signal, after saving.
    """
    target = load("tasks", options.task).TARGET
    source = open_source(
        options.data, options.layout, options.classes or None, other_classes=options.other_classes, task=target,
        one_class=options.task == "classification",
    )  # fmt: skip
    classes = source.classes_for(options.task, target)
    chosen = source.training_split(options.split)
    if target == "mask" and not masks_seen:
        validate_masks(chosen.records, source.mask_map)
    check_size(options.init, architecture_of(options.init), options.backbone, options.size)
    numbered, held_out = labelled_pictures(options, source, chosen.records)
    training = numbered.records
    seed_weights(options.seed)
    values = recipe.as_values(options)
    task, network = build_task_network(values, classes)
    if options.loop.first_size and values[options.task].get("head") == "paper":
        raise OptionError(
            f"--loop.first-size {options.loop.first_size:g}: the paper's head fits one size alone; "
            f"leave it out, or take --{options.task}.head pooled"
        )
    task.check(
        chosen.records, f"--data {options.data}: the list {chosen.name}", "choose other --classes or another --split"
    )
    if options.validation:
        task.check(
            held_out, f"--validation {options.validation:g}: the held-out part",
            "take a larger one, or 0: then the last checkpoint counts",
        )  # fmt: skip
    account = initialize(network, options.init)
    # Keys as JSON has them, so that a resume compares like with like.
    ids = {str(i): k for i, k in source.mask_map.items()} if target == "mask" else {}

    start = begin("finetune", options, quiet)
    with start.holding():
        known_by = start.check_fingerprint(fingerprint((*training, *held_out)))
        start.check_classes(classes, ids)
        start.note(
            classes=classes,
            loaded=account.as_dict(),
            init=None if options.init in FROM_NOTHING else str(where(options.init).resolve()),
            constant=task.frequencies(training, source.mask_map),
            data={
                "folder": str(options.data.resolve()),
                "layout": source.layout,
                "split": chosen.name,
                "fingerprint": known_by,
                "training": len(training),
                "held_out": len(held_out),
                **({"mask_map": ids} if ids else {}),
            },
        )
        for remark in filter(None, (source.remark, chosen.remark)):
            start.say(remark)
        start.say(account.sentence())
        start.say(
            f"training on {counted(len(training), 'picture')}, {len(held_out)} held out; classes: {', '.join(classes)}"
        )
        schedule = Schedule(
            epochs=options.epochs,
            rate=options.rate,
            frozen_epochs=options.epochs if options.init == RANDOM_FROZEN else options.frozen_epochs,
            unfrozen_rate=options.unfrozen_rate,
            head_factor=options.head_factor,
            weight_decay=options.weight_decay,
            eps=options.eps,
        )
        known = {"classes": classes, "mask_map": source.mask_map}
        run_loop(
            start,
            options,
            FineTuning(task, network, schedule, account.parts),
            feed(start, options, training, target, numbers=numbered.numbers, **known),
            partial(once_each, start, options, held_out, target=target, **known) if held_out else None,
        )
    return FinetuneResult(start.run.path, scores_of_best(start.run), account.share)


def labelled_pictures(
    options: FinetuneOptions, source: Source, records: Sequence[Record]
) -> tuple[Numbered, Sequence[Record]]:
    """Training pictures of a list with their numbers in the full list, and held-out ones.

    Validation is carved out first, so that every fraction is scored on the same; a picture keeps its number, and with it
    its crops, in every fraction.
    """
    training, held_out = (
        carve_validation(records, options.validation, options.seed) if options.validation else (records, ())
    )
    numbers = np.arange(len(training))
    if options.fraction < 1:
        labels = (
            label_matrix(training, source.classes)
            if source.classes and all(record.labels is not None for record in training)
            else np.zeros((len(training), 0), dtype=bool)
        )
        numbers = subset(labels, options.fraction, options.seed)
    return Numbered(tuple(training[i] for i in numbers.tolist()), tuple(numbers.tolist())), held_out
