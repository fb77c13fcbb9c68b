"""What the pretrainings of the ladder cost: CPU seconds a picture on one thread, reading included.

    python benchmarks/costs.py --data DATA

Trainings are run where there is room, some on a GPU, some beside other programs, so their own times say little of each other. So
here a few steps of each rung, of recipe `best` and of each setting of the peers (peers.py) are timed on the CPU, in turn with as many of rung
`one-cycle`: a cost is that rung's, times the median ratio of the turns. Where pictures grow, each size counts as many epochs as it
is trained on. The peers' passes follow from these costs: as many as one pass of `one-cycle` costs, times those of the budget.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import peers
import torch
from first_results import RESULTS
from rungs import BEST, RUNGS, SIZE, TIMED, Rung

from pretint import recipe
from pretint.commands.pretrain import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.feed import Batch
from pretint.data.layouts import open_pool
from pretint.data.record import Record
from pretint.experiments.environment import changes, environment
from pretint.experiments.options import TrainingOptions
from pretint.experiments.starting import begin, feed, seed_weights, sizes_by_epoch
from pretint.objective import Objective
from pretint.pretexts.pretext import build_pretext
from pretint.speed.product_steps import DirectedFeed
from pretint.training.allocator import raise_allocator_thresholds
from pretint.training.loop import Loop

PATH = RESULTS / "ladder-costs.json"
MACHINE = ("processor", "torch")
"""What of the environment decides times, and must be one for all of them."""
TURNS = 3
"""How often a pretraining and rung `one-cycle` are timed in turn."""
TRIAL = 10
"""Steps of one timing."""
WARM = 3
"""The first of them, which do not count."""
Training = tuple[Callable[[], Objective], TrainingOptions, TrainingOptions]
"""How to build what learns, its options, and those of what is read."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds photos/")
    raise_allocator_thresholds()
    torch.set_num_threads(1)
    measure(parser.parse_args().data / "photos")


def measure(photos: Path) -> None:
    """Time what was not timed yet; each is kept as it comes."""
    here = environment()
    done = document() if PATH.exists() else {"environment": here, "costs": {}}
    every = {rung.name: rung_training(rung.options, photos) for rung in (*RUNGS, Rung("best", "", "", BEST))} | {
        peer_name(method, settings): peer_training(method, settings, photos)
        for method in peers.PEERS
        for settings in peers.TRIED[method]
    }
    wanted = {name: training for name, training in every.items() if name not in done["costs"]}
    if not wanted:
        return
    if changed := changes(
        {name: done["environment"][name] for name in MACHINE}, {name: here[name] for name in MACHINE}
    ):
        sys.exit(f"{PATH}: was measured elsewhere ({changed}); remove it to measure all of it here")
    records = open_pool([photos], None, None)
    for name, training in wanted.items():
        turns = [(seconds(every[TIMED], records), seconds(training, records)) for _ in range(TURNS)]
        done["costs"][name] = {"reference": [one for one, _ in turns], "ratios": [its / one for one, its in turns]}
        PATH.write_text(json.dumps(done, indent=1) + "\n")
        print(f"{name}: {' '.join(f'{ratio:.3f}' for ratio in done['costs'][name]['ratios'])} of {TIMED}", flush=True)


def peer_name(method: str, settings: dict[str, Any]) -> str:
    """A peer with its settings, as costs and trials are named."""
    return "-".join([method, *(f"{name}{value:g}" for name, value in settings.items())])


def ratio(name: str) -> float:
    """Cost of a picture, of that in rung `one-cycle`."""
    return statistics.median(costs()[name]["ratios"])


def seconds_a_picture(name: str) -> float:
    """CPU seconds on one thread."""
    return ratio(name) * statistics.median(one for row in costs().values() for one in row["reference"])


def costs() -> dict[str, dict[str, list[float]]]:
    """What was measured, by name."""
    found: dict[str, dict[str, list[float]]] = document()["costs"]
    return found


def document() -> dict[str, Any]:
    """What was measured, and where."""
    found: dict[str, Any] = json.loads(PATH.read_text())
    return found


def passes_of_peer(method: str, settings: dict[str, Any], passes: int) -> int:
    """Passes of a peer that cost as much as ``passes`` of rung `one-cycle`."""
    return max(1, round(passes / ratio(peer_name(method, settings))))


def rung_training(chosen: dict[str, Any], photos: Path) -> Training:
    """A rung's pretraining."""
    options = options_from_call(SCHEMA, {**chosen, "data": [photos], "out": "unused"})
    values = recipe.as_values(options)
    return lambda: build_pretext(values), options, options


def peer_training(method: str, settings: dict[str, Any], photos: Path) -> Training:
    """A peer's pretraining."""
    options = peers.options_of(method, photos, Path("unused"), SIZE, epochs=1, **settings)
    return lambda: peers.build(options), options, peers.pictures(options)


def seconds(training: Training, records: Sequence[Record]) -> float:
    """CPU seconds a picture, over all sizes that it sees."""
    build, options, reading = training
    sides = Counter(sizes_by_epoch(options))
    by_side = {side: _seconds(build, options, reading, side, records) for side in sides}
    return sum(by_side[side] * epochs for side, epochs in sides.items()) / options.epochs


def _seconds(
    build: Callable[[], Objective],
    options: TrainingOptions,
    reading: TrainingOptions,
    side: int,
    records: Sequence[Record],
) -> float:
    """CPU seconds a picture at one size, in a few steps of the product's own loop."""
    clock: list[float] = []
    seed_weights(0)
    objective = build()
    read_side = reading.size * side // options.size
    loop = replace(options.loop, first_size=0.0, workers=0, accelerator="cpu")
    with tempfile.TemporaryDirectory() as folder:
        here = replace(reading, out=Path(folder) / "trial", epochs=TRIAL, size=read_side, loop=loop)
        start = begin("trial", here, quiet=True)
        read = feed(start, here, records)

        def watched() -> Iterator[Batch]:
            for batch in read.batches(0, TRIAL):
                yield batch
                clock.append(time.process_time())  # what is behind a yield has been trained on

        directed = DirectedFeed(options.batch_size, read_side, watched)
        Loop(objective, directed, None, start.run, loop, 0, start.fabric, quiet=True).train()
    return (clock[-1] - clock[WARM - 1]) / (options.batch_size * (len(clock) - WARM))


if __name__ == "__main__":
    main()
