"""From a run, the weights' file of one, or the name of the shipped model, to networks that are ready to use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from pretint.color import rgb_to_planes, standardize_rgb
from pretint.errors import OptionError, WeightsError
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.build import build_backbone, build_decoder
from pretint.networks.normalization import freeze_statistics
from pretint.pretexts.pretext import Decoding, Pretext, build_pretext
from pretint.run_folder import RunFolder, read_description
from pretint.shipped import where
from pretint.tasks.task import Task, TaskNetwork, build_task
from pretint.training import checkpoint

Setting = Literal["accurate", "vivid"]
"""What the colours of a picture are to be: near the true ones, or as lively as the originals' nearly are."""
SETTINGS: tuple[Setting, ...] = get_args(Setting)


@dataclass(frozen=True)
class Trained:
    """Weights and what they are.

    ``description`` holds entries of run.json: ``kind``, ``options``, and by kind ``mean_colour`` or ``classes``; beside them
    ``frozen``, the parts that did not learn in the phase that these weights are from (none where it is missing); and of an
    exported file ``settings``, ``dropped`` and more (see :mod:`pretint.experiments.exporting`). ``tensors`` are float32
    where the file holds half precision.
    """

    source: Path
    description: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the training."""
        options: Mapping[str, Any] = self.description["options"]
        return options

    @property
    def settings(self) -> dict[Setting, Decoding]:
        """How each setting that it has decodes colours. A run that was not exported has ``accurate`` alone, at temperature 1:
        the mean of a distribution has the least expected squared error."""
        stored = self.description.get("settings")
        if not stored:
            return {"accurate": Decoding()}
        return {
            name: Decoding(**{**stored[name]["decoding"], "marginal": tuple(stored[name]["decoding"]["marginal"])})
            for name in SETTINGS
            if name in stored
        }

    def decoding(self, setting: Setting) -> Decoding:
        """How a setting decodes colours.

        Raises:
            OptionError: it was not chosen for these weights.
        """
        found = self.settings
        if setting not in found:
            raise OptionError(
                f"--setting {setting}: was not chosen for {self.source} yet; pretint export chooses it on held-out pictures "
                "and writes a file that has it"
            )
        return found[setting]


@dataclass(frozen=True)
class TaskModel:
    """A fine-tuned network with its task."""

    task: Task
    network: TaskNetwork
    trained: Trained


def open_trained(source: Path | str) -> Trained:
    """Read the best checkpoint of a run, a weights' file that pretint wrote, or the shipped model (``pretint``).

    Raises:
        RunError: the folder is not that of a run, or has no checkpoint.
        WeightsError: the file is missing, damaged, or not of pretint, or the package carries no model.
        OptionError: ``pretint`` is a run in this folder too.
    """
    path = where(source)
    if path.suffix == ".safetensors":
        tensors = {name: _at_least_float32(tensor) for name, tensor in checkpoint.load_tensors(path).items()}
        description = read_description(path)
        if description is None:
            raise WeightsError(
                f"{path}: does not say what network it holds, so it was not written by pretint; give a run's folder"
            )
        return Trained(path, description, tensors)
    run = RunFolder.open(path)
    folder = run.checkpoint("best")
    checkpoint.read_progress(folder, checkpoint.WEIGHTS)
    weights = folder / checkpoint.WEIGHTS
    # What was frozen differs from checkpoint to checkpoint, so the run itself does not say it.
    frozen = (read_description(weights) or {}).get("frozen", [])
    return Trained(path, {**run.manifest, "frozen": frozen}, checkpoint.load_tensors(weights))


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def load_pretext(source: Path | str | Trained) -> tuple[Pretext, Trained]:
    """A pretext with its trained weights, in eval mode; what was opened already is not read again.

    Parts that an exported file has dropped, such as a critic, are there with random weights; nothing here uses them.

    Raises:
        WeightsError: the run is no pretraining.
    """
    trained = _of_kind("pretrain", source)
    pretext = build_pretext(trained.options)
    dropped = tuple(f"{name}." for name in trained.description.get("dropped", ()))
    random = {name: tensor for name, tensor in pretext.state_dict().items() if name.startswith(dropped)}
    checkpoint.load_weights(pretext, {**random, **trained.tensors}, trained.source)
    pretext.eval()
    return pretext, trained


def load_task(source: Path | str | Trained) -> TaskModel:
    """A fine-tuned network, in eval mode; what was opened already is not read again.

    Parts that were frozen when these weights were scored use their moving averages, as they did then.

    Raises:
        WeightsError: the run is no fine-tuning.
    """
    trained = _of_kind("finetune", source)
    task, network = build_task_network(trained.options, trained.description["classes"])
    tensors = {name.removeprefix("network."): tensor for name, tensor in trained.tensors.items()}
    checkpoint.load_weights(network, tensors, trained.source)
    for part in trained.description.get("frozen", ()):
        freeze_statistics(network.get_submodule(part.removeprefix("network.")), True)
    network.eval()
    return TaskModel(task, network, trained)


def _of_kind(kind: str, source: Path | str | Trained) -> Trained:
    trained = source if isinstance(source, Trained) else open_trained(source)
    if trained.description["kind"] != kind:
        raise WeightsError(
            f"{trained.source}: holds a run of pretint {trained.description['kind']}, "
            f"but this needs one of pretint {kind}"
        )
    return trained


def build_task_network(values: Mapping[str, Any], classes: list[str]) -> tuple[Task, TaskNetwork]:
    """A task and its network with new weights, from the values that ``run.json`` holds."""
    task = build_task(values, classes)
    backbone = build_backbone(values)
    decoder = build_decoder(values, backbone) if task.target == "mask" else None
    return task, task.network(backbone, decoder, values["size"])


def load_parts(source: Path | str) -> tuple[Backbone, Decoder | None, Trained]:
    """Backbone and decoder of any run of pretint.

    Raises:
        WeightsError, RunError: as for :func:`open_trained`.
    """
    trained = open_trained(source)
    if trained.description["kind"] == "pretrain":
        pretext, _ = load_pretext(trained)
        return pretext.backbone, pretext.decoder, trained
    network = load_task(trained).network
    return network.backbone, network.decoder, trained


class RgbBackbone(nn.Module):
    """A backbone that takes RGB in [0, 1], whatever planes it sees inside.

    Attributes:
        channels: channels of each level, fine to coarse.
        strides: pixels of the picture per step of each level.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = backbone.channels
        self.strides = backbone.strides

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """RGB (B, 3, H, W) in [0, 1] -> one tensor (B, channels[i], h_i, w_i) a level, fine to coarse."""
        match self.backbone.planes:
            case "RGB":
                planes = standardize_rgb(rgb)
            case "L":
                planes = rgb_to_planes(rgb)[:, :1]
            case "ab":
                planes = rgb_to_planes(rgb)[:, 1:]
            case "Lab":
                planes = rgb_to_planes(rgb)
        pyramid: list[Tensor] = self.backbone(planes)
        return pyramid


def load_backbone(source: Path | str) -> RgbBackbone:
    """The trained backbone of a run as a plain module, in eval mode: RGB in [0, 1] -> pyramid of features.

    Args:
        source: the folder of a run, a weights' file that pretint wrote, or ``"pretint"``, the model that comes with the package.

    Raises:
        PretintError: there is no such run, or its weights are damaged.
    """
    backbone, _, _ = load_parts(source)
    return RgbBackbone(backbone).eval()


def best_device() -> torch.device:
    """A GPU where there is one, of Nvidia's kind or of Apple's: what ``--loop.accelerator auto`` trains on."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def drawing_from(seed: int, device: torch.device) -> Iterator[None]:
    """What is drawn inside comes from `seed`, and the caller's random numbers stay where they were.

    For networks of the paper's kind, which may draw dropout when they predict.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
