"""What makes the step fast changes no result: gradients and curves beside those of torch's own layers in float32."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pretint.data.feed import Batch
from pretint.networks import strided
from pretint.objective import Objective
from pretint.training.learners import Learner
from tests.training.driving import pretraining, tiny
from tests.training.plain import (
    PlainCritic,
    PlainUNet,
    adam,
    critic_gradient,
    generator_gradient,
    take_parameters,
)

CHANNELS = [16, 32, 64, 128, 128, 128]  # of the U-Net at 64 px and a width of 0.25
VALUES = {"size": 64, "unet": {"width": 0.25, "dropout": 0.0}}

# What the strided convolutions are told: nothing; or one way for all layers, whatever their shape.
WAYS = {"as it is": {}, "all few": {"FEW_POSITIONS": 10**9}, "all wide": {"FEW_POSITIONS": 0, "WIDE": 0, "CHANNELS": 0}}


def recorded(training, out: Path, monkeypatch) -> tuple[list[Batch], list[list[Tensor]], Objective, Objective]:
    """Batches and gradients, turn by turn, of the loop's first step; the objective before and after it."""
    batches: list[Batch] = []
    gradients: list[list[Tensor]] = []
    step = Learner.step

    def noting(learner: Learner, factor: float) -> None:
        gradients.append([p.grad.detach().clone() for p in learner.parameters])  # in the order of the network's own
        step(learner, factor)

    monkeypatch.setattr(Learner, "step", noting)
    build = training.objective

    def building() -> Objective:
        objective = build()
        loss = objective.loss

        def watched(turn, batch, shared):
            batches.append(batch)
            return loss(turn, batch, shared)

        objective.loss = watched
        return objective

    training.objective = building
    torch.manual_seed(training.seed)
    before = build()
    after = training.start(out, stop=1)
    return batches, gradients, before, after


def distance(found: list[Tensor], expected: list[Tensor]) -> float:
    """Of two gradients of a network, as a share of the norm."""
    one, other = (torch.cat([part.flatten() for part in parts]) for parts in (found, expected))
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_of_a_gan_step(
    precision: str, norm: str, way: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setattr(strided, name, value)
    values = tiny(**VALUES, cgan={"critic_width": 0.25, "critic_normalization": norm})
    training = pretraining(pictures, values, loop={"precision": precision})
    batches, found, before, after = recorded(training, tmp_path / "run", monkeypatch)
    generator, critic = PlainUNet(CHANNELS), PlainCritic([16, 32, 64, 128, 128], norm)
    take_parameters(generator, before.networks["generator"])
    take_parameters(critic, before.networks["discriminator"])
    planes = batches[0].lightness, batches[0].ab

    def plain() -> list[list[Tensor]]:
        take_parameters(critic, before.networks["discriminator"])
        of_critic = critic_gradient(critic, *planes, generator(planes[0]))
        take_parameters(critic, after.networks["discriminator"])  # it moves before the generator's turn
        return [of_critic, generator_gradient(generator, critic, *planes)]

    expected = plain()
    allowed = [1e-5, 1e-5]
    if precision == "bf16":  # as near to float32 as torch's own layers in bf16 are, or nearly so
        with torch.autocast("cpu", torch.bfloat16):
            allowed = [1.2 * distance(*parts) for parts in zip(plain(), expected, strict=True)]
    for ours, true, most in zip(found, expected, allowed, strict=True):
        assert distance(ours, true) < most < 0.5

    # And the update is the authors' Adam.
    for name, network, gradients in zip(("discriminator", "generator"), (critic, generator), found, strict=True):
        take_parameters(network, before.networks[name])
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        adam(network, 2e-4).step()
        for one, other in zip(network.parameters(), after.networks[name].parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_curve_of_regression(precision: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 steps on the same batches: the losses stay together."""
    values = tiny(**VALUES, pretext="regression", epochs=67)
    training = pretraining(pictures, values, loop={"precision": precision})
    training.held_out = ()
    network = PlainUNet(CHANNELS)
    torch.manual_seed(training.seed)
    take_parameters(network, training.objective().networks["generator"])
    optimizer = adam(network, 2e-4)
    pairs: list[tuple[float, float]] = []
    build = training.objective

    def building() -> Objective:
        objective = build()
        loss = objective.loss

        def beside(turn, batch, shared):
            optimizer.zero_grad()
            with torch.autocast("cpu", enabled=False):
                plain = (network(batch.lightness) - batch.ab).abs().mean()
                plain.backward()
            optimizer.step()
            found = loss(turn, batch, shared)
            pairs.append((found.total.item() / found.count, plain.item()))
            return found

        objective.loss = beside
        return objective

    training.objective = building
    training.start(tmp_path / "run", stop=200)
    ours, plain = torch.tensor(pairs).T
    assert len(ours) == 200
    assert plain[-20:].mean() < 0.8 * plain[:20].mean()  # something was learned
    blocks, expected = (curve.view(10, 20).mean(dim=1) for curve in (ours, plain))
    apart = (blocks - expected).abs() / expected
    assert apart[:5].max() < 0.02  # later on, roundings have grown: a single block may be some percent apart
    assert apart.mean() < 0.03
