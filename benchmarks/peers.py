"""Two other ways to pretrain the same backbone, for docs/study.md: written from their papers, and no part of the product.

    python benchmarks/peers.py simclr --photos DATA/photos --out RUNS/simclr --size 64 --epochs 15

simclr      Chen, Kornblith, Norouzi, Hinton 2020, *A Simple Framework for Contrastive Learning of Visual Representations*
            (arXiv 2002.05709): two views of each picture (random resized crop, mirroring, colour jitter of strength 0.5 with
            probability 0.8, grey with 0.2; no blur, as for their small pictures, appendix B.9), two layers on the pooled
            features, NT-Xent with temperature 0.5 (equation 1). Differs: crops keep a fifth of the area or more (He et al.
            2020, MoCo; theirs 8 %), the parts of the jitter come in one order, and AdamW stands for LARS, which is for
            batches of 4,096.
simmim      Xie et al. 2022, *SimMIM: a Simple Framework for Masked Image Modeling* (arXiv 2111.09886): 60 % of the patches are
            replaced by a learnt colour, and one linear layer tells their pixels; L1 on the hidden pixels (section 3). Crops keep
            35 % of the area or more, as in pretint's recipes (theirs: 67 %).

Both see colour, as in their papers, and go through pretint's own loop, so that precision, schedule and resuming are those of
the pretraining that they are held against; costs.py says how many passes cost as much as that. In the end the batch norms' averages
are made anew from whole, unchanged pictures (Wu and Johnson 2021, *Rethinking "Batch" in BatchNorm*, arXiv 2105.07576, section 3),
since frozen features are read with them.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pretint.color import standardize_rgb
from pretint.data.feed import Batch, Feed
from pretint.data.layouts import open_pool
from pretint.data.views import ViewOptions
from pretint.experiments.options import TrainingOptions
from pretint.experiments.starting import begin, feed, run_loop, seed_weights
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.objective import Loss, Objective, OptimizerSettings, Phase, Player, Shared, Turn
from pretint.training.allocator import raise_allocator_thresholds
from pretint.training.options import LoopOptions

JITTER = 0.5
TEMPERATURE = 0.5
HIDDEN = 0.6
SETTLING = 100
"""Batches that the batch norms' averages are made from in the end."""


@dataclass(frozen=True, kw_only=True)
class PeerOptions(TrainingOptions):
    """One pretraining of a peer."""

    method: str
    photos: Path
    backbone: str = "residual"
    residual: ResidualOptions = field(default_factory=lambda: ResidualOptions(planes="RGB"))
    rate: float = 0.002
    patch: int = 8
    """Side in pixels of what SimMIM hides; the paper's is a sixth of the picture's."""


class Peer(Objective):
    """One player: everything learns."""

    def __init__(self, epochs: int, rate: float) -> None:
        super().__init__()
        self.backbone = ResidualEncoder(ResidualOptions(planes="RGB"))
        self.epochs, self.rate = epochs, rate

    @property
    def players(self) -> dict[str, Player]:
        settings = OptimizerSettings(rate=self.rate, betas=(0.9, 0.99), weight_decay=0.01)
        return {"network": Player(parts=tuple(name for name, _ in self.named_children()), optimizer=settings)}

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="pretraining", epochs=self.epochs),)


class SimClr(Peer):
    """Pictures (B, 3, S, S) -> two views each of `size` pixels -> NT-Xent."""

    def __init__(self, epochs: int, rate: float, size: int) -> None:
        """`size` of the views."""
        super().__init__(epochs, rate)
        self.size = size
        width = self.backbone.channels[-1]
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, 128))

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        rgb = batch.rgb.float() / 255
        with torch.autocast(rgb.device.type, enabled=False):  # positions in bf16 would be off by a tenth of a pixel
            views = torch.cat([view(rgb, self.size), view(rgb, self.size)])
        features = self.backbone(standardize_rgb(views).contiguous(memory_format=torch.channels_last))[-1]
        return Loss(nt_xent(self.projection(features.mean(dim=(2, 3))), TEMPERATURE) * len(rgb), len(rgb))


