"""The model that comes with the package, and its name: ``pretint`` stands for it wherever a run is taken. Loads no torch.

    pretint colorize photo.jpg
    pretint finetune --task segmentation --data CELLS --init pretint --out runs/cells

The text ``pretint`` is the model, and ``./pretint`` (in Python also ``Path("pretint")``) is a folder of that name. Where that
folder holds a run, the bare name could mean either, so it is refused.
"""

from importlib import resources
from pathlib import Path

from pretint.errors import OptionError, WeightsError

NAME = "pretint"
"""What stands for the model."""
WEIGHTS = "weights.safetensors"
CARD = "MODEL.md"


def folder() -> Path:
    """Where the package keeps its model: weights, card, and run.json with the metrics of its training."""
    return Path(str(resources.files("pretint") / "model"))


def is_there() -> bool:
    """Whether the package carries a model."""
    return (folder() / WEIGHTS).is_file()


def where(source: str | Path) -> Path:
    """The path of a run or a weights' file: of the shipped model where its name is given, else the path itself.

    Raises:
        OptionError: the name is that of a run in this folder too.
        WeightsError: the package carries no model.
    """
    if source != NAME:  # a Path never equals a text
        return Path(source)
    if (Path(NAME) / "run.json").is_file():
        raise OptionError(
            f"{NAME}: is the name of the model that comes with the package, and of a run in this folder; "
            f"write ./{NAME} for the run, or rename it"
        )
    if not is_there():
        raise WeightsError(
            f"{NAME}: this installation carries no trained model; train one with pretint pretrain, and name its folder instead"
        )
    return folder() / WEIGHTS


def run_of(source: str | Path) -> Path:
    """The folder of a run: where the name of the shipped model is given, what it keeps of its training.

    Raises:
        PretintError: as for :func:`where`.
    """
    return where(source).parent if source == NAME else Path(source)


def as_text(source: str | Path) -> str:
    """A source as the text of an option; a path stays a path, whatever it is called.

    Raises:
        OptionError: it is an empty text, which as a path would be the current folder.
    """
    if source == "":
        raise OptionError("the name of a run is empty; give it a value")
    return f"./{NAME}" if source == Path(NAME) else str(source)
