"""Backgrounds of synthetic scenes: sky over ground, a wall over a floor, or one surface.

Each painter takes a generator and a size in pixels and gives linear paint (3, height, width); what it draws does not
depend on the size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from pretint.data.scene_painting import Plane, clouds, evened, mix, noise, pigment, step

Painter = Callable[[np.random.Generator, int, int], Plane]


def _scattered(rng: np.random.Generator, paint: Plane, spread: float) -> Plane:
    """Paint made brighter or darker as a whole, so that lightness says little about the material."""
    return paint * evened(rng, paint[:, ::16, ::16].mean((1, 2)), 0.3, spread)


def _coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    """x (1, width) and y (height, 1), pixel centres in (0, 1)."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    return x[None, :], y[:, None]


def sky(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Blue that pales towards the horizon, with clouds from none to many."""
    zenith, pale = pigment(rng, ("2f6fbf", "4a90d9", "3a7fc8")), pigment(rng, ("a9cdea", "c3dcf0"))
    white = pigment(rng, ("ffffff", "f4f1ec"), jitter=0.01)
    _, y = _coordinates(height, width)
    base = mix(zenith, pale, y ** rng.uniform(0.7, 1.6))
    cover = step(clouds(rng, 3, 3, height, width, 4), rng.uniform(0.45, 0.75), 0.22)
    return mix(base, white * (1 - 0.25 * y**2), cover * 0.9)


def grass(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Blades, longer and fewer in front, over a patchy lawn."""
    dark, bright = pigment(rng, ("1f4a14", "2c5a1c")), pigment(rng, ("6fae3a", "86b84a", "5f9e3c"))
    image = Image.new("L", (width, height), 70)
    draw = ImageDraw.Draw(image)
    n = 420
    foot_y = np.sort(rng.random(n)) * 1.15
    foot_x = rng.uniform(-0.02, 1.02, n)
    tall = (0.05 + 0.14 * foot_y) * rng.uniform(0.6, 1.2, n)
    lean = rng.normal(0, 0.4, n) * tall
    shade = rng.integers(20, 255, n)
    ends = np.stack([foot_x * width, foot_y * height, foot_x * width + lean * width, (foot_y - tall) * height], 1)
    thick = np.maximum(1, np.rint((0.005 + 0.006 * foot_y) * width)).astype(int)
    for end, value, wide in zip(ends.tolist(), shade.tolist(), thick.tolist(), strict=True):
        draw.line(end, fill=value, width=wide)
    blades = np.asarray(image, np.float32) / 255
    return mix(dark, bright, blades * (0.55 + 0.6 * clouds(rng, 4, 4, height, width, 2)))


def sand(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Ripples that run across, closer far away, and grains."""
    base = pigment(rng, ("d9b777", "e3c690", "cfa768"))
    x, y = _coordinates(height, width)
    depth = 1 / (y + rng.uniform(0.3, 0.9))
    bend = noise(rng, 3, 3, height, width) * 5
    phase = depth * rng.uniform(14, 26) + bend + x * rng.uniform(-6, 6)
    ripples = np.sin(phase) * rng.uniform(0.06, 0.16)
    grain = (noise(rng, 90, 90, height, width) - 0.5) * 0.35
    patches = 0.25 * (noise(rng, 4, 4, height, width) - 0.5)
    paint: Plane = base * (0.95 + ripples + grain + patches)
    return paint


def sea(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Waves in perspective with light crests and a little foam."""
    deep, crest = pigment(rng, ("0f4c63", "14606f", "175a7a")), pigment(rng, ("5fb0b8", "6fb3c4"))
    foam = pigment(rng, ("e8f2f2", "ffffff"), jitter=0.01)
    flat = (
        noise(rng, 26, 5, height, width) * 0.5
        + noise(rng, 52, 12, height, width) * 0.3
        + noise(rng, 90, 30, height, width) * 0.2
    )
    # Rows are taken ever closer together towards the horizon.
    rows = ((np.arange(height) + 0.5) / height) ** 0.6 * height
    waves = flat[np.clip(rows.astype(np.intp), 0, height - 1)]
    return mix(mix(deep, crest, step(waves, 0.52, 0.4)), foam, step(waves, rng.uniform(0.7, 0.85), 0.1) * 0.8)


def snow(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Soft drifts, bluish where they fall away from the light, with glints."""
    lit, shaded = pigment(rng, ("f6f6f8", "eef2f8"), jitter=0.015), pigment(rng, ("9db4d6", "aabfdc"))
    drifts = clouds(rng, 5, 2, height, width, 3)
    paint = mix(shaded, lit, step(drifts, 0.5, 0.5))
    return paint * (0.97 + 0.12 * step(noise(rng, 80, 80, height, width), 0.9, 0.1))


def brick(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Courses of brick, each brick of its own shade, with pale mortar."""
    clay, mortar = (
        pigment(rng, ("9c4a34", "b0553c", "8a4030", "a85a44")),
        pigment(rng, ("b8b0a4", "a39c92"), jitter=0.03),
    )
    courses = rng.uniform(7, 12)
    x, y = _coordinates(height, width)
    row = y * (courses * height / width)
    row_index = np.floor(row)
    column = x * (courses * rng.uniform(0.38, 0.5)) + row_index % 2 * 0.5
    column_index = np.floor(column)
    shades = rng.uniform(0.55, 1.35, (16, 16)).astype(np.float32)
    own = shades[row_index.astype(np.intp) % 16, column_index.astype(np.intp) % 16]
    across, along = np.abs(row - row_index - 0.5), np.abs(column - column_index - 0.5)
    joint = np.maximum(step(across, 0.42, 0.06), step(along, 0.46, 0.03))
    rough = 0.72 + 0.56 * (0.5 * noise(rng, 60, 60, height, width) + 0.5 * noise(rng, 12, 12, height, width))
    return mix(clay * own, mortar, joint) * rough


def planks(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Boards, upright or lying, with grain along them and dark seams."""
    wood, dark = pigment(rng, ("a8743f", "8f5d33", "b98a55", "7d5230")), pigment(rng, ("3f2715", "4d3019"))
    upright = rng.random() < 0.5
    across, along = (width, height) if upright else (height, width)
    boards = rng.uniform(3.5, 7) * across / width
    position = (np.arange(across, dtype=np.float32) + 0.5) / across * boards + rng.random()
    index = np.floor(position)
    seam = step(np.abs(position - index - 0.5), 0.475, 0.03)[:, None]
    own = rng.uniform(0.75, 1.2, 16).astype(np.float32)[index.astype(np.intp) % 16][:, None]
    # Each board takes its grain from another place, so that no line runs over a seam.
    start = rng.integers(0, 64, 16)[index.astype(np.intp) % 16]
    length = noise(rng, 70, 3, across, 2 * along)
    columns = np.arange(along)[None, :] + (start * along // 64)[:, None]
    waves = np.take_along_axis(length, columns, 1)
    grain = 0.5 + 0.5 * np.sin(waves * rng.uniform(14, 24))
    paint = mix(wood, dark, grain * rng.uniform(0.25, 0.45))
    paint = paint * (own * (1 - 0.75 * seam))
    return paint.swapaxes(1, 2) if upright else paint


def foliage(rng: np.random.Generator, height: int, width: int) -> Plane:
    """A hedge: small leaves over darkness, lighter ones on top."""
    dark, bright = pigment(rng, ("0f2a12", "16301a")), pigment(rng, ("4f8a3a", "5a8f4a", "6b9a44"))
    image = Image.new("L", (width, height), 25)
    draw = ImageDraw.Draw(image)
    n = 330
    centre = rng.uniform(-0.03, 1.03, (n, 2))
    long = rng.uniform(0.03, 0.06, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    axis = np.stack([np.cos(angle), np.sin(angle)], 1) * long[:, None]
    side = np.stack([-axis[:, 1], axis[:, 0]], 1) * rng.uniform(0.3, 0.55, n)[:, None]
    corners = np.stack([centre + axis, centre + side, centre - axis, centre - side], 1) * (width, height)
    shade = np.clip(np.linspace(30, 200, n) + rng.normal(0, 35, n), 10, 255).astype(int)
    for polygon, value in zip(corners.reshape(n, 8).tolist(), shade.tolist(), strict=True):
        draw.polygon(polygon, fill=value)
    leaves = np.asarray(image, np.float32) / 255
    return mix(dark, bright, leaves * (0.5 + 0.8 * clouds(rng, 3, 3, height, width, 2)))


GROUNDS: tuple[Painter, ...] = (grass, sand, sea, snow)
FLOORS: tuple[Painter, ...] = (grass, sand, snow, planks)
WALLS: tuple[Painter, ...] = (brick, planks, foliage)
SURFACES: tuple[Painter, ...] = (brick, planks, foliage, grass, sand, snow, sea)


def background(rng: np.random.Generator, size: int) -> tuple[Plane, float | None]:
    """Paint (3, size, size) and where the horizon is, in (0, 1) from the top; None where there is one surface.

    Which things stand in a scene is drawn apart from its background: a background tells nothing about the labels.
    """
    kind = rng.random()
    above: Painter
    if kind < 0.35:
        painter = SURFACES[rng.integers(len(SURFACES))]
        return _scattered(rng, painter(rng, size, size), 0.3), None
    horizon = rng.uniform(0.25, 0.6)
    rows = max(1, min(size - 1, round(horizon * size)))
    if kind < 0.8:
        above, below = sky, GROUNDS[rng.integers(len(GROUNDS))]
    else:
        above, below = WALLS[rng.integers(len(WALLS))], FLOORS[rng.integers(len(FLOORS))]
    upper = _scattered(rng, above(rng, rows, size), 0.3)
    lower = _scattered(rng, below(rng, size - rows, size), 0.3)
    if above is sky:
        # Air between: the far ground takes on the colour of the sky at the horizon.
        far = (np.clip(1 - np.arange(size - rows, dtype=np.float32) / (0.25 * size), 0, 1) ** 2 * 0.55)[:, None]
        lower = mix(lower, upper[:, -1].mean(1)[:, None, None], far)
    return np.concatenate([upper, lower], axis=1), horizon
