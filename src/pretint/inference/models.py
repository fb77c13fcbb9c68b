"""From a run, or the weights' file of one, to networks that are ready to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pretint.color import rgb_to_planes, standardize_rgb
from pretint.errors import WeightsError
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.build import build_backbone, build_decoder
from pretint.pretexts.pretext import Pretext, build_pretext
from pretint.run_folder import RunFolder, read_description
from pretint.tasks.task import Task, TaskNetwork, build_task
from pretint.training import checkpoint


@dataclass(frozen=True)
class Trained:
    """Weights and what they are.

    ``description`` holds entries of run.json: ``kind``, ``options``, and by kind ``mean_colour`` or ``classes``.
    """

    source: Path
    description: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the training."""
        options: Mapping[str, Any] = self.description["options"]
        return options


@dataclass(frozen=True)
class TaskModel:
    """A fine-tuned network with its task."""

    task: Task
    network: TaskNetwork
    trained: Trained


def open_trained(source: Path | str) -> Trained:
    """Read the best checkpoint of a run, or a weights' file that pretint wrote.

    Raises:
        RunError: the folder is not that of a run, or has no checkpoint.
        WeightsError: the file is missing, damaged, or not of pretint.
    """
    path = Path(source)
    if path.suffix == ".safetensors":
        tensors = checkpoint.load_tensors(path)
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
    return Trained(path, run.manifest, checkpoint.load_tensors(weights))


def load_pretext(source: Path | str | Trained) -> tuple[Pretext, Trained]:
    """A pretext with its trained weights, in eval mode; what was opened already is not read again.

    Raises:
        WeightsError: the run is no pretraining.
    """
    trained = _of_kind("pretrain", source)
    pretext = build_pretext(trained.options)
    checkpoint.load_weights(pretext, trained.tensors, trained.source)
    pretext.eval()
    return pretext, trained


def load_task(source: Path | str | Trained) -> TaskModel:
    """A fine-tuned network, in eval mode; what was opened already is not read again.

    Raises:
        WeightsError: the run is no fine-tuning.
    """
    trained = _of_kind("finetune", source)
    task, network = build_task_network(trained.options, trained.description["classes"])
    tensors = {name.removeprefix("network."): tensor for name, tensor in trained.tensors.items()}
    checkpoint.load_weights(network, tensors, trained.source)
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
        source: the folder of a run, or a weights' file that pretint wrote.

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
