"""From finished cells to what a study says: table, differences with intervals, labels saved, the verdict."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pretint.run_folder import write_atomically
from pretint.studies import checks, statistics
from pretint.studies.arms import Arm, independent
from pretint.studies.folder import StudyFolder
from pretint.studies.headline import headline
from pretint.studies.labels_saved import labels_saved
from pretint.studies.options import CompareOptions
from pretint.studies.plan import Job, seeds_of
from pretint.studies.variances import Pair, Variances

Cell = dict[str, Any]
_COLUMNS = ("arm", "mode", "depth", "fraction", "seed", "state", "score", "seconds")


class Results:
    """Reads the finished cells of a study and works out what they say.

    Args:
        folder: of the study.
        score: that the arms are compared by.
        arms: of the study.
        options: of the study.
    """

    def __init__(self, folder: StudyFolder, score: str, arms: Sequence[Arm], options: CompareOptions) -> None:
        self.folder, self.score, self.arms, self.options = folder, score, arms, options
        self.variances = Variances(folder, score)

    def best_rate(self, trials: Sequence[Job], options: CompareOptions) -> float | None:
        """The rate with the best score on validation pictures, of equals the smaller; one that diverged is none. None unless all
        trials are finished, and one of them came to its end."""
        if not trials:
            return options.rates_to_try[0] if len(options.rates_to_try) == 1 else options.rate
        tried = self._tried(trials)
        found = [(score, -rate) for rate, score in tried if score is not None]
        return -max(found)[1] if found and len(tried) == len(trials) else None

    def _tried(self, trials: Sequence[Job]) -> list[tuple[float, float | None]]:
        """Rates of finished trials and their scores on validation pictures; None of one that diverged."""
        return [
            (job.rate, outcome["held_out"].get(self.score))
            for job in trials
            if (outcome := self.folder.outcome(job.key))
        ]

    def document(
        self,
        head: Mapping[str, Any],
        trials: Mapping[str, Sequence[Job]],
        cells: Mapping[str, Sequence[Job]],
        rates: Mapping[str, float],
        failed: Mapping[str, str],
        findings: Sequence[dict[str, str]],
        *,
        compute: bool = True,
    ) -> dict[str, Any]:
        """The content of study.json.

        Args:
            head: what the study knows of itself.
            trials: of learning rates, by arm.
            cells: by arm.
            rates: chosen, by arm.
            failed: why, by key.
            findings: of the checks that were made before the first cell.
            compute: also variances over pictures that no worker has computed yet; else what needs them is left out for now.
        """
        found = [cell for arm in self.arms for job in cells[arm.name] for cell in self._cells(job, failed)]
        differences = self._differences(found, compute)
        arms = [self._arm(arm, trials[arm.name], cells[arm.name], rates) for arm in self.arms]
        saved = self._labels_saved(found, compute)
        table = self._table(found)
        constants = [o["constant"] for jobs in cells.values() for job in jobs if (o := self.folder.outcome(job.key)) and "constant" in o]  # fmt: skip
        return {
            **head,
            "fractions": list(self.options.fractions),
            "seeds": list(range(self.options.seed, self.options.seed + self.options.seeds)),
            "modes": list(self.options.modes),
            "arms": arms,
            "cells": found,
            "table": table,
            "differences": differences,
            "labels_saved": saved,
            "constant": constants[0] if constants else None,
            "checks": [
                *findings,
                *checks.of_failures(failed),
                *checks.of_looks(head.get("looked_at", ())),
                *checks.of_arms(self.arms, arms),
                *checks.of_rates(arms, self.options),
                *checks.of_floor(table, constants[0][self.score] if constants else None),
            ],
            "failed": dict(failed),
            "verdict": headline(differences, saved, head["state"], self.options.modes[0]),
        }

    def write_table(self, document: Mapping[str, Any]) -> None:
        """table.csv: one line a cell."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(document["cells"])
        write_atomically(self.folder.path / "table.csv", text.getvalue().encode())

    # Cells

    def _cells(self, job: Job, failed: Mapping[str, str]) -> list[Cell]:
        outcome = self.folder.outcome(job.key)
        common = {"arm": job.arm, "seed": job.seed}
        if job.kind == "features":
            if outcome is None:
                state, error = ("failed", failed[job.key]) if job.key in failed else ("waiting", None)
                return [
                    {**common, "key": job.key, "mode": mode, "depth": None, "fraction": fraction, "state": state,
                     "score": None, "scores": {}, "seconds": None, "error": error}
                    for mode in job.modes for fraction in job.fractions
                ]  # fmt: skip
            share = round(outcome["seconds"] / max(1, len(outcome["cells"])), 2)
            return [
                {**common, **cell, "state": "finished", "score": cell["scores"][self.score], "seconds": share, "error": None}
                for cell in outcome["cells"]
            ]  # fmt: skip
        cell = {**common, "key": job.key, "mode": "finetune", "depth": None, "fraction": job.fraction}
        if outcome is None:
            state, error = ("failed", failed[job.key]) if job.key in failed else ("waiting", None)
            return [{**cell, "state": state, "score": None, "scores": {}, "seconds": None, "error": error}]
        scores = outcome["scores"]
        return [
            {**cell, "state": "finished", "score": scores[self.score], "scores": scores, "seconds": outcome["seconds"],
             "error": None}
        ]  # fmt: skip

    def _arm(self, arm: Arm, trials: Sequence[Job], cells: Sequence[Job], rates: Mapping[str, float]) -> dict[str, Any]:
        outcomes = [outcome for job in (*trials, *cells) if "loaded" in (outcome := self.folder.outcome(job.key) or {})]
        return {
            "name": arm.name,
            "init": list(arm.inits),
            "planes": arm.planes,
            "reference": arm.reference,
            "loaded": outcomes[0]["loaded"] if outcomes else None,
            "parts": outcomes[0]["parts"] if outcomes else [],
            "rate": rates.get(arm.name),
            "search": [{"rate": rate, "score": score} for rate, score in self._tried(trials)],
            "pretrainings": 0 if arm.from_nothing else len(arm.inits),
            "seeds": list(seeds_of(arm, self.options)),
        }

    # Statistics

    def _comparisons(self) -> list[tuple[Arm, str]]:
        """Arms and what each is compared with."""
        return [
            (arm, other)
            for arm in self.arms
            for other in dict.fromkeys(filter(None, (None if arm.added else arm.reference, arm.against)))
        ]

    def _groups(self, cells: Sequence[Cell]) -> dict[tuple[str, int | None, float], dict[str, list[Cell]]]:
        """Finished cells by (mode, depth, fraction) and arm, in the order of their seeds."""
        groups: dict[tuple[str, int | None, float], dict[str, list[Cell]]] = {}
        for cell in cells:
            if cell["state"] == "finished":
                group = groups.setdefault((cell["mode"], cell["depth"], cell["fraction"]), {})
                group.setdefault(cell["arm"], []).append(cell)
        return groups

    def _table(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Each arm at each place. Where its seeds share several pretrainings, these are what is independent, and the mean, its
        interval and the deviation are of their means."""
        rows = []
        pretrainings = {arm.name: len(arm.inits) for arm in self.arms}
        for (mode, depth, fraction), arms in self._groups(cells).items():
            for arm, found in arms.items():
                one = statistics.interval(_by_pretraining(pretrainings[arm], found))
                rows.append(
                    {"arm": arm, "mode": mode, "depth": depth, "fraction": fraction, "seeds": len(found), "independent": one.n,
                     "mean": one.mean, "deviation": one.deviation, "low": one.low, "high": one.high}
                )  # fmt: skip
        return rows

    def _differences(self, cells: Sequence[Cell], compute: bool) -> list[dict[str, Any]]:
        """Each arm against its reference and what it names besides, where both have finished all their seeds; corrected within
        each mode."""
        found: list[tuple[dict[str, Any], statistics.Difference]] = []
        for (mode, depth, fraction), arms in self._groups(cells).items():
            for arm, reference in self._comparisons():
                mine, others = arms.get(arm.name, []), arms.get(reference, [])
                if len(mine) != self.options.seeds or len(others) != self.options.seeds:
                    continue
                several = independent(arm, next(one for one in self.arms if one.name == reference))
                known = self.variances.get(Pair(_keys(mine), _keys(others), several), compute=compute)
                if known is None:
                    continue
                variance, pictures = known
                difference = statistics.paired_difference(
                    _by_pretraining(several, mine),
                    _by_pretraining(several, others),
                    picture_variance=variance,
                    pictures=pictures,
                    spread=_spread(mine, others),
                )
                where: dict[str, Any] = {
                    "arm": arm.name,
                    "reference": reference,
                    "mode": mode,
                    "depth": depth,
                    "fraction": fraction,
                }
                found.append((where, difference))
        rows = []
        for mode in self.options.modes:
            family = [(where, one) for where, one in found if where["mode"] == mode]
            adjusted = statistics.holm([one.p for _, one in family]) if family else np.empty(0)
            comparisons = sum(one.p is not None for _, one in family)
            for (where, one), p_holm in zip(family, adjusted.tolist(), strict=True):
                verdict = statistics.verdict(one, p_holm)
                words = statistics.words(
                    one,
                    verdict,
                    arm=where["arm"],
                    reference=where["reference"],
                    comparisons=comparisons,
                    unit=self._unit(one.n),
                )
                rows.append(
                    {**where, "seeds": one.n, "mean": one.mean, "deviation": one.deviation, "low": one.low,
                     "high": one.high, "p": one.p, "p_holm": None if math.isnan(p_holm) else p_holm,
                     "comparisons": comparisons, "verdict": verdict, "words": words}
                )  # fmt: skip
        return rows

    def _labels_saved(self, cells: Sequence[Cell], compute: bool) -> list[dict[str, Any]]:
        """How few labels an arm needs for the score of its reference with all of them."""
        fractions = sorted(self.options.fractions)
        if fractions[-1] != 1 or len(fractions) < 2:
            return []
        by_arm: dict[tuple[str, int | None], dict[str, dict[float, list[Cell]]]] = {}
        for (mode, depth, fraction), arms in self._groups(cells).items():
            for name, found in arms.items():
                if len(found) == self.options.seeds:
                    by_arm.setdefault((mode, depth), {}).setdefault(name, {})[fraction] = found
        rows: list[dict[str, Any]] = []
        for (mode, depth), of_arms in by_arm.items():
            for arm in self.arms:
                mine, others = of_arms.get(arm.name, {}), of_arms.get(arm.reference or "", {})
                if arm.added or len(mine) < len(fractions) or 1 not in others:
                    continue
                # What the test pictures add is taken from the arms with all labels, at every fraction.
                known = self.variances.get(Pair(_keys(mine[1]), _keys(others[1]), len(arm.inits)), compute=compute)
                if known is None:
                    continue
                variance, pictures = known
                full = _by_pretraining(len(arm.inits), others[1])
                saved = labels_saved(
                    fractions,
                    full,
                    [_by_pretraining(len(arm.inits), mine[fraction]) for fraction in fractions],
                    picture_variance=variance,
                    pictures=pictures,
                    arm=arm.name,
                    reference=arm.reference or "",
                    unit=self._unit(len(full)),
                )
                rows.append(
                    {"arm": arm.name, "reference": arm.reference, "mode": mode, "depth": depth,
                     "fraction": saved.fraction, "low": saved.low, "high": saved.high, "already": saved.already, "words": saved.words}
                )  # fmt: skip
        return rows

    def _unit(self, count: int) -> str:
        """What so many independent scores are of."""
        return "pretraining" if count < self.options.seeds else "seed"


def _by_pretraining(several: int, cells: Sequence[Cell]) -> list[float]:
    scores: list[float] = statistics.by_pretraining(several, np.array([cell["score"] for cell in cells])).tolist()
    return scores


def _spread(mine: Sequence[Cell], others: Sequence[Cell]) -> float | None:
    """How far single trainings of one arm lie apart over seeds: root mean square of the two arms' deviations."""
    if len(mine) < 2:
        return None
    return math.sqrt(sum(np.var([cell["score"] for cell in cells], ddof=1) for cells in (mine, others)) / 2)


def _keys(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(cell["key"] for cell in cells)
