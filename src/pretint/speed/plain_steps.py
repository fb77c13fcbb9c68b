"""The ladder: a training step as one would write it first, and what each change on the way to pretint's own brings.

The steps are written down from torch's own pieces, and pretint's loop, objectives and networks are not in them. Each rung
of a ladder keeps what the rungs below it changed. The last rung, the allocator's thresholds, is no other code: it is the
same step in a process that has raised them, since they cannot be lowered again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretint.speed.clock import Clock
from pretint.speed.plain_networks import PlainDiscriminator, PlainResidual, PlainUNet


@dataclass(frozen=True, slots=True)
class Rung:
    """What of a step is no longer plain."""

    name: str
    channels_last: bool = False
    """Weights and pictures lie in memory pixel by pixel."""
    shared: bool = False
    """Discriminator and generator learn from the same prediction, where a plain step predicts twice."""
    frozen: bool = False
    """Weight gradients of the discriminator are left out while the generator learns; nobody uses them."""
    joint: bool = False
    """The discriminator learns from true and predicted colours in one update instead of two."""
    fused: bool = False
    """Adam walks through memory once, where the plain one does a pass for each of its operations."""


THRESHOLDS = "allocator thresholds"
LADDERS: Mapping[str, tuple[Rung, ...]] = {
    "cgan": (
        Rung("plain"),
        Rung("channels_last", True),
        Rung("one generator forward", True, True),
        Rung("discriminator frozen", True, True, True),
        Rung("one discriminator step", True, True, True, True),
        Rung("fused Adam", True, True, True, True, True),
        Rung(THRESHOLDS, True, True, True, True, True),
    ),
    "regression": (
        Rung("plain"),
        Rung("channels_last", channels_last=True),
        Rung("fused Adam", channels_last=True, fused=True),
        Rung(THRESHOLDS, channels_last=True, fused=True),
    ),
}
"""Rungs by the pretext whose step it is."""


class PlainStep:
    """A step of the cGAN or of regression on one batch that stays in memory.

    Args:
        values: of a pretraining, as ``work.values_of`` gives them; their pretext is ``cgan`` or ``regression``.
        batch: pictures.
        device: where.
    """

    def __init__(self, values: Mapping[str, Any], batch: int, device: torch.device) -> None:
        torch.manual_seed(0)
        self.gan = values["pretext"] == "cgan"
        size = values["size"]
        if values["backbone"] == "unet":
            self.generator: PlainUNet | PlainResidual = PlainUNet(size, values["unet"]["width"])
        else:
            self.generator = PlainResidual(values["residual"]["width"], values["residual"]["blocks"])
        self.networks: list[nn.Module] = [self.generator]
        if self.gan:
            options = values["cgan"]
            self.discriminator = PlainDiscriminator(
                options["critic_width"], options.get("critic_normalization", "batch")
            )
            self.l1_weight = options["l1_weight"]
            self.networks.append(self.discriminator)
        for network in self.networks:
            network.to(device)
        self.lightness = torch.rand(batch, 1, size, size, device=device) * 2 - 1
        self.ab = torch.rand(batch, 2, size, size, device=device) - 0.5
        self.optimizers: list[torch.optim.Optimizer] = []

    def climb(self, rung: Rung) -> None:
        """Make this the step of a rung; optimizers begin anew, and hold their moments already."""
        self.rung = rung
        form = torch.channels_last if rung.channels_last else torch.contiguous_format
        self.optimizers = []  # the old moments go before the new ones come
        for network in self.networks:
            network.to(memory_format=form)  # type: ignore[call-overload]
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            how: dict[str, Any] = {"fused": True} if rung.fused else {"foreach": True}
            adam = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), eps=1e-7, **how)
            adam.step()
            adam.zero_grad()
            self.optimizers.append(adam)
        self.lightness, self.ab = (t.contiguous(memory_format=form) for t in (self.lightness, self.ab))

    def __call__(self) -> None:
        """One step."""
        if self.gan:
            self._adversarial()
        else:
            self._update(0, F.l1_loss(self.generator(self.lightness), self.ab))

    def _adversarial(self) -> None:
        rung, judge = self.rung, self.discriminator
        if rung.shared:
            predicted = self.generator(self.lightness)
        else:
            with torch.no_grad():
                predicted = self.generator(self.lightness)
        real = 0.5 * _judged(judge(self.lightness, self.ab), 1.0)
        if rung.joint:
            self._update(1, real + 0.5 * _judged(judge(self.lightness, predicted.detach()), 0.0))
        else:
            self._update(1, real)
            self._update(1, 0.5 * _judged(judge(self.lightness, predicted.detach()), 0.0))
        if not rung.shared:
            predicted = self.generator(self.lightness)
        if rung.frozen:
            judge.requires_grad_(False)
        fooled = _judged(judge(self.lightness, predicted), 1.0)
        self._update(0, fooled + self.l1_weight * F.l1_loss(predicted, self.ab))
        if rung.frozen:
            judge.requires_grad_(True)

    def _update(self, player: int, loss: Tensor) -> None:
        optimizer = self.optimizers[player]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _judged(logits: Tensor, truth: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))


def serve(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Callable[..., None]) -> None:
    """Answer each request ``{"rung": name, "least": seconds}`` with a timing of one step of that rung."""
    values = case["values"]
    rungs = {rung.name: rung for rung in LADDERS[values["pretext"]]}
    step = PlainStep(values, case["batch"], clock.device)
    answer()
    seconds: dict[bool, float] = {}  # of a step in either memory format, where one has been done already
    for request in requests:
        rung = rungs[request["rung"]]
        step.climb(rung)
        # The first step in a memory format makes torch choose its kernels; a short one also finds the caches cold.
        if seconds.get(rung.channels_last, 0.0) < 1.0:
            seconds[rung.channels_last] = clock.sample(step, 0).seconds
        sample = clock.sample(step, request["least"], seconds[rung.channels_last])
        seconds[rung.channels_last] = sample.seconds
        answer(sample=sample)
