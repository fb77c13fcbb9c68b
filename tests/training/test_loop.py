"""What the loop promises to an objective: pads, draws, who may learn, the average of weights, what is written when."""

import math
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn

from pretint.data.feed import Batch, Feed
from pretint.data.record import Record
from pretint.data.views import ViewOptions
from pretint.errors import Interrupted, TrainingError
from pretint.objective import Loss, Objective, OptimizerSettings, Phase, Player, Shared, Turn
from pretint.run_folder import RunFolder
from pretint.tasks.fine_tuning import FineTuning
from pretint.training import checkpoint, progress
from pretint.training.hardware import start_fabric
from pretint.training.learners import Learner
from pretint.training.loop import Loop
from pretint.training.options import LoopOptions
from pretint.training.progress import TrainingProgress
from tests.training.cases import EVEN
from tests.training.driving import Outcome, StopAfter, StoppingFeed, Training, finetuning, pretraining


class Toy(Objective):
    """Two players of one number each; ``maker`` makes a value that all three turns of a step read."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Parameter(torch.tensor(1.0))
        self.judge = nn.Parameter(torch.tensor(1.0))
        self.seen: list[tuple[str, float, float]] = []
        self.weights: list[dict[str, Tensor]] = []

    @property
    def players(self) -> dict[str, Player]:
        settings = OptimizerSettings(rate=0.01)
        return {
            "judge": Player(parts=("judge",), optimizer=settings),
            "maker": Player(parts=("maker",), optimizer=settings),
        }

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="all", epochs=2),)

    def turns(self, step: int) -> tuple[Turn, ...]:
        return (Turn("judging", "judge"), Turn("making", "maker"), Turn("again", "maker"))

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        made = shared.once("maker", "value", lambda: self.maker * torch.rand(()))
        draw = torch.rand(())
        self.seen.append((turn.name, made.item(), draw.item()))
        own = self.judge if turn.player == "judge" else made
        other = made if turn.player == "judge" else self.judge
        assert (self.judge if turn.player == "judge" else self.maker).requires_grad
        assert not (self.maker if turn.player == "judge" else self.judge).requires_grad
        return Loss((own * other.detach() + own**2) * len(batch), len(batch))

    def after_step(self, turn: Turn) -> None:
        if turn.name == "again":
            self.weights.append({name: tensor.clone() for name, tensor in self.state_dict().items()})


@pytest.fixture
def training(pictures: Path) -> Training:
    training = pretraining(pictures)
    training.objective, training.held_out = Toy, ()
    return training


def _toy(training: Training, out: Path, **loop: Any) -> Toy:
    objective = training.start(out, **loop)
    assert isinstance(objective, Toy)
    return objective


def test_what_a_player_made_is_shared_until_it_steps(training: Training, tmp_path: Path) -> None:
    seen = _toy(training, tmp_path / "run").seen
    assert [name for name, _, _ in seen] == ["judging", "making", "again"] * 6
    for first in range(0, 18, 3):
        judging, making, again = (made for _, made, _ in seen[first : first + 3])
        assert judging == making != again
    draws = [draw for _, _, draw in seen]
    assert len(set(draws)) == len(draws)
    made = [value for _, value, _ in seen]
    assert len(set(made)) == 12


def test_micro_batches_draw_the_same_for_all_turns(training: Training, tmp_path: Path) -> None:
    """Pads are emptied between turns, so a value is made again; it must come out alike."""
    seen = _toy(training, tmp_path / "run", accumulate=2).seen
    for first in range(0, 36, 6):
        made = [value for _, value, _ in seen[first : first + 6]]  # judging 0 1, making 0 1, again 0 1
        assert made[0:2] == made[2:4]
        assert made[0] != made[1]
        assert made[4:6] != made[2:4]


def test_draws_depend_on_the_seed_alone(training: Training, tmp_path: Path) -> None:
    torch.rand(7)
    one = _toy(training, tmp_path / "one").seen
    assert _toy(training, tmp_path / "two").seen == one
    training.seed = 4
    assert _toy(training, tmp_path / "three").seen != one


def test_the_average_of_weights_by_hand(training: Training, tmp_path: Path) -> None:
    toy = _toy(training, tmp_path / "run", ema=0.3)
    average = {"maker": 1.0, "judge": 1.0}
    for step, weights in enumerate(toy.weights, start=1):
        decay = min(0.3, (1 + step) / (10 + step))
        average = {name: decay * value + (1 - decay) * weights[name].item() for name, value in average.items()}
    outcome = Outcome.of(tmp_path / "run")
    for name, value in average.items():
        assert outcome.tensors[f"last/{name}"].item() == pytest.approx(value, abs=1e-6)
        assert outcome.tensors[f"state/raw/{name}"].item() == toy.weights[-1][name].item()


def test_what_is_scored_is_the_average(training: Training, pictures: Path, tmp_path: Path) -> None:
    """Not the weights themselves, which are back for the next step."""
    scored: list[tuple[float, float]] = []

    class Watched(Toy):
        def meter(self) -> Any:
            scored.append((self.maker.item(), self.judge.item()))
            return SimpleNamespace(best=("score", "max"), update=lambda batch: None, compute=lambda: {"score": 1.0})

    training.objective, training.held_out = Watched, pretraining(pictures).held_out
    toy = _toy(training, tmp_path / "run", ema=0.3)
    average, expected = (1.0, 1.0), []
    for step, weights in enumerate(toy.weights, start=1):
        decay = min(0.3, (1 + step) / (10 + step))
        now = weights["maker"].item(), weights["judge"].item()
        average = tuple(decay * before + (1 - decay) * value for before, value in zip(average, now, strict=True))
        if step in (3, 6):  # ends of epochs
            expected.append(average)
    assert scored == [pytest.approx(one, abs=1e-6) for one in expected]
    assert (toy.maker.item(), toy.judge.item()) == (toy.weights[-1]["maker"].item(), toy.weights[-1]["judge"].item())


class Slope(Objective):
    """A player of two numbers whose mean loss is 3 x + 4 y: its gradient is (3, 4), of norm 5."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.y = nn.Parameter(torch.tensor(0.0)), nn.Parameter(torch.tensor(0.0))

    @property
    def players(self) -> dict[str, Player]:
        return {"one": Player(parts=("x", "y"), optimizer=OptimizerSettings(rate=0.01))}

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="all", epochs=1),)

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        return Loss((3 * self.x + 4 * self.y) * len(batch), len(batch))


