"""The same networks from torch's own layers alone, in float32 and torch's default memory format: what the loop is held against."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _norm(channels: int, kind: str) -> nn.Module:
    if kind == "instance":
        return nn.InstanceNorm2d(channels, eps=1e-3, affine=True)
    return nn.BatchNorm2d(channels, eps=1e-3)


class PlainUNet(nn.Module):
    """The generator without dropout; parameters in the order of ours."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        before = 1
        for i, after in enumerate(channels):
            norm = nn.Identity() if i in (0, len(channels) - 1) else _norm(after, "batch")
            self.down.append(nn.Sequential(nn.Conv2d(before, after, 4, stride=2, padding=1), norm))
            before = after
        self.up = nn.ModuleList()
        for after in reversed(channels[:-1]):
            convolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            self.up.append(nn.Sequential(convolution, _norm(after, "batch")))
            before = 2 * after
        self.head = nn.ConvTranspose2d(before, 2, 4, stride=2, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        skips = []
        for i, block in enumerate(self.down):
            values = F.leaky_relu(block(values), 0.2 if i < len(self.down) - 1 else 0.0)
            skips.append(values)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            values = torch.cat((block(values), skip), dim=1).relu()
        return torch.tanh(self.head(values))


class PlainCritic(nn.Module):
    """The discriminator that sees 142 pixels; parameters in the order of ours."""

    def __init__(self, channels: Sequence[int], norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for i, after in enumerate(channels):
            strided = i < len(channels) - 1
            layers += [nn.Conv2d(before, after, 4, 2, 1)] if strided else [*_same(before, after)]
            layers += [_norm(after, norm)] if i else []
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.layers = nn.Sequential(*layers, *_same(before, 1))

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat((lightness, ab), dim=1))
        return logits


def _same(before: int, after: int) -> list[nn.Module]:
    return [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(before, after, 4)]


def take_parameters(plain: nn.Module, ours: nn.Module) -> None:
    """Give a plain network the values of ours."""
    with torch.no_grad():
        for into, value in zip(plain.parameters(), ours.parameters(), strict=True):
            into.copy_(value)


def adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    """The authors' optimizer, one parameter after the other."""
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.999), eps=1e-7, foreach=False, fused=False)


def critic_gradient(critic: nn.Module, lightness: Tensor, ab: Tensor, predicted: Tensor) -> list[Tensor]:
    """Of 0.5 BCE(D(L, ab), 1) + 0.5 BCE(D(L, predicted), 0)."""
    loss = 0.5 * _bce(critic(lightness, ab), 1.0) + 0.5 * _bce(critic(lightness, predicted.detach()), 0.0)
    return list(torch.autograd.grad(loss, list(critic.parameters())))


def generator_gradient(generator: nn.Module, critic: nn.Module, lightness: Tensor, ab: Tensor) -> list[Tensor]:
    """Of BCE(D(L, G(L)), 1) + 100 mean |G(L) - ab|."""
    predicted = generator(lightness)
    loss = _bce(critic(lightness, predicted), 1.0) + 100 * (predicted.float() - ab).abs().mean()
    return list(torch.autograd.grad(loss, list(generator.parameters())))


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, target).float())
