"""Draws a synthetic scene: where its things stand, how the light falls on them, and how the camera sees it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pretint.data.randomness import generator
from pretint.data.record import Box
from pretint.data.scene_backgrounds import background
from pretint.data.scene_objects import PAINTERS, UPRIGHT, Body, stone
from pretint.data.scene_painting import Light, Plane, evened, noise, relief, step
from pretint.errors import OptionError

CLASSES: tuple[str, ...] = tuple(PAINTERS)
"""Names of the things, in the order of their mask ids, which begin at 1; id 0 is the background."""

LEAST_VISIBLE = 0.005
"""Share of the picture that a class has to cover to be among its labels."""

_FINER = 2  # drawn this many times finer and averaged, for soft edges


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture and all that is known of it.

    Attributes:
        rgb: uint8 (H, W, 3), sRGB.
        mask: uint8 (H, W); 0 background, k for ``CLASSES[k - 1]``.
        instances: uint8 (H, W); 0 background, i for ``boxes[i - 1]``.
        labels: classes that cover at least `LEAST_VISIBLE` of the picture, in the order of `CLASSES`.
        boxes: of the visible part of each thing, from back to front; one that is wholly hidden is left out.
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    instances: NDArray[np.uint8]
    labels: tuple[str, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a thing stands: its middle and radius in parts of the picture's side, and its mask id (0: a stone)."""

    x: float
    y: float
    radius: float
    kind: int


def scene(seed: int, picture: int, size: int = 128) -> Scene:
    """Draw a scene; the same three numbers give the same bits, and another size the same things in the same places.

    Another processor or another numpy may round its sines otherwise, and so a grey level here and there.

    Args:
        seed: 0 or more; scenes of two seeds share nothing.
        picture: 0 or more; the number of the scene.
        size: height and width in pixels, 16 or more; 64 and more are worth looking at.
    """
    if size < 16:
        raise OptionError(f"size {size}: a scene needs at least 16 pixels a side")
    rng = generator(seed, "scene", 0, picture)
    side = size * _FINER
    light = _light(rng)
    paint, horizon = background(rng, side)
    places = _places(rng, horizon)
    visible: list[Plane] = []
    for place in places:
        cover = _stand(rng, paint, place, light, horizon)
        for earlier in visible:
            earlier *= 1 - cover
        visible.append(cover)
    rgb = _photograph(rng, paint, light, horizon, size)

    things = [(place.kind, _reduced(cover)) for place, cover in zip(places, visible, strict=True) if place.kind]
    covers = [np.zeros((size, size), np.float32), *(cover for _, cover in things)]
    covers[0] = 1 - np.sum(covers, axis=0)  # what is left shows the background
    shares = np.stack(covers)
    owner = shares.argmax(0)
    shown = [index for index in range(1, len(shares)) if (owner == index).any()]
    mask, instances = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    boxes = []
    for number, index in enumerate(shown, start=1):
        here, kind = owner == index, things[index - 1][0]
        mask[here], instances[here] = kind, number
        rows, columns = np.flatnonzero(here.any(1)), np.flatnonzero(here.any(0))
        left, top, right, bottom = (float(edge + 1) for edge in (columns[0], rows[0], columns[-1], rows[-1]))
        boxes.append(Box(CLASSES[kind - 1], left, top, right, bottom))
    counts = np.bincount(mask.ravel(), minlength=len(CLASSES) + 1)[1:]
    labels = tuple(name for name, count in zip(CLASSES, counts, strict=True) if count >= LEAST_VISIBLE * size * size)
    return Scene(rgb, mask, instances, labels, tuple(boxes))


def _light(rng: np.random.Generator) -> Light:
    """From above, from the left or the right, hard or soft."""
    direction = np.array([rng.uniform(-0.75, 0.75), rng.uniform(-0.8, -0.15), rng.uniform(0.5, 0.9)])
    x, y, z = direction / np.linalg.norm(direction)
    return Light(float(x), float(y), float(z), float(rng.uniform(0.25, 0.55)))


def _places(rng: np.random.Generator, horizon: float | None) -> list[_Place]:
    """One to four things and now and then a stone, from back to front, none hidden by more than about a third."""
    count = int(rng.choice(4, p=(0.3, 0.3, 0.25, 0.15))) + 1
    kinds = [int(kind) for kind in rng.integers(1, len(CLASSES) + 1, count)]
    if rng.random() < 0.3:
        kinds.append(0)
    largest = (0.36, 0.30, 0.25, 0.22)[count - 1]
    places: list[_Place] = []
    for kind in kinds:
        for _ in range(20):
            radius = rng.uniform(0.14, largest) * (1 if kind else 0.7)
            x = rng.uniform(0.55 * radius, 1 - 0.55 * radius)
            if horizon is None:
                y = rng.uniform(0.6 * radius, 1 - 0.6 * radius)
            else:
                y = rng.uniform(horizon + 0.06, 1.02) - 0.8 * radius
            if all(np.hypot(x - other.x, y - other.y) > 0.95 * (radius + other.radius) - 0.04 for other in places):
                places.append(_Place(x, y, radius, kind))
                break
    return sorted(places, key=lambda place: place.y + 0.8 * place.radius)


