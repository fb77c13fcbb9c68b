"""Drives the loop in this process: tiny networks, stops at chosen steps, everything that a run left behind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pretint.data.feed import Batch, Feed, once
from pretint.data.layouts import open_source
from pretint.data.views import ViewOptions
from pretint.errors import Interrupted
from pretint.inference.models import build_task_network
from pretint.methods import KINDS, names
from pretint.objective import Objective
from pretint.pretexts.pretext import build_pretext
from pretint.run_folder import RunFolder
from pretint.tasks.fine_tuning import FineTuning, Schedule
from pretint.training import checkpoint
from pretint.training.hardware import start_fabric
from pretint.training.loop import Loop
from pretint.training.options import LoopOptions

TINY: Mapping[str, Any] = {name: {} for family in KINDS for name in names(family)} | {
    "pretext": "cgan", "backbone": "unet", "decoder": "auto", "size": 16, "epochs": 3,
    "unet": {"width": 0.1}, "residual": {"width": 6, "blocks": [1, 1, 1]},
    "cgan": {"critic_width": 0.1},
}  # fmt: skip
"""Values of a run with networks of a few thousand parameters; a method that is not named has its defaults."""


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny values with others in place; sections are merged."""
    return {
        **TINY,
        **{name: {**TINY[name], **v} if isinstance(v, Mapping) else v for name, v in changes.items()},
    }


class StopAfter:
    """Asks to stop once a number of steps is done in this start."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @property
    def asked(self) -> bool:
        """The loop asks after each step, once or twice; the count is told by :meth:`done`."""
        return self._left <= 0

    def done(self) -> None:
        """Another step is done."""
        self._left -= 1


class StoppingFeed(Feed):
    """Counts the steps that the loop has begun, so that a stop falls after an exact one."""

    stop: StopAfter | None = None

    def batches(self, first_step: int, last_step: int) -> Iterable[Batch]:  # type: ignore[override]
        for i, batch in enumerate(super().batches(first_step, last_step)):
            if self.stop and i % self.micro == 0:
                self.stop.done()
            yield batch


@dataclass
class Training:
    """One training that can be run again and again, with and without stops.

    ``objective`` builds it anew from the same seed; ``feed`` are arguments of Feed; ``loop`` those of LoopOptions.
    """

    objective: Callable[[], Objective]
    records: Sequence[Any]
    held_out: Sequence[Any] = ()
    feed: dict[str, Any] = field(default_factory=dict)
    loop: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    size: int = 16
    batch_size: int = 4
    seed: int = 3
    size_at: Callable[[int], int] | None = None

    def run(self, out: Path, stops: Sequence[int] = (), workers: Sequence[int] = (0,), **loop: Any) -> "Outcome":
        """Train in ``out``; stop after each number of steps in ``stops`` and resume.

        ``workers`` is the number for each start; the last holds for all that follow.
        """
        for start in range(len(stops) + 1):
            count = workers[min(start, len(workers) - 1)]
            self.start(out, stops[start] if start < len(stops) else None, resume=start > 0, workers=count, **loop)
        return Outcome.of(out)

    def start(
        self, out: Path, stop: int | None = None, resume: bool = False, workers: int = 0, **loop: Any
    ) -> Objective:
        """One start; ``stop`` is how many steps the whole training has then done."""
        options = LoopOptions(**{"precision": "float32", "accelerator": "cpu", "log_every": 1, **self.loop, **loop})
        torch.manual_seed(self.seed)
        objective = self.objective()
        fabric, _ = start_fabric(options, options.precision)
        run = RunFolder.open(out) if resume else None
        if fabric.is_global_zero and not resume:
            RunFolder.create(out, self.manifest)
        fabric.barrier()
        run = run or RunFolder.open(out)
        feed = StoppingFeed(
            self.records, size=self.size, view=ViewOptions(), batch_size=self.batch_size, seed=self.seed, workers=workers,
            rank=fabric.global_rank, world=fabric.world_size, micro=options.accumulate,
            **self.feed, **({"size_at": self.size_at} if self.size_at else {}),
        )  # fmt: skip
        done = (run.pointer("last") or {"step": 0})["step"]
        feed.stop = StopAfter(10**9 if stop is None else stop - done)
        held_out = {"size": self.size, "view": ViewOptions(), "batch_size": 3, **self.feed}
        scored = (lambda: once(self.held_out, **held_out)) if self.held_out else None
        loop_ = Loop(objective, feed, scored, run, options, self.seed, fabric, quiet=True, stop=feed.stop)  # type: ignore[arg-type]
        if stop is None:
            loop_.train(resume)
            return objective
        try:
            loop_.train(resume)
        except Interrupted:
            assert (run.pointer("last") or {})["step"] == stop
            return objective
        raise AssertionError(f"the training did not stop after step {stop}")


@dataclass
class Outcome:
    """What a training left behind: tensors of the last checkpoint and of the best, and the metrics without their speeds."""

    tensors: dict[str, Tensor]
    metrics: list[dict[str, Any]]
    best: dict[str, Any] | None

    @classmethod
    def of(cls, out: Path) -> "Outcome":
        """Read a run's folder."""
        run = RunFolder.open(out)
        files = {
            "last": run.checkpoint("last") / checkpoint.WEIGHTS,
            "state": run.checkpoint("last") / checkpoint.OPTIMIZER,
            "best": run.checkpoint("best") / checkpoint.WEIGHTS,
        }
        tensors = {f"{kind}/{k}": v for kind, path in files.items() for k, v in checkpoint.load_tensors(path).items()}
        metrics = [{k: v for k, v in e.items() if k != "pictures_per_second"} for e in run.metrics()]
        return cls(tensors, metrics, run.pointer("best"))

    def assert_equal(self, other: "Outcome") -> None:
        """Bit for bit."""
        assert self.tensors.keys() == other.tensors.keys()
        differing = [name for name, tensor in self.tensors.items() if not torch.equal(tensor, other.tensors[name])]
        assert not differing
        assert self.best == other.best
        assert self.metrics == other.metrics

    def furthest(self, other: "Outcome", kind: str = "last") -> float:
        """Largest difference of any number of the weights."""
        names = [name for name in self.tensors if name.startswith(kind + "/")]
        return max(float((self.tensors[n].double() - other.tensors[n].double()).abs().max()) for n in names)


