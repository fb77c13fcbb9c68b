"""Ranges of Lab against scikit-image."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from pretint.reproduction import colour


def test_ranges_are_scikit_images():
    numbers = {number.id: number for number in colour.numbers(20)}
    axis = np.linspace(0, 1, 20)
    lab = rgb2lab(np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 1, 3)).reshape(-1, 3)
    for name, low, high in zip("lab", lab.min(axis=0), lab.max(axis=0), strict=True):
        assert numbers[f"lab_range_{name}"].ours == pytest.approx([low, high], abs=0.006)
    assert {number.status for number in numbers.values()} == {"reproduced"}
