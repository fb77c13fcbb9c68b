"""The cGAN keeps the promises of a pretext, with L1 and with bins; beside bins its losses are written out."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pretint.color import gamut_bins
from pretint.data.feed import once
from pretint.data.views import ViewOptions
from pretint.errors import OptionError
from pretint.objective import Shared, Turn
from pretint.pretexts.cgan import Options
from pretint.pretexts.pretext import build_pretext
from tests.pretexts.promises import BACKBONES, PROMISES, Signer


@pytest.mark.parametrize("content", ["l1", "bins"])
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise: Any, backbone: str, content: str, pictures: Path, tmp_path: Path) -> None:
    options = {"cgan": {"critic_normalization": "group", "content": content}}
    promise(Signer("cgan", backbone, pictures, options), tmp_path)


@pytest.mark.parametrize("name", ["l1_weight", "bins_weight"])
def test_a_negative_weight_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"--cgan.{name.replace('_', '-')}"):
        Options(**{name: -1.0})


def test_the_losses_beside_bins(pictures: Path) -> None:
    torch.manual_seed(0)
    training = Signer("cgan", "residual", pictures).training(cgan={"content": "bins", "bins_weight": 3.0})
    pretext = build_pretext(training.manifest["options"]).eval()
    (batch,) = once(training.records[:4], size=32, view=ViewOptions(), batch_size=4)
    shared = Shared(lambda player, key: nullcontext())
    lightness, ab = batch.lightness, batch.ab
    with torch.no_grad():
        logits = pretext.generator(lightness)
        coarse = F.avg_pool2d(ab, 4)
        nearest = torch.cdist(coarse.movedim(1, -1).reshape(-1, 2) * 128, gamut_bins()).argmin(1)
        entropy = F.cross_entropy(logits.movedim(1, -1).reshape(len(nearest), -1), nearest)
        shares = F.softmax(logits / 0.38, dim=1)
        predicted = torch.einsum("bkhw,kc->bchw", shares, gamut_bins()) / 128
        true, made = (F.interpolate(x, scale_factor=4, mode="bilinear") for x in (coarse, predicted))
        real, fake = (pretext.discriminator(lightness, x) for x in (true, made))
        losses = {
            "generator": F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake)) + 3 * entropy,
            "critic": F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) / 2
            + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)) / 2,
        }
        for name, expected in losses.items():
            loss = pretext.loss(Turn(name, name), batch, shared)
            torch.testing.assert_close(loss.total / loss.count, expected, atol=1e-5, rtol=1e-5)
