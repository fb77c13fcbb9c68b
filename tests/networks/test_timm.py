"""Networks of timm: the same function as our own ResNet-18, from pictures without labels to a task, and what does not fit."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import pretint
from pretint.errors import OptionError
from pretint.experiments.initializing import initialize
from pretint.inference.models import build_task_network, load_task
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.networks.timm import Options, TimmBackbone
from pretint.run_folder import RunFolder
from tests.experiments.tiny_runs import COMMON

SMALL = "mobilenetv3_small_050"


def test_without_timm_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(OptionError, match=r"--backbone timm: timm cannot be imported.*pip install '\.\[timm\]'"):
        TimmBackbone()


@pytest.fixture
def timm():
    # Its torchvision raises RuntimeError where it was built for another torch.
    return pytest.importorskip("timm", exc_type=(ImportError, RuntimeError))


@pytest.mark.parametrize(("planes", "count"), [("L", 1), ("ab", 2), ("RGB", 3)])
def test_its_resnet18_is_our_own_with_the_same_weights(timm, planes, count):
    ours = ResidualEncoder(ResidualOptions(width=64, blocks=(2, 2, 2, 2), stem="torchvision", planes=planes)).eval()
    theirs = TimmBackbone(Options(name="resnet18", planes=planes)).eval()
    theirs.load_state_dict({f"network.{name}": tensor for name, tensor in ours.state_dict().items()})
    assert (theirs.channels, theirs.strides) == (ours.channels, ours.strides)
    pictures = torch.rand(2, count, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(theirs(pictures), ours(pictures), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [SMALL, "convnext_atto"])
def test_the_pyramid_covers_a_picture_of_any_size(timm, name):
    backbone = TimmBackbone(Options(name=name)).eval()
    pyramid = backbone(torch.rand(1, 1, 37, 51))
    expected = [(1, c, 64 // s, 64 // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)]
    assert [tuple(level.shape) for level in pyramid] == expected


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])
def test_timms_own_weights_arrive(timm, name, tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model(name, pretrained=False).eval()
    save_file(whole.state_dict(), tmp_path / "weights.safetensors")
    values = {
        "task": "multilabel", "multilabel": {"from_stride": 8}, "backbone": "timm", "decoder": "auto", "size": 64,
        "timm": {"name": name, "planes": "RGB"},
    }  # fmt: skip
    _, network = build_task_network(values, ["cat", "dog"])
    account = initialize(network, str(tmp_path / "weights.safetensors"))
    head = {"resnet18": ("fc.",), "convnext_atto": ("head.",)}[name]
    assert all(tensor.startswith(head) for tensor in account.left_over)
    assert account.loaded == sum(p.numel() for n, p in whole.named_parameters() if not n.startswith(head))
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        coarsest = network.backbone.eval()(pictures)[-1]
        torch.testing.assert_close(coarsest, whole.forward_features(pictures))


def test_from_pictures_to_a_task(timm, pictures: Path, labelled: Path, tmp_path: Path) -> None:
    common = {**COMMON, "size": 64, "epochs": 1}
    del common["backbone"], common["unet"]
    pretint.pretrain(
        data=pictures, out=tmp_path / "run", pretext="color_bins", backbone="timm", timm={"name": SMALL}, **common
    )
    pretint.finetune(data=labelled, init=tmp_path / "run", out=tmp_path / "task", task="multilabel", **common)
    tuned = load_task(tmp_path / "task").network.backbone
    assert isinstance(tuned, TimmBackbone)
    weights = sum(parameter.numel() for parameter in tuned.parameters())
    manifest = RunFolder.open(tmp_path / "task").manifest
    assert (manifest["loaded"]["parts"], manifest["loaded"]["loaded"]) == (["backbone"], weights)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet_18", "timm has no such network; it has .*resnet18"),
        ("quite-another", "timm has no such network; it has resnet50"),
        ("vit_tiny_patch16_224", "gives no feature maps of pictures of any size"),
        ("swin_tiny_patch4_window7_224", "gives no feature maps of pictures of any size"),
        ("vit_tiny_patch16_dinov3_qkvb", "strides 16, 16, 16, and they must double"),
    ],
)
def test_what_does_not_fit_is_told(timm, name, words):
    with pytest.raises(OptionError, match=f"--timm.name {name}: .*{words}"):
        TimmBackbone(Options(name=name))
