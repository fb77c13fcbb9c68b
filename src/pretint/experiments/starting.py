"""What pretraining and fine-tuning do alike: open or resume the run folder, choose hardware, feed and run the loop."""

import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from pretint import recipe
from pretint.data.feed import Batches, Feed, Target, once
from pretint.data.processes import default_workers
from pretint.data.record import VOID, Record
from pretint.errors import Interrupted, OptionError, ResourceError, RunError, TrainingError
from pretint.experiments.environment import continued, environment
from pretint.experiments.options import TrainingOptions, differences
from pretint.networks.backbone import PLANE_COUNT
from pretint.networks.build import build_backbone
from pretint.networks.normalization import sees_one_value
from pretint.objective import Objective
from pretint.run_folder import RunFolder
from pretint.terminal import tell
from pretint.training.hardware import choose_precision, ending_together, start_fabric
from pretint.training.loop import Loop
from pretint.training.memory import is_out_of_memory
from pretint.training.options import SMALLEST_SIZE
from pretint.training.schedule import size_at


@dataclass
class Start:
    """A run that is about to train."""

    run: RunFolder
    fabric: Fabric
    workers: int
    resumed: bool
    quiet: bool
    begun: dict[str, Any] = field(default_factory=dict)
    """Entries of run.json that a resumed run gets once it is held."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.fabric.is_global_zero)

    @property
    def pin(self) -> bool:
        """Whether pictures are copied to a GPU, for which page-locked memory is quicker."""
        return bool(self.fabric.device.type == "cuda")

    @property
    def known(self) -> bool:
        """Whether the run was begun on pictures that it knows by their fingerprint."""
        return self.resumed and "fingerprint" in self.run.manifest.get("data", {})

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the run for writing, by the first process for all. A resume that is refused leaves the run as it was.

        Raises:
            RunError: another training holds it.
        """
        with ending_together(self.fabric), self.run.locked() if self.first else nullcontext():
            before = self.run.manifest
            self.note(**self.begun)
            try:
                yield
            except BaseException:
                now = self.run.manifest
                if self.first and now["state"] == "running":  # what happens in the training itself is noted there
                    self.run.write_manifest(before if self.resumed else {**now, "state": "failed"})
                raise

    def note(self, **entries: Any) -> None:
        """Replace entries of run.json."""
        if self.first:
            self.run.update_manifest(**entries)

    def say(self, line: str) -> None:
        """A line on stderr, from the first process alone."""
        tell(line, self.quiet or not self.first)

    def check_fingerprint(self, fingerprint: str) -> str:
        """The fingerprint of the data, which must be that of the resumed run.

        Raises:
            RunError: the pictures have changed since the run was begun.
        """
        before = self.run.manifest.get("data", {}).get("fingerprint", fingerprint)
        if self.resumed and before != fingerprint:
            raise RunError(
                f"--resume: the pictures have changed since {self.run.path} was begun; restore them, or begin a new run"
            )
        return fingerprint

    def check_classes(self, classes: Sequence[str], mask_map: Mapping[str, int]) -> None:
        """See that outputs mean what they meant to the resumed run; one that did not note it is believed.

        Args:
            classes: names of the outputs, in order.
            mask_map: id in a mask's file, as text -> class index or VOID; empty where no masks are learned.

        Raises:
            RunError: classes.txt, or what the classes are found by, has changed since the run was begun.
        """
        manifest = self.run.manifest if self.resumed else {}
        before = manifest.get("classes", list(classes)), manifest.get("data", {}).get("mask_map", dict(mask_map))
        if before != (list(classes), dict(mask_map)):
            raise RunError(
                f"--resume: the classes have changed since {self.run.path} was begun ({_told(*before)}; now "
                f"{_told(classes, mask_map)}); restore them, or begin a new run"
            )


def _told(classes: Sequence[str], mask_map: Mapping[str, int]) -> str:
    """Classes in words, with their ids in the masks."""
    if not mask_map:
        return ", ".join(classes)
    # What is merged into another class, or counts nowhere, is told too: it may be all that differs.
    return ", ".join(f"{i} {'void' if k == VOID else classes[k]}" for i, k in mask_map.items() if i != str(VOID))


