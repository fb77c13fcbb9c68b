"""A pretraining: pictures are listed and screened, the pretext is built, the loop runs, the run folder tells of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pretint import recipe
from pretint.color import join
from pretint.data.duplicates import near_copies
from pretint.data.feed import once
from pretint.data.layouts import open_pool, open_source
from pretint.data.looks import LOOKS, forget_faults
from pretint.data.record import Record, fingerprint, pick
from pretint.data.screening import screen
from pretint.data.splits import carve_validation
from pretint.errors import DataError, RunError
from pretint.experiments.early_signal import EarlySignal, choose_pictures
from pretint.experiments.options import PretrainOptions
from pretint.experiments.results import PretrainResult
from pretint.experiments.starting import Start, begin, feed, once_each, run_loop, scores_of_best, seed_weights
from pretint.objective import Objective, finite
from pretint.pretexts.pretext import Pretext, build_pretext
from pretint.run_folder import MANIFEST, RunFolder, make_folder, write_atomically
from pretint.terminal import counted
from pretint.training.progress import counting

SAMPLES = 8
"""Pictures in the grid of each epoch."""


def pretrain(options: PretrainOptions, quiet: bool = False) -> PretrainResult:
    """Run or resume a pretraining.

    Raises:
        PretintError: the options, the data or the folder are not right.
        Interrupted: stopped by a signal, after saving.
    """
    probed = choose_pictures(options.probe, options.probe_pictures, options.seed) if options.probe else None
    start = begin("pretrain", options, quiet)
    with start.holding():
        training, held_out, mean_colour = _pictures(options, start)
        values = recipe.as_values(options)
        seed_weights(options.seed)
        pretext = build_pretext(values)
        start.note(
            data={
                "folders": [str(folder.resolve()) for folder in options.data],
                "fingerprint": start.check_fingerprint(fingerprint(training, held_out)),
                "training": len(training),
                "held_out": len(held_out),
            },
            mean_colour=mean_colour,
        )
        start.say(f"training on {counted(len(training), 'picture')}, {len(held_out)} held out")
        batches = feed(start, options, training)
        looks = [_samples(start.run, training, held_out, options)]
        if probed:
            signal = EarlySignal(probed, options, start, batches.steps_per_epoch)
            signal.begin(pretext)
            looks.append(signal)

        def after_epoch(epochs: int, objective: Objective) -> None:
            for look in looks:
                look(epochs, objective)

        run_loop(
            start,
            options,
            pretext,
            batches,
            partial(once_each, start, options, held_out) if held_out else None,
            after_epoch,
        )
    return PretrainResult(start.run.path, scores_of_best(start.run))


def _pictures(options: PretrainOptions, start: Start) -> tuple[Sequence[Record], Sequence[Record], list[float]]:
    """Training and held-out pictures, and the mean ab of all that are kept (in units of 128 Lab units)."""
    pool = open_pool(options.data, options.split, options.layout, start.say)
    apart = _apart(options)
    if not start.first:
        start.fabric.barrier()  # the first process looks at the pictures, the others at what it wrote down
    elif not start.known:  # a run that goes on leaves out what it left out, else its pictures would be others
        forget_faults(start.run.path / LOOKS)
    earlier = _looks_of_others(options, start.run)
    rest, copies = _without_copies(pool, apart, start, earlier) if apart else (pool, [])
    listed = start.run.path / "left_out.tsv"
    writes = start.first and not start.known  # else it is there, or these are other pictures, which are refused
    with counting("looking at the pictures", start.quiet or not start.first) as progress:
        screening = screen(
            rest,
            workers=start.workers,
            cache=start.run.path / LOOKS,
            progress=progress,
            most_broken=options.most_broken,
            earlier=earlier,
            listed=listed if writes else None,
        )
    kept, mean_colour = screening.kept, screening.mean_ab
    if options.keep_grey:
        kept, mean_colour = screening.readable, screening.mean_ab_readable
    if writes:
        screening.write_list(listed, keep_grey=options.keep_grey, copies=copies)
    if start.first:
        start.fabric.barrier()
    if left := len(pool) - len(kept):
        grey = 0 if options.keep_grey else len(screening.grey)
        copied = f", {len(copies)} copies of test pictures" if apart else ""
        start.say(
            f"left out: {left - grey - len(copies)} broken, {grey} grey pictures{copied} of {len(pool)} "
            f"(list: {listed})"
        )
    if not kept:
        broken, grey = len(screening.broken), 0 if options.keep_grey else len(screening.grey)
        found = [f"{n} {'is' if n == 1 else 'are'} {what}" for n, what in ((broken, "broken"), (grey, "grey")) if n]
        raise DataError(
            f"--data {options.data[0]}: of {len(rest)} pictures {' and '.join(found)}, so none is left "
            f"(list: {listed}); colorization needs pictures with colour, so choose others"
        )
    if not options.validation:
        return kept, (), mean_colour
    training, held_out = carve_validation(kept, options.validation, options.seed)
    return training, held_out, mean_colour


def _looks_of_others(options: PretrainOptions, run: RunFolder) -> list[Path]:
    """Looks that other runs beside this one have kept of the same folders: a second run on the same pictures need not look again."""
    ours = {folder.resolve() for folder in options.data}
    found = []
    for looks in run.path.parent.glob(f"*/{LOOKS}"):
        if looks.parent == run.path or not (looks.parent / MANIFEST).is_file():
            continue
        try:
            folders = RunFolder(looks.parent).manifest["data"]["folders"]
        except (RunError, KeyError):
            continue  # damaged, or it came to no pictures: then its looks are left alone
        if ours & {Path(folder).resolve() for folder in folders}:
            found.append(looks)
    return sorted(found, key=lambda looks: looks.stat().st_mtime, reverse=True)


def _apart(options: PretrainOptions) -> tuple[Record, ...]:
    """The test pictures that must not be in the pool, each once and under its whole path."""
    sources = [open_source(folder) for folder in options.apart_from]
    # VOC alone has another list for masks.
    sources += [open_source(source.root, task="mask") for source in sources if source.layout == "voc"]
    records = {r.where: r for source in sources for r in source.test_split().records}
    return tuple(replace(record, id=str(where)) for where, record in records.items())


def _without_copies(
    pool: Sequence[Record], apart: Sequence[Record], start: Start, earlier: Sequence[Path]
) -> tuple[Sequence[Record], list[tuple[str, str]]]:
    """The pool without near copies of other pictures, and (id, the other picture) of those left out."""
    with counting("looking for copies", start.quiet or not start.first) as progress:
        found = near_copies(pool, apart, start.workers, start.run.path / LOOKS, progress, earlier)
    if found.not_compared:
        start.say(f"looking for copies of test pictures: {found.not_compared}")
    copies = found.in_pool
    rest = pick(pool, (i for i, record in enumerate(pool) if record.id not in copies))
    if not rest:
        raise DataError(
            f"--apart-from: all {len(pool)} pictures of --data are near copies of pictures in those folders; choose others"
        )
    return rest, [(record.id, copies[record.id][0]) for record in pool if record.id in copies]


def _samples(
    run: RunFolder, training: Sequence[Record], held_out: Sequence[Record], options: PretrainOptions
) -> Callable[[int, Objective], None]:
    """Draws the grid of the paper's Figure 7 after each epoch: grey, predicted, true; always the same pictures."""
    half = SAMPLES // 2 if held_out else SAMPLES
    chosen = (*training[:half], *held_out[: SAMPLES - half])
    (batch,) = once(chosen, size=options.size, view=options.view, batch_size=SAMPLES)

    def draw(epochs: int, objective: Objective) -> None:
        assert isinstance(objective, Pretext)
        device = next(objective.parameters()).device
        lightness = batch.lightness.to(device)
        ab = objective.predict(lightness)
        if ab is None:
            return
        rows = [torch.zeros_like(batch.ab), finite(ab.float().cpu()), batch.ab]
        grid = torch.cat([torch.cat(list(join(batch.lightness, row)), dim=2) for row in rows], dim=1)
        pixels = (grid.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        path = run.path / "samples" / f"epoch-{epochs:04d}.png"
        content = BytesIO()
        Image.fromarray(pixels).save(content, format="PNG")
        make_folder(path.parent)
        write_atomically(path, content.getvalue())

    return draw