class SimMim(Peer):
    """Pictures with hidden patches -> their pixels."""

    def __init__(self, epochs: int, rate: float, patch: int) -> None:
        super().__init__(epochs, rate)
        self.patch = patch
        self.token = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.head = nn.Conv2d(self.backbone.channels[-1], 3 * self.backbone.strides[-1] ** 2, 1)

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        pixels = batch.planes("RGB")
        sides = [side // self.patch for side in pixels.shape[-2:]]
        order = torch.rand(len(pixels), sides[0] * sides[1], device=pixels.device).argsort(dim=1).argsort(dim=1)
        mask = (order < round(HIDDEN * order.shape[1])).float().view(-1, 1, *sides)
        mask = F.interpolate(mask, scale_factor=self.patch, mode="nearest")
        seen = pixels * (1 - mask) + self.token * mask
        features = self.backbone(seen.contiguous(memory_format=torch.channels_last))[-1]
        told = F.pixel_shuffle(self.head(features), self.backbone.strides[-1]).float()
        return Loss(((told - pixels).abs() * mask).sum(), 3 * mask.sum())


PEERS = ("simclr", "simmim")
TRIED: dict[str, tuple[dict[str, Any], ...]] = {
    "simclr": (
        {"batch_size": 128, "rate": 0.002},
        {"batch_size": 128, "rate": 0.0007},
        {"batch_size": 256, "rate": 0.002},
    ),
    "simmim": ({"patch": 8, "rate": 0.002}, {"patch": 8, "rate": 0.0007}, {"patch": 16, "rate": 0.002}),
}
"""Settings that ladder.py chooses from, by pretrainings at the cost of `TRIED_PASSES`."""
TRIED_PASSES = 3
WHOLE = ViewOptions(crop="random", smallest=0.35, flip=True)
"""What recipe `bins` sees, and SimMIM."""


def build(options: PeerOptions) -> Peer:
    """The network of a method, and its loss."""
    seed_weights(options.seed)
    if options.method == "simclr":
        return SimClr(options.epochs, options.rate, options.size)
    return SimMim(options.epochs, options.rate, options.patch)


def pictures(options: PeerOptions) -> PeerOptions:
    """The options of what is read: SimCLR's views are cut from pictures of twice their side, so that hardly one is enlarged."""
    if options.method == "simclr":
        return replace(options, size=2 * options.size, view=ViewOptions(crop="squash", flip=False))
    return replace(options, view=WHOLE)


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """The loss of 2 B projections, of which rows i and i + B are views of one picture: equation 1, mean over all rows."""
    z = F.normalize(z.float(), dim=1)
    with torch.autocast(z.device.type, enabled=False):
        similarity = z @ z.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -math.inf)
    partners = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return F.cross_entropy(similarity, partners)


