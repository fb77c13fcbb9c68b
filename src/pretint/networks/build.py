"""From the values of a run to its networks: what ``run.json`` says is enough to build them again."""

from collections.abc import Mapping
from typing import Any

from pretint import recipe
from pretint.methods import decoder_of, load
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.hypercolumn import HypercolumnDecoder
from pretint.networks.unet import Options as UNetOptions
from pretint.networks.unet import UNetDecoder, UNetEncoder


def build_backbone(values: Mapping[str, Any]) -> Backbone:
    """The backbone named by ``values["backbone"]``, with the options of its section."""
    name = values["backbone"]
    module = load("networks", name)
    backbone: Backbone = module.build(recipe.fill(module.Options, values[name], name), values["size"])
    return backbone


def build_decoder(values: Mapping[str, Any], backbone: Backbone) -> Decoder:
    """The decoder named by ``values["decoder"]``, or the one that ``auto`` means for the backbone."""
    name = decoder_of(values["backbone"], values["decoder"])
    # A decoder is normalised like its backbone, else --residual.normalization group would leave batch norms in the network.
    normalization = values[values["backbone"]].get("normalization", "batch")
    if name == "hypercolumn":
        return HypercolumnDecoder(backbone, normalization=normalization)
    return UNetDecoder(
        backbone, None if isinstance(backbone, UNetEncoder) else UNetOptions(normalization=normalization)
    )
