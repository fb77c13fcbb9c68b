"""The peers of the study compute what their papers say."""

import colorsys
import math
from pathlib import Path

import numpy as np
import peers
import pytest
import torch
from peers import grey as luma
from peers import jitter, nt_xent, view
from PIL import Image
from torch import Tensor

from pretint.color import standardize_rgb
from pretint.data.feed import Batch
from pretint.objective import Turn


def test_nt_xent_is_equation_1() -> None:
    torch.manual_seed(0)
    z, pairs, temperature = torch.randn(6, 5), 3, 0.5

    def similarity(i: int, j: int) -> float:
        return float(z[i] @ z[j] / (z[i].norm() * z[j].norm()))

    losses = []
    for i in range(2 * pairs):
        partner = (i + pairs) % (2 * pairs)
        below = sum(math.exp(similarity(i, k) / temperature) for k in range(2 * pairs) if k != i)
        losses.append(-math.log(math.exp(similarity(i, partner) / temperature) / below))
    assert nt_xent(z, temperature).item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert nt_xent(z, temperature).item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_views_are_parts_of_their_picture() -> None:
    """A picture whose red is the column and whose green is the row says where each view was cut."""
    torch.manual_seed(0)
    side, count = 64, 200
    ramp = torch.linspace(0, 1, side)
    picture = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side), torch.full((side, side), 0.5)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers, "jitter", lambda pixels, uniform: pixels)
        patch.setattr(peers, "grey", lambda pixels: pixels)
        views = view(picture.expand(count, -1, -1, -1), 32)
    assert views.shape == (count, 3, 32, 32)
    columns, rows = (views[:, 0, 16, -1] - views[:, 0, 16, 0]), (views[:, 1, -1, 16] - views[:, 1, 0, 16])
    assert 0.35 < (columns < 0).float().mean() < 0.65  # mirrored
    assert (rows > 0).all()
    area = (columns.abs() * rows) * (32 / 31) ** 2
    assert 0.15 < area.min() < 0.35
    assert 0.75 < area.max() <= 1.05
    assert views.min() >= 0
    assert views.max() <= 1


def test_jitter_leaves_grey_pictures_grey() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(8, 1, 4, 4).expand(-1, 3, -1, -1)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(8, 1, 1, 1).uniform_(low, high)

    out = jitter(pixels, uniform)
    assert torch.allclose(out, luma(out).expand_as(out), atol=1e-5)


@pytest.mark.parametrize("turn", [-1, 0, 1])
def test_jitter_turns_the_hue(turn: int) -> None:
    """By a tenth of a turn at most, by colorsys; a draw from the middle changes nothing."""
    pixels = torch.tensor([[0.5, 0.4, 0.4], [0.4, 0.45, 0.5]])[:, :, None, None]

    def middle(low: float, high: float) -> Tensor:
        return torch.tensor((low + high) / 2 if low > 0 else (low, 0, high)[turn + 1])

    out = jitter(pixels, middle)
    for before, after in zip(pixels.flatten(1), out.flatten(1), strict=True):
        hues = [colorsys.rgb_to_hsv(*one.tolist())[0] for one in (before, after)]
        apart = (hues[1] - hues[0] + 0.5) % 1 - 0.5
        assert apart == pytest.approx(0.1 * turn, abs=0.02)
    if turn == 0:
        assert torch.allclose(out, pixels, atol=1e-6)


def test_simmim_is_l1_on_hidden_pixels() -> None:
    torch.manual_seed(0)
    peer = peers.SimMim(epochs=1, rate=0.1, patch=8)
    seen: list[Tensor] = []
    peer.backbone.register_forward_pre_hook(lambda _, planes: seen.append(planes[0].detach()))
    pictures = Batch.of_noise(5, 32)
    torch.nn.init.zeros_(peer.head.weight)
    assert peer.head.bias is not None
    torch.nn.init.constant_(peer.head.bias, 0.25)
    with torch.no_grad():
        peer.token.fill_(7.0)
    loss = peer.loss(Turn("network", "network"), pictures, {})
    pixels, hidden = pictures.planes("RGB"), seen[0] == 7.0
    patches = hidden[:, 0].unfold(1, 8, 8).unfold(2, 8, 8).flatten(3).float().mean(dim=3)
    assert set(patches.unique().tolist()) == {0.0, 1.0}  # whole patches
    assert (patches.sum(dim=(1, 2)) == round(0.6 * 16)).all()
    assert torch.equal(seen[0][~hidden], pixels[~hidden])
    assert float((loss.total / loss.count).detach()) == pytest.approx(
        float((pixels[hidden] - 0.25).abs().mean()), rel=1e-5
    )


@pytest.mark.parametrize("method", peers.PEERS)
def test_a_pretraining_ends_in_a_backbone_for_whole_pictures(method: str, tmp_path: Path) -> None:
    """Its norms' averages are those of unchanged pictures, and what is finished stays."""
    photos = tmp_path / "photos"
    photos.mkdir()
    colours = np.random.default_rng(0)
    for number in range(24):
        picture = colours.integers(0, 256, size=(5, 5, 3), dtype=np.uint8)
        Image.fromarray(picture).resize((40, 40)).save(photos / f"{number:02d}.png")
    weights = peers.pretrain(method, photos, tmp_path / "run", 32, 4, batch_size=8)
    backbone = peers.load(weights).eval()
    first: list[Tensor] = []
    backbone.bn1.register_forward_pre_hook(lambda _, values: first.append(values[0]))
    pixels = np.stack([np.array(Image.open(path).resize((32, 32))) for path in sorted(photos.iterdir())])
    backbone(standardize_rgb(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255))
    variance = first[0].var(dim=(0, 2, 3))
    assert torch.allclose(backbone.bn1.running_var, variance, rtol=0.35)
    changed = weights.stat().st_mtime_ns
    assert peers.pretrain(method, photos, tmp_path / "run", 32, 4) == weights
    assert weights.stat().st_mtime_ns == changed