def begin(kind: str, options: TrainingOptions, quiet: bool) -> Start:
    """Create the run folder, or open it to resume.

    Raises:
        RunError: the folder holds a run and --resume is not given, or an option that changes results differs.
    """
    values = recipe.as_values(options)
    sizes_by_epoch(options)  # refused before a folder is made
    resumed = options.resume and (options.out / "run.json").exists()
    if resumed:
        values = _check_resumed(kind, options, values)
    precision, _ = choose_precision(options.loop)
    # The arithmetic of the first start holds for the run: a resume on other hardware must not change it silently.
    fabric, chosen = start_fabric(options.loop, values["loop"]["precision"] if resumed else precision)
    here = {**environment(), "device": fabric.device.type, "devices": fabric.world_size}
    manifest = {"kind": kind, "options": values, "state": "running", "environment": here}
    remark, entries = "", {}
    with ending_together(fabric):
        if fabric.is_global_zero:
            if resumed:
                run = RunFolder.open(options.out)
                step = (run.pointer("last") or {"step": 0})["step"]
                environments, remark = continued(run.manifest, here, step=step)
                entries = {"state": "running", **({"environments": environments} if remark else {})}
            else:
                values["loop"]["precision"] = precision
                command = shlex.join(["pretint", *sys.argv[1:]]) if Path(sys.argv[0]).name == "pretint" else None
                RunFolder.create(
                    options.out, {**manifest, "command": command, "begun": time.strftime("%Y-%m-%d %H:%M:%S")}
                )
        fabric.barrier()
    workers = options.loop.workers if options.loop.workers >= 0 else default_workers(options.loop.devices)
    started = Start(RunFolder.open(options.out), fabric, workers, resumed, quiet, entries)
    started.say(chosen)
    if remark:
        started.say(remark)
    return started


