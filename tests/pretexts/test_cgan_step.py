"""Steps of the cGAN against a straight-line reference in double precision, written from the paper and its authors' code.

The reference has its own networks (functions of the weights), its own gradients' bookkeeping and its own Adam. The
dropout masks are observed in the run and given to the reference, so that all else must agree.
"""

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pretint.networks.unet import Dropout
from pretint.objective import Objective
from tests.training.driving import Training, pretraining, tiny

LEVELS = 5  # 32 pixels
STEPS = 2
DROPPED = (1, 2, 3)


def _values(recipe: str) -> dict[str, Any]:
    """The shipped recipe at 32 pixels and a tenth of the width."""
    text = (resources.files("pretint") / "recipes" / "pretrain" / f"{recipe}.toml").read_text()
    values = tomllib.loads(text)
    assert values["unet"]["dropout"] == 0.5
    return tiny(
        size=32,
        unet=values["unet"] | {"width": 0.1},
        cgan=values["cgan"] | {"critic_width": 0.1},
        epochs=1,
    )


class Reference:
    """Weights in double precision, and one hand-written training step."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = {k: v.double().requires_grad_("running" not in k) for k, v in weights.items()}
        self.generators = sorted(k for k in weights if k.startswith("generator.") and self._learns(k))
        self.critics = sorted(k for k in weights if k.startswith("discriminator.") and self._learns(k))
        # gamma and beta: the vectors of layers that have moving averages
        self.leaks = [k for k in self.critics if k.rpartition(".")[0] + ".running_mean" in weights]
        self.moments: dict[tuple[str, str], list[Any]] = {}
        self.seen: dict[str, int] = {}  # batches that each norm layer has seen
        self.smallest: dict[str, Tensor] = {}  # smallest gradient that Adam met, by weight

    @staticmethod
    def _learns(name: str) -> bool:
        return "running" not in name and "num_batches" not in name

    def normalized(self, values: Tensor, layer: str) -> Tensor:
        """Batch norm with the batch's statistics, eps 1e-3; the k-th batch enters the moving averages with weight 1/k (k < 100)."""
        w = self.weights
        mean = values.mean(dim=(0, 2, 3))
        variance = ((values - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
        number = values.numel() / values.shape[1]
        self.seen[layer] = self.seen.get(layer, 0) + 1
        share = 1 / self.seen[layer]
        w[f"{layer}.running_mean"] = ((1 - share) * w[f"{layer}.running_mean"] + share * mean).detach()
        unbiased = variance * number / (number - 1)
        w[f"{layer}.running_var"] = ((1 - share) * w[f"{layer}.running_var"] + share * unbiased).detach()
        scaled = (values - mean[:, None, None]) / (variance[:, None, None] + 1e-3).sqrt()
        return scaled * w[f"{layer}.weight"][:, None, None] + w[f"{layer}.bias"][:, None, None]

    def generate(self, lightness: Tensor, masks: Iterator[Tensor]) -> Tensor:
        """The U-Net: e1 .. e4, b, d1 .. d4, out."""
        w, skips, x = self.weights, [], lightness
        for level in range(1, LEVELS + 1):
            name = "generator.backbone." + (f"e{level}" if level < LEVELS else "b")
            x = F.conv2d(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], stride=2, padding=1)
            if 1 < level < LEVELS:
                x = self.normalized(x, f"{name}.norm")
            x = torch.where(x > 0, x, 0.2 * x) if level < LEVELS else x.clamp(min=0)
            skips.append(x)
        skips.pop()
        for level in range(1, LEVELS):
            name = f"generator.decoder.d{level}"
            x = F.conv_transpose2d(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], stride=2, padding=1)
            x = self.normalized(x, f"{name}.norm")
            if level in DROPPED:
                x = x * next(masks) * 2
            x = torch.cat([x, skips.pop()], dim=1).clamp(min=0)
        x = F.conv_transpose2d(x, w["generator.head.weight"], w["generator.head.bias"], stride=2, padding=1)
        return x.tanh()

    def judge(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """The discriminator of 142 pixels: probabilities."""
        w, x = self.weights, torch.cat([lightness, ab], dim=1)
        convolutions = sorted({k.rpartition(".")[0] for k in self.critics if w[k].ndim == 4}, key=_place)
        norms = sorted({k.rpartition(".")[0] for k in self.leaks}, key=_place)
        assert (len(convolutions), len(norms)) == (6, 4)
        for i, name in enumerate(convolutions):
            if i < 4:
                x = F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1)
            else:
                x = F.conv2d(F.pad(x, (1, 2, 1, 2)), w[f"{name}.weight"], w[f"{name}.bias"])
            if 0 < i < 5:
                x = self.normalized(x, norms[i - 1])
            if i < 5:
                x = torch.where(x > 0, x, 0.2 * x)
        return x.sigmoid()

    def adam(self, loss: Tensor, names: list[str], optimizer: str, rate: float) -> None:
        """One step with betas 0.5 and 0.999, eps 1e-7."""
        gradients = torch.autograd.grad(loss, [self.weights[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            m, v, t = self.moments.get((optimizer, name), [torch.zeros_like(gradient), torch.zeros_like(gradient), 0])
            m, v, t = 0.5 * m + 0.5 * gradient, 0.999 * v + 0.001 * gradient**2, t + 1
            self.moments[optimizer, name] = [m, v, t]
            change = rate * (m / (1 - 0.5**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-7)
            self.weights[name] = (self.weights[name] - change).detach().requires_grad_()
            before = self.smallest.get(name, torch.full_like(gradient, torch.inf))
            self.smallest[name] = torch.minimum(before, gradient.abs())

    def clean_step(self, lightness: Tensor, ab: Tensor, forwards: Iterator[Iterator[Tensor]]) -> dict[str, float]:
        """Recipe paper: one critic step on both losses, one prediction for both turns, nothing leaks."""
        fake = self.generate(lightness, next(forwards))
        real_loss = -self.judge(lightness, ab).log().mean()
        fake_loss = -(1 - self.judge(lightness, fake.detach())).log().mean()
        self.adam(0.5 * real_loss + 0.5 * fake_loss, self.critics, "critic", 2e-4)
        fooled = -self.judge(lightness, fake).log().mean()
        l1 = (ab - fake).abs().mean()
        self.adam(fooled + 100 * l1, self.generators, "generator", 2e-4)
        return {"critic.real": real_loss.item(), "critic.predicted": fake_loss.item(),
                "generator.adversarial": fooled.item(), "generator.l1": l1.item()}  # fmt: skip

    def authors_step(self, lightness: Tensor, ab: Tensor, forwards: Iterator[Iterator[Tensor]]) -> dict[str, float]:
        """Recipe paper-code: real and predicted apart, a second prediction, gamma and beta trained to fool the critic."""
        real_loss = -self.judge(lightness, ab).log().mean()
        self.adam(0.5 * real_loss, self.critics, "critic", 2e-4)
        fake = self.generate(lightness, next(forwards)).detach()
        fake_loss = -(1 - self.judge(lightness, fake)).log().mean()
        self.adam(0.5 * fake_loss, self.critics, "critic", 2e-4)
        fake = self.generate(lightness, next(forwards))
        fooled = -self.judge(lightness, fake).log().mean()
        l1 = (ab - fake).abs().mean()
        self.adam(fooled + 100 * l1, self.generators + self.leaks, "generator", 2e-4)
        return {"critic_real.real": real_loss.item(), "critic_predicted.predicted": fake_loss.item(),
                "generator.adversarial": fooled.item(), "generator.l1": l1.item()}  # fmt: skip


def _place(name: str) -> list[int]:
    """Order of the layers in their Sequential: layers.8.1 after layers.6."""
    return [int(part) for part in name.split(".") if part.isdecimal()]


class Observer:
    """Runs STEPS steps of the loop and keeps the weights before, the batches, and the dropout masks of every forward."""

    def __init__(self, training: Training, out: Path) -> None:
        build = training.objective
        self.lightness: list[Tensor] = []
        self.ab: list[Tensor] = []
        self.masks: list[list[Tensor]] = []

        def watched() -> Objective:
            objective = build()
            self.before = {k: v.clone() for k, v in objective.state_dict().items()}
            objective.generator.register_forward_pre_hook(self._begin)
            for layer in objective.modules():
                if isinstance(layer, Dropout):
                    layer.register_forward_hook(self._mask)
            inner = objective.loss

            def loss(turn: Any, batch: Any, shared: Any) -> Any:
                if turn == objective.turns(0)[0]:
                    self.lightness.append(batch.lightness.double())
                    self.ab.append(batch.ab.double())
                return inner(turn, batch, shared)

            objective.loss = loss
            return objective

        training.objective = watched
        self.outcome = training.run(out)

    def _begin(self, module: object, inputs: object) -> None:
        self.masks.append([])

    def _mask(self, module: object, inputs: tuple[Tensor], output: Tensor) -> None:
        assert ((output == 0) | torch.isclose(output, 2 * inputs[0])).all()
        self.masks[-1].append((output != 0).double())


@pytest.mark.parametrize("recipe", ["paper", "paper-code"])
def test_step_equals_the_reference(recipe: str, pictures: Path, tmp_path: Path) -> None:
    values = _values(recipe)
    training = pretraining(pictures, values)
    training.records = training.records[: 4 * STEPS]
    training.held_out = ()
    run = Observer(training, tmp_path / "run")
    forwards = 1 if recipe == "paper" else 2
    assert [len(masks) for masks in run.masks] == [3] * forwards * STEPS
    for one, other in zip(run.masks, run.masks[1:], strict=False):  # new masks in every step and every forward
        assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    reference = Reference(run.before)
    step = reference.clean_step if recipe == "paper" else reference.authors_step
    masks = iter([iter(masks) for masks in run.masks])
    for number in range(STEPS):
        scalars = step(run.lightness[number], run.ab[number], masks)
        logged = {name: run.outcome.metrics[number][name] for name in scalars}
        assert logged == pytest.approx(scalars, rel=1e-4)

    state = {k.removeprefix("state/"): v for k, v in run.outcome.tensors.items() if k.startswith("state/")}
    assert {k.rpartition("/")[0] for k in state} == {f"{o}/{name}" for o, name in reference.moments}
    for (optimizer, name), (m, v, t) in reference.moments.items():
        assert state[f"{optimizer}/{name}/step"] == t == STEPS * (2 if optimizer == "critic" and forwards == 2 else 1)
        got_m, got_v = (state[f"{optimizer}/{name}/{key}"].double() for key in ("exp_avg", "exp_avg_sq"))
        scale = float(m.abs().max())
        if scale < 1e-9:  # biases before a norm: their gradient is 0, and rounding in the run
            assert got_m.abs().max() < 1e-4
            continue
        torch.testing.assert_close(got_m, m, rtol=2e-3, atol=2e-4 * scale)
        torch.testing.assert_close(got_v, v, rtol=5e-3, atol=1e-3 * float(v.max()))
    for name, weight in ((k, w.detach()) for k, w in reference.weights.items()):
        got = run.outcome.tensors[f"last/{name}"].double()
        if name in reference.smallest:
            # Adam divides by the gradient's size: where that is rounding (biases before a norm) its sign is chance.
            sure = reference.smallest[name] > 1e-5
            assert float((got - weight)[sure].abs().amax() if sure.any() else 0) < 4e-6, name
            assert float((got - weight).abs().max()) < 2.1 * 2e-4 * 3 * STEPS, name
        elif "running_var" in name:  # tells how often each net was called: each call enters the mean
            torch.testing.assert_close(got, weight, rtol=1e-4, atol=1e-6)
        elif "running_mean" in name:  # follows the biases before a norm
            torch.testing.assert_close(got, weight, rtol=1e-3, atol=2.1 * 2e-4 * 3 * STEPS)


@pytest.mark.parametrize("recipe", ["paper", "paper-code"])
def test_what_each_turn_changes(recipe: str, pictures: Path, tmp_path: Path) -> None:
    """The leak: in paper-code the generator's turn moves the discriminator's gamma and beta, and nothing else of it."""
    values = _values(recipe)
    training = pretraining(pictures, values)
    training.records = training.records[:4]
    training.held_out = ()
    build, changed = training.objective, {}

    def watched() -> Objective:
        objective = build()
        before = {name: p.detach().clone() for name, p in objective.named_parameters()}

        def after_step(turn: Any) -> None:
            now = {name: p.detach().clone() for name, p in objective.named_parameters()}
            changed[turn.name] = {name for name in now if not torch.equal(now[name], before[name])}
            before.update(now)

        objective.after_step = after_step  # type: ignore[method-assign]
        return objective

    training.objective = watched
    training.run(tmp_path / "run")
    for name, moved in changed.items():
        if name != "generator":
            assert all(p.startswith("discriminator.") for p in moved)
    leaked = {p for p in changed["generator"] if p.startswith("discriminator.")}
    gammas = {p for p in leaked if p.endswith((".weight", ".bias"))}
    assert len(gammas) == (0 if recipe == "paper" else 8)
    names = set(changed)
    assert names == ({"critic", "generator"} if recipe == "paper" else {"critic_real", "critic_predicted", "generator"})
