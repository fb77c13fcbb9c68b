"""Weights of others under torchvision's names: what is loaded, how much that is, what is left over, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import pretint
from pretint.errors import WeightsError
from pretint.experiments.architecture import architecture_of
from pretint.experiments.initializing import Account, initialize
from pretint.inference.models import build_task_network, load_task
from pretint.tasks.task import TaskNetwork
from tests.experiments.tiny_runs import FINETUNE

VALUES: dict[str, Any] = {
    "task": "multilabel", "multilabel": {"from_stride": 4}, "backbone": "residual", "decoder": "auto", "size": 32,
    "residual": {"width": 8, "blocks": [1, 1], "stem": "torchvision", "planes": "RGB"},
}  # fmt: skip


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


SHAPES: dict[str, tuple[int, ...]] = {
    "conv1.weight": (8, 3, 7, 7), **norm("bn1", 8),
    "layer1.0.conv1.weight": (8, 8, 3, 3), **norm("layer1.0.bn1", 8),
    "layer1.0.conv2.weight": (8, 8, 3, 3), **norm("layer1.0.bn2", 8),
    "layer2.0.conv1.weight": (16, 8, 3, 3), **norm("layer2.0.bn1", 16),
    "layer2.0.conv2.weight": (16, 16, 3, 3), **norm("layer2.0.bn2", 16),
    "layer2.0.downsample.0.weight": (16, 8, 1, 1), **norm("layer2.0.downsample.1", 16),
    "fc.weight": (1000, 16), "fc.bias": (1000,),
}  # fmt: skip
"""torchvision's ResNet with two stages of one block, an eighth as wide; files from before 2018 count no batches."""
BACKBONE = 1_176 + 16 + 2 * (576 + 16) + (1_152 + 32) + (2_304 + 32) + (128 + 32)
HEAD = (8 + 16) * 2 + 2  # levels of stride 4 and 8, two classes


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=generator) + 0.5 for name, shape in SHAPES.items()}


def load(tensors: dict[str, Tensor], tmp_path: Path, **residual: Any) -> tuple[TaskNetwork, Account]:
    save_file(tensors, tmp_path / "foreign.safetensors")
    _, network = build_task_network(VALUES | {"residual": VALUES["residual"] | residual}, ["cat", "dog"])
    return network, initialize(network, str(tmp_path / "foreign.safetensors"))


def test_every_tensor_arrives_and_fc_is_left(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    network, account = load(tensors, tmp_path)
    own = network.backbone.state_dict()
    assert {name for name in own if "num_batches" not in name} == tensors.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(own[name], tensor) for name, tensor in tensors.items() if name in own)
    assert account.left_over == ("fc.bias", "fc.weight")
    assert account.parts == ("backbone",)
    assert (account.loaded, account.total) == (BACKBONE, BACKBONE + HEAD)
    assert account.share == pytest.approx(6_056 / 6_106)
    words = account.sentence()
    assert words.startswith("weights: 99.2% of 6,106 parameters from ")
    assert words.endswith("foreign.safetensors (backbone); the rest is new; left in the file: fc.bias, fc.weight")


@pytest.mark.parametrize("counters", [False, True])
def test_the_first_batch_does_not_replace_the_averages(
    counters: bool, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    """Neither where a file has no counters, nor where torch made some of 0 when it read such a file."""
    names = [name.replace("running_mean", "num_batches_tracked") for name in tensors if "running_mean" in name]
    zeros = {name: torch.tensor(0) for name in names} if counters else {}
    network, _ = load({**tensors, **zeros}, tmp_path)
    values = torch.rand(4, 3, 32, 32)
    layer = network.backbone.bn1
    with torch.no_grad():
        batch = network.backbone.conv1(values).mean(dim=(0, 2, 3))
        network.train()
        network.backbone(values)
    torch.testing.assert_close(layer.running_mean, 0.9 * tensors["bn1.running_mean"] + 0.1 * batch)


def test_scratch_changes_nothing() -> None:
    torch.manual_seed(0)
    _, network = build_task_network(VALUES, ["cat", "dog"])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    account = initialize(network, "scratch")
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert (account.parts, account.share) == ((), 0)
    assert account.sentence() == "weights: from scratch, 6,106 parameters"


def test_another_architecture(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"foreign\.safetensors: lacks layer1\.1\.bn1\.bias; it is of another arch"):
        load(tensors, tmp_path, blocks=[2, 1])
    with pytest.raises(WeightsError, match=r"bn1\.bias has shape \(8,\), this network needs \(9,\)"):
        load(tensors, tmp_path, width=9)
    with pytest.raises(WeightsError, match=r"--init .*: has no tensor of this backbone \(it has conv1\.weight\)"):
        load({f"module.{name}": tensor for name, tensor in tensors.items()}, tmp_path)
    with pytest.raises(
        WeightsError, match=r"conv1\.weight has shape \(8, 3, 7, 7\), this network needs \(8, 3, 3, 3\)"
    ):
        load(tensors, tmp_path, stem="small")


def test_the_architecture_is_told_from_the_shapes(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "foreign.safetensors")
    told = architecture_of(str(tmp_path / "foreign.safetensors"))
    assert told == {"backbone": "residual", "residual": {"width": 8, "blocks": [1, 1], "stem": "torchvision"}}
    _, network = build_task_network(VALUES | {"residual": told["residual"] | {"planes": "RGB"}}, ["cat", "dog"])
    assert initialize(network, str(tmp_path / "foreign.safetensors")).loaded == BACKBONE


@pytest.mark.parametrize(("blocks", "name"), [((3, 4, 6, 3), "resnet50"), ((3, 8, 36, 3), "resnet152")])
def test_bottleneck_blocks_are_timms(blocks: tuple[int, ...], name: str, tmp_path: Path) -> None:
    last = {f"layer{i + 1}.{count - 1}.conv3.weight": torch.zeros(4, 1, 1, 1) for i, count in enumerate(blocks)}
    stem = {"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}
    save_file({**stem, "layer1.0.conv3.weight": torch.zeros(256, 64, 1, 1), **last}, tmp_path / "deep.safetensors")
    assert architecture_of(str(tmp_path / "deep.safetensors")) == {"backbone": "timm", "timm": {"name": name}}


def test_nothing_of_random_frozen_features_learns(masked: Path, tmp_path: Path) -> None:
    """All but the head and the norms' counters stays as it was drawn, the decoder too."""
    options = FINETUNE | {"epochs": 1, "batch_size": 4, "rate": 0.01, "validation": 0}
    runs = {}
    for init, epochs in (("random-frozen", 1), ("random-frozen", 3), ("scratch", 3)):
        out = tmp_path / f"{init}-{epochs}"
        pretint.finetune(data=masked, out=out, **options | {"init": init, "epochs": epochs})
        runs[init, epochs] = load_task(out).network.state_dict()
    first, longer, scratch = runs.values()
    same = {name: torch.equal(first[name], longer[name]) for name in first}
    assert {name.partition(".")[0] for name, equal in same.items() if not equal} == {"head"}
    assert not torch.equal(scratch["backbone.e1.conv.weight"], first["backbone.e1.conv.weight"])