def view(rgb: Tensor, size: int) -> Tensor:
    """One random view (B, 3, size, size) in [0, 1] of each of the pictures (B, 3, S, S)."""
    count = len(rgb)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, 1, 1, 1, device=rgb.device).uniform_(low, high)

    area, ratio = uniform(0.2, 1)[:, 0, 0, 0], uniform(math.log(3 / 4), math.log(4 / 3))[:, 0, 0, 0].exp()
    wide, high = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    x, y = (uniform(-1, 1)[:, 0, 0, 0] * (1 - side) for side in (wide, high))
    mirrored = torch.where(uniform(0, 1)[:, 0, 0, 0] < 0.5, -1.0, 1.0)
    none = torch.zeros_like(x)
    boxes = torch.stack([torch.stack([wide * mirrored, none, x], 1), torch.stack([none, high, y], 1)], 1)
    grid = F.affine_grid(boxes, [count, 3, size, size], align_corners=False)
    pixels = F.grid_sample(rgb, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    jittered = jitter(pixels, uniform)
    pixels = torch.where(uniform(0, 1) < 0.8, jittered, pixels)
    return torch.where(uniform(0, 1) < 0.2, grey(pixels), pixels)


def jitter(pixels: Tensor, uniform: Callable[[float, float], Tensor]) -> Tensor:
    """Brightness, contrast, saturation by up to 0.8 x strength, hue by up to 0.2 x strength of a turn, in this order."""
    reach = 0.8 * JITTER
    pixels = (pixels * uniform(1 - reach, 1 + reach)).clamp(0, 1)
    mean = grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    pixels = (mean + (pixels - mean) * uniform(1 - reach, 1 + reach)).clamp(0, 1)
    light = grey(pixels)
    pixels = (light + (pixels - light) * uniform(1 - reach, 1 + reach)).clamp(0, 1)
    # Hue as a turn around the grey axis.
    turn = uniform(-0.2 * JITTER, 0.2 * JITTER) * 2 * math.pi
    along = pixels.mean(dim=1, keepdim=True)
    across = torch.linalg.cross(torch.full_like(pixels, 3**-0.5), pixels, dim=1)
    return (along + (pixels - along) * turn.cos() + across * turn.sin()).clamp(0, 1)


def grey(pixels: Tensor) -> Tensor:
    """Luma of Rec. 601, (B, 1, H, W)."""
    return (pixels * pixels.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def main() -> None:
    """Pretrain, or go on, and write the backbone as OUT/backbone.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=PEERS)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, required=True, help="passes over the photos")
    parser.add_argument(
        "--batch-size", type=int, default=0, help="128 for simclr, which needs others to tell apart; else 32"
    )
    parser.add_argument("--rate", type=float, default=PeerOptions.rate)
    parser.add_argument("--patch", type=int, default=PeerOptions.patch, help="side in pixels of what simmim hides")
    parser.add_argument("--seed", type=int, default=0)
    raise_allocator_thresholds()
    pretrain(**vars(parser.parse_args()))


def options_of(
    method: str, photos: Path, out: Path, size: int, epochs: int, *,
    batch_size: int = 0, rate: float = PeerOptions.rate, patch: int = PeerOptions.patch, seed: int = 0,
) -> PeerOptions:  # fmt: skip
    """The options of a pretraining; one that was begun in ``out`` goes on."""
    if size % 16 or size % patch:
        sys.exit(f"--size {size}: must be a multiple of 16 and of --patch {patch}")
    return PeerOptions(
        out=out, resume=True, method=method, photos=photos, size=size, epochs=epochs, rate=rate, patch=patch, seed=seed,
        batch_size=batch_size or (128 if method == "simclr" else 32),
        loop=LoopOptions(schedule="one-cycle", workers=0),
    )  # fmt: skip


def pretrain(method: str, photos: Path, out: Path, size: int, epochs: int, **settings: Any) -> Path:
    """One pretraining; one that was stopped goes on, one that is finished stays. Gives back the backbone's file.

    ``settings`` as for `options_of`.
    """
    weights = out / "backbone.safetensors"
    if weights.exists():
        return weights
    options = options_of(method, photos, out, size, epochs, **settings)
    records = open_pool([photos], None, None)
    start = begin("peer", options, quiet=False)
    with start.holding():
        start.note(data={"training": len(records)})
        peer = build(options)
        training = feed(start, pictures(options), records)
        run_loop(start, options, peer, training, None)
        settle(peer.backbone, feed(start, replace(options, view=WHOLE), records))
        save_file({name: tensor.cpu().contiguous() for name, tensor in peer.backbone.state_dict().items()}, weights)
    return weights


def load(weights: Path) -> ResidualEncoder:
    """The backbone that a peer has trained."""
    backbone = ResidualEncoder(ResidualOptions(planes="RGB"))
    backbone.load_state_dict(load_file(weights))
    return backbone


def settle(backbone: ResidualEncoder, training: Feed) -> None:
    """Make the batch norms' moving averages anew: the mean over some batches of what is seen when features are read."""
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    backbone.train()
    device = backbone.conv1.weight.device
    with torch.no_grad():
        for number, batch in enumerate(training.batches(0, min(SETTLING, training.steps_per_epoch)), start=1):
            for norm in norms:
                norm.momentum = 1 / number  # all batches count alike, and the first replaces what was there
            backbone(batch.to(device).planes("RGB"))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


if __name__ == "__main__":
    main()
