"""A study of the ladder in parts: one begun on another machine, without the runs of those before, keeps its results beside theirs."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from first_results import RESULTS


def parts(study: str) -> list[dict[str, Any]]:
    """What is kept of a study, ``rungs`` or ``probes``, in the order in which its parts were begun."""
    found = [json.loads(path.read_text()) for path in RESULTS.glob(f"ladder-{study}*.json")]
    return sorted(found, key=lambda one: one["begun"])


def name_of(study: str, begun: str) -> str:
    """Under which name a part is kept, told by when it was begun: its own, where it is kept already."""
    number = 1
    while True:
        name = f"ladder-{study}" if number == 1 else f"ladder-{study}-{number}"
        path = RESULTS / f"{name}.json"
        if not path.exists() or json.loads(path.read_text())["begun"] == begun:
            return name
        number += 1


def whole(documents: Iterable[Mapping[str, Any]], seeds: int) -> set[str]:
    """The arms that have all their cells, so that their runs are needed no more but as what others are held against."""
    return {
        row["arm"] for one in documents for row in one["table"] if row["mode"] == "finetune" and row["seeds"] >= seeds
    }


def merged(documents: list[dict[str, Any]]) -> dict[str, Any] | None:
    """All ``parts`` as one: each arm, and each difference, as the first that has it tells it; None without parts."""
    if not documents:
        return None
    first, *later = documents
    together = {**first, "parts": len(documents), "pretrainings": dict(first["pretrainings"])}
    for one in later:
        there = {arm["name"] for arm in together["arms"]}
        new = [arm for arm in one["arms"] if arm["name"] not in there]
        names = {arm["name"] for arm in new}
        pairs = {(row["arm"], row["reference"]) for row in together["differences"]}
        together["arms"] = [*together["arms"], *new]
        together["cells"] = [*together["cells"], *(cell for cell in one["cells"] if cell["arm"] in names)]
        together["table"] = [*together["table"], *(row for row in one["table"] if row["arm"] in names)]
        together["differences"] = [
            *together["differences"],
            *(row for row in one["differences"] if (row["arm"], row["reference"]) not in pairs),
        ]
        together["pretrainings"] |= {name: made for name, made in one["pretrainings"].items() if name in names}
        words = {check["words"] for check in together["checks"]}
        together["checks"] = [*together["checks"], *(check for check in one["checks"] if check["words"] not in words)]
        together["seconds"] += one["seconds"]
    return together
