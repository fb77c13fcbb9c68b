"""From a run to networks: the same features as the trained encoder gives, and a sentence for what is no model."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric.accelerators import CUDAAccelerator, MPSAccelerator
from lightning_fabric.connector import _Connector
from safetensors.torch import load_file, save_file
from skimage.color import rgb2lab

import pretint
from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.layouts import open_source
from pretint.errors import PretintError, RunError, WeightsError
from pretint.experiments.fine_tuning import labelled_pictures
from pretint.inference.models import RgbBackbone, best_device, load_pretext, load_task, open_trained
from pretint.networks.unet import Options, UNetEncoder
from pretint.run_folder import RunFolder
from pretint.training import checkpoint
from tests.experiments.tiny_runs import FINETUNE

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def rgb() -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def planes_by_scikit_image(rgb: torch.Tensor) -> torch.Tensor:
    """L / 50 - 1, a / 128, b / 128."""
    lab = torch.from_numpy(rgb2lab(rgb.numpy().astype(np.float64), channel_axis=1)).float()
    return torch.cat((lab[:, :1] / 50 - 1, lab[:, 1:] / 128), dim=1)


def weights_of(run: Path) -> Path:
    return RunFolder.open(run).checkpoint() / "weights.safetensors"


def assert_alike(one: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_rgb_gives_the_features_of_the_trained_encoder(coloring_run: Path, rgb: torch.Tensor) -> None:
    prefix = "generator.backbone."
    encoder = UNetEncoder(16, Options(width=0.1)).eval()
    tensors = load_file(weights_of(coloring_run))
    encoder.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    backbone = pretint.load_backbone(coloring_run)
    assert not backbone.training
    pyramid = backbone(rgb)
    assert_alike(pyramid, encoder(planes_by_scikit_image(rgb)[:, :1]))
    assert tuple(level.shape[1] for level in pyramid) == backbone.channels
    assert tuple(48 // level.shape[3] for level in pyramid) == backbone.strides


@torch.no_grad()
@pytest.mark.parametrize(
    ("planes", "seen"),
    [
        ("L", lambda rgb: planes_by_scikit_image(rgb)[:, :1]),
        ("ab", lambda rgb: planes_by_scikit_image(rgb)[:, 1:]),
        ("Lab", planes_by_scikit_image),
        ("RGB", lambda rgb: (rgb - MEAN[:, None, None]) / DEVIATION[:, None, None]),
    ],
)
def test_every_backbone_gets_its_planes(planes: Any, seen: Callable[..., torch.Tensor], rgb: torch.Tensor) -> None:
    encoder = UNetEncoder(16, Options(width=0.1, planes=planes)).eval()
    assert_alike(RgbBackbone(encoder)(rgb), encoder(seen(rgb)))


@pytest.mark.parametrize("kind", ["coloring_run", "multilabel_run", "segmentation_run"])
def test_the_weights_file_alone_is_enough(
    kind: str, rgb: torch.Tensor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    file = shutil.copy(weights_of(run), tmp_path / "mine.safetensors")
    one, other = pretint.load_backbone(run), pretint.load_backbone(str(file))
    for a, b in zip(one(rgb), other(rgb), strict=True):
        assert torch.equal(a, b)


def test_the_best_checkpoint_is_read(coloring_run: Path, tmp_path: Path) -> None:
    run = RunFolder.open(Path(shutil.copytree(coloring_run, tmp_path / "run")))
    best = run.checkpoint("best")
    last = Path(shutil.copytree(best, run.checkpoint_path(999)))
    (last / "weights.safetensors").write_bytes(b"not this one")
    run.point("last", 999)
    tensors = load_file(best / "weights.safetensors")
    found = open_trained(run.path).tensors
    assert found.keys() == tensors.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in found.items())


@pytest.mark.parametrize("kind", ["coloring_run", "multilabel_run"])
@pytest.mark.parametrize("verb", ["evaluate", "apply", "load_backbone"])
def test_one_call_reads_the_weights_once(
    kind: str,
    verb: str,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    run = request.getfixturevalue(kind)
    read: list[Path] = []
    load = checkpoint.load_tensors
    monkeypatch.setattr(checkpoint, "load_tensors", lambda path: read.append(path) or load(path))
    match verb, kind:
        case "load_backbone", _:
            pretint.load_backbone(run)
        case "evaluate", _:
            pretint.evaluate(run, data=labelled)
        case "apply", "coloring_run":
            pretint.colorize(labelled / "00.png", out=tmp_path / "out", model=run)
        case _:
            pretint.predict(run, labelled / "00.png", out=tmp_path / "out")
    assert read == [weights_of(run)]


def test_files_of_others(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "others.safetensors")
    with pytest.raises(WeightsError, match=r"others\.safetensors: does not say what network it holds"):
        pretint.load_backbone(tmp_path / "others.safetensors")
    with pytest.raises(WeightsError, match=r"gone\.safetensors: there is no such file"):
        pretint.load_backbone(tmp_path / "gone.safetensors")
    with pytest.raises(RunError, match="is not the folder of a run"):
        pretint.load_backbone(tmp_path)


@pytest.mark.parametrize(
    ("kind", "loader", "words"),
    [
        ("multilabel_run", load_pretext, "holds a run of pretint finetune, but this needs one of pretint pretrain"),
        ("coloring_run", load_task, "holds a run of pretint pretrain, but this needs one of pretint finetune"),
    ],
)
def test_the_wrong_kind_of_run(
    kind: str, loader: Callable[[Path], Any], words: str, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(kind)
    with pytest.raises(PretintError) as refusal:
        loader(run)
    assert str(refusal.value) == f"{run}: {words}"


@pytest.mark.parametrize(("cuda", "mps"), [(False, False), (False, True), (True, False)])
def test_the_device_is_the_one_that_training_chooses(cuda: bool, mps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(CUDAAccelerator, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: mps)
    assert best_device().type == _Connector._choose_auto_accelerator()


def test_what_was_frozen_is_scored_as_in_validation(masked: Path, tmp_path: Path) -> None:
    """Frozen parts use moving averages though ``batch-always`` takes each batch's own, when the best checkpoint is loaded too."""
    data, out = Path(shutil.copytree(masked, tmp_path / "data")), tmp_path / "run"
    asked = FINETUNE | {
        "task": "multilabel", "init": "random-frozen", "unet": {"width": 0.1, "normalization": "batch-always"},
        "validation": 8, "rate": 1e-2,
    }  # fmt: skip
    noted = pretint.finetune(data=data, out=out, **asked).scores
    options = options_from_call(SCHEMA, {"data": data, "out": out, **asked})
    source = open_source(data, task="labels")
    _, held_out = labelled_pictures(options, source, source.split("all"))
    (data / "held.txt").write_text("".join(f"{Path(record.id).stem}\n" for record in held_out))
    weights = shutil.copy(RunFolder.open(out).checkpoint() / "weights.safetensors", tmp_path / "mine.safetensors")
    for source_of_weights in (out, weights):
        scores = pretint.evaluate(source_of_weights, data=data, split="held")["scores"]
        assert noted == pytest.approx({name: scores[name] for name in noted})
