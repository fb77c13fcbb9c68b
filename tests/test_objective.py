"""Settings of an optimizer are refused where they are born, as torch would refuse them later."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from pretint.errors import OptionError
from pretint.objective import OptimizerSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", -1e-4),
        ("betas", (1.0, 0.999)),
        ("betas", (-0.1, 0.999)),
        ("betas", (0.9, 1.0)),
        ("eps", -1e-8),
        ("weight_decay", -0.01),
    ],
)
def test_what_torch_refuses_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        torch.optim.AdamW(nn.Linear(1, 1).parameters(), **{"lr" if name == "rate" else name: value})
    with pytest.raises(OptionError, match=rf"optimizer: {name} .* must be") as fault:
        OptimizerSettings(**{"rate": 1e-3, name: value})
    assert str(value) in str(fault.value)


@pytest.mark.parametrize("name", ["rate", "eps", "weight_decay"])
def test_no_number_is_no_setting(name: str) -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(OptionError, match=name):
            OptimizerSettings(**{"rate": 1e-3, name: value})


def test_the_ends_of_the_ranges_are_settings() -> None:
    settings = OptimizerSettings(rate=1e-30, betas=(0.0, 0.0), eps=1e-30, weight_decay=0.0)
    assert (settings.betas, settings.weight_decay) == ((0.0, 0.0), 0.0)
