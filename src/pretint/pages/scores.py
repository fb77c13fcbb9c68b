"""Scores as pages show them: their names, those in [0, 1] in points, and charts of scores by class. Loads no torch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAMES = {
    "map": "mAP",
    "f1_micro": "F1, micro",
    "f1_macro": "F1, macro",
    "miou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "top1": "top-1 accuracy",
    "ap": "average precision",
    "f1": "F1",
    "iou": "IoU",
    "accuracy": "accuracy",
}
"""Scores of tasks, all in [0, 1]: pages show them in points. Every other score keeps its name and its unit."""

_WITH_UNITS = {
    "ab_error": ("colour error", "CIELAB units of a and b"),
    "grey_ab_error": ("colour error of grey", "CIELAB units of a and b"),
    "chroma_share": ("chroma", "share of the originals'"),
}

CONSTANT = "constant predictor"
"""What an arm of knowing nothing is called."""
POINTS = "Scores are in points: 100 times a score that lies between 0 and 1."


def named(score: str) -> str:
    """The score's name in words."""
    return NAMES.get(score) or _WITH_UNITS.get(score, (score.replace("_", " "), ""))[0]


def labelled(score: str) -> str:
    """The score's name with its unit, for an axis or a column."""
    unit = "points" if score in NAMES else _WITH_UNITS.get(score, ("", ""))[1]
    return f"{named(score)}, {unit}" if unit else named(score)


def in_points(score: str, value: float | None) -> float | None:
    """A score of a task in points; others, and what is not there, as they are."""
    return 100 * value if value is not None and score in NAMES else value


def hundred(value: float | None, digits: int = 2) -> float | None:
    """A score in [0, 1], or a difference of two, in points."""
    return None if value is None else round(100 * value, digits)


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def first_up(text: str) -> str:
    """The text with a capital first letter, but for names that are written otherwise, such as mAP."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def whole_scores(scores: Mapping[str, Any]) -> list[str]:
    """Names of the scores that are one number."""
    return [name for name, value in scores.items() if not isinstance(value, Mapping)]


def scores_by_class(scores: Mapping[str, Any]) -> list[str]:
    """Names of the scores that are one number a class."""
    return [name for name, value in scores.items() if isinstance(value, Mapping)]


def mean_by_class(results: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Each class's mean over those results, such as seeds, that have a value for it."""
    gathered: dict[str, list[float]] = {}
    for result in results:
        for name, value in result.items():
            gathered.setdefault(name, []).extend([] if value is None else [value])
    return {name: sum(values) / len(values) if values else None for name, values in gathered.items()}


def class_chart(
    score: str, arms: Mapping[str, Mapping[str, float | None]], *, where: str = "", caption: str = ""
) -> dict[str, Any]:
    """A chart of one score by class, a bar an arm; ``arms`` maps an arm to its score of each class, in [0, 1]."""
    classes = list(dict.fromkeys(name for arm in arms.values() for name in arm))
    series = [
        {"name": name, "values": [hundred(arm.get(one), 1) for one in classes], "apart": name == CONSTANT}
        for name, arm in arms.items()
    ]
    return {
        "kind": "groups",
        "title": first_up(f"{named(score)} by class{where}"),
        "groups": classes,
        "series": series,
        "value_label": f"{named(score)}, points",
        "caption": caption,
    }


def class_table(score: str, arms: Mapping[str, Mapping[str, float | None]], *, where: str = "") -> dict[str, Any]:
    """The numbers of `class_chart`."""
    classes = list(dict.fromkeys(name for arm in arms.values() for name in arm))
    return {
        "caption": first_up(f"{named(score)} by class{where}, points"),
        "columns": ["class", *arms],
        "rows": [[one, *(hundred(arm.get(one), 1) for arm in arms.values())] for one in classes],
    }
