"""What every pretext promises, on every backbone. A pretext signs with a ten-line test that names itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import pretint
from pretint.color import rgb_to_planes
from pretint.data.feed import Batch, once
from pretint.data.views import ViewOptions
from pretint.objective import Shared
from pretint.pretexts.pretext import Pretext, build_pretext
from pretint.training.learners import parameters_of
from tests.training.driving import Training, pretraining, tiny

BACKBONES = ("unet", "residual")
SIZE = 32
SHAPES = ((32, 32), (37, 51), (64, 33), (50, 128))
"""Heights and widths that a pretext trained at SIZE must take."""


@dataclass(frozen=True)
class Signer:
    """A pretext on a backbone, tiny, with its own options for a test that must not depend on how a batch is cut."""

    pretext: str
    backbone: str
    pictures: Path
    even: dict[str, Any] = field(default_factory=dict)

    def training(self, **sections: Any) -> Training:
        """12 pictures, 2 epochs of 3 steps."""
        values = tiny(pretext=self.pretext, backbone=self.backbone, size=SIZE, epochs=2, **sections)
        return pretraining(self.pictures, values)

    def even_training(self) -> Training:
        """The same without statistics over the batch and without dropout."""
        return self.training(
            unet={"normalization": "group", "dropout": 0.0}, residual={"normalization": "group"}, **self.even
        )


def _build(training: Training) -> tuple[Pretext, Batch]:
    torch.manual_seed(0)
    pretext = build_pretext(training.manifest["options"])
    (batch,) = once(training.records[:4], size=SIZE, view=ViewOptions(), batch_size=4)
    return pretext, batch


def _pad() -> Shared:
    def forward(player: str, key: str) -> AbstractContextManager[None]:
        return nullcontext()

    return Shared(forward)


def losses_are_finite(signer: Signer, out: Path) -> None:
    """Every turn's loss is a finite number over at least one item, and so is what it logs."""
    pretext, batch = _build(signer.training())
    pad = _pad()
    for turn in pretext.turns(0):
        loss = pretext.loss(turn, batch, pad)
        assert loss.total.ndim == 0
        assert loss.total.isfinite()
        assert loss.count > 0
        assert all(value.isfinite() for value in loss.scalars.values())
        assert turn.player in pretext.players
        pad.drop(turn.player)


def gradients_reach_every_parameter(signer: Signer, out: Path) -> None:
    """In the turns of a step, each parameter of each player gets a gradient, and every network belongs to a player."""
    pretext, batch = _build(signer.even_training())
    names = {parameter: name for name, parameter in pretext.named_parameters()}
    owned = set()
    for player, settings in pretext.players.items():
        parameters = parameters_of(pretext, settings.parts)
        pretext.zero_grad()
        for turn in pretext.turns(0):
            if turn.player == player:
                pretext.loss(turn, batch, _pad()).total.backward()
        unreached = [names[p] for p in parameters if p.grad is None or not p.grad.any()]
        assert not unreached
        owned.update(parameters)
    assert owned == set(names)


def a_seed_gives_the_same_bits(signer: Signer, out: Path) -> None:
    """Two trainings from one seed are equal bit for bit; another seed gives other weights."""
    training = signer.training()
    one = training.run(out / "one")
    training.run(out / "two").assert_equal(one)
    training.seed += 1
    assert training.run(out / "three").furthest(one) > 0


def a_stop_changes_no_bit(signer: Signer, out: Path) -> None:
    """Stopped in the second epoch and resumed equals not stopped."""
    training = signer.training()
    training.run(out / "stopped", [4]).assert_equal(training.run(out / "whole"))


def micro_batches_make_one_batch(signer: Signer, out: Path) -> None:
    """Two micro-batches a step give what whole batches give, within rounding."""
    training = signer.even_training()
    one = training.run(out / "one")
    assert training.run(out / "two", accumulate=2).furthest(one) < 5e-6


def pictures_of_any_size_are_coloured(signer: Signer, out: Path) -> None:
    """Where the method colours: ab in [-1, 1], of the picture's size, at sizes it was not trained at."""
    pretext, _ = _build(signer.training())
    pretext.eval()
    for height, width in SHAPES:
        with torch.no_grad():
            ab = pretext.predict(torch.rand(2, 1, height, width) * 2 - 1)
        if ab is not None:
            assert ab.shape == (2, 2, height, width)
            assert ab.abs().max() <= 1


def the_backbone_is_exported(signer: Signer, out: Path) -> None:
    """``pretint.load_backbone`` gives the trained backbone of the run, as a module of RGB pictures."""
    training = signer.training()
    training.held_out = ()
    pretext = training.start(out / "run")
    assert isinstance(pretext, Pretext)
    rgb = torch.rand(2, 3, 32, 64)
    backbone = pretint.load_backbone(out / "run")
    assert not backbone.training
    with torch.no_grad():
        pyramid = backbone(rgb)
        expected = pretext.eval().backbone(rgb_to_planes(rgb)[:, :1])
    assert [level.shape[1] for level in pyramid] == list(backbone.channels)
    assert [32 // level.shape[2] for level in pyramid] == list(backbone.strides)
    assert [64 // level.shape[3] for level in pyramid] == list(backbone.strides)
    for level, other in zip(pyramid, expected, strict=True):
        torch.testing.assert_close(level, other)


PROMISES: tuple[Callable[[Signer, Path], None], ...] = (
    losses_are_finite,
    gradients_reach_every_parameter,
    a_seed_gives_the_same_bits,
    a_stop_changes_no_bit,
    micro_batches_make_one_batch,
    pictures_of_any_size_are_coloured,
    the_backbone_is_exported,
)
