"""The networks again, as anybody would write them down from torch's own layers; the baseline that pretint is timed against.

They compute what those of ``pretint.networks`` do, parameter by parameter in the same order (a test copies the weights and
compares), and share no code with them: whatever is made faster there leaves them alone.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _norm(name: str, channels: int) -> nn.Module:
    if name == "instance":
        return nn.InstanceNorm2d(channels, eps=1e-3, affine=True)
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class PlainUNet(nn.Module):
    """Lightness (B, 1, size, size) -> ab (B, 2, size, size) in [-1, 1]; the paper's generator."""

    def __init__(self, size: int, width: float) -> None:
        super().__init__()
        levels = int(math.log2(size))
        channels = [max(1, round(min(64 * 2**i, 512) * width)) for i in range(levels)]
        self.down = nn.ModuleList()
        before = 1
        for i, after in enumerate(channels):
            block = [nn.Conv2d(before, after, 4, stride=2, padding=1)]
            last = i == levels - 1
            norm = [] if last or i == 0 else [_norm("batch", after)]
            self.down.append(nn.Sequential(*block, *norm, nn.ReLU() if last else nn.LeakyReLU(0.2)))
            before = after
        self.up = nn.ModuleList()
        for i, after in enumerate(reversed(channels[:-1])):
            dropout = [nn.Dropout(0.5)] if i < 3 else []
            up = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            self.up.append(nn.Sequential(up, _norm("batch", after), *dropout))
            before = 2 * after
        self.head = nn.ConvTranspose2d(before, 2, 4, stride=2, padding=1)

    def forward(self, lightness: Tensor) -> Tensor:
        skips = []
        values = lightness
        for block in self.down:
            values = block(values)
            skips.append(values)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            values = F.relu(torch.cat((block(values), skip), dim=1))
        return torch.tanh(self.head(values))


class PlainDiscriminator(nn.Module):
    """Lightness and ab -> a logit a patch of 142 pixels; the authors' discriminator."""

    def __init__(self, width: float, norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for i, full in enumerate((64, 128, 256, 512)):
            after = max(1, round(full * width))
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), *([_norm(norm, after)] if i else [])]
            layers.append(nn.LeakyReLU(0.2))
            before = after
        after = max(1, round(512 * width))
        layers += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(before, after, 4), _norm(norm, after), nn.LeakyReLU(0.2)]
        layers += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(after, 1, 4)]
        self.layers = nn.Sequential(*layers)

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat((lightness, ab), dim=1))
        return logits


class PlainResidual(nn.Module):
    """Lightness (B, 1, H, W), sides multiples of 4 -> ab (B, 2, H, W) in [-1, 1]: residual encoder and hypercolumn."""

    def __init__(self, width: int, blocks: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width))
        self.stages = nn.ModuleList()
        before = width
        for i, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stage.append(_Block(before, width * 2**i, 2 if i and not j else 1))
                before = width * 2**i
            self.stages.append(stage)
        # Every level of stride 4 or more; the first stage has stride 2.
        self.projections = nn.ModuleList(nn.Conv2d(width * 2**i, 128, 1, bias=False) for i in range(1, len(blocks)))
        self.norm = _norm("batch", 128)
        self.head = nn.Conv2d(128, 2, 1)

    def forward(self, lightness: Tensor) -> Tensor:
        values = F.relu(self.stem(lightness))
        levels = []
        for stage in self.stages:
            values = stage(values)
            levels.append(values)
        projected = [project(level) for project, level in zip(self.projections, levels[1:], strict=True)]
        total = projected[0]
        for level in projected[1:]:
            total = total + F.interpolate(level, size=total.shape[-2:], mode="bilinear", align_corners=False)
        small = self.head(F.relu(self.norm(total)))
        return torch.tanh(F.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False))


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after))
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        changed = stride > 1 or before != after
        self.carried = nn.Sequential()
        if changed:
            self.carried = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, values: Tensor) -> Tensor:
        changed: Tensor = self.second(F.relu(self.first(values)))
        return F.relu(changed + self.carried(values))
