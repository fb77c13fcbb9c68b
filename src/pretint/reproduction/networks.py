"""The five networks of the paper: parameters, cost, shapes and what the discriminators see.

The claims follow from the table of layers in the paper and its authors' code; the classifier's and the segmenter's totals
also stand in the stored summaries of their notebooks. Networks are built on the meta device, from the recipes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pretint import recipe
from pretint.inference.models import build_task_network
from pretint.networks.counting import Cost, cost, receptive_field
from pretint.networks.normalization import BatchNorm
from pretint.networks.patchgan import PatchDiscriminator
from pretint.pretexts.pretext import build_pretext
from pretint.reproduction.number import Number, equal, rounded

SIZE = 256
"""Side of the paper's pictures in pixels."""


@dataclass(frozen=True)
class _Claim:
    """Counts of one network: all numbers that learn, these and the moving averages, cost, biases before a norm."""

    title: str
    trainable: int
    total: int
    multiply_adds: int
    idle_biases: int


CLAIMS = {
    "generator": _Claim("Generator", 54_415_362, 54_425_218, 5_981_077_504, 4_928),
    "discriminator_142": _Claim("Discriminator, 142 px", 6_962_369, 6_965_185, 2_736_783_360, 1_408),
    "discriminator_70": _Claim("Discriminator, 70 px", 2_766_529, 2_768_321, 3_146_809_344, 896),
    "classifier": _Claim("Classifier", 38_503_124, 38_507_988, 2_002_862_080, 2_432),
    "segmenter": _Claim("Segmenter", 54_454_293, 54_464_149, 6_618_611_712, 4_928),
}
_DOWN = {
    "e1": 1_088, "e2": 131_200, "e3": 524_544, "e4": 2_097_664, "e5": 4_194_816, "e6": 4_194_816, "e7": 4_194_816,
    "b": 4_194_816,
}  # fmt: skip
_UP = {
    "d1": 4_194_816, "d2": 8_389_120, "d3": 8_389_120, "d4": 8_389_120, "d5": 4_194_560, "d6": 1_048_704, "d7": 262_208,
}  # fmt: skip
LAYERS = {
    "generator": {**_DOWN, **_UP, "out": 4_098},
    "discriminator_142": {
        "1": 3_136, "2": 131_200, "3": 524_544, "4": 2_097_664, "5": 4_194_816, "6": 8_193,
    },
    "discriminator_70": {"1": 3_136, "2": 131_200, "3": 524_544, "4": 2_097_664, "5": 8_193},
    "classifier": {**_DOWN, "dense 1": 2_101_248, "dense 2": 16_781_312, "dense 3": 81_940},
    "segmenter": {**_DOWN, **_UP, "out": 43_029},
}  # fmt: skip
"""Weights and biases of each convolution or dense layer."""
SHAPES = {
    "e1": [64, 128, 128], "e2": [128, 64, 64], "e3": [256, 32, 32], "e4": [512, 16, 16], "e5": [512, 8, 8],
    "e6": [512, 4, 4], "e7": [512, 2, 2], "b": [512, 1, 1], "d1": [512, 2, 2], "d2": [512, 4, 4], "d3": [512, 8, 8],
    "d4": [512, 16, 16], "d5": [256, 32, 32], "d6": [128, 64, 64], "d7": [64, 128, 128], "out": [2, 256, 256],
}  # fmt: skip
"""Channels, height and width that each block's convolution gives, before the join with the skip."""


def paper_networks() -> dict[str, nn.Module]:
    """The five networks at full width on the meta device, by the names of ``CLAIMS``."""
    networks: dict[str, nn.Module] = {}
    for name, discriminator in (("paper", "discriminator_142"), ("paper-text", "discriminator_70")):
        parts = build_on_meta(name)
        networks["generator"] = parts["generator"]
        networks[discriminator] = parts["discriminator"]
    with torch.device("meta"):
        values = recipe.read("finetune", "paper")
        for name, task, classes in (("classifier", "multilabel", 20), ("segmenter", "segmentation", 21)):
            chosen = {task: {}, **values, "task": task}
            networks[name] = build_task_network(chosen, [str(k) for k in range(classes)])[1]
    return networks


def step_multiply_adds() -> int:
    """Multiply-adds a picture in a training step of the authors' code; a backward pass counts as two forward ones."""
    parts = build_on_meta("paper-code")
    # The generator predicts, then goes forward and backward. The discriminator goes forward and backward for real and for
    # predicted pictures; in the generator's turn forward, and backward to its inputs alone.
    return 4 * _cost(parts["generator"]).multiply_adds + 8 * _cost(parts["discriminator"]).multiply_adds


def build_on_meta(name: str) -> Mapping[str, nn.Module]:
    """Generator and discriminator of a recipe of pretraining, without values."""
    with torch.device("meta"):
        return build_pretext(recipe.read("pretrain", name)).networks


