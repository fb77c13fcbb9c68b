"""The plain networks compute what pretint's do: same parameters in the same order, same outputs."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from pretint.pretexts.pretext import build_pretext
from pretint.speed.plain_networks import PlainDiscriminator, PlainResidual, PlainUNet
from pretint.speed.work import values_of


def take_over(plain: nn.Module, ours: nn.Module) -> None:
    """Copy the parameters of one network to the other, in their order; the stem sums over its three equal planes."""
    pairs: Iterable[tuple[Tensor, Tensor]] = zip(plain.parameters(), ours.parameters(), strict=True)
    with torch.no_grad():
        for to, source in pairs:
            if to.shape != source.shape:
                source = source.sum(dim=1, keepdim=True)
            to.copy_(source)


@pytest.mark.parametrize("training", [True, False])
def test_generator(training: bool) -> None:
    torch.manual_seed(0)
    values = values_of("paper", size=32, unet={"width": 0.1, "dropout": 0.0})
    ours = build_pretext(values).networks["generator"].train(training)
    plain = PlainUNet(32, 0.1).train(training)
    for layer in plain.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    take_over(plain, ours)
    lightness = torch.rand(3, 1, 32, 32) * 2 - 1
    torch.testing.assert_close(plain(lightness), ours(lightness))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_discriminator(norm: str) -> None:
    torch.manual_seed(0)
    values = values_of("paper", size=64, cgan={"critic_width": 0.1, "critic_normalization": norm})
    ours = build_pretext(values).networks["discriminator"].train()
    plain = PlainDiscriminator(0.1, norm).train()
    take_over(plain, ours)
    lightness, ab = torch.rand(3, 1, 64, 64), torch.rand(3, 2, 64, 64)
    torch.testing.assert_close(plain(lightness, ab), ours(lightness, ab))


def test_residual() -> None:
    torch.manual_seed(0)
    values = values_of("bins", pretext="regression", size=32, residual={"width": 8, "blocks": (1, 2, 1)})
    ours = build_pretext(values).networks["generator"].train()
    plain = PlainResidual(8, (1, 2, 1)).train()
    take_over(plain, ours)
    lightness = torch.rand(2, 1, 32, 32) * 2 - 1
    torch.testing.assert_close(plain(lightness), ours(lightness))
