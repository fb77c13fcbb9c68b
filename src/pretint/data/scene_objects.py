"""The ten things of synthetic scenes: what they are shaped like, how they feel, and the colours that follow from it.

A painter takes the thing's own coordinates and gives a `Body`. Several things share an outline on purpose (apple,
orange and ball; lemon and leaf; pony and zebra): only their texture tells them apart, and with it their colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pretint.data.scene_painting import Plane, clouds, linear, looked_up, mix, noise, pigment, step


@dataclass(frozen=True, slots=True)
class Body:
    """A painted thing on the pixels (h, w) around it.

    Attributes:
        distance: to its outline in radii, negative inside.
        paint: linear colours (3, h, w) before light falls on it.
        height: of its relief in radii.
        gloss: strength of its highlight in [0, 1].
        polish: exponent of the highlight: high is small and sharp.
    """

    distance: Plane
    paint: Plane
    height: Plane
    gloss: float
    polish: float


Painter = Callable[[np.random.Generator, Plane, Plane], Body]
"""(generator, u, v): u right and v down in the thing's own frame, in radii; a thing fills about [-1, 1] squared."""


def _table(rng: np.random.Generator, rows: int, columns: int) -> Plane:
    return noise(rng, rows, columns, 128, 128)


def _ellipse(u: Plane, v: Plane, x: float, y: float, a: float, b: float) -> Plane:
    """About the distance to an ellipse with half-axes a, b around (x, y)."""
    distance: Plane = (np.hypot((u - x) / a, (v - y) / b) - 1) * min(a, b)
    return distance


def _capsule(u: Plane, v: Plane, start: tuple[float, float], end: tuple[float, float], radius: float) -> Plane:
    """Distance to a thick line."""
    x, y = (end[0] - start[0]), (end[1] - start[1])
    du, dv = u - (start[0]), v - (start[1])
    along = np.clip((du * x + dv * y) / (x * x + y * y), 0, 1)
    return np.hypot(du - along * x, dv - along * y) - radius


def _joined(parts: list[Plane], soft: float = 0.08) -> Plane:
    """Union of shapes whose seams are rounded over ``soft`` radii."""
    whole = parts[0]
    for part in parts[1:]:
        blend = np.maximum(soft - np.abs(whole - part), 0)
        whole = np.minimum(whole, part) - blend * blend * (0.25 / soft)
    return whole


def _swollen(distance: Plane, width: float) -> Plane:
    """Height of a shape that is round at its rim and flat ``width`` radii further in."""
    depth = 1 - np.clip(-distance / width, 0, 1)
    height: Plane = np.sqrt(1 - depth * depth) * width
    return height


def _dome(distance: Plane) -> Plane:
    """Height of a ball-like thing of radius 1."""
    return _swollen(distance, 0.95)


def _round_fruit(rng: np.random.Generator, u: Plane, v: Plane, dip: float) -> Plane:
    """Distance to the outline of a round fruit, a little broad or tall, pressed in at the top by ``dip``."""
    wide = rng.uniform(0.92, 1.06)
    angle = np.abs(np.arctan2(u, -v))  # 0 at the top
    radius = 0.93 - dip * np.exp(-((angle / 0.38) ** 2)) - (0.35 * dip) * np.exp(-(((angle - np.pi) / 0.3) ** 2))
    distance: Plane = np.hypot(u / wide, v * wide) - radius
    return distance


def _over(body: Plane, colour: Plane, distance: Plane, pixel: float) -> Plane:
    """Paint a shape over paint, its edge ``pixel`` wide."""
    return mix(body, colour, step(-distance, 0, pixel))