def _stand(rng: np.random.Generator, paint: Plane, place: _Place, light: Light, horizon: float | None) -> Plane:
    """Draw a thing and its shadow into ``paint``; gives how much of each pixel it covers, (side, side) in [0, 1]."""
    side = paint.shape[1]
    name = CLASSES[place.kind - 1] if place.kind else "stone"
    largest = UPRIGHT.get(name, np.pi)
    angle, mirrored = rng.uniform(-largest, largest), rng.random() < 0.5
    radius = place.radius * side
    left, top = (max(0, int(middle * side - 1.15 * radius)) for middle in (place.x, place.y))
    right, bottom = (min(side, int(middle * side + 1.15 * radius) + 1) for middle in (place.x, place.y))
    x = (np.arange(left, right, dtype=np.float32) + (0.5 - place.x * side))[None, :] / radius
    y = (np.arange(top, bottom, dtype=np.float32) + (0.5 - place.y * side))[:, None] / radius
    cosine, sine = math.cos(angle), math.sin(angle)
    u, v = x * cosine + y * sine, y * cosine - x * sine
    body: Body = (PAINTERS[name] if place.kind else stone)(rng, -u if mirrored else u, v)
    cover = step(-body.distance * radius, 0, 1.5)

    colour = body.paint
    weight = cover.sum() + 1
    mean = (colour * cover).sum((1, 2)) / weight
    colour = colour * evened(rng, mean + (1e-3), 0.45, 0.45)
    diffuse, highlight = relief(body.height * radius, light, body.gloss, body.polish)
    colour = colour * diffuse + highlight * (1 - light.ambient)

    _shade(rng, paint, cover, (left, top), radius, light, horizon)
    region = paint[:, top:bottom, left:right]
    region += (colour - region) * cover
    whole = np.zeros((side, side), np.float32)
    whole[top:bottom, left:right] = cover
    return whole


def _shade(
    rng: np.random.Generator,
    paint: Plane,
    cover: Plane,
    corner: tuple[int, int],
    radius: float,
    light: Light,
    horizon: float | None,
) -> None:
    """Darken ``paint`` by the shadow of ``cover``: flat on the ground, else shifted on the surface."""
    side = paint.shape[1]
    height, width = cover.shape
    shape = Image.fromarray((cover * 255).astype(np.uint8))
    if horizon is None:
        shift = rng.uniform(0.1, 0.3) * radius
        x, y = corner[0] - light.x * shift, corner[1] - light.y * shift
    else:
        feet = np.flatnonzero(cover.any(1))
        flat = max(2, round(height * rng.uniform(0.22, 0.4)))
        shape = shape.resize((width, flat), Image.Resampling.BILINEAR)
        x = corner[0] - light.x * 0.4 * radius
        y = corner[1] + (int(feet[-1]) if len(feet) else height) - 0.75 * flat
    shadow = Image.new("L", (side, side))
    shadow.paste(shape, (round(x), round(y)))
    reach = max(1, round(0.08 * radius))
    area = (
        max(0, round(x) - 2 * reach),
        max(0, round(y) - 2 * reach),
        min(side, round(x) + width + 2 * reach),
        min(side, round(y) + shape.height + 2 * reach),
    )
    if area[0] >= area[2] or area[1] >= area[3]:
        return
    soft = np.asarray(
        shadow.crop(area).filter(ImageFilter.BoxBlur(reach)).filter(ImageFilter.BoxBlur(reach)), np.float32
    )
    paint[:, area[1] : area[3], area[0] : area[2]] *= 1 - soft * ((1 - light.ambient) * 0.85 / 255)


def _photograph(
    rng: np.random.Generator, paint: Plane, light: Light, horizon: float | None, size: int
) -> NDArray[np.uint8]:
    """From light to pixels (size, size, 3): uneven tinted light, exposure, tone curve, contrast, sensor noise."""
    exposure = math.exp(rng.uniform(-0.4, 0.5))
    tint = np.exp(rng.normal(0, 0.035) * np.array([1, 0, -1], np.float32) + rng.normal(0, 0.012, 3)).astype(np.float32)
    slope, dapple = rng.uniform(0, 0.35), rng.random() < 0.4
    contrast, pivot = rng.uniform(0.8, 1.15), rng.uniform(0.4, 0.5)
    spots = noise(rng, 4, 4, size, size)
    grain = rng.uniform(0.004, 0.018)

    planes = _reduced(paint)
    place = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    field = exposure * (1 + (2 * slope) * (light.x * place[None, :] + light.y * place[:, None]))
    if dapple and horizon is None:  # as under a tree; never in the sky
        field = field * (0.5 + 0.6 * step(spots, 0.5, 0.3))
    planes *= tint[:, None, None] * field
    # Highlights roll off: 2.5 times white becomes white.
    planes = np.sqrt(planes * (1 + planes * (1 / 2.5**2)) / (1 + planes * 0.35))
    planes = pivot + (planes - pivot) * contrast
    planes += rng.standard_normal((3, size, size), np.float32) * (0.5 * grain)
    planes += rng.standard_normal((size, size), np.float32) * grain
    return np.ascontiguousarray((np.clip(planes, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def _reduced(plane: Plane) -> Plane:
    """Mean over squares of `_FINER` pixels: (..., side, side) -> (..., size, size)."""
    total = sum(plane[..., row::_FINER, column::_FINER] for row in range(_FINER) for column in range(_FINER))
    return np.asarray(total / (_FINER**2), np.float32)
