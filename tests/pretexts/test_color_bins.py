"""Colour bins keep the promises of a pretext, and compute what the paper's equations say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import rgb2lab

from pretint.color import gamut_bins
from pretint.data.feed import Batch
from pretint.errors import OptionError
from pretint.pretexts.color_bins import ColorBins, Options, cross_entropy, rebalancing, smoothing
from pretint.pretexts.pretext import Decoding, build_pretext
from tests.pretexts.promises import BACKBONES, PROMISES, Signer, _pad
from tests.training.driving import pretraining, tiny


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise, backbone: str, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    promise(Signer("color_bins", backbone, pictures), tmp_path)


CENTRES = gamut_bins().numpy().astype(np.float64)


def build(size: int = 32, **options: Any) -> ColorBins:
    torch.manual_seed(0)
    pretext = build_pretext(tiny(pretext="color_bins", backbone="residual", size=size, color_bins=options))
    assert isinstance(pretext, ColorBins)
    return pretext


def batch_of(rgb: NDArray[np.uint8]) -> Batch:
    """Pictures (B, H, W, 3)."""
    names = tuple(str(i) for i in range(len(rgb)))
    planes = torch.from_numpy(rgb).permute(0, 3, 1, 2)
    return Batch(planes, names, torch.arange(len(rgb)), torch.zeros(len(rgb), dtype=torch.bool))


def colours(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Pictures (B, H, W, 3) of vivid squares of 2 pixels."""
    draws = np.random.default_rng(count)
    small = draws.integers(0, 256, (count, height // 2 + 1, width // 2 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(small.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width])


def true_places(rgb: NDArray[np.uint8], stride: int) -> NDArray[np.float64]:
    """Mean ab (P, 2) in Lab units of squares of `stride` pixels, those at the edge as large as they are; place by place."""
    lab = rgb2lab(rgb / 255)
    rows, columns = (range(0, side, stride) for side in rgb.shape[1:3])
    return np.array(
        [one[y : y + stride, x : x + stride, 1:].mean(axis=(0, 1)) for one in lab for y in rows for x in columns]
    )


def true_targets(places: NDArray[np.float64], encoding: str) -> NDArray[np.float64]:
    """Shares (P, K) of all bins, by searching all of them."""
    distances = np.sqrt(((places[:, None] - CENTRES) ** 2).sum(axis=2))
    targets = np.zeros_like(distances)
    for target, of in zip(targets, distances, strict=True):
        near = np.argsort(of)[: 1 if encoding == "one-hot" else 5]
        target[near] = np.exp(-(of[near] ** 2) / (2 * 5.0**2))
        target /= target.sum()
    return targets


@pytest.mark.parametrize(("height", "width", "stride"), [(16, 16, 4), (9, 14, 4), (10, 7, 2), (6, 6, 1)])
@pytest.mark.parametrize("encoding", ["one-hot", "soft"])
def test_encoding_and_loss_by_hand(encoding: str, height: int, width: int, stride: int) -> None:
    rgb = colours(3, height, width)
    pretext, batch = build(encoding=encoding, stride=stride), batch_of(rgb)
    expected = true_targets(true_places(rgb, stride), encoding)
    bins, shares = pretext.encode(batch.ab)
    dense = np.zeros_like(expected)
    np.put_along_axis(dense, bins.numpy(), shares.numpy(), axis=1)
    np.testing.assert_allclose(dense, expected, atol=1e-4)
    with torch.no_grad():
        logits = pretext.generator(batch.lightness)
        assert logits.shape == (3, len(CENTRES), -(-height // stride), -(-width // stride))
        logits = logits + torch.randn(logits.shape)
        loss = pretext.loss_of(logits, batch)
    flat = np.moveaxis(logits.double().numpy(), 1, -1).reshape(len(expected), -1)
    losses = -(expected * (flat - np.log(np.exp(flat).sum(axis=1, keepdims=True)))).sum(axis=1)
    assert loss.count == len(losses)
    assert float(loss.total) == pytest.approx(losses.sum(), rel=1e-4)


def test_gradient_by_finite_differences() -> None:
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 7, generator=draws, dtype=torch.float64, requires_grad=True)
    bins = torch.tensor([[0, 3, 6], [1, 2, 5], [6, 5, 4], [2, 0, 1]])
    shares = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).expand(4, 3)
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, bins, shares), logits)
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, bins[:, :1], shares[:, :1] / 0.7), logits)


