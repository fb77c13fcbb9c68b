"""The report of one run, or of several beside each other: facts, curves, progress. Loads no torch.

It reads the runs' folders alone, so it can be built while they run.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pretint.pages.curves import compared_curves, training_curves
from pretint.pages.facts import compared_facts, differing_options, facts, shown_environment
from pretint.pages.progress import progress_images
from pretint.pages.scores import NAMES, POINTS, in_points, listed, named
from pretint.run_folder import RunFolder
from pretint.terminal import counted

_KINDS = {"pretrain": "Pretraining", "finetune": "Fine-tuning"}


def runs_document(folders: Sequence[Path], commands: Sequence[str] = ()) -> dict[str, Any]:
    """The document of a page about runs, as `pretint.pages.page.write_page` takes it.

    Args:
        folders: of one run or more.
        commands: what makes the runs, and the page, again.
    Raises:
        RunError: a folder holds no run, or its run.json is damaged.
    """
    runs = dict(zip(_distinct(folders), map(RunFolder.open, folders), strict=True))
    document = _one(*runs.items()) if len(runs) == 1 else _several(runs)
    environments = [run.manifest.get("environment", {}) for run in runs.values()]
    scored = any(score in NAMES for run in runs.values() for score in _scores(run))
    return {
        **document,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "summary": [*document["summary"], *([POINTS] if scored else [])],
        "commands": list(commands),
        "environment": shown_environment(environments[0]) if all(e == environments[0] for e in environments) else {},
    }


def _one(item: tuple[str, RunFolder]) -> dict[str, Any]:
    name, run = item
    kind = run.manifest.get("kind", "")
    progress = progress_images(run)
    return {
        "title": f"{_KINDS.get(kind, 'Run')} {name}",
        "verdict": _told(run),
        "summary": _unfinished({name: run}),
        "sections": [
            {"heading": "Curves", "charts": training_curves(run)},
            *([{"heading": "Progress", "images": progress}] if progress else []),
            {"heading": "The run", "tables": [{"caption": "", "columns": ["", ""], "rows": facts(run)}]},
        ],
        "notes": _limits([run]),
    }


def _several(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    progress = [
        {**image, "caption": f"{name}. {image['caption']}", "alt": f"{name}: {image['alt']}"}
        for name, run in runs.items()
        for image in progress_images(run)
    ]
    differing = differing_options(runs)
    return {
        "title": f"Runs {listed(list(runs))}",
        "verdict": _compared(runs),
        "summary": _unfinished(runs),
        "sections": [
            {"heading": "Curves", "charts": compared_curves(runs)},
            *([{"heading": "Progress", "images": progress}] if progress else []),
            {"heading": "The runs", "tables": [compared_facts(runs), *([differing] if differing else [])]},
        ],
        "notes": [
            *_data_differ(runs),
            "Each is one run: a difference between two of them holds for their seeds. pretint compare repeats them and tells how sure it is.",
            *_limits(list(runs.values())),
        ],
    }


def _told(run: RunFolder) -> str:
    """What the run has reached, in a sentence."""
    best = run.pointer("best")
    epochs = run.manifest.get("options", {}).get("epochs")
    if not best or "score" not in best:
        state = str(run.manifest.get("state"))
        if state == "finished":
            all_of_them = f" its {counted(epochs, 'epoch')}" if epochs else ""
            return f"The run has finished{all_of_them}, without a score on held-out pictures."
        begun = max((entry.get("epoch", 0) for entry in run.metrics()), default=0)
        stands = {"failed": "failed", "interrupted": "was interrupted"}.get(state, "is")
        at = f"Nothing can be said yet: the run {stands} in epoch {begun} of {epochs}."
        return at if begun else "The run has no scores."
    score, epoch = best["score"], best["epoch"]
    at = f"after epoch {epoch} of {epochs}" if epochs else f"after epoch {epoch}"
    held_out = next((e for e in run.metrics() if e.get("epoch") == epoch and e.get("kind") == "validation"), {})
    error = best["value"] if score == "ab_error" else held_out.get("ab_error")
    if error is not None:  # which says more than what a pretext is trained by
        grey = held_out.get("grey_ab_error")
        beside = f"; leaving them grey, by {grey:.2f}" if grey is not None else ""
        by = "" if score == "ab_error" else f" by {_value(score, best['value'])}"
        return (
            f"On held-out pictures the predicted colours are off by {error:.2f} CIELAB units{beside} (best{by}, {at})."
        )
    return f"At best it has {_value(score, best['value'])} on held-out pictures, {at}."


def _compared(runs: Mapping[str, RunFolder]) -> str:
    """The runs in the order of their best held-out score, where they have the same one."""
    best = {name: run.pointer("best") for name, run in runs.items()}
    scored = {name: entry for name, entry in best.items() if entry and "score" in entry}
    scores = {entry["score"] for entry in scored.values()}
    if not scored or len(scores) > 1:
        return f"{len(runs)} runs beside each other."
    (score,) = scores
    order = list(scored)
    if score in NAMES or score == "ab_error":
        order.sort(key=lambda name: scored[name]["value"], reverse=score in NAMES)
    told = [f"{name} {_number(score, scored[name]['value'])}" for name in order]
    missing = [name for name in runs if name not in scored]
    without = f"; {listed(missing)} {'has' if len(missing) == 1 else 'have'} none yet" if missing else ""
    unit = "points of mean IoU" if score == "miou" else f"points of {named(score)}" if score in NAMES else named(score)
    unit += " (less is better)" if score == "ab_error" else ""
    return f"Best on held-out pictures, in {unit}: {', '.join(told)}{without}."


def _unfinished(runs: Mapping[str, RunFolder]) -> list[str]:
    states = {name: run.manifest.get("state") for name, run in runs.items()}
    running = [f"{name} is {state}" for name, state in states.items() if state not in ("finished", None)]
    return [f"Not finished: {listed(running)}. What is shown may change."] if running else []


def _data_differ(runs: Mapping[str, RunFolder]) -> list[str]:
    prints = {run.manifest.get("data", {}).get("fingerprint") for run in runs.values()}
    return ["The runs were trained on different data: their scores cannot be compared."] if len(prints) > 1 else []


def _limits(runs: Sequence[RunFolder]) -> list[str]:
    return (
        [
            "Held-out pictures choose the checkpoint, so that scores on them are a little too good; pretint evaluate scores test pictures."
        ]
        if any(_scores(run) for run in runs)
        else []
    )


def _scores(run: RunFolder) -> list[str]:
    entries = [entry for entry in run.metrics() if entry.get("kind") == "validation"]
    return list(dict.fromkeys(score for entry in entries for score in entry if score not in ("step", "epoch", "kind")))


def _value(score: str, value: float) -> str:
    return (
        f"{_number(score, value)} points of {named(score)}"
        if score in NAMES
        else f"{named(score)} {_number(score, value)}"
    )


def _number(score: str, value: float) -> str:
    return f"{in_points(score, value):.1f}" if score in NAMES else f"{value:.4g}"


def _distinct(folders: Sequence[Path]) -> list[str]:
    """Names of the folders with as much of what lies above as tells them apart."""
    whole = [folder.resolve() for folder in folders]
    for parts in range(1, max(len(path.parts) for path in whole) + 1):
        names = ["/".join(path.parts[-parts:]) for path in whole]
        if len(set(names)) == len(names):
            break
    return names
