"""Colorization as a choice among bins of ab: Zhang, Isola, Efros 2016, *Colorful Image Colorization* (arXiv 1603.08511).

    pretint pretrain --data PHOTOS --out runs/photos

Each place of the picture at 1/4 of its size is to tell the bin of its colour (section 2.1). With logits z, the true ab y and its
nearest bin q*, per place

    loss        w(q*) sum_q s_q(y) (log sum_k exp z_k - z_q)
    s           1 at q* (one-hot), or exp(-|y - q|^2 / (2 sigma^2)), normalised, on the 5 nearest bins (soft)
    w           1, or ((1 - lambda) p(q*) + lambda / K)^-1, scaled to a mean of 1 under p (equation 4), with p the smoothed
                distribution of the colours
    predicted   the mean of the bins under softmax(z' / T) (equation 5), with z' = z - log((1 - lambda) m + lambda / K)

m is the mean of softmax(z) over pictures: dividing by it is the rebalancing when colours are made, not learned. It is Menon
et al. 2021, *Long-tail learning via logit adjustment* (arXiv 2007.07314, section 4.1), with m for their prior of the classes,
tempered by lambda as the weights above are; lambda = 1, where z' has the choice of z, unless a setting says otherwise.

Differs from the paper: a place's colour is the mean of its pixels, not one of them; the distribution is that of the training
pictures so far, not ImageNet's; and the network is any backbone. Larsson et al. 2016 and 2017 find choices to teach better
features than regression does, from hypercolumns like those of a residual backbone here.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pretint.data.feed import Batch
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.bins import AbBins
from pretint.networks.colorizer import Colorizer
from pretint.objective import Loss, OptimizerSettings, Player, Turn
from pretint.pretexts.pretext import ColorError, ColorizationPretext, Decoding, amplify


@dataclass(frozen=True, kw_only=True)
class Options:
    """Colorization as a choice among bins of ab."""

    encoding: Literal["one-hot", "soft"] = "one-hot"
    """What is to be told: the nearest bin, or shares of the 5 nearest ones (the paper's)."""
    sigma: float = 5.0
    """Lab units: how fast the shares of soft bins fall with distance, and how far rebalancing smooths."""
    stride: int = 4
    """Pixels of the picture per step of what is told: 1, 2, 4 (the paper's) or 8."""
    rebalance: bool = False
    """Weigh places by the rarity of their colour, for livelier pictures."""
    uniform: float = 0.5
    """With rebalance, lambda: share of a uniform distribution that tempers the weights, in (0, 1]; 1 weighs all alike."""
    temperature: float = 0.38
    """Of the annealed mean that makes colours for the scores and samples of the training, in [0, 1]: 1 is the mean of the bins, 0 the likeliest bin."""
    rate: float = 1e-3
    """Learning rate."""
    beta1: float = 0.9
    """Adam's first decay."""
    beta2: float = 0.99
    """Adam's second decay."""
    weight_decay: float = 0.01
    """Decoupled decay a step of the weights, relative to the rate."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if self.rate <= 0 or self.weight_decay < 0:
            raise OptionError("--color-bins.rate: must be above 0, and --color-bins.weight-decay not negative")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise OptionError("--color-bins.beta1 and --color-bins.beta2: must be at least 0 and below 1")
        if self.sigma <= 0:
            raise OptionError(f"--color-bins.sigma {self.sigma}: must be above 0")
        if self.stride not in (1, 2, 4, 8):
            raise OptionError(f"--color-bins.stride {self.stride}: must be 1, 2, 4 or 8")
        if not 0 < self.uniform <= 1:
            raise OptionError(f"--color-bins.uniform {self.uniform}: must be above 0 and at most 1")
        if not 0 <= self.temperature <= 1:
            raise OptionError(f"--color-bins.temperature {self.temperature}: must lie in [0, 1]")


class ColorBins(ColorizationPretext):
    """One player, ``generator``: logits (B, K, h, w) of the bins.

    Attributes:
        probabilities: with rebalancing, the share of each bin among the training places seen so far, (K,).
    """

    probabilities: Tensor
    _seen: Tensor
    _steps: Tensor
    _kernel: Tensor
    distribution = True

    def __init__(self, options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> None:
        bins = AbBins(neighbours=1 if options.encoding == "one-hot" else 5)
        generator = Colorizer(backbone, decoder, "linear", channels=len(bins), stride=options.stride)
        super().__init__(generator, epochs)
        self.options = options
        self.bins = bins
        self.decoding = Decoding(temperature=options.temperature)
        if options.rebalance:
            self.register_buffer("probabilities", torch.full((len(bins),), 1 / len(bins)))
            self.register_buffer("_steps", torch.zeros((), dtype=torch.int64))
            # Places of the step that is under way; between two steps there are none, so there is nothing to save.
            self.register_buffer("_seen", torch.zeros(len(bins), dtype=torch.int64), persistent=False)
            self.register_buffer("_kernel", smoothing(bins.centres, options.sigma), persistent=False)

    @property
    def players(self) -> dict[str, Player]:
        o = self.options
        settings = OptimizerSettings(rate=o.rate, betas=(o.beta1, o.beta2), weight_decay=o.weight_decay)
        return {"generator": Player(parts=("generator",), optimizer=settings)}

    def loss_of(self, planes: Tensor, batch: Batch) -> Loss:
        """The loss of logits (B, K, h, w), in nats: a sum over places, so that the loop's mean is one over places."""
        targets, shares = self.encode(batch.ab)
        losses = self.losses(planes, targets, shares)
        if self.options.rebalance:
            nearest = targets[:, 0]
            if self.training:
                self._seen.scatter_add_(
                    0, nearest, torch.ones_like(nearest)
                )  # bincount would make a GPU wait for its host
            losses = losses * rebalancing(self.probabilities, self._kernel, self.options.uniform)[nearest]
        return Loss(losses.sum(), len(losses))

    def losses(self, planes: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """Cross-entropies (P,) in nats of logits (B, K, h, w) with what ``encode`` gives of the P = B h w places, without weights."""
        # Where the network runs in channels_last, this is a view.
        return cross_entropy(planes.movedim(1, -1).flatten(0, 2).float(), targets, shares)

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """ab (B, 2, H, W) in [-1, 1] -> bins (P, n) and their shares (P, n), of the P = B h w places, the nearest bin first."""
        places = self._pooled(ab).movedim(1, -1).flatten(0, 2)  # (P, 2)
        nearest, distances = self.bins.nearest(places)
        return nearest, F.softmax(-distances / (2 * self.options.sigma**2), dim=1)

    def after_step(self, turn: Turn) -> None:
        """The distribution takes in what this step has seen: the mean over all steps so far."""
        if not self.options.rebalance:
            return
        self._steps += 1
        self.probabilities.lerp_(self._seen / self._seen.sum(), 1 / self._steps)
        self._seen.zero_()

    def decode(self, planes: Tensor, lightness: Tensor) -> Tensor:
        """Logits (B, K, h, w) -> ab (B, 2, H, W) in [-1, 1], of the size of the lightness (B, 1, H, W)."""
        how = self.decoding
        if how.uniform < 1:
            planes = self.bins.rebalanced(planes, how.marginal, how.uniform)
        return self._enlarged(amplify(self.bins.annealed_mean(planes, how.temperature), how.gain), lightness)

    def as_fine(self, batch: Batch) -> Tensor:
        return self._enlarged(self._pooled(batch.ab), batch.lightness)

    def _pooled(self, ab: Tensor) -> Tensor:
        return F.avg_pool2d(ab, self.options.stride, ceil_mode=True)

    def _enlarged(self, ab: Tensor, lightness: Tensor) -> Tensor:
        if self.options.stride > 1:
            ab = F.interpolate(ab, scale_factor=self.options.stride, mode="bilinear", align_corners=False)
        return ab[..., : lightness.shape[-2], : lightness.shape[-1]]

    def meter(self) -> "BinScores":
        return BinScores(self)


class BinScores(ColorError):
    """``cross_entropy`` on held-out pictures in nats a place, whatever their weights, beside the errors of the decoded colour."""

    best: tuple[str, Literal["max", "min"]] = ("cross_entropy", "min")

    def __init__(self, pretext: ColorBins) -> None:
        super().__init__(pretext)
        self.bins = pretext
        self._loss = 0.0
        self._places = 0

    def update(self, batch: Batch) -> None:
        logits = self.bins.generator(batch.lightness)
        self.add(self.bins.decode(logits, batch.lightness), batch)
        losses = self.bins.losses(logits, *self.bins.encode(batch.ab))
        self._loss += float(losses.sum())
        self._places += len(losses)

    def compute(self) -> dict[str, float]:
        return {"cross_entropy": self._loss / self._places, **super().compute()}


def cross_entropy(logits: Tensor, bins: Tensor, shares: Tensor) -> Tensor:
    """Logits (P, K), bins (P, n) and their shares (P, n), which add up to 1 -> losses (P,), without a target of K shares."""
    return -(F.log_softmax(logits, dim=1).gather(1, bins) * shares).sum(dim=1)


def smoothing(centres: Tensor, sigma: float) -> Tensor:
    """Where a Gaussian spreads each bin's share: (K, K), column k adds up to 1; centres (K, 2) and sigma in Lab units."""
    return F.softmax(-torch.cdist(centres, centres).square() / (2 * sigma**2), dim=0)


def rebalancing(probabilities: Tensor, kernel: Tensor, uniform: float) -> Tensor:
    """Weights (K,) of the bins, whose mean under the smoothed probabilities is 1: equation 4 of the paper."""
    smoothed = (kernel * probabilities).sum(dim=1)
    weights = 1 / ((1 - uniform) * smoothed + uniform / len(smoothed))
    return weights / (weights * smoothed).sum()


def build(options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> ColorBins:
    """The pretext on a backbone and its decoder."""
    return ColorBins(options, backbone, decoder, epochs)