def apple(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Red; fine streaks that run from the stem, a hollow around it, a clear highlight."""
    red, deep = pigment(rng, ("b3161b", "c8281e", "d1362a", "9c1420")), pigment(rng, ("6e0d14", "8a1414"))
    yellow = pigment(rng, ("d98a3a", "c8502a", "d9a441"))
    distance = _round_fruit(rng, u, v, rng.uniform(0.08, 0.2))
    tilt = rng.uniform(-0.8, -0.45)  # where the hollow shows, on the front
    angle = np.arctan2(u, v - tilt) / np.pi
    table = 0.65 * noise(rng, 3, 56, 128, 256) + 0.35 * noise(rng, 8, 100, 128, 256)
    streaks = looked_up(table, angle, np.hypot(u, v - tilt) - 1)
    paint = mix(
        mix(deep, red, 0.35 + 0.65 * step(streaks, 0.42, 0.4)),
        yellow,
        step(streaks, 0.68, 0.3) * rng.uniform(0.15, 0.6),
    )
    hollow = np.exp(-((u / 0.22) ** 2 + ((v - tilt) / 0.13) ** 2))
    paint = paint * (1 - 0.6 * hollow)
    height = _dome(distance) - 0.22 * hollow
    end = (float(rng.uniform(-0.2, 0.2)), float(tilt) - float(rng.uniform(0.28, 0.42)))
    stem = _capsule(u, v, (0.0, float(tilt)), end, 0.035)
    paint = _over(paint, linear("4a3018"), stem, 0.03)
    return Body(np.minimum(distance, stem), paint, height, rng.uniform(0.25, 0.55), rng.uniform(25, 60))


def orange(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Orange; pores all over, a small green star where the stem was, a broad dull highlight."""
    skin = pigment(rng, ("e8861c", "f09a2a", "e07414"), jitter=0.04)
    distance = _round_fruit(rng, u, v, rng.uniform(0.0, 0.05))
    # Stereographic coordinates: pores crowd towards the rim.
    depth = np.sqrt(np.maximum(1 - u * u - v * v, 0))
    pits = looked_up(_table(rng, 30, 30), u / (1 + depth) * 0.98, v / (1 + depth) * 0.98)
    pits = step(pits, 0.35, 0.3)
    x, y = rng.uniform(-0.25, 0.25), rng.uniform(-0.7, -0.35)
    du, dv = u - x, (v - y) * 1.4
    star = np.hypot(du, dv) - 0.085 - 0.03 * np.cos(5 * np.arctan2(du, dv))
    paint = _over(skin * (0.72 + 0.3 * pits), pigment(rng, ("6a7a2a", "5a6a30")), star, 0.04)
    return Body(distance, paint, _dome(distance) + 0.025 * pits, rng.uniform(0.12, 0.3), rng.uniform(8, 18))


def ball(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Blue and white; smooth segments from pole to pole, or bands, a sharp highlight."""
    blue, white = (
        pigment(rng, ("1f4fb0", "2a62c8", "1c3f94", "2f78c8")),
        pigment(rng, ("f2f2f0", "e6eaf0"), jitter=0.015),
    )
    distance = np.hypot(u, v) - 0.95
    z = np.sqrt(np.maximum(0.95**2 - u * u - v * v, 0))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    x, y, pole = (a * u + b * v + c * z for a, b, c in turn.tolist())
    if rng.random() < 0.65:
        segments = float(rng.integers(3, 6))
        wave = np.sin(np.arctan2(y, x) * segments) * np.hypot(x, y)
        paint = mix(blue, white, step(wave, 0, 0.14))
        paint = mix(paint, blue if rng.random() < 0.5 else white, step(np.abs(pole), 0.87, 0.03))
    else:
        bands = np.cos(pole * rng.uniform(5, 9) + rng.uniform(0, 6))
        paint = mix(blue, white, step(bands, rng.uniform(-0.1, 0.3), 0.2))
    return Body(distance, paint, _dome(distance), rng.uniform(0.35, 0.7), rng.uniform(40, 90))


def lemon(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Yellow; pores, drawn out to a nipple at each end."""
    skin, green = pigment(rng, ("f2d92e", "f0cf2a", "e8dc4a"), jitter=0.03), pigment(rng, ("b8b83a", "c8c040"))
    thick = rng.uniform(0.58, 0.72)
    long = np.clip(np.abs(u), 0, 1.2)
    half = thick * np.sqrt(np.maximum(1 - (long / 0.84) ** 2, 0))
    nipple = 0.15 * np.sqrt(np.maximum(1 - (long / rng.uniform(0.94, 1.0)) ** 2, 0))
    half = np.maximum(half, nipple)
    distance = (np.abs(v) - half) * 0.8
    pits = step(looked_up(_table(rng, 24, 24), u, v), 0.35, 0.35)
    tips = step(np.abs(u), 0.9, 0.4) * rng.uniform(0.1, 0.7)
    paint = mix(skin, green, tips) * (0.8 + 0.21 * pits)
    height = np.sqrt(np.maximum(half * half - v * v, 0.001)) * 0.95 + 0.03 * pits
    return Body(distance, paint, height, rng.uniform(0.15, 0.35), rng.uniform(10, 24))


def leaf(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Green; a midrib, side veins, often a toothed edge, and a stalk."""
    green, vein = pigment(rng, ("2f7a2a", "3f8f32", "5a9a38", "246428")), pigment(rng, ("8fb860", "a8c878"))
    bend = rng.uniform(-0.18, 0.18)
    across = v - bend * (1 - u * u)
    long = np.clip((u + 0.8) / 1.75, 0, 1)  # 0 at the stalk, 1 at the tip
    teeth = rng.uniform(0, 0.05) * np.abs(((long * 9) % 1) - 0.5)
    half = rng.uniform(0.5, 0.7) * (long ** rng.uniform(0.5, 0.7) * (1 - long) ** 0.75 * 1.75 - teeth)
    inside = (long > 0) & (long < 1)
    blade = np.where(inside, (np.abs(across) - half) * 0.75, 0.2)
    stalk = _capsule(u, v, (-0.98, float(bend) * -0.3), (-0.7, float(bend) * 0.5), 0.03)
    side = ((long - 0.42 * np.abs(across)) * rng.uniform(6, 9)) % 1
    lines = np.maximum(step(-np.abs(across), -0.03, 0.03), step(-np.abs(side - 0.5), -0.08, 0.08) * 0.75)
    blotches = 0.75 + 0.5 * looked_up(_table(rng, 9, 9), u, v)
    paint = mix(green * blotches, vein, lines)
    height = 0.06 * (1 - np.abs(side - 0.5) * 2) + 0.25 * np.abs(across) - 0.04 * lines
    return Body(np.minimum(blade, stalk), paint, height, rng.uniform(0.05, 0.25), rng.uniform(8, 20))


def grapes(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Purple; a bunch of round berries with a pale bloom on their skin, on a stem."""
    dark, light = pigment(rng, ("4a1f5e", "5a2470", "3f1a58")), pigment(rng, ("7d3f96", "8a4a9e", "6e3a94"))
    bloom = pigment(rng, ("a58fc0", "b09ac4"), jitter=0.03)
    top = np.full(u.shape, -1.0, np.float32)
    shade = np.zeros(u.shape, np.float32)
    distance = np.full(u.shape, 1.0, np.float32)
    for row, count in enumerate((3, 4, 3, 4, 3, 2, 1)):
        for place in range(count):
            radius = rng.uniform(0.2, 0.26)
            x, y = (place - (count - 1) / 2) * 0.36 + rng.normal(0, 0.04), -0.56 + row * 0.225 + rng.normal(0, 0.03)
            square = (u - x) ** 2 + (v - y) ** 2
            here = np.sqrt(np.maximum((radius**2) - square, 0)) + rng.uniform(0, 0.2)
            berry = np.sqrt(square) - radius
            front = (berry < 0) & (here > top)
            top = np.where(front, here, top)
            shade = np.where(front, rng.random(), shade)
            distance = np.minimum(distance, berry)
    stem = _capsule(u, v, (0.0, -0.6), (float(rng.uniform(-0.15, 0.15)), -0.98), 0.04)
    haze = step(looked_up(_table(rng, 12, 12), u, v), 0.55, 0.5) * rng.uniform(0.2, 0.55)
    # Light hardly comes down between the berries.
    paint = mix(mix(dark, light, shade), bloom, haze) * np.clip(0.25 + 3.2 * top, 0.25, 1)
    paint = mix(paint, linear("6a5a2a"), step(-stem, 0, 0.03) * (distance > 0))
    return Body(np.minimum(distance, stem), paint, np.maximum(top, 0), rng.uniform(0.15, 0.4), rng.uniform(20, 45))


def flower(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Pink; petals with rays along them around a dotted yellow disc."""
    inner, outer = pigment(rng, ("c23a7c", "b02a6a", "d04a90")), pigment(rng, ("f08ab8", "f4a6c8", "e86aa8"))
    petals = float(rng.integers(5, 10))
    angle, radius = np.arctan2(v, u), np.hypot(u, v)
    wave = np.abs(np.cos(angle * (petals / 2)))
    rim = rng.uniform(0.5, 0.7)
    distance = (radius - 0.97 * (rim + (1 - rim) * wave ** rng.uniform(0.5, 0.9))) * 0.85
    rays = looked_up(_table(rng, 3, 60), angle / np.pi, radius - 1)
    paint = mix(inner, outer, np.clip(radius * 1.25 - 0.35 + 0.5 * (rays - 0.5), 0, 1))
    paint = paint * (0.45 + 0.6 * step(wave, 0.15, 0.4))
    disc = radius - rng.uniform(0.2, 0.28)
    dots = looked_up(_table(rng, 34, 34), u, v)
    paint = _over(paint, mix(linear("8a5a14"), linear("f0c43a"), step(dots, 0.45, 0.3)), disc, 0.04)
    height = 0.25 * wave * (1 - 0.3 * radius) + 0.3 * _swollen(disc, 0.25)
    return Body(distance, paint, height, rng.uniform(0.02, 0.12), 10.0)


def bird(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """A kingfisher: teal back and wing in rows of feathers, rusty breast, pale throat, a long bill."""
    teal, pale = pigment(rng, ("12788f", "1a86a0", "10708a")), pigment(rng, ("4fb3c4", "62b8cc"))
    rust, throat = pigment(rng, ("c4702c", "b8622a", "d0803a")), pigment(rng, ("efe6d6", "f4eee4"), jitter=0.02)
    head = (0.42, rng.uniform(-0.48, -0.38))
    body = _joined(
        [
            _ellipse(u, v, -0.02, 0.1, rng.uniform(0.5, 0.6), rng.uniform(0.36, 0.44)),
            _ellipse(u, v, *head, 0.29, 0.27),
            _capsule(u, v, (-0.45, 0.15), (-0.88, rng.uniform(0.2, 0.45)), 0.1),
        ],
        0.2,
    )
    bill = _joined(
        [
            _capsule(u, v, (0.62, head[1] + 0.02), (0.82, head[1] + 0.05), 0.05),
            _ellipse(u, v, 0.85, head[1] + 0.06, 0.16, 0.025),
        ]
    )
    legs = np.minimum(_capsule(u, v, (0.0, 0.45), (0.02, 0.75), 0.03), _capsule(u, v, (0.16, 0.4), (0.2, 0.75), 0.03))
    wing = _ellipse(u + 0.45 * v, v, -0.12, 0.06, rng.uniform(0.42, 0.5), rng.uniform(0.22, 0.28))
    rows = (u * 0.9 + v * 0.5) * rng.uniform(6, 8)
    scallop = (rows + 0.35 * np.abs(np.sin((v - 0.5 * u) * rng.uniform(10, 14)))) % 1
    down = looked_up(_table(rng, 30, 30), u, v)
    back = mix(teal, pale, step(scallop, 0.8, 0.3) * 0.8)
    breast = step(v - 0.55 * u, rng.uniform(0.12, 0.25), 0.1) * step(u, -0.55, 0.2)
    paint = mix(mix(teal, pale, 0.7 * step(down, 0.6, 0.3)), rust * (0.75 + 0.5 * down), breast)
    paint = _over(paint, throat, _ellipse(u, v, head[0] + 0.08, head[1] + 0.22, 0.17, 0.09), 0.05)
    paint = _over(paint, back, wing, 0.03)
    paint = _over(paint, linear("1c1a1a"), bill, 0.02)
    paint = _over(paint, linear("0d0d10"), np.hypot(u - (head[0] + 0.1), v - (head[1] - 0.04)) - 0.055, 0.02)
    paint = mix(paint, linear("8a3a20"), step(-legs, 0, 0.03) * (body > 0))
    height = _swollen(body, 0.4) + 0.3 * _swollen(wing, 0.2) + 0.02 * scallop * (wing < 0)
    return Body(np.minimum(np.minimum(body, bill), legs), paint, height, rng.uniform(0.05, 0.2), 14.0)


def _beast(rng: np.random.Generator, u: Plane, v: Plane) -> tuple[Plane, Plane, tuple[float, float]]:
    """Distance to a four-legged animal seen from the side, to its far legs, and where its head is."""
    head = (rng.uniform(0.6, 0.7), rng.uniform(-0.5, -0.3))
    foot, thick = rng.uniform(0.72, 0.86), rng.uniform(0.1, 0.15)
    swing = rng.uniform(-0.1, 0.1, 4).tolist()
    near = [
        _ellipse(u, v, -0.05, 0.0, rng.uniform(0.58, 0.64), rng.uniform(0.3, 0.38)),
        _ellipse(u, v, *head, 0.23, rng.uniform(0.18, 0.22)),
        _capsule(u, v, (0.36, -0.05), head, 0.17),
        _capsule(u, v, (head[0] + 0.1, head[1] + 0.05), (head[0] + 0.24, head[1] + 0.1), 0.1),
        _capsule(u, v, (head[0] - 0.08, head[1] - 0.12), (head[0] - 0.1, head[1] - rng.uniform(0.2, 0.28)), 0.06),
        _capsule(u, v, (-0.42, 0.1), (-0.46 + swing[0], foot), thick),
        _capsule(u, v, (0.34, 0.1), (0.36 + swing[1], foot), thick),
        _capsule(u, v, (-0.62, -0.08), (-0.8, rng.uniform(0.0, 0.3)), 0.045),
    ]
    far = [
        _capsule(u, v, (-0.3, 0.1), (-0.22 + swing[2], foot - 0.05), thick * 0.9),
        _capsule(u, v, (0.2, 0.1), (0.14 + swing[3], foot - 0.05), thick * 0.9),
    ]
    return _joined(near, 0.1), np.minimum(*far), head


def pony(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Brown; shaggy fur all over."""
    brown, tip = pigment(rng, ("6a4022", "7a4a26", "5a361c")), pigment(rng, ("a8743f", "b8844a", "96642f"))
    near, far, head = _beast(rng, u, v)
    warp = looked_up(_table(rng, 5, 5), u, v) * 0.3
    fur = looked_up(_table(rng, 36, 64), np.clip(u + 0.25 * v + warp - 0.25, -1, 1), np.clip(v + 0.5 * warp, -1, 1))
    paint = mix(brown, tip, step(fur, 0.5, 0.8))
    paint = paint * (1 - 0.5 * step(-far, 0, 0.03) * (near > 0))
    return _face(near + 0.03 * (fur - 0.5), far, head, u, v, paint, 0.025 * fur, 0.05)


def zebra(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Black and white, a little warm; stripes that bend around the body and lie across the legs."""
    black, white = pigment(rng, ("1a1614", "26201c"), jitter=0.03), pigment(rng, ("efe9dd", "e8e0d2"), jitter=0.02)
    near, far, head = _beast(rng, u, v)
    warp = looked_up(_table(rng, 4, 4), u, v) * 3
    legs = step(v, 0.35, 0.3)
    often = rng.uniform(15, 22)
    phase = (u + 0.25 * v * np.sign(u)) * often * (1 - legs) + v * often * 1.2 * legs + warp
    paint = mix(black, white, step(np.sin(phase), rng.uniform(-0.25, 0.15), 0.5))
    paint = paint * (1 - 0.45 * step(-far, 0, 0.03) * (near > 0))
    return _face(near, far, head, u, v, paint, 0.0 * u, 0.1)


def _face(
    near: Plane, far: Plane, head: tuple[float, float], u: Plane, v: Plane, paint: Plane, rough: Plane, gloss: float
) -> Body:
    """Eye and nose on an animal, and its relief."""
    dark = linear("14100e")
    paint = _over(paint, dark, np.hypot(u - (head[0] + 0.06), v - (head[1] - 0.04)) - 0.03, 0.02)
    paint = _over(paint, dark, np.hypot(u - (head[0] + 0.33), v - (head[1] + 0.08)) - 0.05, 0.03)
    return Body(np.minimum(near, far), paint, _swollen(near, 0.3) + rough, gloss, 10.0)


def stone(rng: np.random.Generator, u: Plane, v: Plane) -> Body:
    """Grey to tan and rough: no class of its own, it belongs to the background and is there to be mistaken."""
    grey = pigment(rng, ("8a8580", "a39a8c", "77726c", "948672"), jitter=0.03)
    lumps = looked_up(clouds(rng, 7, 7, 128, 128, 4), u, v)
    outline = 0.12 * np.sin(3 * np.arctan2(v, u) + rng.uniform(0, 6))
    distance = np.hypot(u, v * rng.uniform(1.05, 1.4)) - 0.85 - outline - 0.1 * (lumps - 0.5)
    return Body(distance, grey * (0.55 + 0.9 * lumps), _dome(distance) + 0.22 * lumps, 0.03, 8.0)


UPRIGHT: dict[str, float] = {"pony": 0.12, "zebra": 0.12, "bird": 0.35, "apple": 0.6, "grapes": 0.4}
"""Largest turn in radians either way; the others lie at any angle."""

PAINTERS: dict[str, Painter] = {
    "apple": apple,
    "orange": orange,
    "ball": ball,
    "lemon": lemon,
    "leaf": leaf,
    "grapes": grapes,
    "flower": flower,
    "bird": bird,
    "pony": pony,
    "zebra": zebra,
}
"""The object classes in the order of their mask ids, which begin at 1."""
