"""What an optimizer is given back when a training goes on."""

import torch
from torch import Tensor, nn

from pretint.data.feed import Batch
from pretint.objective import Loss, Objective, OptimizerSettings, Phase, Player, Shared, Turn
from pretint.training.learners import Learner


class One(Objective):
    """A convolution that nobody runs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 3)

    @property
    def players(self) -> dict[str, Player]:
        return {"one": Player(parts=("layer",), optimizer=OptimizerSettings(rate=0.1))}

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="all", epochs=1),)

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        raise NotImplementedError


def test_state_is_given_back_where_the_parameter_is() -> None:
    """Checkpoints are read on the CPU; an optimizer on a GPU wants all of its state there, its count of steps too."""
    here = One()
    learner = Learner(here, here.players["one"], here.phases[0])
    for parameter in learner.parameters:
        parameter.grad = torch.ones_like(parameter)
    learner.step(1.0)
    state: dict[str, Tensor] = learner.state()
    assert {name.rpartition("/")[2] for name in state} == {"step", "exp_avg", "exp_avg_sq"}
    with torch.device("meta"):
        there = One()
    other = Learner(there, there.players["one"], there.phases[0])
    other.restore(state)
    restored = other.state()
    assert restored.keys() == state.keys()
    assert {tensor.device.type for tensor in restored.values()} == {"meta"}
