"""Settings against scikit-image: what is chosen is the best of what was tried, and lively enough."""

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from pretint.inference import choosing
from pretint.inference.choosing import AIM, Trial, choose
from pretint.networks.unet import set_dropout_at_inference
from pretint.pretexts.pretext import ColorizationPretext, Decoding, build_pretext
from tests.conftest import paint
from tests.training.driving import tiny


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [paint(i, 32, 32)[0] for i in range(4)]


def network(pretext: str, **options: Any) -> ColorizationPretext:
    torch.manual_seed(0)
    built = build_pretext(tiny(pretext=pretext, backbone="residual", size=32, **options)).eval()
    assert isinstance(built, ColorizationPretext)
    return built


def sure_network(pictures: list[np.ndarray]) -> ColorizationPretext:
    """Colour bins that have learned the pictures, and still think grey likely everywhere."""
    pretext = network("color_bins")
    lab = torch.from_numpy(np.moveaxis(rgb2lab(np.stack(pictures)), -1, 1)).float()
    lightness, ab = lab[:, :1] / 50 - 1, lab[:, 1:] / 128
    targets, _ = pretext.encode(ab)  # type: ignore[operator]
    optimizer = torch.optim.Adam(pretext.parameters(), lr=1e-2)
    for _ in range(25):
        logits = pretext.generator(lightness).movedim(1, -1).flatten(0, 2)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, targets[:, 0]).backward()
        optimizer.step()
    with torch.no_grad():
        bias = [p for p in pretext.generator.head.parameters() if p.dim() == 1][-1]
        grey = int((pretext.bins.centres.norm(dim=1) == 0).nonzero())  # type: ignore[operator]
        bias[grey] += 4
    return pretext


def scores(pretext: ColorizationPretext, decoding: Decoding, pictures: list[np.ndarray]) -> tuple[float, float]:
    """Mean PSNR, and share of the colourfulness, of pictures of the network's size."""
    pretext.decoding = decoding
    errors, lively, true = [], [], []
    for rgb in pictures:
        lab = rgb2lab(rgb)
        with torch.no_grad():
            ab = pretext.predict(torch.from_numpy(lab[..., 0] / 50 - 1).float()[None, None])[0].numpy() * 128
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # colours beyond sRGB are clipped
            made = lab2rgb(np.concatenate((lab[..., :1], np.moveaxis(ab, 0, -1)), axis=2))
        made = np.rint(made * 255).astype(np.uint8)
        errors.append(peak_signal_noise_ratio(rgb, made, data_range=255))
        lively.append(colourfulness(made))
        true.append(colourfulness(rgb))
    return float(np.mean(errors)), float(np.mean(lively) / np.mean(true))


def colourfulness(rgb: np.ndarray) -> float:
    r, g, b = rgb.reshape(-1, 3).astype(float).T
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "TEMPERATURES", (1.0, 0.38))
    monkeypatch.setattr(choosing, "UNIFORM", (1.0, 0.9, 0.5))


@pytest.mark.usefixtures("few")
def test_a_distribution(pictures: list[np.ndarray]) -> None:
    pretext = sure_network(pictures)
    trial = Trial(pretext, 32, pictures)
    marginal = trial.marginal()
    with torch.no_grad():
        lightness = torch.from_numpy(np.stack([rgb2lab(rgb)[..., 0] for rgb in pictures]) / 50 - 1).float()[:, None]
        means = torch.softmax(pretext.generator(lightness), dim=1).mean(dim=(0, 2, 3))
    np.testing.assert_allclose(marginal, means.numpy(), rtol=1e-3, atol=1e-6)

    found = choose(trial)
    tried = [Decoding(t, u, 1.0, marginal) for t in (1.0, 0.38) for u in (1.0, 0.9, 0.5)]
    best = max(scores(pretext, decoding, pictures)[0] for decoding in tried)
    for setting in found.values():
        psnr, share = scores(pretext, setting.decoding, pictures)
        assert setting.psnr == pytest.approx(psnr, abs=0.02)
        assert setting.share == pytest.approx(share, rel=0.01)
    assert found["accurate"].psnr == pytest.approx(best, abs=0.02)
    assert found["vivid"].share >= AIM - 0.01
    # Grey is thought likely everywhere: dividing the marginal out is cheaper than stretching what is left of the colours.
    stretched = [scores(pretext, Decoding(1.0, 1.0, gain), pictures) for gain in np.arange(1, 3, 0.1)]
    assert found["vivid"].psnr >= max(psnr for psnr, share in stretched if share >= AIM)


def test_any_other_network_has_a_gain(pictures: list[np.ndarray]) -> None:
    pretext = network("regression")
    told: list[tuple[int, int]] = []
    found = choose(Trial(pretext, 32, pictures), lambda *counts: told.append(counts))
    best = max(scores(pretext, Decoding(gain=gain), pictures)[0] for gain in choosing.GAINS)
    assert found["accurate"].psnr == pytest.approx(best, abs=0.02)
    assert all(one.decoding.temperature == one.decoding.uniform == 1 for one in found.values())
    assert all(a[0] <= b[0] for a, b in pairwise(told))
    assert told[-1][0] == told[-1][1]


def test_a_network_that_has_learned_no_colour(pictures: list[np.ndarray]) -> None:
    pretext = network("regression")
    with torch.no_grad():
        for parameter in pretext.generator.head.parameters():
            parameter.zero_()
    assert set(choose(Trial(pretext, 32, pictures))) == {"accurate"}
    assert pretext.decoding == Decoding()


def test_dropout_at_inference_is_drawn_alike(pictures: list[np.ndarray]) -> None:
    """Two looks at one network score alike, each picture as `colorize` draws it, and the caller's random numbers stay."""
    torch.manual_seed(0)
    pretext = build_pretext(tiny(pretext="regression", backbone="unet", size=32)).eval()
    assert isinstance(pretext, ColorizationPretext)
    set_dropout_at_inference(pretext, True)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, other = (Trial(pretext, 32, pictures).score(Decoding()) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    assert one == other
    alone = [Trial(pretext, 32, [rgb]).score(Decoding()).psnr for rgb in pictures]
    assert one.psnr == pytest.approx(np.mean(alone), abs=1e-9)
    lightness = torch.linspace(-1, 1, 32 * 32).view(1, 1, 32, 32)
    assert not torch.equal(pretext.predict(lightness), pretext.predict(lightness))  # its dropout is on
