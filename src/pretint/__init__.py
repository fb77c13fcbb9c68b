"""Self-supervised pretraining on pictures without labels, by colorization, and an honest answer to whether it helped.

Each verb of the command line is a function of the same name and options::

    import pretint

    pretint.pretrain(data="photos", out="runs/photos")
    pretint.finetune(task="segmentation", data="cells", out="runs/cells", init="runs/photos")
    backbone = pretint.load_backbone("runs/photos")  # a plain torch module: RGB in [0, 1] -> pyramid of features

Importing this package loads no torch; the first call does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pretint.errors import (
    DataError,
    Interrupted,
    OptionError,
    PretintError,
    ResourceError,
    RunError,
    TrainingError,
    WeightsError,
)

if TYPE_CHECKING:
    from pretint.commands.bench import bench
    from pretint.commands.colorize import colorize
    from pretint.commands.compare import compare
    from pretint.commands.demo import demo
    from pretint.commands.describe import describe
    from pretint.commands.embed import embed
    from pretint.commands.evaluate import evaluate
    from pretint.commands.export import export
    from pretint.commands.finetune import finetune
    from pretint.commands.predict import predict
    from pretint.commands.prepare import prepare
    from pretint.commands.pretrain import pretrain
    from pretint.commands.report import report
    from pretint.commands.reproduce import reproduce
    from pretint.inference.models import load_backbone

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Interrupted",
    "OptionError",
    "PretintError",
    "ResourceError",
    "RunError",
    "TrainingError",
    "WeightsError",
    "__version__",
    "bench",
    "colorize",
    "compare",
    "demo",
    "describe",
    "embed",
    "evaluate",
    "export",
    "finetune",
    "load_backbone",
    "predict",
    "prepare",
    "pretrain",
    "report",
    "reproduce",
]

_MODULES = {
    "load_backbone": "pretint.inference.models",
    **{verb: f"pretint.commands.{verb}" for verb in
       ("bench", "colorize", "compare", "demo", "describe", "embed", "evaluate", "export", "finetune", "predict", "prepare",
        "pretrain", "report", "reproduce")},
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pretint' has no attribute {name!r}")
