"""What every pretext is, beyond an Objective: it has a backbone that transfers.

A pretext is one file of this folder: its docstring cites the source, ``Options`` says its values, and ``build`` makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pretint import recipe
from pretint.color import AB_SCALE
from pretint.data.feed import Batch
from pretint.methods import load
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.build import build_backbone, build_decoder
from pretint.networks.colorizer import Colorizer
from pretint.objective import Loss, Objective, Phase, Shared, Turn, finite


@dataclass(frozen=True)
class Decoding:
    """How colours are made of what a colorizer's network gives.

    ``temperature``, ``uniform`` and ``marginal`` are for networks that give a distribution of colours; others have the
    ``gain`` alone.

    Attributes:
        temperature: of the annealed mean, in [0, 1]: 1 is the mean of the distribution, 0 its most probable colour.
        uniform: lambda, in (0, 1]: how little of the marginal is divided out; 1 leaves the distribution as it is.
        gain: factor on a and b, so on the chroma.
        marginal: mean distribution (K,) of the network over pictures; empty stands for a uniform one.
    """

    temperature: float = 1.0
    uniform: float = 1.0
    gain: float = 1.0
    marginal: tuple[float, ...] = ()


class Pretext(Objective):
    """One self-supervised task.

    Attributes:
        epochs: length of the training.
        training_only: its parts that neither a use of the network nor a transfer needs, such as a critic.
    """

    epochs: int
    training_only: tuple[str, ...] = ()

    @property
    def backbone(self) -> Backbone:
        """What transfers."""
        raise NotImplementedError

    @property
    def decoder(self) -> Decoder | None:
        """What transfers to dense tasks besides; None where the method has none."""
        return None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Its networks by name, for counting."""
        raise NotImplementedError

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="pretraining", epochs=self.epochs),)

    def predict(self, lightness: Tensor) -> Tensor | None:
        """Lightness (B, 1, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]; None where the method does not colour."""
        return None


class ColorizationPretext(Pretext):
    """A pretext that colours with one network, ``generator``.

    A method says in ``loss_of`` what its generator is to give, and, where that is something else than ab, in ``decode`` how ab is
    made of it.

    Attributes:
        decoding: what ``predict`` decodes with; it may be replaced at any time.
        distribution: whether the generator gives a distribution of colours.
    """

    distribution = False

    def __init__(self, generator: Colorizer, epochs: int) -> None:
        super().__init__()
        self.generator = generator
        self.epochs = epochs
        self.decoding = Decoding()

    @property
    def backbone(self) -> Backbone:
        return self.generator.backbone

    @property
    def decoder(self) -> Decoder:
        return self.generator.decoder

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator}

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        return self.loss_of(self.generator(batch.lightness), batch)

    def loss_of(self, planes: Tensor, batch: Batch) -> Loss:
        """The loss of what the generator gave for a batch."""
        raise NotImplementedError

    def as_fine(self, batch: Batch) -> Tensor:
        """The true ab (B, 2, H, W) of a batch, as fine as the generator's colours are."""
        return batch.ab

    def predict(self, lightness: Tensor) -> Tensor:
        return self.decode(self.generator(lightness), lightness)

    def decode(self, planes: Tensor, lightness: Tensor) -> Tensor:
        """What the generator gave for a lightness (B, 1, H, W) -> ab (B, 2, H, W) in [-1, 1]."""
        return amplify(planes, self.decoding.gain)

    def meter(self) -> "ColorError":
        return ColorError(self)


def amplify(ab: Tensor, gain: float) -> Tensor:
    """ab with its chroma multiplied, within [-1, 1]."""
    return ab if gain == 1 else (ab * gain).clamp(-1, 1)


class ColorError:
    """Error of predicted colour on held-out pictures, beside the error of leaving them grey.

    ``ab_error`` and ``grey_ab_error`` are mean absolute differences of a and b in CIELAB units; ``chroma_share`` is the
    mean chroma of the prediction over that of the originals (1: as colourful; 0: grey).
    """

    best: tuple[str, Literal["max", "min"]] = ("ab_error", "min")

    def __init__(self, pretext: Pretext) -> None:
        self.pretext = pretext
        self._sums = torch.zeros(4, dtype=torch.float64)
        self._count = 0

    def update(self, batch: Batch) -> None:
        predicted = self.pretext.predict(batch.lightness)
        assert predicted is not None
        self.add(predicted, batch)

    def add(self, predicted: Tensor, batch: Batch) -> None:
        """Count ab (B, 2, H, W) that was predicted for a batch already."""
        predicted = finite(predicted.float())
        error = (predicted - batch.ab).abs().mean(dim=(1, 2, 3)).sum()
        grey = batch.ab.abs().mean(dim=(1, 2, 3)).sum()
        chroma = [ab.norm(dim=1).mean(dim=(1, 2)).sum() for ab in (predicted, batch.ab)]
        self._sums += torch.stack([error, grey, *chroma]).cpu().double()  # in this order: Apple's GPU knows no float64
        self._count += len(batch.rgb)

    def compute(self) -> dict[str, float]:
        error, grey, chroma, true_chroma = (self._sums / self._count).tolist()
        return {
            "ab_error": error * AB_SCALE,
            "grey_ab_error": grey * AB_SCALE,
            "chroma_share": chroma / true_chroma if true_chroma else float("nan"),
        }


def build_pretext(values: Mapping[str, Any]) -> Pretext:
    """The pretext named by ``values["pretext"]`` on its networks, from the values that ``run.json`` holds."""
    name = values["pretext"]
    module = load("pretexts", name)
    backbone = build_backbone(values)
    options = recipe.fill(module.Options, values[name], name)
    pretext: Pretext = module.build(options, backbone, build_decoder(values, backbone), values["epochs"])
    return pretext
