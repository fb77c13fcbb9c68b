"""What every downstream task is: a network on a backbone, a loss, scores, and the score of knowing nothing.

A task is one file of this folder with ``Options`` and ``build``; ``fine_tuning.py`` makes an Objective of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from pretint import recipe
from pretint.data.feed import Batch
from pretint.data.record import Record
from pretint.data.splits import label_matrix
from pretint.errors import DataError
from pretint.methods import load
from pretint.networks.backbone import Backbone, Decoder
from pretint.objective import Loss
from pretint.terminal import counted


class TaskNetwork(nn.Module):
    """A network that solves a task: transferred ``backbone`` (and ``decoder``), new ``head``."""

    backbone: Backbone
    decoder: Decoder | None
    head: nn.Module


class ScoreMeter(Protocol):
    """Gathers targets and predictions of a whole set."""

    def update(self, batch: Batch, prediction: NDArray[Any]) -> None:
        """Add a batch."""

    def compute(self) -> dict[str, Any]:
        """All scores in [0, 1]: numbers, and mappings by class."""


class Task:
    """One downstream task over named classes.

    Attributes:
        classes: names of the outputs, in order.
        target: what of a record it needs.
        best: the score that chooses the checkpoint.
    """

    target: Literal["labels", "mask"]
    best: str

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    def network(self, backbone: Backbone, decoder: Decoder | None, size: int) -> TaskNetwork:
        """A network with a new head, for pictures of ``size``; gives logits."""
        raise NotImplementedError

    def loss(self, logits: Tensor, batch: Batch) -> Loss:
        """The training loss."""
        raise NotImplementedError

    def prediction(self, logits: Tensor) -> NDArray[Any]:
        """Logits -> what is scored: probabilities (B, K), or class indices (B, H, W)."""
        raise NotImplementedError

    def meter(self) -> ScoreMeter:
        """A fresh meter."""
        raise NotImplementedError

    def check(self, records: Sequence[Record], what: str, mend: str) -> None:
        """See that pictures can be scored.

        Args:
            records: of one list or part.
            what: it is, as the subject of a sentence: ``--data DIR: the list test``.
            mend: what to do where it cannot be scored.

        Raises:
            DataError: there are none, one has no labels, or none shows any of the classes.
        """
        if not records:
            raise DataError(f"{what} has no pictures; {mend}")
        if self.target == "labels" and not label_matrix(records, self.classes).any():
            raise DataError(
                f"{what} shows none of the classes {', '.join(self.classes)} in its {counted(len(records), 'picture')}, so nothing can be "
                f"scored on it; {mend}"
            )

    def frequencies(self, training: Sequence[Record], mask_map: Mapping[int, int]) -> list[float]:
        """How often each class occurs in the training pictures: all that the constant predictor knows."""
        raise NotImplementedError

    def constant(self, frequencies: Sequence[float], shape: tuple[int, ...]) -> NDArray[Any]:
        """The best prediction that does not look at the picture; ``shape`` is that of the targets."""
        raise NotImplementedError


def build_task(values: Mapping[str, Any], classes: Sequence[str]) -> Task:
    """The task named by ``values["task"]``, from the values that ``run.json`` holds."""
    name = values["task"]
    module = load("tasks", name)
    task: Task = module.build(recipe.fill(module.Options, values[name], name), classes)
    return task


def class_shares(counts: NDArray[np.int64], total: int) -> list[float]:
    """Counts as shares of a total."""
    return [float(count) / total for count in counts]
