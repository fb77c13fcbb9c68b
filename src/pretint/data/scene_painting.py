"""Paint for synthetic scenes: pigments, noise, soft edges and the shading of a relief. Numpy and Pillow alone.

Colours are linear light here (the square of sRGB, close enough and quick to undo with a square root), float32, black 0
and white 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.floating[Any]]
"""One number a pixel, (h, w); a colour is (3, 1, 1) and paint (3, h, w), so that they multiply as they are; float32."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True)
class Light:
    """Where light comes from, as a unit vector: x right, y down, z to the viewer; ``ambient`` in (0, 1)."""

    x: float
    y: float
    z: float
    ambient: float


def linear(code: str) -> Plane:
    """The linear colour (3, 1, 1) of ``rrggbb``."""
    return (np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32).reshape(3, 1, 1) / 255) ** 2


def pigment(rng: np.random.Generator, codes: Sequence[str], *, jitter: float = 0.05) -> Plane:
    """A colour (3, 1, 1) between those of ``codes``, each channel a little off by the log-normal ``jitter``."""
    weights = rng.dirichlet(np.full(len(codes), 0.9))
    colour = np.tensordot(weights, np.stack([linear(code) for code in codes]), 1)
    return (colour * np.exp(rng.normal(0, jitter, (3, 1, 1)))).astype(np.float32)


def evened(rng: np.random.Generator, colour: Plane, pull: float, spread: float) -> float:
    """A brightness factor that draws luminances together by the power ``pull`` and scatters them again.

    So lightness tells little of colour.
    """
    return float((0.25 / (LUMINANCE @ colour.reshape(3))) ** pull * np.exp(rng.uniform(-spread, spread)))


def mix(first: Plane, second: Plane, share: Plane) -> Plane:
    """From ``first`` (share 0) to ``second`` (share 1), colours or paint; share (h, w). Gives paint (3, h, w)."""
    return first + (second - first) * share


def noise(rng: np.random.Generator, rows: int, columns: int, height: int, width: int) -> Plane:
    """Smooth noise (height, width), about [0, 1], of rows x columns lumps, whatever the height and width."""
    grid = Image.fromarray(rng.random((rows + 2, columns + 2), np.float32))
    smooth = grid.resize((width, height), Image.Resampling.BICUBIC, box=(1, 1, columns + 1, rows + 1))
    return np.asarray(smooth, np.float32)


def clouds(rng: np.random.Generator, rows: int, columns: int, height: int, width: int, octaves: int = 3) -> Plane:
    """Noise upon finer and fainter noise, (height, width), about [0, 1]."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        total += noise(rng, rows << octave, columns << octave, height, width) * (0.5 ** (octave + 1))
    return total / (1 - 0.5**octaves)


def looked_up(table: Plane, u: Plane, v: Plane) -> Plane:
    """``table`` (n, m), which covers [-1, 1] squared, read at (u, v): a texture that turns with its object."""
    rows, columns = table.shape
    row = np.clip((v + 1) * (rows / 2), 0, rows - 1).astype(np.intp)
    column = np.clip((u + 1) * (columns / 2), 0, columns - 1).astype(np.intp)
    found: Plane = table[row, column]
    return found


def step(values: Plane, edge: float, width: float) -> Plane:
    """0 below ``edge``, 1 above it, a straight ramp of ``width`` between."""
    ramp: Plane = np.clip((values - edge) / width + 0.5, 0, 1)
    return ramp


def relief(height: Plane, light: Light, gloss: float, polish: float) -> tuple[Plane, Plane]:
    """Diffuse factor and added highlight of a surface, each (h, w); normals are differences of ``height`` (pixels)."""
    down, right = np.gradient(height)
    length = 1 / np.sqrt(right * right + down * down + 1)
    facing = (light.z - light.x * right - light.y * down) * length
    diffuse = light.ambient + (1 - light.ambient) * np.maximum(facing, 0)
    # Half-way vector between the light and the viewer at (0, 0, 1).
    norm = float(np.sqrt(2 + 2 * light.z))
    half = (light.z + 1 - light.x * right - light.y * down) * (length / norm)
    highlight = gloss * np.maximum(half, 0) ** polish
    return diffuse.astype(np.float32), highlight.astype(np.float32)