def test_weights_by_equation_4() -> None:
    draws = np.random.default_rng(3)
    shares = draws.dirichlet(np.full(len(CENTRES), 0.02))
    smoothed = np.zeros(len(CENTRES))
    for centre, share in zip(CENTRES, shares, strict=True):
        spread = np.exp(-((CENTRES - centre) ** 2).sum(axis=1) / (2 * 5.0**2))
        smoothed += share * spread / spread.sum()
    assert smoothed.sum() == pytest.approx(1)
    kernel = smoothing(gamut_bins(), 5.0)
    for mixed in (0.5, 0.1):
        weights = 1 / ((1 - mixed) * smoothed + mixed / len(CENTRES))
        weights /= (weights * smoothed).sum()
        found = rebalancing(torch.from_numpy(shares).float(), kernel, mixed).numpy()
        np.testing.assert_allclose(found, weights, rtol=1e-4)
        assert (found * smoothed).sum() == pytest.approx(1, rel=1e-4)
        assert found[smoothed.argmin()] == found.max()
        assert found[smoothed.argmax()] == found.min()
    torch.testing.assert_close(rebalancing(torch.from_numpy(shares).float(), kernel, 1.0), torch.ones(len(CENTRES)))


def test_the_distribution_is_that_of_the_steps_before() -> None:
    """In two micro-batches or one; a place weighs by its nearest bin; scoring leaves it as it is."""
    rgb = [colours(2, 16, 16), colours(3, 16, 16)[1:], colours(4, 16, 16)[2:]]
    pretext = build(encoding="soft", rebalance=True).train()
    plain = build(encoding="soft").train()
    (turn,) = pretext.turns(0)
    for half in (rgb[0][:1], rgb[0][1:]):
        pretext.loss(turn, batch_of(half), _pad())
    pretext.after_step(turn)
    pretext.loss(turn, batch_of(rgb[1]), _pad())
    pretext.after_step(turn)
    nearest = [true_targets(true_places(one, 4), "one-hot").argmax(axis=1) for one in rgb]
    counts = sum(np.bincount(places, minlength=len(CENTRES)) for places in nearest[:2])
    shares = counts / counts.sum()
    np.testing.assert_allclose(pretext.probabilities.numpy(), shares, atol=1e-6)

    pretext.eval()
    weights = rebalancing(torch.from_numpy(shares).float(), smoothing(gamut_bins(), 5.0), 0.5)[nearest[2]]
    assert weights.std() > 0
    with torch.no_grad():
        one, other = (to.generator(batch_of(rgb[2]).lightness) for to in (pretext, plain.eval()))
        assert one.shape == other.shape
        got = pretext.loss_of(other, batch_of(rgb[2]))
        losses = cross_entropy(other.movedim(1, -1).flatten(0, 2), *plain.encode(batch_of(rgb[2]).ab))
    assert float(got.total) == pytest.approx(float((losses * weights).sum()), rel=1e-5)
    np.testing.assert_allclose(pretext.probabilities.numpy(), shares, atol=1e-6)


def test_a_stop_changes_no_bit_of_a_rebalanced_training(pictures: Path, tmp_path: Path) -> None:
    values = tiny(
        pretext="color_bins", backbone="residual", epochs=2, color_bins={"rebalance": True, "encoding": "soft"}
    )
    training = pretraining(pictures, values, loop={"ema": 0.5})
    whole = training.run(tmp_path / "whole")
    training.run(tmp_path / "stopped", [1, 4]).assert_equal(whole)
    assert whole.tensors["state/raw/probabilities"].sum() == pytest.approx(1, abs=1e-5)
    assert int(whole.tensors["last/_steps"]) == 6


