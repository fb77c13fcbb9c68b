"""Fine-tuning: what is frozen stays as it was, statistics included; rates and optimizers change with the phase."""

from pathlib import Path

import pytest
import torch

from pretint.data.feed import once
from pretint.data.views import ViewOptions
from pretint.networks.unet import Dropout
from pretint.tasks.fine_tuning import FineTuning, Schedule
from pretint.training.learners import Learner, enter_phase
from tests.training.driving import Outcome, Training, finetuning

SCHEDULE = Schedule(epochs=3, rate=3e-4, frozen_epochs=1, unfrozen_rate=5e-5)
PARTS = {"segmentation": ("backbone", "decoder"), "multilabel": ("backbone",), "classification": ("backbone",)}


@pytest.fixture
def training(request: pytest.FixtureRequest, masked: Path, labelled: Path, sorted_pictures: Path) -> Training:
    task = request.param
    data = {"segmentation": masked, "multilabel": labelled, "classification": sorted_pictures}[task]
    return finetuning(data, task, PARTS[task], SCHEDULE)


@pytest.mark.parametrize("training", PARTS, indirect=True)
def test_frozen_parts_do_not_move(training: Training, tmp_path: Path) -> None:
    torch.manual_seed(training.seed)
    objective = training.objective()
    assert isinstance(objective, FineTuning)
    begun = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    parts = tuple(f"network.{part}." for part in objective.transferred)

    training.start(tmp_path / "run", stop=3)  # the end of the frozen epoch
    frozen = Outcome.of(tmp_path / "run").tensors
    for name, before in begun.items():
        same = torch.equal(frozen[f"last/{name}"], before)
        assert same == name.startswith(parts), name
    assert not [key for key in frozen if key.startswith("state/network/" + "network.backbone")]

    training.start(tmp_path / "run", stop=4, resume=True)  # one step with everything thawed
    thawed = Outcome.of(tmp_path / "run").tensors
    still = [n for n, before in begun.items() if torch.equal(thawed[f"last/{n}"], before) and "num_batches" not in n]
    assert still == []
    # Adam begins anew with the phase, for the head too.
    steps = {float(value) for key, value in thawed.items() if key.startswith("state/") and key.endswith("/step")}
    assert steps == {1.0}


@pytest.mark.parametrize("training", ["segmentation"], indirect=True)
def test_a_frozen_network_uses_moving_averages_and_keeps_its_dropout(training: Training) -> None:
    torch.manual_seed(0)
    objective = training.objective()
    enter_phase(objective, objective.phases[0])
    (batch,) = once(training.records[:4], size=16, view=ViewOptions(), batch_size=4, **training.feed)
    network, planes = objective.network, batch.planes("L")
    dropouts = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    assert dropouts
    zeros: list[float] = []
    handles = [
        d.register_forward_hook(lambda _, i, out: zeros.append(float((out == 0).float().mean()))) for d in dropouts
    ]
    objective.train()
    with torch.no_grad():
        network(planes)
        assert min(zeros) > 0.25  # half, with few channels
        for handle in handles:
            handle.remove()
        for layer in dropouts:
            layer.probability = 0.0
        trained = network(planes)
        alone = network(planes[:1])
        objective.eval()
        torch.testing.assert_close(trained, network(planes))
        torch.testing.assert_close(alone, trained[:1], rtol=1e-4, atol=1e-5)  # no picture depends on its neighbours
        enter_phase(objective, objective.phases[1])
        objective.train()
        assert not torch.allclose(network(planes), trained, atol=1e-4)


@pytest.mark.parametrize("training", ["segmentation"], indirect=True)
def test_rates(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = Learner.step

    def watched(learner: Learner, factor: float) -> None:
        step(learner, factor)
        rates.extend({group["lr"] for group in learner.optimizer.param_groups})

    monkeypatch.setattr(Learner, "step", watched)
    training.run(tmp_path / "run")
    assert rates == [3e-4] * 3 + [5e-5] * 6


@pytest.mark.parametrize("training", ["multilabel"], indirect=True)
def test_the_head_alone_learns_faster(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the rate, in both phases."""
    rates: list[dict[str, float]] = []
    step = Learner.step

    def watched(learner: Learner, factor: float) -> None:
        step(learner, factor)
        names = {parameter: name for name, parameter in objective[-1].named_parameters()}
        rates.append({names[p]: group["lr"] for group in learner.optimizer.param_groups for p in group["params"]})

    def build() -> FineTuning:
        schedule = Schedule(epochs=2, rate=1e-3, frozen_epochs=1, unfrozen_rate=1e-4, head_factor=10, weight_decay=0.01)
        objective.append(FineTuning(given().task, given().network, schedule, ("backbone",)))
        return objective[-1]

    objective: list[FineTuning] = []
    given, training.objective = training.objective, build
    monkeypatch.setattr(Learner, "step", watched)
    training.run(tmp_path / "run")
    (frozen, *_), (*_, thawed) = rates[:3], rates[3:]
    head = {name for name, _ in objective[-1].named_parameters() if name.startswith("network.head.")}
    others = {name for name, _ in objective[-1].named_parameters()} - head
    assert head
    assert others
    assert frozen == pytest.approx(dict.fromkeys(head, 1e-2))
    assert thawed == pytest.approx(dict.fromkeys(head, 1e-3) | dict.fromkeys(others, 1e-4))


def test_from_scratch_nothing_is_frozen(masked: Path) -> None:
    objective = finetuning(masked, "segmentation", (), SCHEDULE).objective()
    assert [(p.epochs, p.frozen, p.rate) for p in objective.phases] == [(3, (), None)]
    assert objective.players["network"].optimizer.rate == 3e-4
    assert objective.players["network"].optimizer.betas == (0.9, 0.999)
    assert objective.players["network"].optimizer.eps == 1e-7


@pytest.mark.parametrize("training", ["multilabel"], indirect=True)
def test_training_lowers_the_loss(training: Training, tmp_path: Path) -> None:
    """By a good part in 60 steps on 12 pictures: gradients reach the weights with the right sign."""
    build = training.objective
    training.objective = lambda: FineTuning(build().task, build().network, Schedule(epochs=20, rate=1e-2))
    losses = [e["network.loss"] for e in training.run(tmp_path / "run").metrics if e["kind"] == "train"]
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])
