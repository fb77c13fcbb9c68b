"""What the trainings give back. Loads no torch."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PretrainResult:
    """What a pretraining left behind.

    ``scores`` are those of the best checkpoint on the held-out pictures, errors in CIELAB units; empty where none were
    held out.
    """

    run: Path
    scores: dict[str, float]

    def summary(self) -> str:
        """One line for a person."""
        return _line(self.run, self.scores)


@dataclass(frozen=True)
class FinetuneResult:
    """What a fine-tuning left behind.

    ``scores`` are those of the best checkpoint on the held-out part of the training pictures (empty where none were held
    out); ``loaded`` is the share of the network's parameters that came from ``init``.
    """

    run: Path
    scores: dict[str, float]
    loaded: float

    def summary(self) -> str:
        """One line for a person."""
        return _line(self.run, self.scores)


def _line(run: Path, scores: dict[str, float]) -> str:
    if not scores:
        return f"{run}: finished; no pictures were held out, so nothing was scored"
    return f"{run}: best on held-out pictures: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
