"""The axes of charts: where a value stands, which values are marked, how a number is written. Loads no torch."""

import math
from dataclasses import dataclass
from typing import Literal

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Axis:
    """Maps values low..high to start..end in units of the viewBox; what is higher, such as an interval's end, stands at the end.

    Of a quantity that is whole, such as epochs, only whole numbers are marked.
    """

    low: float
    high: float
    start: float
    end: float
    scale: Scale = "linear"
    whole: bool = False

    def place(self, value: float) -> float:
        low, high, v = self.low, self.high, min(value, self.high)
        if self.scale == "log":
            low, high, v = math.log10(low), math.log10(high), math.log10(v)
        return self.start + (v - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        return log_ticks(self.low, self.high) if self.scale == "log" else linear_ticks(self.low, self.high, self.whole)


def most_of(label: str) -> float:
    """The largest value that a quantity can have, told by the unit that ends its label: points end at 100."""
    return 100.0 if label.endswith("points") else math.inf


def padded(values: list[float], scale: Scale, share: float = 0.05, most: float = math.inf) -> tuple[float, float]:
    """The range of an axis: that of the values and a little more, but not above the most that there can be; never empty."""
    if not values:
        return (1.0, 10.0) if scale == "log" else (0.0, 1.0)
    low, high = min(values), max(values)
    if scale == "log":
        low, high = math.log10(low), math.log10(high)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.5 if scale == "log" else abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
    else:
        room = (high - low) * share
        low, high = low - room, high + room
    if scale == "log":
        low, high = 10**low, 10**high
    return low, min(high, most) if low < most else high


def linear_ticks(low: float, high: float, whole: bool = False) -> list[tuple[float, str]]:
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough)
    step = max(step, 1.0) if whole else step
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    large = max(abs(low), abs(high)) >= 1e4 or decimals > 5
    labels = [short_number(v) for v in values] if large else []
    if len(set(labels)) < len(values):  # four digits do not tell them apart, or fewer do
        labels = [f"{v or 0.0:.{decimals}f}".replace("-", "−") for v in values]
    return list(zip(values, labels, strict=True))


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    def between(factors: tuple[int, ...], every: int = 1) -> list[float]:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        all_values = (m * 10.0**e for e in range(first, last + 1, every) for m in factors)
        return [v for v in all_values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]

    decades = math.log10(high) - math.log10(low)
    values = between((1, 2, 5)) if decades <= 2.5 else between((1,), math.ceil(decades / 8))
    return [(v, short_number(v)) for v in values] if len(values) > 1 else linear_ticks(low, high)


def short_number(value: float) -> str:
    """Four digits, with k and M for thousands and millions."""
    value = value or 0.0  # no minus before a zero
    size = abs(value)
    if not math.isfinite(value):
        text = "no value"
    elif size >= 1e9 or 0 < size < 1e-4:
        text = f"{value:.3g}"
    elif size >= 1e6:
        text = f"{value / 1e6:.4g}M"
    elif size >= 1e4:
        text = f"{value / 1e3:.4g}k"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−") if math.isfinite(value) else text
