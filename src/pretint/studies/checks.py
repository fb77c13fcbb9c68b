"""The traps of such comparisons, looked at one by one; each finding is a line of the report.

A finding is ``{"name", "state", "words"}``; the state is ``ok``, ``warning``, or ``unknown`` where it cannot be told here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretint.data.duplicates import Copies, near_copies
from pretint.data.looks import LOOKS
from pretint.data.processes import default_workers
from pretint.data.record import Record, fingerprint
from pretint.errors import DataError, PretintError
from pretint.experiments.architecture import FROM_NOTHING, architecture_of
from pretint.experiments.environment import resumptions
from pretint.inference.trained_on import listed, parted, without_left_out
from pretint.run_folder import MANIFEST, RunFolder, checksum, data_folders
from pretint.shipped import where
from pretint.studies.arms import Arm, more_than_seeds
from pretint.studies.options import CompareOptions
from pretint.terminal import counted, percent
from pretint.training.checkpoint import WEIGHTS
from pretint.training.progress import counting

Finding = dict[str, str]

LAST_PART = 0.25
"""Share of a pretraining's epochs at its end that tells whether its score still moved."""
STILL_FALLING = 0.01
"""Relative improvement in that part above which the pretraining may be too short."""
_ROUNDING = 1e-9  # of a mean over seeds
_NAMED = 3  # pictures that a sentence names
_LOOKING = "looking for copies"


@dataclass(frozen=True)
class Leaks:
    """Test pictures that (nearly) stand in an arm's unlabelled pictures too, and what was found on the way."""

    ids: frozenset[str]
    findings: list[Finding]


def weights_of(arms: Sequence[Arm]) -> dict[str, str]:
    """By run or file that an arm starts from: what tells its weights from all others."""
    found = {}
    for init in {init: None for arm in arms if not arm.from_nothing for init in arm.inits}:
        path = where(init)
        if (path / MANIFEST).is_file():
            best = RunFolder.open(path).checkpoint("best")
            found[init] = f"{best.name} {checksum(best / WEIGHTS)[:16]}"
        else:
            found[init] = checksum(path)[:16]
    return found


def leaks(arms: Sequence[Arm], test: Sequence[Record], folder: Path, keep: bool, quiet: bool) -> Leaks:
    """Look for near copies of test pictures in what the arms were pretrained on.

    Args:
        arms: of the study.
        test: pictures of the test list.
        folder: of the study; looks at pictures are kept there.
        keep: whether copies are scored on all the same.
        quiet: show no progress.
    """
    findings: list[Finding] = []
    found: dict[str, str] = {}
    known: dict[str, Copies] = {}
    with counting(_LOOKING, quiet) as progress:
        for arm in arms:
            name = f"copies of test pictures, {arm.name}"
            for run, called in () if arm.from_nothing else _lineage(arm.inits).items():
                if not (run / MANIFEST).is_file():
                    words = f"{called}: what its weights were trained on is not known, so leaks cannot be looked for."
                    findings.append(_finding(name, "unknown", words))
                    continue
                try:
                    pool = _pool(RunFolder.open(run))
                except PretintError as error:
                    findings.append(_finding(name, "unknown", f"{run.name}: its pictures are not here to be looked at ({error})."))  # fmt: skip
                    continue
                these = fingerprint(pool)
                if these not in known:  # several runs on one pool are looked at once
                    known[these] = near_copies(pool, test, default_workers(), folder / LOOKS, progress, [run / LOOKS])
                copies = known[these]
                found |= {one: pools[0] for one, pools in copies.in_test.items()}
                findings.append(_told(_copies_finding(name, run, len(pool), copies.in_test, keep), copies))
    return Leaks(frozenset(found), findings)


def copies_in_training(training: Sequence[Record], test: Sequence[Record], folder: Path, quiet: bool) -> Finding:
    """Look for near copies of test pictures in the training list; arguments as for :func:`leaks`."""
    with counting(_LOOKING, quiet) as progress:
        copies = near_copies(training, test, default_workers(), folder / LOOKS, progress)
    name = "copies in the training list"
    if not copies.in_test:
        return _told(_finding(name, "ok", "No test picture is a near copy of a training picture."), copies)
    words = (
        f"{len(copies.in_test)} test pictures are near copies of training pictures ({_named(copies.in_test)}): "
        "every arm has seen them, so scores are too high."
    )
    return _told(_finding(name, "warning", words), copies)


def _told(finding: Finding, copies: Copies) -> Finding:
    """The finding, and what could not be compared."""
    return finding | {"words": f"{finding['words']} {copies.not_compared}."} if copies.not_compared else finding