def numbers() -> list[Number]:
    """Counts of parameters and multiply-adds, shapes, and receptive fields."""
    networks = paper_networks()
    costs = {name: _cost(network) for name, network in networks.items()}
    found: list[Number] = []
    for name, claim in CLAIMS.items():
        found += _counts(name, claim, networks[name], costs[name])
    found += _shapes(costs["generator"])
    found += _patches(costs)
    found.append(
        rounded(
            "step_multiply_adds",
            "Multiply-adds of a training step",
            "Thousand millions a picture in a step of the authors' code: four passes of the generator (one to predict, one "
            "forward, two backward) and eight of the discriminator.",
            45.8,
            step_multiply_adds() / 1e9,
            1,
        )
    )
    return found


def _cost(network: nn.Module) -> Cost:
    shapes = [(1, SIZE, SIZE), (2, SIZE, SIZE)] if isinstance(network, PatchDiscriminator) else [(1, SIZE, SIZE)]
    return cost(network, *shapes)


def _counts(name: str, claim: _Claim, network: nn.Module, found: Cost) -> list[Number]:
    idle = sum(layer.num_features for layer in network.modules() if isinstance(layer, BatchNorm))
    return [
        equal(
            f"{name}_trainable",
            f"{claim.title}: parameters that learn",
            "Weights, biases, gamma and beta.",
            claim.trainable,
            found.trainable,
        ),
        equal(
            f"{name}_total",
            f"{claim.title}: all parameters",
            "With the moving averages of the batch norms, as Keras' summary counts.",
            claim.total,
            found.total,
            "authors' code" if name in ("classifier", "segmenter") else "computed",
        ),
        equal(
            f"{name}_without_idle_biases",
            f"{claim.title}: without biases before a norm",
            "Parameters that learn, less the biases that the batch norm behind them takes away again.",
            claim.trainable - claim.idle_biases,
            found.trainable - idle,
        ),
        equal(
            f"{name}_multiply_adds",
            f"{claim.title}: multiply-adds",
            "Of convolutions and dense layers for one picture of 256x256, taps on the padding counted.",
            claim.multiply_adds,
            found.multiply_adds,
        ),
        equal(
            f"{name}_layers",
            f"{claim.title}: parameters by layer",
            "Weights and biases of each convolution or dense layer.",
            LAYERS[name],
            dict(zip(LAYERS[name], (layer.parameters for layer in found.layers), strict=True)),
        ),
    ]


def _shapes(generator: Cost) -> list[Number]:
    shapes = {_block(layer.name): list(layer.output) for layer in generator.layers}
    return [
        equal(
            "generator_shapes",
            "Generator: shapes of its blocks",
            "Channels, height and width that each block's convolution gives for a picture of 256x256.",
            SHAPES,
            shapes,
            "authors' code",
        ),
        equal(
            "generator_bottleneck",
            "Generator: bottleneck",
            "Channels, height and width at the deepest point.",
            [512, 1, 1],
            shapes["b"],
            "authors' code",
        ),
    ]


def _block(name: str) -> str:
    """``backbone.e1.conv`` as e1; the head is the block out."""
    return "out" if name == "head" else name.split(".")[1]


def _patches(costs: Mapping[str, Cost]) -> list[Number]:
    with torch.device("meta"):
        same = cost(_padded_to_keep_size(PatchDiscriminator("70")), (1, SIZE, SIZE), (2, SIZE, SIZE))
    maps = {name: costs[name].layers[-1].output[-1] for name in ("discriminator_142", "discriminator_70")}
    return [
        equal(
            "receptive_field_142",
            "Discriminator of the code: pixels seen",
            "Side of the square that one output depends on, measured by gradients; the text says 70.",
            142,
            _seen("142"),
            "authors' code",
        ),
        equal(
            "receptive_field_70",
            "Discriminator of the text: pixels seen",
            "Side of the square that one output depends on, measured by gradients.",
            70,
            _seen("70"),
            "paper",
        ),
        equal(
            "discriminator_142_map",
            "Discriminator of the code: map",
            "Side of its output for a picture of 256x256.",
            16,
            maps["discriminator_142"],
            "authors' code",
        ),
        equal(
            "discriminator_70_map",
            "Discriminator of the text: map",
            "Side of its output for a picture of 256x256, padded by 1 as in pix2pix.",
            30,
            maps["discriminator_70"],
        ),
        equal(
            "discriminator_70_map_same",
            "Discriminator of the text, Keras' padding: map",
            "The same with layers of stride 1 padded so that they keep the size.",
            32,
            same.layers[-1].output[-1],
        ),
        equal(
            "discriminator_70_multiply_adds_same",
            "Discriminator of the text, Keras' padding: multiply-adds",
            "For one picture: fewer parameters than the one of the code, but a higher cost.",
            3_279_945_728,
            same.multiply_adds,
        ),
    ]


def _seen(field: str) -> int:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # Where an output looks does not depend on the number of channels.
        network = PatchDiscriminator(field, width=1 / 32).double().eval()  # type: ignore[arg-type]
        height, width = receptive_field(network, (1, SIZE, SIZE), (2, SIZE, SIZE))
    assert height == width
    return height


def _padded_to_keep_size(network: PatchDiscriminator) -> PatchDiscriminator:
    """Keras' "same" for the layers of stride 1: 1 pixel top and left, 2 bottom and right."""
    for i, layer in enumerate(network.layers):
        if isinstance(layer, nn.Conv2d) and layer.stride == (1, 1):
            layer.padding = (0, 0)
            network.layers[i] = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), layer)
    return network