@pytest.mark.parametrize(("clip", "expected"), [(0.0, (3, 4)), (1.0, (0.6, 0.8)), (4.5, (2.7, 3.6)), (6.0, (3, 4))])
def test_clipping_bounds_the_norm_of_the_mean_gradient(
    clip: float, expected: tuple[float, float], training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the player's whole gradient, whose direction stays."""
    gradients: list[tuple[float, ...]] = []
    step = Learner.step

    def watched(learner: Learner, factor: float) -> None:
        gradients.append(tuple(p.grad.item() for p in learner.parameters if p.grad is not None))
        step(learner, factor)

    monkeypatch.setattr(Learner, "step", watched)
    training.objective = Slope
    training.start(tmp_path / "run", clip=clip)
    assert gradients == [pytest.approx(expected, rel=1e-5)] * 3


def test_entries_are_written_every_so_often_and_at_the_end(training: Training, tmp_path: Path) -> None:
    training.start(tmp_path / "run", log_every=4)
    entries = RunFolder.open(tmp_path / "run").metrics()
    assert [(entry["step"], entry["epoch"]) for entry in entries] == [(4, 2), (6, 2)]
    assert set(entries[0]) == {
        "step",
        "epoch",
        "kind",
        "pictures_per_second",
        "judging.loss",
        "making.loss",
        "again.loss",
    }


def test_the_speed_is_of_all_steps_and_of_no_saving(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a step an epoch, by a clock that turns and saving move: the first step takes 9 s, the second 3 s, saving 100 s."""
    now = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    loss, save = Toy.loss, checkpoint.save

    def slow_loss(toy: Toy, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        nonlocal now
        now += 1.0 if toy.weights else 3.0  # three turns a step
        return loss(toy, turn, batch, shared)

    def slow_save(*args: Any) -> None:
        nonlocal now
        now += 100
        save(*args)

    monkeypatch.setattr(Toy, "loss", slow_loss)
    monkeypatch.setattr(checkpoint, "save", slow_save)
    training.batch_size = len(training.records)
    training.start(tmp_path / "run")
    speeds = [entry["pictures_per_second"] for entry in RunFolder.open(tmp_path / "run").metrics()]
    assert speeds == pytest.approx([training.batch_size / 9, 2 * training.batch_size / 12])
    assert now > 100


def test_the_time_left_is_told_by_the_area_of_the_pictures(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch of three steps at half the side, a quarter of the work, and one at full size: 0.75 and 3 steps at full size."""
    given: list[Any] = []
    shown = TrainingProgress.__init__

    def watched(self: TrainingProgress, **settings: Any) -> None:
        given.append(settings["work"])
        shown(self, **settings)

    monkeypatch.setattr(TrainingProgress, "__init__", watched)
    training.size, training.size_at = 32, lambda epoch: (16, 32)[epoch]
    training.start(tmp_path / "run")
    assert [given[0](step) for step in range(7)] == [0, 0.25, 0.5, 0.75, 1.75, 2.75, 3.75]


def test_the_best_checkpoint_is_of_the_best_score(pictures: Path, tmp_path: Path) -> None:
    outcome = pretraining(pictures).run(tmp_path / "run")
    scores = {e["step"]: e["ab_error"] for e in outcome.metrics if e["kind"] == "validation"}
    assert outcome.best is not None
    assert outcome.best["step"] == min(scores, key=lambda step: scores[step])
    assert set(scores) == {3, 6, 9}


class Scored(Toy):
    """Whose held-out scores are given in advance, one a validation."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = iter(scores)

    def meter(self) -> Any:
        value = next(self.scores)
        return SimpleNamespace(best=("score", "max"), update=lambda batch: None, compute=lambda: {"score": value})


class Longer(Scored):
    """Of three epochs."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="all", epochs=3),)


def test_the_last_epoch_is_always_validated(pictures: Path, tmp_path: Path) -> None:
    training = pretraining(pictures)
    training.objective = lambda: Longer([0.5, 0.6])
    metrics = training.run(tmp_path / "run", validate_every=2).metrics
    assert [(e["epoch"], e["score"]) for e in metrics if e["kind"] == "validation"] == [(2, 0.5), (3, 0.6)]


def test_a_kill_between_the_two_pointers_is_mended(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint is the best, and best.json does not say so yet."""
    training = pretraining(pictures)
    training.objective = lambda: Longer([0.5, 0.6, 0.4])
    point = RunFolder.point

    def killed(run: RunFolder, which: str, step: int, **extra: Any) -> None:
        if (which, step) == ("best", 6):
            raise KeyboardInterrupt
        point(run, which, step, **extra)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            training.start(tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    assert [(run.pointer(which) or {})["step"] for which in ("last", "best")] == [6, 3]
    training.objective = lambda: Longer([0.4])  # what is still to be validated
    training.start(tmp_path / "run", resume=True)
    assert [(run.pointer(which) or {})["step"] for which in ("last", "best")] == [9, 6]
    assert (run.pointer("best") or {})["value"] == 0.6
    assert (run.checkpoint("best") / checkpoint.WEIGHTS).is_file()


@pytest.mark.parametrize("first", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_no_score(first: float, pictures: Path, tmp_path: Path) -> None:
    training = pretraining(pictures)
    training.objective = lambda: Scored([first, 0.5])
    outcome = training.run(tmp_path / "run")
    assert outcome.best is not None
    assert (outcome.best["epoch"], outcome.best["value"]) == (2, 0.5)
    assert [entry.get("score") for entry in outcome.metrics if entry["kind"] == "validation"] == [None, 0.5]


class Paired:
    """The first of two processes, whose other one has nothing to add to a sum; counts the sums."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric, self.world_size, self.sums = fabric, 2, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fabric, name)

    def all_reduce(self, tensor: Tensor, reduce_op: str) -> Tensor:
        self.sums += 1
        return tensor


@pytest.mark.parametrize(
    ("stop", "last", "questions"), [(99, 24, 4), (2, 10, 1), (11, 12, 2), (12, 12, 2), (13, 20, 3)]
)
def test_processes_ask_each_other_every_ten_steps_and_at_the_end_of_an_epoch(
    stop: int, last: int, questions: int, training: Training, tmp_path: Path
) -> None:
    """In two epochs of twelve steps: after 10, 12, 20 and 24. A stop waits for the next of these."""
    options = LoopOptions(accelerator="cpu", precision="float32")
    pair = Paired(start_fabric(options, "float32")[0])
    feed = StoppingFeed([*training.records] * 2, size=16, view=ViewOptions(), batch_size=2, seed=3, world=2)
    feed.stop = StopAfter(stop)
    run = RunFolder.create(tmp_path / "run", training.manifest)
    loop = Loop(Toy(), feed, None, run, options, 3, pair, quiet=True, stop=feed.stop)  # type: ignore[arg-type]
    with suppress(Interrupted):
        loop.train()
    assert run.pointer("last") == {"step": last}
    assert pair.sums == 3 * last + questions  # gradients are summed in each of Toy's three turns


def test_weights_that_are_lost_do_not_replace_the_last_checkpoint(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU losses are not looked at in every step; here they are not looked at at all until the training saves."""
    monkeypatch.setattr(Loop, "_check", lambda *_: None)
    training.start(tmp_path / "run", stop=3)
    before = Outcome.of(tmp_path / "run").tensors
    loss = Toy.loss

    def spoiled(self: Toy, *rest: Any) -> Loss:
        found = loss(self, *rest)
        return Loss(found.total * float("nan"), found.count)

    monkeypatch.setattr(Toy, "loss", spoiled)
    with pytest.raises(TrainingError, match=r"the loss of judge in its turn judging became nan"):
        training.start(tmp_path / "run", resume=True)
    after = Outcome.of(tmp_path / "run").tensors
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


class Lost(Toy):
    """Whose last update loses a weight."""

    def after_step(self, turn: Turn) -> None:
        super().after_step(turn)
        if turn.name == "again":
            self.maker.data.fill_(math.inf)


def test_weights_that_the_last_update_lost_are_not_saved(training: Training, tmp_path: Path) -> None:
    """The losses tell of weights as they were before it."""
    training.start(tmp_path / "run", stop=3)
    before = Outcome.of(tmp_path / "run").tensors
    training.objective = Lost
    with pytest.raises(TrainingError, match=r"weights became infinite or no numbers at step 4"):
        training.start(tmp_path / "run", resume=True, stop=4)
    after = Outcome.of(tmp_path / "run").tensors
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def _void(records: Iterable[Record]) -> None:
    """Make masks void throughout."""
    for record in records:
        assert record.mask is not None
        Image.fromarray(np.full((40, 48), 255, dtype=np.uint8)).save(record.mask)


def test_a_part_without_anything_that_counts(masked: Path, tmp_path: Path) -> None:
    """Pictures whose masks are void throughout, in the first half of each batch: the loss is the mean over the pixels of the other."""
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    training = finetuning(data, "segmentation", values=EVEN)
    training.held_out = ()
    training.feed["order"] = "same"
    feed = Feed(training.records, size=16, view=ViewOptions(), batch_size=4, seed=training.seed, **training.feed)
    order = feed.epoch_order(0).tolist()
    _void(training.records[order[place]] for place in range(12) if place % 4 < 2)
    batch = next(feed.batches(0, 1)).to("cpu")  # which mirrors it
    torch.manual_seed(training.seed)
    objective = training.objective()
    assert isinstance(objective, FineTuning)
    with torch.no_grad():
        logits = objective.network(batch.planes("L")).double().numpy()  # (4, K, 16, 16)
    mask = np.asarray(batch.mask)
    assert (mask[:2] == 255).all()
    likelihoods = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    known = np.argwhere(mask != 255)
    expected = -np.mean([likelihoods[i, mask[i, y, x], y, x] for i, y, x in known])
    entries = training.run(tmp_path / "run", accumulate=2).metrics
    assert entries[0]["network.loss"] == pytest.approx(expected, rel=1e-5)


def test_parts_without_anything_that_counts(masked: Path, tmp_path: Path) -> None:
    """All masks are void throughout: there is nothing to learn, and nothing breaks."""
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    training = finetuning(data, "segmentation")
    _void((*training.records, *training.held_out))
    training.held_out = ()
    entries = training.run(tmp_path / "run", accumulate=2).metrics
    assert [entry["network.loss"] for entry in entries if entry["kind"] == "train"] == [0.0] * 9
    assert all(tensor.isfinite().all() for tensor in Outcome.of(tmp_path / "run").tensors.values())


def test_held_out_pictures_without_a_score_choose_nothing(masked: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    training = finetuning(data, "segmentation")
    _void(training.held_out)
    training.run(tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    assert run.pointer("best") is None
    assert run.checkpoint("best") == run.checkpoint("last")
    assert not any("miou" in entry for entry in run.metrics())
