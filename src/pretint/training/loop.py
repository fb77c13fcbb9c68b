"""The training loop: one for pretexts and for fine-tuning. It knows an Objective, a Feed and a run folder.

The position in the training is one number, ``step``; epoch, phase, learning rate, the order of the pictures and every
random draw follow from it. So a run that is stopped and resumed computes the same bits as one that was not.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from pretint.data.feed import Batch, Batches, Feed
from pretint.errors import Diverged, Interrupted, RunError, WeightsError
from pretint.objective import Objective, Phase, Shared, Turn
from pretint.run_folder import RunFolder
from pretint.training import checkpoint
from pretint.training.learners import Learner, enter_phase, learning
from pretint.training.options import LoopOptions
from pretint.training.progress import TrainingProgress
from pretint.training.schedule import rate_factor
from pretint.training.signals import StopRequest, stop_on_signals

ASK_EVERY = 10
"""Steps between two questions to all processes whether to stop or save: each makes a GPU wait for its host."""
SAVING_APART = 20
"""At ends of epochs that are neither the best nor the last, a checkpoint waits until so many times the last one's seconds have passed,
so that saving takes 5 % of the time. Several processes save at each end."""


@dataclass
class Loop:
    """Everything that one training needs.

    ``feed`` gives the training pictures of this process, in ``options.accumulate`` parts a step; ``held_out`` iterates over
    those that choose the best checkpoint, or is None. ``after_epoch(epochs done, objective)`` may look at the network
    (picture grids), in eval mode.
    """

    objective: Objective
    feed: Feed
    held_out: Callable[[], Batches] | None
    run: RunFolder
    options: LoopOptions
    seed: int
    fabric: Fabric
    after_epoch: Callable[[int, Objective], None] | None = None
    quiet: bool = False
    stop: StopRequest | None = None
    """Asked to stop from outside; without one the loop listens to SIGINT and SIGTERM."""

    def __post_init__(self) -> None:
        self._phase_starts = []
        total = 0
        for phase in self.objective.phases:
            self._phase_starts.append(total)
            total += phase.epochs * self.feed.steps_per_epoch
        self.steps = total
        epochs = range(total // self.feed.steps_per_epoch)
        full = self.feed.size_at(max(epochs))
        areas = [(self.feed.size_at(epoch) / full) ** 2 for epoch in epochs]
        self._work = [0.0, *accumulate(areas)]  # epochs at full size that cost as much as the first so many
        self._step = 0
        self._saving = 0.0
        self._validated = -1
        self._best: dict[str, Any] | None = None
        self._phase_index = -1
        self._losses: dict[Turn, Tensor] = {}
        self._learners: dict[str, Learner] = {}
        self._average: dict[str, Tensor] = {}

    def train(self, resume: bool = False) -> None:
        """Train to the end, from the beginning or from the last checkpoint.

        Raises:
            Interrupted: stopped by a signal after saving.
            Diverged: a loss, a weight that is to be saved, or what is predicted of held-out pictures is not a number.
        """
        self.objective.to(self.fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.options.ema:
            self._average = {name: tensor.clone() for name, tensor in self.objective.state_dict().items()}
        optimizer_state: dict[str, Tensor] = {}
        if resume and self.run.pointer("last"):
            optimizer_state = self._restore()
        elif self._main:
            self.run.cut_metrics(-1)  # a run that was stopped before its first checkpoint begins anew
        self._enter_phase(self._phase_of(self._step), optimizer_state)
        progress = TrainingProgress(
            steps=self.steps,
            done=self._step,
            batch_size=self.feed.batch_size,
            work=self._work_of,
            quiet=self.quiet or not self._main,
        )
        with stop_on_signals() as signals, progress:
            self._stop, self._progress = self.stop or signals, progress
            self._saved_at = time.monotonic()
            if self._step and self._at_epoch_end and self._validated != self._step:
                enter_phase(self.objective, self._phase_done)  # a phase may end here: it is scored as it was trained
                self._end_epoch()
                enter_phase(self.objective, self.objective.phases[self._phase_index])
            # Closed in any case: a traceback would keep the reading processes, which outlive the first SIGTERM, and with
            # them the end of the program.
            with closing(self.feed.batches(self._step, self.steps)) as parts:
                while micros := list(islice(parts, self.options.accumulate)):
                    self._train_step([part.to(self.fabric.device) for part in micros])
                    stop, save = self._wishes()
                    if stop:
                        self._save()
                        raise Interrupted(self.run.path)
                    if self._at_epoch_end:
                        self._end_epoch(save)
                    elif save:
                        self._save()

    def _work_of(self, step: int) -> float:
        """What the first so many steps cost, in steps at full size: multiply-adds grow with the area of the pictures."""
        epoch, rest = divmod(step, self.feed.steps_per_epoch)
        a_step = self._work[epoch + 1] - self._work[epoch] if rest else 0.0
        return self._work[epoch] * self.feed.steps_per_epoch + rest * a_step

    # One step

    def _train_step(self, micros: list[Batch]) -> None:
        """All turns of one step on this process's share of the batch."""
        phase_index = self._phase_of(self._step)
        if phase_index != self._phase_index:
            self._enter_phase(phase_index, {})
        self.objective.train()
        self._updates = dict.fromkeys(self._learners, 0)
        pads = [Shared(self._forward_of(micro)) for micro in range(len(micros))]
        scalars: dict[str, Tensor] = {}
        for turn in self.objective.turns(self._step):
            self._turn, self._learner = turn, self._learners[turn.player]
            self._learner.optimizer.zero_grad()
            total = torch.zeros((), device=self.fabric.device)
            count = torch.zeros_like(total)
            means: dict[str, Tensor] = {}
            for micro, (part, pad) in enumerate(zip(micros, pads, strict=True)):
                if len(micros) > 1:
                    pad.clear()  # keeping each part's graph would undo what accumulation saves
                with learning(self._learners.values(), self._learner):
                    self._draws_from("turn", turn.name, micro)
                    with self.fabric.autocast():
                        loss = self.objective.loss(turn, part, pad)
                    loss.total.backward()  # type: ignore[no-untyped-call]
                total += loss.total.detach()
                count += loss.count
                for name, value in loss.scalars.items():
                    key = f"{turn.name}.{name}"
                    means[key] = means.get(key, 0) + value.detach() / len(micros)
            # As the gradients: a sum over all parts by one count, since parts may have unlike numbers of items, or none (masks that
            # are void throughout). Of several devices it is the first one's share that is logged.
            scalars |= {f"{turn.name}.loss": total / count.clamp(min=1), **means}
            self._losses[turn] = scalars[f"{turn.name}.loss"]
            self._check(turn, self._losses[turn])
            self._learner.scale_gradients(count, self.fabric, self.options.clip)
            self._learner.step(self._rate_factor(phase_index))
            for pad in pads:
                pad.drop(turn.player)
            self._updates[turn.player] += 1
            self.objective.after_step(turn)
        self._learner.optimizer.zero_grad()
        self._step += 1
        self._average_buffers()
        self._update_average()
        self._log(scalars)

    def _forward_of(self, micro: int) -> Callable[[str, str], Any]:
        """The context in which a player's shared forward runs, for the pad of one micro-batch."""

        @contextmanager
        def forward(player: str, key: str) -> Iterator[None]:
            # The same draws whenever this forward is repeated before the player has moved (under accumulation it is).
            self._draws_from("forward", f"{player}/{key}/{self._updates[player]}", micro)
            keeps_graph = self.options.accumulate == 1 or player == self._turn.player
            with learning(self._learners.values(), self._learners[player]), torch.set_grad_enabled(keeps_graph):
                yield
            self._draws_from("after", f"{self._turn.name}/{player}/{key}", micro)

        return forward

    def _draws_from(self, purpose: str, name: str, micro: int) -> None:
        """Seed torch from the address of what is to be drawn."""
        address = f"{self.seed}/{self._step}/{purpose}/{name}/{micro}/{self.fabric.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest(), "little"))

    def _check(self, turn: Turn, loss: Tensor) -> None:
        """Stop before a loss that is not a number reaches the weights; on a GPU only when it is logged or saved, so as not to wait."""
        if loss.device.type == "cpu" or (self._step + 1) % self.options.log_every == 0:
            self._require_number(turn, loss, self._step + 1)

    def _require_number(self, turn: Turn, loss: Tensor, step: int) -> None:
        if not math.isfinite(loss.item()):
            raise Diverged(
                f"{self.run.path}: the loss of {turn.player} in its turn {turn.name} became {loss.item()} at step {step}; "
                "begin a new run with a lower learning rate, or with --loop.clip 1"
            )

    def _require_numbers(self, weights: dict[str, Tensor]) -> None:
        """The loss is from before the last update, which may have lost the weights."""
        floating = [tensor for tensor in weights.values() if tensor.dtype.is_floating_point]
        if not torch.stack([tensor.isfinite().all() for tensor in floating]).all():
            raise Diverged(
                f"{self.run.path}: weights became infinite or no numbers at step {self._step}; begin a new run with a lower "
                "learning rate"
            )

    def _rate_factor(self, phase_index: int) -> float:
        start = self._phase_starts[phase_index]
        steps = self.objective.phases[phase_index].epochs * self.feed.steps_per_epoch
        return rate_factor(self.options, self._step - start, steps)

    def _log(self, scalars: dict[str, Tensor]) -> None:
        logged = self._step % self.options.log_every == 0 or self._step == self.steps
        if not (logged or self.fabric.device.type == "cpu"):
            return
        losses = {name: value.item() for name, value in scalars.items()}
        epoch = (self._step - 1) // self.feed.steps_per_epoch + 1
        words = "  ".join(
            f"{name.removesuffix('.loss')} {value:.3g}" for name, value in losses.items() if name.endswith(".loss")
        )
        self._progress.advance(self._step, f"epoch {epoch}/{self.steps // self.feed.steps_per_epoch}", words)
        if logged and self._main:
            speed = self._progress.pictures_per_second()
            self.run.append_metrics(step=self._step, epoch=epoch, kind="train", pictures_per_second=speed, **losses)

    def _update_average(self) -> None:
        if not self.options.ema:
            return
        # In the first steps the average follows faster, else it would hold the random start for long.
        decay = min(self.options.ema, (1 + self._step) / (10 + self._step))
        # All at once: on a GPU each tensor by itself would be a launch of its own.
        now = self.objective.state_dict()
        moving = [name for name, tensor in now.items() if tensor.dtype.is_floating_point]
        torch._foreach_lerp_([self._average[name] for name in moving], [now[name] for name in moving], 1 - decay)
        for name in now.keys() - set(moving):
            self._average[name].copy_(now[name])

    # Phases and epochs

    @property
    def _main(self) -> bool:
        return bool(self.fabric.is_global_zero)

    @property
    def _at_epoch_end(self) -> bool:
        return self._step % self.feed.steps_per_epoch == 0

    def _phase_of(self, step: int) -> int:
        """Index of the phase that the step after ``step`` belongs to."""
        return max(i for i, start in enumerate(self._phase_starts) if start <= min(step, self.steps - 1))

    @property
    def _phase_done(self) -> Phase:
        """The phase of the last step that is done."""
        return self.objective.phases[self._phase_of(max(self._step - 1, 0))]

    def _enter_phase(self, index: int, optimizer_state: dict[str, Tensor]) -> None:
        """Learners of a phase, with fresh optimizers at its start, else with the state of a checkpoint."""
        phase = self.objective.phases[index]
        enter_phase(self.objective, phase)
        self._learners = {
            name: Learner(self.objective, player, phase) for name, player in self.objective.players.items()
        }
        if self._step > self._phase_starts[index]:
            for name, learner in self._learners.items():
                own = {k.removeprefix(f"{name}/"): v for k, v in optimizer_state.items() if k.startswith(f"{name}/")}
                learner.restore(own)
        self._phase_index = index

    def _optimizer_state(self) -> dict[str, Tensor]:
        return {f"{name}/{key}": v for name, learner in self._learners.items() for key, v in learner.state().items()}

    def _end_epoch(self, save: bool = True) -> None:
        """Validate, keep the best, draw samples; save where that is the best or the last, or ``save`` says so."""
        epochs = self._step // self.feed.steps_per_epoch
        last = self._step == self.steps
        # An epoch that ends without them is no pause, which would have a GPU's host wait.
        if last or epochs % self.options.validate_every == 0:
            with self._paused():
                if self._main:
                    with self._weights_to_use(), torch.no_grad(), torch.random.fork_rng(devices=[]):
                        self.objective.eval()
                        self._draws_from("validation", "", 0)
                        try:
                            self._look(epochs)
                        except WeightsError:
                            raise Diverged(
                                f"{self.run.path}: at step {self._step} the network gives values that are not numbers; begin a new run "
                                "with a lower learning rate, or with --loop.clip 1"
                            ) from None
                self.fabric.barrier()
        self._validated = self._step
        best = self._best is not None and self._best["step"] == self._step
        if save or last or best or self.fabric.world_size > 1:  # the first process alone knows the best
            self._save()

    def _look(self, epochs: int) -> None:
        """What is looked at between two epochs.

        Raises:
            WeightsError: the network gives values that are not numbers.
        """
        if self.held_out is not None:
            with closing(self.held_out()) as batches:
                self._validate(batches, epochs)
        if self.after_epoch is not None:
            self.after_epoch(epochs, self.objective)

    def _validate(self, batches: Batches, epochs: int) -> None:
        meter = self.objective.meter()
        for batch in batches:
            with self.fabric.autocast():
                meter.update(batch.to(self.fabric.device))
        # What is undefined (masks that are void throughout, an overflow) is no score: it is not written and chooses nothing.
        scores = {key: value for key, value in meter.compute().items() if math.isfinite(value)}
        name, direction = meter.best
        self.run.append_metrics(step=self._step, epoch=epochs, kind="validation", **scores)
        self._progress.say(
            f"epoch {epochs}  held out: " + "  ".join(f"{key} {value:.4g}" for key, value in scores.items())
        )
        if name not in scores:
            self._progress.say(
                f"the held-out pictures have no {name}, so they choose no checkpoint: the last one counts"
            )
            return
        sign = 1 if direction == "max" else -1
        if self._best is None or sign * scores[name] > sign * self._best["value"]:
            self._best = {"step": self._step, "score": name, "value": scores[name], "epoch": epochs}

    def _average_buffers(self) -> None:
        """Batch norm's moving averages differ between processes: after each step all hold their mean.

        Then any process's state is the state of the training, whenever it is scored, averaged or saved.
        """
        buffers = [buffer for buffer in self.objective.buffers() if buffer.dtype.is_floating_point]
        if self.fabric.world_size == 1 or not buffers:
            return
        flat = self.fabric.all_reduce(torch.cat([buffer.reshape(-1) for buffer in buffers]), reduce_op="mean")
        assert isinstance(flat, Tensor)
        for buffer, mean in zip(buffers, torch.split(flat, [buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(mean.view_as(buffer))

    @contextmanager
    def _weights_to_use(self) -> Iterator[None]:
        """The moving average in place of the weights, where one is kept."""
        if not self._average:
            yield
            return
        raw = {name: tensor.clone() for name, tensor in self.objective.state_dict().items()}
        self.objective.load_state_dict(self._average)
        try:
            yield
        finally:
            self.objective.load_state_dict(raw)

    # Saving and resuming

    def _wishes(self) -> tuple[bool, bool]:
        """Whether any process was asked to stop, and whether it is time to save: one answer for all processes.

        It is at the end of an epoch, unless epochs are so short that saving would take a large part of the time; and within one
        every so many minutes.

        One process knows it after each step. Several ask each other every few steps and at the end of an epoch, all at the
        same steps. The time is the first process's: by clocks of their own they would disagree, and wait for ever.
        """
        if self.fabric.world_size > 1 and self._step % ASK_EVERY and not self._at_epoch_end:
            return False, False
        stop = self._stop.asked
        least = SAVING_APART * self._saving if self._at_epoch_end else 60 * self.options.save_minutes
        save = self._main and time.monotonic() - self._saved_at > least
        if self.fabric.world_size == 1:
            return stop, save
        wishes = torch.tensor([float(stop), float(save)], device=self.fabric.device)
        asked = self.fabric.all_reduce(wishes, reduce_op="sum")
        assert isinstance(asked, Tensor)
        any_stop, any_save = asked.tolist()
        return bool(any_stop), bool(any_save)

    def _save(self) -> None:
        with self._paused():
            begun = time.monotonic()
            for turn, loss in self._losses.items():  # weights that are lost do not replace what is there already
                self._require_number(turn, loss, self._step)
            weights = self.objective.state_dict()
            self._require_numbers(self._average or weights)
            if self._main:
                state = self._optimizer_state()
                if self._average:
                    state.update({f"raw/{name}": tensor for name, tensor in weights.items()})
                progress = {"validated": self._validated, "best": self._best, "steps": self.steps}
                frozen = self._phase_done.frozen
                checkpoint.save(self.run, self._step, self._average or weights, state, progress, frozen)
                self.run.point("last", self._step)
                if self._best and self._best["step"] == self._step:
                    self.run.point("best", self._step, **{k: v for k, v in self._best.items() if k != "step"})
            self._saved_at = time.monotonic()
            self._saving = self._saved_at - begun
            self.fabric.barrier()

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Leave the time of the block out of the speed."""
        # A GPU lags behind its host: what it still has to do is the steps' time, not the block's.
        torch.get_device_module(self.fabric.device).synchronize()
        with self._progress.paused():
            yield

    def _restore(self) -> dict[str, Tensor]:
        """Take up the last checkpoint; gives back the optimizers' state."""
        folder = self.run.checkpoint("last")
        progress = checkpoint.read_progress(folder, checkpoint.WEIGHTS, checkpoint.OPTIMIZER)
        if progress["steps"] != self.steps:
            raise RunError(f"{folder}: belongs to a training of {progress['steps']} steps, this one has {self.steps}")
        weights = checkpoint.load_tensors(folder / checkpoint.WEIGHTS)
        state = checkpoint.load_tensors(folder / checkpoint.OPTIMIZER)
        raw = {key.removeprefix("raw/"): tensor for key, tensor in state.items() if key.startswith("raw/")}
        checkpoint.load_weights(self.objective, raw or weights, folder / checkpoint.WEIGHTS)
        if self._average:
            for name, tensor in weights.items():
                self._average[name].copy_(tensor)
        self._step, self._validated, self._best = progress["step"], progress["validated"], progress["best"]
        if self._main:
            if self._best and self._best["step"] == self._step:  # a kill may have come between the two pointers
                self.run.point("best", self._step, **{k: v for k, v in self._best.items() if k != "step"})
            self.run.cut_metrics(self._step, scored=self._validated == self._step)
        return {key: tensor for key, tensor in state.items() if not key.startswith("raw/")}
