"""Options of ``pretint compare``. Loads no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pretint.errors import OptionError
from pretint.experiments.options import TaskOptions

Mode = Literal["finetune", "linear", "knn"]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(TaskOptions):
    """Compare what pretraining brings on one task, over label fractions and seeds, and say how sure that is.

    examples:
      pretint compare --task segmentation --data CELLS --arms runs/photos --out studies/cells
      pretint compare --task multilabel --data VOC2012 --arms photos=runs/photos pretint --seeds 3 --out studies/voc
    """

    out: Path
    """Folder for the study; it must not hold one already, unless --resume is given."""
    resume: bool = False
    """Go on with the study in --out: finished cells stay, and --arms and --seeds may grow; without one there, begin."""
    arms: tuple[str, ...] = ()
    """What is compared with scratch: NAME=RUN, NAME=RUN,RUN,.. (pretrainings of one recipe), NAME=FILE.safetensors, pretint (the model that comes with the package), scratch-rgb, random-frozen. Behind it @planes=RGB, @first-seed=100 and @against=ARM where wanted."""
    fractions: tuple[float, ...] = (0.1, 1.0)
    """Shares of the labelled training pictures, each in (0, 1]; smaller ones are contained in larger ones."""
    seeds: int = 5
    """Repetitions of every cell, from --seed on; 3 or more give intervals worth having."""
    modes: tuple[Mode, ...] = ("finetune",)
    """finetune: the whole network learns; linear: a linear probe on frozen features of each depth; knn: nearest neighbours on them (of multilabel and classification)."""
    rates: tuple[float, ...] = ()
    """Learning rates to try for each arm, chosen on validation pictures; a third, once and three times --rate where not given; a single one is taken untried."""
    search_fraction: float | None = None
    """Share of the labels at which the rates are tried; the smallest of --fractions where not given. More labels tell rates better apart, and take longer."""
    least_steps: int = 600
    """Steps that a fine-tuning has at least: with few labels the epochs are raised to that, for every arm alike."""
    least_positives: int = 1
    """Pictures of each class that the smallest fraction must hold."""
    test: str | None = None
    """List of test pictures; test, else val, where not given."""
    jobs: int = -1
    """Cells that run side by side; -1 takes as many as cores and the memory of a GPU allow. Changes no result."""
    threads: int = 1
    """Threads of each cell; fixed for the study, since sums depend on it."""
    keep_leaks: bool = False
    """Score on test pictures that (nearly) stand in an arm's unlabelled pictures too; they are left out otherwise."""
    keep_weights: bool = False
    """Keep the weights of every cell; removed otherwise once the cell is scored."""

    json: bool = False
    """Print one JSON document."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.fractions or not all(0 < fraction <= 1 for fraction in self.fractions):
            raise OptionError(f"--fractions {self._listed(self.fractions)}: each must lie in (0, 1]")
        for name in ("fractions", "rates", "modes"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise OptionError(f"--{name} {' '.join(map(str, values))}: names something twice")
        if self.seeds < 1 or self.threads < 1 or self.least_steps < 0 or self.least_positives < 0:
            raise OptionError("--seeds, --threads, --least-steps, --least-positives: must not be below 1, 1, 0, 0")
        if self.jobs == 0 or self.jobs < -1:
            raise OptionError(f"--jobs {self.jobs}: must be at least 1, or -1 for as many as cores allow")
        if not all(rate > 0 for rate in self.rates):
            raise OptionError(f"--rates {self._listed(self.rates)}: each must be above 0")
        if not self.modes:
            raise OptionError("--modes: name at least one of finetune, linear, knn")
        if self.search_fraction is not None and not 0 < self.search_fraction <= 1:
            raise OptionError(f"--search-fraction {self.search_fraction}: must lie in (0, 1]")
        if isinstance(self.task, str) and self.task == "segmentation" and set(self.modes) != {"finetune"}:
            raise OptionError("--modes: linear and knn are for labels of whole pictures, not for segmentation")

    def check_search(self) -> None:
        """See that there is something to choose the learning rates on. Apart from the rest, since a recipe's values are checked
        before the command line's are known.

        Raises:
            OptionError: no validation pictures, and several rates.
        """
        if "finetune" in self.modes and not self.validation and len(self.rates) != 1:
            raise OptionError(
                "--validation 0: the learning rates are chosen on validation pictures; leave some, or give one of --rates"
            )

    @staticmethod
    def _listed(values: tuple[float, ...]) -> str:
        return " ".join(f"{value:g}" for value in values)

    @property
    def rates_to_try(self) -> tuple[float, ...]:
        """The declared search."""
        return self.rates or tuple(float(f"{self.rate * factor:.3g}") for factor in (1 / 3, 1, 3))


FREE_ON_RESUME = frozenset({"jobs", "keep_weights", "json"})
"""Options of a study that change no result, so a resumed one may change them."""

GROWING = frozenset({"arms", "seeds"})
"""Options of a study that may grow when it is resumed: what is finished stays as it is, and what is new is run besides."""
