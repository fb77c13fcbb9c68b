"""Two other ways to pretrain the same backbone, for docs/study.md: written from their papers, and no part of the product.

    python benchmarks/peers.py simclr --photos DATA/photos --out RUNS/simclr --size 64 --passes 15

simclr      Chen, Kornblith, Norouzi, Hinton 2020, *A Simple Framework for Contrastive Learning of Visual Representations*
            (arXiv 2002.05709): two views of each picture (random resized crop, mirroring, colour jitter of strength 0.5 with
            probability 0.8, grey with 0.2; no blur, as for their small pictures, appendix B.9), two layers on the pooled
            features, NT-Xent with temperature 0.5 (equation 1). Theirs besides: LARS for batches of 4,096; here AdamW.
simmim      Xie et al. 2022, *SimMIM: a Simple Framework for Masked Image Modeling* (arXiv 2111.09886): 60 % of the patches are
            replaced by a learnt colour, and one linear layer tells their pixels; L1 on the hidden pixels (section 3).

Both see colour, as in their papers, and go through pretint's own loop, so that precision, schedule and resuming are those of
the pretraining that they are held against. The budget is what --passes passes of recipe `bins` at that size cost: the CPU time of a
few steps of both, on one thread, says how many passes that makes.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from pretint import recipe
from pretint.color import standardize_rgb
from pretint.data.feed import Batch, Feed
from pretint.data.layouts import open_pool
from pretint.data.views import ViewOptions
from pretint.experiments.environment import environment
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.objective import Loss, Objective, OptimizerSettings, Phase, Player, Shared, Turn
from pretint.pretexts.pretext import build_pretext
from pretint.run_folder import RunFolder
from pretint.speed.product_steps import DirectedFeed
from pretint.speed.work import values_of
from pretint.training import checkpoint
from pretint.training.allocator import raise_allocator_thresholds
from pretint.training.hardware import choose_precision, start_fabric
from pretint.training.loop import Loop
from pretint.training.options import LoopOptions

JITTER = 0.5
TEMPERATURE = 0.5
HIDDEN = 0.6
TRIAL = 12
"""Steps that tell the speed."""
WARM = 3
"""The first of them, which do not."""


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
        super().__init__(epochs, rate)
        self.size = size
        width = self.backbone.channels[-1]
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, 128))

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        rgb = batch.rgb.float() / 255
        views = torch.cat([view(rgb, self.size), view(rgb, self.size)])
        features = self.backbone(standardize_rgb(views).contiguous(memory_format=torch.channels_last))[-1]
        return Loss(nt_xent(self.projection(features.mean(dim=(2, 3))), TEMPERATURE) * len(rgb), len(rgb))


class SimMim(Peer):
    """Pictures (B, 3, size, size) with hidden patches -> their pixels."""

    def __init__(self, epochs: int, rate: float, size: int) -> None:
        super().__init__(epochs, rate)
        self.patch = self.backbone.strides[-1]
        self.token = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.head = nn.Conv2d(self.backbone.channels[-1], 3 * self.patch**2, 1)

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        pixels = batch.planes("RGB")
        sides = [side // self.patch for side in pixels.shape[-2:]]
        order = torch.rand(len(pixels), sides[0] * sides[1], device=pixels.device).argsort(dim=1).argsort(dim=1)
        mask = (order < round(HIDDEN * order.shape[1])).float().view(-1, 1, *sides)
        mask = F.interpolate(mask, scale_factor=self.patch, mode="nearest")
        seen = pixels * (1 - mask) + self.token * mask
        features = self.backbone(seen.contiguous(memory_format=torch.channels_last))[-1]
        told = F.pixel_shuffle(self.head(features), self.patch).float()
        return Loss(((told - pixels).abs() * mask).sum(), 3 * mask.sum())


PEERS = {"simclr": SimClr, "simmim": SimMim}
SIDE = {"simclr": 4 / 3, "simmim": 1}  # what is read, over what the network sees: crops are cut from it


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """The loss of 2 B projections, of which rows i and i + B are views of one picture: equation 1, mean over all rows."""
    z = F.normalize(z.float(), dim=1)
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
    parser.add_argument("method", choices=list(PEERS))
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument(
        "--passes", type=int, required=True, help="of recipe bins at that size, whose cost is the budget"
    )
    parser.add_argument(
        "--batch-size", type=int, default=0, help="256 for simclr, which needs others to tell apart; else 32"
    )
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    raise_allocator_thresholds()
    pretrain(**vars(arguments))


def pretrain(
    method: str,
    photos: Path,
    out: Path,
    size: int,
    passes: int,
    batch_size: int = 0,
    rate: float = 0.002,
    seed: int = 0,
) -> None:
    """One pretraining; one that was stopped goes on, one that is finished stays."""
    batch_size = batch_size or (256 if method == "simclr" else 32)
    begun = (out / "run.json").exists()
    options = RunFolder.open(out).manifest["options"] if begun else {}
    loop = recipe.fill(LoopOptions, options["loop"], "loop") if begun else LoopOptions(schedule="one-cycle")
    precision = loop.precision if begun else choose_precision(loop)[0]
    fabric, chosen = start_fabric(loop, precision)
    print(chosen)
    records = open_pool([photos], None, None)
    feed = Feed(
        records, size=round(size * SIDE[method]), view=_view(method), batch_size=batch_size, seed=seed, order="shuffled",
        workers=0, target=None,
    )  # fmt: skip
    if begun:
        epochs = options["epochs"]
    else:
        ours = values_of("bins", size=size)
        view = recipe.fill(ViewOptions, ours["view"], "view")
        its = Feed(records, size=size, view=view, batch_size=ours["batch_size"], seed=seed, workers=0)
        speed = _speed(build_pretext({**ours, "epochs": 1}), its, loop, fabric, seed)
        own = _speed(PEERS[method](1, rate, size), feed, loop, fabric, seed)
        epochs = max(1, round(passes * own / speed))
        print(f"{own:.1f} pictures a CPU second, recipe bins {speed:.1f}: {epochs} passes for its {passes}")
        values = {
            "method": method, "size": size, "batch_size": batch_size, "rate": rate, "seed": seed, "epochs": epochs,
            "loop": {**recipe.as_values(loop), "precision": precision},
        }  # fmt: skip
        manifest = {"kind": "peer", "options": values, "state": "running", "environment": environment(),
                    "data": {"training": len(records)}}  # fmt: skip
        RunFolder.create(out, manifest)
    run = RunFolder.open(out)
    torch.manual_seed(seed)
    objective = PEERS[method](epochs, rate, size)
    start, cpu = time.monotonic(), time.process_time()
    try:
        Loop(objective, feed, None, run, loop, seed, fabric).train(resume=begun)
        weights = checkpoint.load_tensors(run.checkpoint("last") / checkpoint.WEIGHTS)
        backbone = {name.removeprefix("backbone."): t for name, t in weights.items() if name.startswith("backbone.")}
        save_file(backbone, out / "backbone.safetensors")
        run.update_manifest(state="finished")
    finally:
        spent = {"seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu}
        run.update_manifest(**{name: round(run.manifest.get(name, 0) + value, 1) for name, value in spent.items()})
    print(json.dumps({"seconds": run.manifest["seconds"], "epochs": epochs}))


def _view(method: str) -> ViewOptions:
    if method == "simclr":
        return ViewOptions(crop="squash", flip=False)
    return ViewOptions(crop="random", smallest=0.35, flip=True)


def _speed(objective: Objective, feed: Feed, loop: LoopOptions, fabric: Fabric, seed: int) -> float:
    """Pictures a CPU second of a few steps, reading included."""
    clock: list[float] = []

    def watched() -> Iterator[Batch]:
        for batch in feed.batches(0, TRIAL):
            yield batch
            clock.append(time.process_time())  # what is behind a yield has been trained on

    directed = DirectedFeed(feed.batch_size, feed.size_at(0), watched)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "trial", {"kind": "peer"})
        Loop(objective, directed, None, run, loop, seed, fabric, quiet=True).train()
    return feed.batch_size * (len(clock) - WARM) / (clock[-1] - clock[WARM - 1])


if __name__ == "__main__":
    main()
