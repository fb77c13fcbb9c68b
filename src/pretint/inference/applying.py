"""A fine-tuned network on one picture of any size, read and seen as in validation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.data.reading import read_rgb
from pretint.data.views import ViewOptions, side_to_decode, view
from pretint.inference.models import TaskModel
from pretint.objective import finite


def read_picture(model: TaskModel, path: Path) -> NDArray[np.uint8]:
    """A picture as the feed reads it: for labels JPEGs may come at a reduced scale, masks need the full size; (H, W, 3).

    Raises:
        DataError: the picture cannot be read.
    """
    if model.task.target == "mask":
        return read_rgb(path)
    options = model.trained.options
    return read_rgb(path, side_to_decode(options["size"], ViewOptions(**options["view"]).evaluation()))


@torch.inference_mode()
def picture_logits(model: TaskModel, rgb: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Logits of a picture (H, W, 3): (1, K) for labels, (1, K, H, W) at the picture's own size for masks.

    Masks are wanted for the whole picture, so it is squashed to the network's square whatever the crop of the training.

    Raises:
        WeightsError: they are not numbers.
    """
    options = model.trained.options
    how = ViewOptions(**options["view"]).evaluation()
    if model.task.target == "mask":
        how = replace(how, crop="squash")
    seen, _ = view(rgb, None, options["size"], how, None)
    batch = Batch.of_one(seen).to(device)
    logits = finite(model.network(batch.planes(model.network.backbone.planes)).float())
    if model.task.target == "mask":
        logits = F.interpolate(logits, size=rgb.shape[:2], mode="bilinear", align_corners=False)
    return logits.cpu()
