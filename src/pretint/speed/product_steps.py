"""pretint's own training step, timed from the outside: the loop trains as ever, and its feed holds the watch.

``Loop.train`` asks its feed for a batch when the step before is done. So what lies between two batches is one step,
with all that a training does in it: the copy to the device, Lab from bytes, draws, losses, updates, the moving average
where the recipe keeps one, and the log. The feed hands out the same batch again and again; it never comes to the end of
an epoch, so that nothing is validated or saved.
"""

import math
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from pretint import recipe
from pretint.data.feed import Batch, Batches, Feed
from pretint.data.layouts import open_pool
from pretint.data.processes import default_workers
from pretint.data.views import ViewOptions
from pretint.pretexts.pretext import Pretext, build_pretext
from pretint.run_folder import RunFolder
from pretint.speed.clock import Clock
from pretint.training.hardware import start_fabric
from pretint.training.loop import Loop
from pretint.training.options import LoopOptions
from pretint.training.signals import StopRequest

_ENDLESS = 10**9
"""Steps of an epoch whose end is never reached."""
Answer = Callable[..., None]


class DirectedFeed(Feed):
    """A feed whose batches come from a function; it knows as much of a feed as the loop asks for."""

    def __init__(self, batch_size: int, size: int, batches: Callable[[], Batches]) -> None:
        self.batch_size, self.steps_per_epoch = batch_size, _ENDLESS
        self._size, self._batches = size, batches

    def batches(self, first_step: int, last_step: int) -> Batches:
        return self._batches()

    def size_at(self, epoch: int) -> int:
        """Side of the pictures of an epoch: always the same."""
        return self._size


def train(case: dict[str, Any], batches: Callable[[], Batches]) -> None:
    """Run the loop of a case until its batches end.

    Args:
        case: ``values`` of a recipe, ``precision``, ``batch``, ``folder`` for what a run writes; ``accumulate``, ``compile``.
        batches: asked once for the batches of all steps.
    """
    values = case["values"]
    torch.manual_seed(0)
    pretext: Pretext = build_pretext(values)
    if case.get("compile"):
        for network in pretext.networks.values():
            network.compile()
    how = {**values.get("loop", {}), "precision": case["precision"], "accumulate": case.get("accumulate", 1)}
    # The log reads losses from a GPU, and saving takes its time: neither belongs to a step.
    how |= {"log_every": 1000, "save_minutes": 1e9}
    options = recipe.fill(LoopOptions, how, "bench")
    fabric, _ = start_fabric(options, case["precision"])
    folder = Path(tempfile.mkdtemp(dir=case["folder"]))
    run = RunFolder.create(folder, {"kind": "pretrain", "options": {}, "state": "running"})
    feed = DirectedFeed(case["batch"], values["size"], batches)
    Loop(pretext, feed, None, run, options, 0, fabric, quiet=True, stop=StopRequest()).train()


def serve(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Answer) -> None:
    """Answer requests ``{"least": seconds}`` or ``{"steps": n}`` with a timing of one step.

    With ``"synchronizations"`` in a request the steps' waits of the host for a GPU are counted too.
    """
    parts = case.get("accumulate", 1)
    batch = Batch.of_noise(case["batch"] // parts, case["values"]["size"])
    if clock.device.type == "cuda":
        batch = batch.pin_memory()  # as the feed does

    def batches() -> Batches:
        # The loop sets the watch: what is behind a yield has been trained on when the next batch is asked for.
        for _ in range(2 if case.get("warm", True) else 1):
            clock.start()
            for _ in range(parts):
                yield batch
            seconds = clock.stop().seconds
        answer(seconds=seconds)
        for request in requests:
            steps = request.get("steps") or max(1, math.ceil(request["least"] / max(seconds, 1e-7)))
            clock.start()
            with _counting(clock, request.get("synchronizations", False)) as waits:
                for _ in range(steps * parts):
                    yield batch
            sample = clock.stop(steps)
            seconds = sample.seconds
            answer(sample=sample, steps=steps, synchronizations=len(waits))

    train(case, batches)


@contextmanager
def _counting(clock: Clock, wanted: bool) -> Iterator[list[Any]]:
    """Collect torch's warnings of a host that waits for its GPU."""
    if not wanted or clock.device.type != "cuda":
        yield []
        return
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")


def serve_fed(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Answer) -> None:
    """The loop on real files: answers requests ``{"least": seconds}`` with the share of the time that it waited for a batch.

    The case has the folder of ``photos`` and the recipe's ``view`` in its values; as many processes read as by default.
    """
    clock = Clock("wall", clock.device)  # waiting takes no CPU time
    records = open_pool([Path(case["photos"])])
    values = case["values"]
    feed = Feed(
        [*records] * max(1, 10_000 // len(records)),  # an epoch that is longer than the measurement
        size=values["size"],
        view=recipe.fill(ViewOptions, values.get("view", {}), "bench"),
        batch_size=case["batch"],
        seed=0,
        workers=default_workers(),
        pin=clock.device.type == "cuda",
    )

    def batches() -> Batches:
        waited = 0.0
        with closing(feed.batches(0, feed.steps_per_epoch)) as real:

            def following() -> Batch:
                nonlocal waited
                asked = time.perf_counter()
                batch = next(real)
                waited += time.perf_counter() - asked
                return batch

            for _ in range(3):  # the processes start, and read ahead
                yield following()
            answer(workers=feed.workers)
            for request in requests:
                waited, steps = 0.0, 0
                begun = time.perf_counter()
                clock.start()
                while not steps or time.perf_counter() - begun < request["least"]:
                    yield following()
                    steps += 1
                sample = clock.stop(steps)
                answer(sample=sample, waited=waited / (time.perf_counter() - begun), steps=steps)

    train(case, batches)