def of_arms(arms: Sequence[Arm], told: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What was loaded, whether the heads are alike, whether the pretraining was long enough."""
    findings = []
    parts = {}
    for arm, one in zip(arms, told, strict=True):
        if arm.from_nothing or one["loaded"] is None:
            continue
        state = "ok" if one["loaded"] > 0.5 else "warning"
        pieces = " and ".join(one["parts"])
        words = f"{arm.name}: {one['loaded']:.1%} of the parameters were loaded ({pieces})."
        findings.append(_finding(f"weights loaded, {arm.name}", state, words))
        parts[arm.name] = tuple(one["parts"])
        findings += [
            finding for run in map(where, arm.inits) if (run / MANIFEST).is_file()
            if (finding := _long_enough(arm.name, RunFolder.open(run)))
        ]  # fmt: skip
    if len(set(parts.values())) > 1:
        words = "; ".join(f"{name}: {' and '.join(loaded)}" for name, loaded in parts.items())
        findings.append(
            _finding(
                "what was loaded differs",
                "warning",
                f"Arms differ in which parts were loaded ({words}), so a difference between them is not of the backbone alone.",
            )
        )
    return findings


def of_failures(failed: Mapping[str, str]) -> list[Finding]:
    """Whether cells failed: what they belong to is compared only once all its seeds are there."""
    if not failed:
        return []
    words = (
        f"{counted(len(failed), 'cell or trial', 'cells or trials')} failed ({', '.join(list(failed)[:_NAMED])}); comparisons that lack a seed are left out "
        "until --resume has run them."
    )
    return [_finding("cells that failed", "warning", words)]


def of_environments(environments: Sequence[Mapping[str, Any]], cells: int) -> list[Finding]:
    """Whether the study's cells and trials, of which so many are finished, were computed by one code on one machine."""
    told = resumptions(with_cells(environments, cells))
    if not told:
        return []
    words = f"The study went on in another environment {'; and '.join(told)}. Arms compared across it may differ by that alone."
    return [_finding("environment", "warning", words)]


def with_cells(environments: Sequence[Mapping[str, Any]], cells: int) -> list[Mapping[str, Any]]:
    """The environments of a study, of which so many cells and trials are finished, in which some were finished.

    One in which the study was only summed up, for instance, changes no score.
    """
    ends = [*(one["cells"] for one in environments[1:]), cells]
    return [one for one, end in zip(environments, ends, strict=False) if end > one.get("cells", 0)]


def of_rates(told: Sequence[Mapping[str, Any]], options: CompareOptions) -> list[Finding]:
    """Whether a chosen learning rate lies at the edge of those that were tried, and whether a training diverged at one."""
    rates = sorted(options.rates_to_try)
    if "finetune" not in options.modes or len(rates) < 2:
        return []
    findings = []
    diverged = [
        f"{one['name']} at {tried['rate']:g}" for one in told for tried in one["search"] if tried["score"] is None
    ]
    if diverged:
        words = f"The training diverged at a rate that was tried ({', '.join(diverged)}), which was not chosen."
        findings.append(_finding("rates that diverged", "warning", words))
    edges = {one["name"]: one["rate"] for one in told if one["rate"] in (rates[0], rates[-1])}
    if edges:
        words = ", ".join(f"{name} {rate:g}" for name, rate in edges.items())
        told_so = f"The best rate lies at the edge of those that were tried ({words}); a wider --rates may serve these arms better."
        findings.append(_finding("learning rates", "warning", told_so))
    elif all(one["rate"] is not None for one in told):
        words = "No arm's best learning rate lies at the edge of those that were tried."
        findings.append(_finding("learning rates", "ok", words))
    return findings


def of_looks(seeds: Sequence[int]) -> list[Finding]:
    """Whether seeds were added to a study that had results already; arguments: its earlier numbers of seeds."""
    if not seeds:
        return []
    words = (
        f"Seeds were added after there were results of {' and of '.join(map(str, seeds))}. Every look is a further chance of a "
        "false verdict, and p speaks of the present seeds alone."
    )
    return [_finding("seeds that were added", "warning", words)]


def of_floor(table: Sequence[Mapping[str, Any]], constant: float | None) -> list[Finding]:
    """Whether an arm scores no more than the constant predictor does: what learned nothing tells nothing of pretraining."""
    best: dict[tuple[str, str, float], float] = {}
    for row in table:
        place = (row["arm"], row["mode"], row["fraction"])
        best[place] = max(row["mean"], best.get(place, -math.inf))
    if constant is None or not (floored := [place for place, mean in best.items() if mean <= constant + _ROUNDING]):
        return []
    named = ", ".join(f"{arm} ({mode}, {percent(fraction)} of the labels)" for arm, mode, fraction in floored)
    words = (
        f"No better than the constant predictor: {named}. Nothing was learned there, so that differences say nothing of "
        "pretraining; more steps (--epochs, --least-steps) or another rate may help."
    )
    return [_finding("nothing learned", "warning", words)]


def of_pretrainings(arms: Sequence[Arm]) -> list[Finding]:
    """Whether the runs that arms start from have come to their end, and whether those of an arm repeat one recipe."""
    findings = []
    for arm in arms:
        for run in (run for run in map(where, arm.inits) if (run / MANIFEST).is_file()):
            state = RunFolder.open(run).manifest.get("state")
            if state != "finished":
                words = f"{arm.name}: {run.name} is {state}, not finished; its best checkpoint so far was taken."
                findings.append(_finding(f"state of the pretraining, {arm.name}", "warning", words))
        pairs = [more_than_seeds(arm.inits[0], other) or [] for other in arm.inits[1:]]
        if others := sorted({name for names in pairs for name in names} - {"seed"}):
            words = (
                f"{arm.name}: its pretrainings differ in more than their seed ({', '.join(others)}), so that their spread is no longer "
                "that of chance alone."
            )
            findings.append(_finding(f"pretrainings of one recipe, {arm.name}", "warning", words))
    return findings


def of_sizes(arms: Sequence[Arm], size: int) -> list[Finding]:
    """Whether the pictures of the study are as large as those of the pretrainings, where these differ; features are of a scale."""
    sizes = {
        arm.name: sorted({told["size"] for init in arm.inits if "size" in (told := architecture_of(init))})
        for arm in arms
    }
    if len({one for found in sizes.values() for one in found}) < 2:
        return []
    named = ", ".join(f"{name} at {' and '.join(map(str, found))} px" for name, found in sizes.items() if found)
    return [
        _finding(
            "sizes of the pretrainings",
            "warning",
            f"Pretrained at different sizes: {named}; all are trained here at {size} px (--size).",
        )
    ]


def _long_enough(arm: str, run: RunFolder) -> Finding | None:
    """Whether the score on held-out pictures still moved at the end of a pretraining."""
    manifest = run.manifest
    if manifest["kind"] != "pretrain":
        return None
    name = f"length of the pretraining, {arm}"
    best = run.pointer("best")
    score = best["score"] if best else None
    # A score that is no number is not written.
    courses = [entry[score] for entry in run.metrics() if entry["kind"] == "validation" and score in entry]
    if not best or len(courses) < 4:
        return _finding(name, "unknown", f"{arm}: too few validations tell whether its pretraining was long enough.")
    rising = best["value"] == max(courses) != min(courses)
    before = courses[: max(1, round(len(courses) * (1 - LAST_PART)))]
    earlier = max(before) if rising else min(before)
    gained = abs(best["value"] - earlier) / abs(earlier) if earlier else 0.0
    if gained > STILL_FALLING:
        words = (
            f"{arm}: its pretext's held-out {score} still improved by {gained:.1%} in the last quarter of the epochs "
            f"({earlier:.4g} to {best['value']:.4g}); the pretraining may be too short."
        )
        return _finding(name, "warning", words)
    return _finding(name, "ok", f"{arm}: its pretext's held-out {score} had settled ({best['value']:.4g}).")


def _lineage(inits: Sequence[str]) -> dict[Path, str]:
    """Runs and files behind an arm, with their names: its own, and what these were fine-tuned from."""
    found: dict[Path, str] = {}
    waiting = list(inits)
    while waiting:
        init = waiting.pop(0)
        path = where(init)
        if path in found:
            continue
        found[path] = Path(init).name
        if (path / MANIFEST).is_file():
            manifest = RunFolder.open(path).manifest
            before = manifest.get("init") or manifest["options"].get("init")
            waiting += [] if before is None or before in FROM_NOTHING else [before]
    return found


def _pool(run: RunFolder) -> Sequence[Record]:
    """The pictures that a run was trained on, those that it held out among them.

    Raises:
        DataError: they are not there, or others lie there now.
    """
    manifest = run.manifest
    options, data = manifest["options"], manifest.get("data", {})
    pool = without_left_out(listed(manifest), run.path)
    known = data.get("training", 0) + data.get("held_out", 0)
    part = options.get("fraction", 1) < 1  # of which pictures cannot be told without their labels
    if known and (len(pool) < known if part else not _same(pool, options, data, known)):
        raise DataError(
            f"{', '.join(data_folders(manifest))}: holds other pictures than those that {run.path.name} was trained on"
        )
    return pool


def _same(pool: Sequence[Record], options: Mapping[str, Any], data: Mapping[str, Any], known: int) -> bool:
    """Whether a pool is that of a run, by the fingerprint of its two parts; of labelled pictures by their number."""
    if len(pool) != known or "folders" not in data:
        return len(pool) == known
    return fingerprint(*parted(pool, options)) == str(data["fingerprint"])


def _copies_finding(name: str, run: Path, pool: int, copies: Mapping[str, Sequence[str]], keep: bool) -> Finding:
    if not copies:
        return _finding(name, "ok", f"{run.name}: no test picture is a near copy of its {counted(pool, 'picture')}.")
    what = "they are scored on all the same" if keep else "they are left out for every arm"
    words = f"{run.name}: {counted(len(copies), 'test picture')} {'is a near copy' if len(copies) == 1 else 'are near copies'} of its {counted(pool, 'picture')} ({_named(copies)}); {what}."
    return _finding(name, "warning", words)


def _named(copies: Mapping[str, Sequence[str]]) -> str:
    pairs = [f"{one} = {others[0]}" for one, others in copies.items()]
    more = f", and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
    return ", ".join(pairs[:_NAMED]) + more


def _finding(name: str, state: str, words: str) -> Finding:
    return {"name": name, "state": state, "words": words}
