"""Colorization by a conditional GAN: the paper's pretext (Treneska et al., Sensors 2022, 22, 1599), after pix2pix.

    pretint pretrain --pretext cgan --recipe paper --data PHOTOS --out runs/paper

The generator predicts ab from L; a patch discriminator tells (L, ab) from (L, prediction). Per step (Isola et al. 2017,
arXiv 1611.07004, equations 3 and 4, the generator's term in its non-saturating form):

    critic      0.5 BCE(D(L, ab), 1) + 0.5 BCE(D(L, G(L)), 0)
    generator   BCE(D(L, G(L)), 1) + lambda mean |ab - G(L)|

With ``--cgan.content bins`` the choice among bins of ``color_bins`` takes the place of L1, with a weight of its own: G's picture
is then the annealed mean of its choice, and beside it D is shown the true colour as coarsely as G gives its own, else it would
tell the two by their sharpness alone. No paper is known to us for this pair; it asks whether an adversary adds to bins what
it may add to L1.

The authors' code differs from their text and has defects of its own; each is an option here, and the recipes ``paper``
(the code's numbers without its defects), ``paper-code`` and ``paper-text`` choose among them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretint.data.feed import Batch
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.normalization import normalization_parameters
from pretint.networks.patchgan import PatchDiscriminator
from pretint.objective import Loss, OptimizerSettings, Player, Shared, Turn
from pretint.pretexts import color_bins, regression
from pretint.pretexts.pretext import ColorizationPretext


@dataclass(frozen=True, kw_only=True)
class Options:
    """Colorization by a conditional GAN (the paper's)."""

    content: Literal["l1", "bins"] = "l1"
    """What G learns beside fooling D: l1 (the paper's), or the nearest of the bins of color_bins."""
    l1_weight: float = 100.0
    """Lambda: weight of the L1 term beside the adversarial one (100 in the code; not given in the text)."""
    bins_weight: float = 5.0
    """With content bins: weight of the cross-entropy, in nats a place."""
    rate: float = 2e-4
    """Learning rate of the generator (0.0002 in the code, 0.002 in the text)."""
    critic_rate: float = 2e-4
    """Learning rate of the discriminator."""
    beta1: float = 0.5
    """Adam's first decay, of both networks, in [0, 1); the second is 0.999."""
    receptive_field: Literal["142", "70"] = "142"
    """Pixels that one output of the discriminator sees: 142 in the code, 70 in the text and in pix2pix."""
    critic_width: float = 1.0
    """Factor on the discriminator's channels; 1 is the paper's net."""
    critic_normalization: Literal["batch", "batch-always", "instance", "group"] = "batch"
    """Norm layers of the discriminator."""
    critic_steps: Literal["joint", "split"] = "joint"
    """joint: real and predicted pictures in one update; split: one update each, as the authors' code does."""
    generator_forward: Literal["shared", "fresh"] = "shared"
    """shared: both turns see the same prediction; fresh: the generator's turn computes a new one (the authors' code)."""
    leak: bool = False
    """Let the generator's turn also train the discriminator's gamma and beta, a defect of the authors' code."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if self.rate <= 0 or self.critic_rate <= 0:
            raise OptionError("--cgan.rate and --cgan.critic-rate: must be above 0")
        if not 0 <= self.beta1 < 1:
            raise OptionError(f"--cgan.beta1 {self.beta1}: must be at least 0 and below 1")
        if self.l1_weight < 0 or self.bins_weight < 0:
            raise OptionError("--cgan.l1-weight and --cgan.bins-weight: must not be negative")
        if self.critic_width <= 0:
            raise OptionError(f"--cgan.critic-width {self.critic_width}: must be above 0")


class Adversarial(ColorizationPretext):
    """A critic beside a pretext that has a loss of its own, the content. Players: ``critic`` (the discriminator) and ``generator``.

    Attributes:
        gan: the options.
        discriminator: tells (L, ab) from (L, prediction).
        content: name of the content's loss among the scalars, and its weight.
    """

    gan: Options
    discriminator: PatchDiscriminator
    content: tuple[str, float]
    training_only = ("discriminator",)

    def oppose(self, options: Options, content: tuple[str, float]) -> None:
        """Add the critic."""
        self.gan = options
        self.content = content
        self.discriminator = PatchDiscriminator(
            options.receptive_field, options.critic_width, options.critic_normalization
        )

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def players(self) -> dict[str, Player]:
        o = self.gan
        leaked = [f"discriminator.{name}" for name, _ in normalization_parameters(self.discriminator)] if o.leak else []
        return {
            # eps is Keras' 1e-7; torch's 1e-8 would be another optimizer where gradients are tiny.
            "critic": Player(parts=("discriminator",), optimizer=_adam(o.critic_rate, o.beta1)),
            "generator": Player(parts=("generator", *leaked), optimizer=_adam(o.rate, o.beta1)),
        }

    def turns(self, step: int) -> tuple[Turn, ...]:
        critic = ["critic"] if self.gan.critic_steps == "joint" else ["critic_real", "critic_predicted"]
        return (*(Turn(name, "critic") for name in critic), Turn("generator", "generator"))

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        """Sums over the pictures of the batch, so that the loop's mean is the equations' mean."""
        count = len(batch.rgb)
        if turn.name == "generator":
            planes = shared.once("generator", "planes", lambda: self.generator(batch.lightness))
            predicted = self.decode(planes, batch.lightness)
            fooled = _bce(self.discriminator(batch.lightness, predicted), real=True)
            loss = self.loss_of(planes, batch)
            name, weight = self.content
            mean = loss.total / loss.count
            return Loss((fooled + weight * mean) * count, count, {"adversarial": fooled, name: mean})
        total = torch.zeros((), device=batch.rgb.device)
        scalars: dict[str, Tensor] = {}
        if turn.name != "critic_predicted":
            scalars["real"] = _bce(self.discriminator(batch.lightness, self.as_fine(batch)), real=True)
            total = total + 0.5 * scalars["real"]
        if turn.name != "critic_real":
            # Filed under the critic, a prediction is dropped when the critic has stepped: the generator makes a new one.
            owner = "generator" if self.gan.generator_forward == "shared" else "critic"
            planes = shared.once(owner, "planes", lambda: self.generator(batch.lightness)).detach()
            predicted = self.decode(planes, batch.lightness)
            scalars["predicted"] = _bce(self.discriminator(batch.lightness, predicted), real=False)
            total = total + 0.5 * scalars["predicted"]
        return Loss(total * count, count, scalars)


class ConditionalGan(Adversarial, regression.Regression):
    """The paper's: L1 and a critic."""

    def __init__(self, options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> None:
        super().__init__(regression.Options(), backbone, decoder, epochs)
        self.oppose(options, ("l1", options.l1_weight))


class BinsGan(Adversarial, color_bins.ColorBins):
    """One-hot bins and a critic, which sees colours that are as fine as the bins' places."""

    def __init__(self, options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> None:
        super().__init__(color_bins.Options(), backbone, decoder, epochs)
        self.oppose(options, ("cross_entropy", options.bins_weight))


def build(options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> Adversarial:
    """The pretext on a backbone and its decoder."""
    kind = BinsGan if options.content == "bins" else ConditionalGan
    return kind(options, backbone, decoder, epochs)


def _adam(rate: float, beta1: float) -> OptimizerSettings:
    return OptimizerSettings(rate=rate, betas=(beta1, 0.999), eps=1e-7)


def _bce(logits: Tensor, real: bool) -> Tensor:
    """Mean binary cross-entropy of a map of logits against all real or all predicted."""
    logits = logits.float()
    return F.softplus(-logits if real else logits).mean()
