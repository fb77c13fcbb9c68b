"""What chance does: colours that depend on dropout and on the neighbours in the batch, and the order of the pictures.

The networks are those of the recipes at a tenth of the width with untrained weights, in double precision and evaluation
mode, on made scenes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pretint.data.record import Record
from pretint.reproduction import tiny
from pretint.reproduction.number import Number, above, at_most, equal

PICTURES = 8
DRAWS = 8
"""Seeds of dropout, and companies in which a picture is coloured."""
_ROUNDING = 1e-9


def numbers(scenes: Path) -> list[Number]:
    """Spread of the output over dropout and over the batch, and whether two epochs have one order."""
    records = tiny.records_of(scenes, "train")
    found = []
    for name, words in (("paper-code", "authors' code"), ("paper", "recipe paper")):
        by_dropout, by_batch = spreads(name, records)
        dropout = (
            f"spread_dropout_{name}".replace("-", "_"),
            f"Spread over dropout, {words}",
            f"Mean standard deviation of a predicted value over {DRAWS} seeds, as a share of the output's own spread.",
        )
        batch = (
            f"spread_batch_{name}".replace("-", "_"),
            f"Spread over the batch, {words}",
            "The same for a picture beside other pictures each time, with the same dropout.",
        )
        if name == "paper-code":
            found += [above(*dropout, 0, by_dropout, "authors' code"), above(*batch, 0, by_batch, "authors' code")]
        else:
            found += [at_most(*dropout, _ROUNDING, by_dropout), at_most(*batch, _ROUNDING, by_batch)]
    return [
        *found,
        equal(
            "order_paper_code",
            "Same order in two epochs, authors' code",
            "Whether the second epoch shows the pictures in the order of the first.",
            True,
            same_order("paper-code", records),
            "authors' code",
        ),
        equal(
            "order_paper",
            "Same order in two epochs, recipe paper",
            "Whether the second epoch shows the pictures in the order of the first.",
            False,
            same_order("paper", records),
        ),
    ]


def spreads(name: str, records: Sequence[Record]) -> tuple[float, float]:
    """Spread of a recipe's colorizer over dropout seeds and over companies, each over the output's own deviation."""
    values = tiny.values_of(name)
    network = tiny.build(values).networks["generator"].double()
    batch = tiny.one_batch(values, records[: PICTURES * (DRAWS + 1)])
    groups = batch.lightness.double().view(DRAWS + 1, PICTURES, 1, tiny.SIZE, tiny.SIZE)
    network.train()
    with torch.no_grad():
        for group in groups:  # moving averages
            network(group)
        network.eval()
        first, others = groups[0], groups[1:]
        by_dropout = _spread(lambda draw: _predict(network, first, seed=draw))
        # The first picture, each time with seven others.
        by_batch = _spread(lambda draw: _predict(network, torch.cat([first[:1], others[draw][1:]]), seed=0)[:1])
    return by_dropout, by_batch


def _predict(network: nn.Module, lightness: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    ab: Tensor = network(lightness)
    return ab


def _spread(predict: Callable[[int], Tensor]) -> float:
    draws = torch.stack([predict(draw) for draw in range(DRAWS)])
    return float(draws.std(dim=0).mean() / draws.std())


def same_order(name: str, records: Sequence[Record]) -> bool:
    """Whether the recipe's first two epochs have one order."""
    feed = tiny.feed(tiny.values_of(name), records)
    return bool(np.array_equal(feed.epoch_order(0), feed.epoch_order(1)))