def pretraining(pictures: Path, values: Mapping[str, Any] | None = None, **more: Any) -> Training:
    """12 pictures, 3 steps an epoch, 3 epochs; 4 pictures held out."""
    values = values or tiny()
    pool = open_source(pictures).split("all")
    return Training(
        lambda: build_pretext(values), pool[:12], pool[12:], manifest={"kind": "pretrain", "options": dict(values)},
        size=values["size"], **more,
    )  # fmt: skip


def finetuning(
    data: Path, task: str, transferred: Sequence[str] = (), schedule: Schedule | None = None,
    values: Mapping[str, Any] | None = None, **more: Any,
) -> Training:  # fmt: skip
    """As above, on labelled pictures."""
    values = {**(values or tiny()), "task": task}
    target = "mask" if task == "segmentation" else "labels"
    source = open_source(data, task=target)  # type: ignore[arg-type]
    classes = list(source.mask_classes if target == "mask" else source.classes)
    schedule = schedule or Schedule(epochs=3, rate=1e-3, frozen_epochs=1, unfrozen_rate=5e-4)
    pool = source.split("all")
    return Training(
        lambda: FineTuning(*build_task_network(values, classes), schedule, transferred), pool[:12], pool[12:],
        feed={"target": target, "classes": classes, "mask_map": source.mask_map},
        manifest={"kind": "finetune", "options": values, "classes": classes}, size=values["size"], **more,
    )  # fmt: skip
