"""What every pretext is, beyond an Objective: it has a backbone that transfers.

A pretext is one file of this folder: its docstring cites the source, ``Options`` says its values, and ``build`` makes it.
"""

from collections.abc import Mapping
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
from pretint.objective import Objective, Phase


class Pretext(Objective):
    """One self-supervised task.

    Attributes:
        epochs: length of the training.
    """

    epochs: int

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

    ``predict`` is the generator itself; a method whose generator gives something else than ab says how ab is decoded.
    """

    def __init__(self, generator: Colorizer, epochs: int) -> None:
        super().__init__()
        self.generator = generator
        self.epochs = epochs

    @property
    def backbone(self) -> Backbone:
        return self.generator.backbone

    @property
    def decoder(self) -> Decoder:
        return self.generator.decoder

    def predict(self, lightness: Tensor) -> Tensor:
        ab: Tensor = self.generator(lightness)
        return ab

    def meter(self) -> "ColorError":
        return ColorError(self)


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
        predicted = predicted.float()
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