def feed(
    start: Start,
    options: TrainingOptions,
    records: Sequence[Record],
    target: Target = None,
    **how: Any,
) -> Feed:
    """The training pictures of this process; where they are fewer than a batch, a batch is all of them.

    That is said, and run.json holds the size that is used as ``batch_size`` (``options`` hold what was asked for). A resumed run
    goes on with it: by the number of devices it would come out otherwise.

    Raises:
        OptionError: there are fewer pictures than parts of a batch.
        RunError: the batches of the resumed run cannot be shared out to these devices.
    """
    devices, micro = start.fabric.world_size, options.loop.accumulate
    shares = devices * micro
    if len(records) < shares:
        raise OptionError(
            f"--loop.accumulate {micro} on --loop.devices {devices}: a batch of {shares} parts needs as many training pictures, and "
            f"there {'are' if len(records) > 1 else 'is'} {len(records)}; take a smaller --loop.accumulate or fewer devices"
        )
    batch_size = min(options.batch_size, max(1, len(records) // shares) * shares)
    if start.resumed:
        batch_size = start.run.manifest.get("batch_size", batch_size)
        if batch_size % shares:
            raise RunError(
                f"--loop.devices {devices}: {start.run.path} was begun with batches of {batch_size} pictures, which "
                f"cannot be shared out evenly to {shares} parts (devices x --loop.accumulate); resume it on another number of devices"
            )
    if batch_size < options.batch_size:
        start.say(f"batches of {batch_size}, not {options.batch_size}: there are only {len(records)} training pictures")
    start.note(batch_size=batch_size)
    sizes = sizes_by_epoch(options)
    if options.loop.first_size:
        begun = {size: sizes.index(size) + 1 for size in sizes}
        start.say("sizes: " + ", ".join(f"{size} px from epoch {epoch}" for size, epoch in begun.items()))
    return Feed(
        records,
        size=options.size,
        view=options.view,
        batch_size=batch_size,
        seed=options.seed,
        order=options.order,
        workers=start.workers,
        target=target,
        rank=start.fabric.global_rank,
        world=start.fabric.world_size,
        micro=options.loop.accumulate,
        pin=start.pin,
        size_at=sizes.__getitem__,
        **how,
    )


def once_each(start: Start, options: TrainingOptions, records: Sequence[Record], **how: Any) -> Batches:
    """Every picture once and without chance, for a validation; ``how`` as for :func:`pretint.data.feed.once`."""
    return once(
        records, size=options.size, view=options.view, batch_size=options.batch_size, workers=start.workers, pin=start.pin,
        **how,
    )  # fmt: skip


def sizes_by_epoch(options: TrainingOptions) -> list[int]:
    """Side of the training pictures in each epoch.

    Raises:
        OptionError: ``--loop.first-size`` is no size that the backbone takes as it is, or the smallest is too small for its norms.
    """
    first, size = options.loop.first_size or options.size, options.size
    with torch.device("meta"):
        backbone = build_backbone(recipe.as_values(options)).eval()
    by = backbone.strides[-1]
    if first < 1:
        first = min(size, max(-(-SMALLEST_SIZE // by), round(first * size / by)) * by)
    if first % by and first != size:
        raise OptionError(
            f"--loop.first-size {first:g}: must be a multiple of {by}, the coarsest stride of this backbone"
            + (
                f", and below --size {size} there is none; leave it out, or take --backbone residual"
                if by >= size
                else ""
            )
        )
    with torch.no_grad():  # one picture alone, as it will be coloured
        backbone(torch.empty(1, PLANE_COUNT[backbone.planes], int(first), int(first), device="meta"))
    return [size_at(int(first), size, by, epoch, options.epochs) for epoch in range(options.epochs)]


def seed_weights(seed: int) -> None:
    """Seed the draws of the weights that are built next."""
    torch.manual_seed(seed)


def run_loop(
    start: Start,
    options: TrainingOptions,
    objective: Objective,
    training: Feed,
    held_out: Callable[[], Batches] | None,
    after_epoch: Callable[[int, Objective], None] | None = None,
) -> None:
    """Train, and keep the state in run.json true: running, interrupted, failed or finished."""
    loop = Loop(
        objective, training, held_out, start.run, options.loop, options.seed, start.fabric, after_epoch, start.quiet
    )
    begun, cpu_begun = time.monotonic(), _cpu_seconds()
    state = "failed"
    try:
        loop.train(resume=start.resumed)
        state = "finished"
    except (Interrupted, KeyboardInterrupt):
        state = "interrupted"
        raise
    except Exception as error:
        if sees_one_value(error):
            parts = start.fabric.world_size * options.loop.accumulate
            raise TrainingError(
                f"{start.run.path}: a norm layer needs more than one value a channel, and here it has one: {training.batch_size} pictures "
                f"of {options.size} px in {parts} part{'s' if parts > 1 else ''}; give a larger --size or --batch-size (of no more "
                "pictures than there are), or a smaller --loop.accumulate or --loop.devices"
            ) from error
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"{start.run.path}: memory ran out ({start.fabric.device}) with batches of {training.batch_size} pictures of {options.size} px; "
            "begin a new run with --loop.accumulate 2, which takes a batch in two parts, or with a smaller --batch-size"
        ) from error
    finally:
        if start.fabric.is_global_zero:
            before = start.run.manifest
            spent = {"seconds": time.monotonic() - begun}
            if "cpu_seconds" in before or not start.resumed:  # a part of them would tell nothing
                spent["cpu_seconds"] = _cpu_seconds() - cpu_begun
            start.run.update_manifest(state=state, **{k: round(before.get(k, 0.0) + v, 1) for k, v in spent.items()})


def _cpu_seconds() -> float:
    """CPU seconds of this process and of those it has seen end, such as those that read its pictures."""
    return sum(os.times()[:4])


def scores_of_best(run: RunFolder) -> dict[str, Any]:
    """The validation scores at the best checkpoint; empty before any validation."""
    best = run.pointer("best")
    entries = (e for e in run.metrics() if e["kind"] == "validation" and best and e["step"] == best["step"])
    return {k: v for k, v in next(entries, {}).items() if k not in ("step", "epoch", "kind")}


def defaults_of(options: TrainingOptions) -> dict[str, Any]:
    """The options with all defaults: what a run did that was begun before one of the options existed."""
    required = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    return recipe.as_values(type(options)(**required))


def _check_resumed(kind: str, options: TrainingOptions, values: dict[str, Any]) -> dict[str, Any]:
    """The options of the run that is resumed."""
    out = options.out
    manifest = RunFolder.open(out).manifest
    if manifest["kind"] != kind:
        raise RunError(
            f"--out {out}: holds a run of pretint {manifest['kind']}, not of pretint {kind}; choose another folder"
        )
    before = manifest["options"]
    now = {**values, "loop": {**values["loop"]}}
    if now["loop"]["precision"] == "auto":
        now["loop"]["precision"] = before["loop"]["precision"]
    changed = differences(recipe.merge(defaults_of(options), before), now)
    if changed:
        name = changed[0]
        raise RunError(
            f"--resume: --{name.replace('_', '-')} differs from the run in {out}"
            f"{f' (so do {len(changed) - 1} more)' if len(changed) > 1 else ''}; "
            "leave it as it was, or begin a new run in another folder"
        )
    return {**now, "loop": {**now["loop"]}}
