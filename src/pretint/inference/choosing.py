"""Chooses how a colorizer's colours are decoded: ``accurate``, the best PSNR, and ``vivid``, lively enough at the least cost of it.

Chosen on pictures that the training held out, never on those of a test. What is tried:

    a distribution of colours   temperatures, and how far its marginal is divided out (Menon et al. 2021, arXiv 2007.07314,
                                section 4.1; see ``color_bins``)
    anything else               a gain of the chroma

For ``vivid`` the gain that is still missing comes on top. Of what reaches the colourfulness that it asks for, the one with the
best PSNR is taken.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pretint.color import rgb_to_planes
from pretint.inference.full_resolution import fit, recolour
from pretint.inference.models import drawing_from
from pretint.metrics.image import colourfulness, psnr
from pretint.pretexts.pretext import ColorizationPretext, Decoding

AIM = 0.7
"""Share of the originals' mean colourfulness that ``vivid`` is chosen at, so that other pictures reach 0.6."""
MOST_GAIN = 3.0
"""A gain above it makes noise of what is nearly grey."""
SIDE = 256
"""Pixels: the pictures are shrunk to this shorter side, where they are larger, before anything is scored."""
MOST = 100
"""Pictures: of more, this many are taken in even steps."""

TEMPERATURES = (1.0, 0.8, 0.65, 0.5, 0.38, 0.25)
UNIFORM = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
GAINS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)

Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Scored:
    """A decoding and what it gives on some pictures.

    Attributes:
        decoding: how colours are made.
        psnr: mean over pictures, dB.
        share: mean colourfulness over that of the originals.
    """

    decoding: Decoding
    psnr: float
    share: float

    def as_dict(self) -> dict[str, Any]:
        """For the description of a weights' file; numbers rounded to what they are good for."""
        decoding = asdict(self.decoding)
        decoding["marginal"] = [float(f"{share:.4g}") for share in self.decoding.marginal]
        return {
            "decoding": decoding,
            "psnr": round(self.psnr, 3),
            "colourfulness_share": round(self.share, 3),
        }


class Trial:
    """Pictures that a colorizer has seen once, to be decoded in many ways.

    Args:
        pretext: a colorizer in eval mode.
        size: short side of what the network sees, in pixels.
        pictures: uint8 (H, W, 3), each with colours.
    """

    def __init__(self, pretext: ColorizationPretext, size: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self.pretext = pretext
        self._device = next(pretext.parameters()).device
        self.pictures = [shrunk(rgb) for rgb in pictures]
        self._seen = list(self._see(size))
        self._lively = float(np.mean([colourfulness(rgb) for rgb in self.pictures]))

    @torch.inference_mode()
    def _see(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Lightness (1, 1, h, w) of each picture, and what the network gives for it."""
        for rgb in self.pictures:
            small = torch.from_numpy(np.array(fit(rgb, size))).permute(2, 0, 1)[None]
            lightness = rgb_to_planes(small)[:, :1]
            with drawing_from(0, self._device):  # as `colorize` does
                planes = self.pretext.generator(lightness.to(self._device)).float().cpu()
            yield lightness, planes

    def marginal(self) -> tuple[float, ...]:
        """Mean distribution over all places of the pictures, each picture counted alike; for networks that give one."""
        means = [F.softmax(planes, dim=1).mean(dim=(0, 2, 3)) for _, planes in self._seen]
        return tuple(torch.stack(means).mean(dim=0).tolist())

    @torch.inference_mode()
    def score(self, decoding: Decoding) -> Scored:
        """What a decoding gives, on pictures as ``colorize`` would write them."""
        before, self.pretext.decoding = self.pretext.decoding, decoding
        errors, lively = [], []
        for rgb, (lightness, planes) in zip(self.pictures, self._seen, strict=True):
            ab = self.pretext.decode(planes.to(self._device), lightness)
            coloured = recolour(rgb, ab.float().cpu())
            errors.append(min(psnr(rgb, coloured), 100.0))
            lively.append(colourfulness(coloured))
        self.pretext.decoding = before
        return Scored(decoding, float(np.mean(errors)), float(np.mean(lively)) / self._lively)


def choose(trial: Trial, progress: Progress = None) -> dict[str, Scored]:
    """The settings of a colorizer, by name; without ``vivid`` where nothing reaches its colourfulness.

    Args:
        trial: pictures that the training held out.
        progress: told (decodings tried, all).
    """
    if trial.pretext.distribution:
        marginal = trial.marginal()
        plain = [Decoding(t, u, 1.0, marginal if u < 1 else ()) for t in TEMPERATURES for u in UNIFORM]
        amplified = plain
    else:
        plain = [Decoding(gain=gain) for gain in GAINS]
        amplified = [Decoding()]
    total, done = len(plain) + 2 * len(amplified), 0

    def score(decoding: Decoding) -> Scored:
        nonlocal done
        found = trial.score(decoding)
        done += 1
        if progress:
            progress(done, total)
        return found

    tried = {decoding: score(decoding) for decoding in plain}
    settings = {"accurate": max(tried.values(), key=lambda one: one.psnr)}
    lively = list(tried.values())
    for decoding in amplified:
        one = tried[decoding]
        for _ in range(2):  # colourfulness grows nearly in proportion to the gain, but for what leaves sRGB
            gain = one.decoding.gain * AIM / max(one.share, 1e-6)
            if gain <= 1 or gain > MOST_GAIN:
                break
            one = score(replace(decoding, gain=round(gain, 2)))
            lively.append(one)
    enough = [one for one in lively if one.share >= AIM - 0.01]
    if enough:
        settings["vivid"] = max(enough, key=lambda one: one.psnr)
    if progress:
        progress(total, total)
    return settings


def shrunk(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with a shorter side of at most ``SIDE`` pixels; one that has it already comes back as it is."""
    height, width = rgb.shape[:2]
    if min(height, width) <= SIDE:
        return rgb
    scale = SIDE / min(height, width)
    return np.asarray(Image.fromarray(rgb).resize((round(width * scale), round(height * scale)), Image.Resampling.BOX))
