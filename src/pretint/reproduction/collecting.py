"""All numbers in the order of the page, by topic."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pretint.reproduction import (
    artefact,
    chance,
    colour,
    knowing_nothing,
    labels,
    networks,
    published,
    steps,
    tiny,
    updates,
)
from pretint.reproduction.number import Number

TRAINING, TEST = 160, 32
"""Made scenes that the small trainings use."""

Progress = Callable[[str, int, int], None]
"""Told the topic that is begun, how many are done, and of how many."""


def collect(progress: Progress | None = None) -> list[dict[str, Any]]:
    """Compute every number; about a minute on one core.

    Args:
        progress: told what is begun.
    Returns:
        A mapping a number: ``id``, ``topic``, ``title``, ``what``, ``source``, ``claim``, ``ours``, ``status``; the fields
        of `Number`.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pretint-") as folder,
        torch.random.fork_rng(devices=[]),
    ):
        scratch = Path(folder)
        scenes = scratch / "scenes"

        def with_scenes(numbers: Callable[[Path], list[Number]]) -> Callable[[], list[Number]]:
            def made() -> list[Number]:
                if not scenes.exists():
                    tiny.make_scenes(scenes, TRAINING, TEST)
                return numbers(scenes)

            return made

        topics: dict[str, Callable[[], list[Number]]] = {
            "Table 3: the colorizer": published.table_3,
            "Table 4: transfer": lambda: [*published.table_4_accuracy(), *artefact.table_4()],
            "Figures 7 and 8": published.figures,
            "The segmentation score": artefact.numbers,
            "The classification score": labels.numbers,
            "Printed numbers": published.numbers,
            "Steps": steps.numbers,
            "Networks": networks.numbers,
            "Colour": colour.numbers,
            "Updates of the GAN": with_scenes(lambda data: updates.numbers(data, scratch / "updates")),
            "Chance": with_scenes(chance.numbers),
            "Knowing nothing of colour": with_scenes(lambda data: knowing_nothing.numbers(data, scratch / "toy")),
        }
        found = []
        for done, (topic, numbers) in enumerate(topics.items()):
            if progress:
                progress(topic, done, len(topics))
            found += [{"topic": topic, **asdict(number)} for number in numbers()]
    return found
