"""Everything that can go wrong and that a person can mend.

    PretintError            one sentence that names the file or option and says what to do; the command line exits with 2
    ├── OptionError         an option or a key of a recipe: unknown, out of range, contradicting another
    ├── DataError           pictures, masks, labels, layouts, splits
    ├── RunError            a run folder: exists already, in use, damaged, or refuses to be resumed
    ├── WeightsError        weights that do not fit the network they are loaded into
    ├── TrainingError       a training that cannot go on
    │   └── Diverged        since what it computes is no number any more
    └── ResourceError       not enough memory or disk, or an optional package that is not installed

    Interrupted             stopped by Ctrl-C or SIGTERM after the state was saved; the command line exits with 75

Any other exception is a fault of ours: it keeps its traceback and exits with 1.
"""

from pathlib import Path


class PretintError(Exception):
    """A fault that the user can mend, told in one sentence."""


class OptionError(PretintError):
    """An option or recipe key is unknown, out of range, or contradicts another."""


class DataError(PretintError):
    """Pictures, masks, labels or splits are missing, unreadable or do not fit together."""


class RunError(PretintError):
    """A run folder exists already, is in use, is damaged, or cannot be resumed as asked."""


class WeightsError(PretintError):
    """Weights do not fit the network they are meant for."""


class TrainingError(PretintError):
    """A training cannot go on."""


class Diverged(TrainingError):
    """A training computes infinities or no numbers; another learning rate may not."""


class ResourceError(PretintError):
    """Memory, disk or an optional package is missing."""


class Interrupted(Exception):
    """A training was asked to stop and has saved its state.

    Attributes:
        run: the run folder; the same command with ``--resume`` goes on from it.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(f"{run}: stopped and saved; the same command with --resume goes on")
        self.run = run
