"""Colour as a choice among bins of ab: which bins are near a colour, and which colour a choice means.

After Zhang, Isola, Efros 2016 (arXiv 1603.08511, sections 2.1 and 2.3). The bins are those of `pretint.color.gamut_bins`.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretint.color import AB_GRID, AB_SCALE, gamut_bins

_REACH = 12  # cells on each side of grey: they hold all of sRGB and the bins around it


class AbBins(nn.Module):
    """The bins, on the device of the network that it is a part of. It has no parameters and nothing to be saved.

    Attributes:
        centres: a and b of each bin in Lab units, (K, 2).
    """

    centres: Tensor
    _candidates: Tensor

    def __init__(self, neighbours: int = 1) -> None:
        """`neighbours`: how many bins `nearest` finds."""
        super().__init__()
        self.neighbours = neighbours
        centres = gamut_bins()
        self.register_buffer("centres", centres.clone(), persistent=False)
        self.register_buffer("_candidates", _candidates(centres, neighbours), persistent=False)

    def __len__(self) -> int:
        return len(self.centres)

    def nearest(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest bins of colours, exactly, whether sRGB has the colours or not.

        Args:
            ab: (P, 2), over 128 Lab units.
        Returns:
            Numbers of the bins, int64 (P, neighbours), and their squared distances in Lab units, the nearest first.
        """
        points = ab.float() * AB_SCALE
        cells = (points / AB_GRID).round().clamp(-_REACH, _REACH).long() + _REACH
        near = self._candidates[cells[:, 0], cells[:, 1]]  # (P, M)
        distances = (self.centres[near] - points[:, None]).square().sum(dim=2)
        found, places = distances.topk(self.neighbours, dim=1, largest=False)
        return near.gather(1, places), found

    def rebalanced(self, logits: Tensor, marginal: Sequence[float], uniform: float) -> Tensor:
        """Logits (B, K, h, w) of the distribution divided by (1 - uniform) marginal + uniform / K; float32.

        Menon et al. 2021 (arXiv 2007.07314, section 4.1): so the choice no longer favours what is common everywhere.

        Args:
            logits: of the bins.
            marginal: share of each bin over pictures, (K,); empty where it is uniform.
            uniform: in (0, 1]; 1 changes no choice, near 0 divides the marginal out.
        """
        count = len(self)
        shares = logits.new_tensor(marginal or [1 / count] * count, dtype=torch.float32)
        divisor = ((1 - uniform) * shares + uniform / count).log()
        return logits.float() - divisor.view(1, -1, 1, 1)

    def annealed_mean(self, logits: Tensor, temperature: float) -> Tensor:
        """Logits (B, K, h, w) -> ab (B, 2, h, w) over 128 Lab units: equation 5 of the paper.

        Args:
            logits: of the bins.
            temperature: in [0, 1]; 1 is the mean of the distribution, 0 its most probable bin, and between them the mean
                of the distribution raised to 1 / temperature and normalised anew.
        """
        logits = logits.movedim(1, -1).float()  # (B, h, w, K)
        if temperature == 0:
            ab = self.centres[logits.argmax(dim=-1)]
        else:
            shares = F.softmax(logits / temperature, dim=-1)
            # As sums: a matmul would be cut to bf16 or TF32 under autocast.
            ab = torch.stack([(shares * plane).sum(dim=-1) for plane in self.centres.T], dim=-1)
        return ab.movedim(-1, 1) / AB_SCALE


def _candidates(centres: Tensor, neighbours: int) -> Tensor:
    """The bins that may be among the nearest of a point in each cell around a grid point, (25, 25, M) int64.

    No point of a cell is farther than half its diagonal from the middle. So a bin that is among the nearest of any point
    is at most a whole diagonal farther from the middle than the middle's own nearest are.
    """
    axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64, device="cpu") * AB_GRID
    middles = torch.cartesian_prod(axis, axis)
    distances, order = torch.cdist(middles, centres.double()).sort(dim=1, stable=True)
    within = distances <= distances[:, neighbours - 1 : neighbours] + AB_GRID * math.sqrt(2) + 1e-3
    most = int(within.sum(dim=1).max())
    return order[:, :most].reshape(len(axis), len(axis), most)