def test_two_colours_are_learned() -> None:
    """Light is orange and dark is blue: within a few steps the picture is coloured like that, at T = 0 to the bin."""
    orange, blue = (245, 180, 90), (30, 40, 140)
    draws = np.random.default_rng(0)
    blocks = draws.integers(0, 2, (4, 4, 4), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    rgb = np.where(blocks[..., None] == 1, np.uint8(orange), np.uint8(blue))
    pretext, batch = build(), batch_of(rgb)
    optimizer = torch.optim.Adam(pretext.parameters(), lr=1e-2)
    for _ in range(40):
        loss = pretext.loss(pretext.turns(0)[0], batch, _pad())
        optimizer.zero_grad()
        (loss.total / loss.count).backward()
        optimizer.step()
    pretext.eval()
    pretext.decoding = Decoding(temperature=0.0)
    with torch.no_grad():
        ab = pretext.predict(batch.lightness).numpy() * 128
    assert ab.shape == (4, 2, 32, 32)
    inner = (np.arange(32) % 8 >= 2) & (np.arange(32) % 8 < 6)  # off the seams, which the enlargement mixes
    for value, colour in ((1, orange), (0, blue)):
        true = rgb2lab(np.array(colour).reshape(1, 1, 3) / 255)[0, 0, 1:]
        bin_ = CENTRES[((CENTRES - true) ** 2).sum(axis=1).argmin()]
        here = (blocks == value) & inner[:, None] & inner
        found = np.moveaxis(ab, 1, -1)[here]
        assert np.isclose(found, bin_, atol=1e-3).all(axis=1).mean() > 0.95
    meter = pretext.meter()
    with torch.no_grad():
        meter.update(batch)
    assert meter.compute()["cross_entropy"] < 0.1


def test_scores_are_means_over_places() -> None:
    pretext = build().eval()
    rgb = colours(5, 16, 16)
    meter = pretext.meter()
    with torch.no_grad():
        for part in (rgb[:3], rgb[3:]):
            meter.update(batch_of(part))
        whole = pretext.loss_of(pretext.generator(batch_of(rgb).lightness), batch_of(rgb))
    assert meter.compute()["cross_entropy"] == pytest.approx(float(whole.total) / whole.count, rel=1e-5)
    assert meter.best == ("cross_entropy", "min")


def test_weights_of_the_training_do_not_enter_the_scores() -> None:
    """They change while it trains, and the best checkpoint would be chosen by another measure in each epoch."""
    batch, scores = batch_of(colours(5, 16, 16)), []
    for rebalance in (False, True):
        torch.manual_seed(0)
        pretext = build(rebalance=rebalance).eval()
        if rebalance:
            pretext.probabilities.copy_(torch.arange(1.0, len(CENTRES) + 1) / sum(range(1, len(CENTRES) + 1)))
        meter = pretext.meter()
        with torch.no_grad():
            meter.update(batch)
        scores.append(meter.compute()["cross_entropy"])
    assert scores[0] == scores[1]


def test_temperature_from_the_mean_to_the_likeliest_bin() -> None:
    """Of bins at random the mean is nearly grey, the likeliest is not; any size is decoded."""
    pretext = build(size=16)
    logits = torch.randn(2, len(CENTRES), 4, 4, generator=torch.Generator().manual_seed(0))
    chroma = []
    for temperature in (1.0, 0.38, 0.1, 0.0):
        pretext.decoding = Decoding(temperature=temperature)
        ab = pretext.decode(logits, torch.zeros(2, 1, 15, 13))
        assert ab.shape == (2, 2, 15, 13)
        chroma.append(float(ab.norm(dim=1).mean()))
    assert chroma == sorted(chroma)
    assert chroma[-1] > 2 * chroma[0]


def test_rebalanced_colours_and_their_gain() -> None:
    """By hand: a bin of half the probability wins where it is a tenth as common; the gain is a factor on ab."""
    pretext = build(size=16, stride=1)
    orange, grey = 250, int((pretext.bins.centres.norm(dim=1) == 0).nonzero())
    logits = torch.full((1, len(CENTRES), 2, 2), -50.0)
    logits[:, grey], logits[:, orange] = np.log(2 / 3), np.log(1 / 3)
    marginal = np.full(len(CENTRES), 1e-9)
    marginal[grey], marginal[orange] = 10 / 11, 1 / 11
    lightness = torch.zeros(1, 1, 2, 2)
    share = {1.0: 1 / 3, 1e-6: (1 / 3 * 11) / (1 / 3 * 11 + 2 / 3 * 1.1)}
    for uniform, expected in share.items():
        for gain in (1.0, 1.5):
            pretext.decoding = Decoding(uniform=uniform, gain=gain, marginal=tuple(marginal))
            ab = pretext.decode(logits, lightness)[0, :, 0, 0].numpy() * 128
            np.testing.assert_allclose(ab, gain * expected * CENTRES[orange], rtol=2e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 0.0}, "--color-bins.rate"),
        ({"weight_decay": -1.0}, "--color-bins.weight-decay"),
        ({"beta2": 1.0}, "--color-bins.beta2"),
        ({"sigma": 0.0}, "--color-bins.sigma 0.0"),
        ({"stride": 3}, "--color-bins.stride 3"),
        ({"uniform": 0.0}, "--color-bins.uniform 0.0"),
        ({"temperature": 1.5}, "--color-bins.temperature 1.5"),
    ],
)
def test_faults_of_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**given)
