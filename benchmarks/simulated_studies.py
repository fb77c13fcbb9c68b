"""How often the statistics of a comparison are right, on simulated scores whose truth is known, as Markdown tables.

    python benchmarks/simulated_studies.py --studies 10000 --seed 0

Three questions: how often a study without any difference says "helped" or "hurt"; how often a true difference is found; how often
the interval of labels saved holds the truth. The tables stand in docs/statistics.md.
"""

import argparse
import math

import numpy as np

from pretint.studies import resampling
from pretint.studies.labels_saved import labels_saved
from pretint.studies.statistics import holm, paired_difference, picture_variance, verdict

SEEDS = (3, 5, 10)
FAMILIES = (1, 3, 9)
FRACTIONS = np.array([0.05, 0.1, 0.25, 0.5, 1.0])
DEVIATION = 0.01  # of the paired differences over seeds, in scores
KINDS = {
    "arms of one kind": (0.0, 1.0),
    "pictures favour an arm a little": (0.3, 1.0),
    "as much as a single run does": (1.0, 1.0),
    "pictures decide": (1.0, 0.2),
}
"""Deviation over pictures of what all seeds share, and of what each run has alone."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=int, default=10_000, help="simulated studies for each number of the first two tables"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    few = max(1, arguments.studies // 5)
    print(f"`python benchmarks/simulated_studies.py --studies {arguments.studies} --seed {arguments.seed}`\n")
    verdicts(arguments.studies, arguments.seed)
    pictures(few, arguments.seed)
    saved(few, arguments.seed)


def verdicts(studies: int, seed: int) -> None:
    """False verdicts without a difference, and differences found, of families of comparisons after Holm."""
    rows: dict[str, list[str]] = {}
    for effect in (0.0, 1.0, 2.0, 3.0):
        for m in FAMILIES:
            name = f"no difference, {m}: any false verdict" if not effect else f"{effect:g} x deviation, {m}: found"
            rows[name] = []
            for n in SEEDS:
                rng = np.random.default_rng([seed, n, m, round(effect)])
                found = [study(rng, n, m, effect) for _ in range(studies)]
                if effect:
                    hits = sum(one[0] == "helped" for one in found)
                else:
                    hits = sum(any(v in ("helped", "hurt") for v in one) for one in found)
                rows[name].append(percent(hits, studies))
    table(["true difference, comparisons", *(f"{n} seeds" for n in SEEDS)], rows)


def study(rng: np.random.Generator, n: int, comparisons: int, effect: float) -> list[str]:
    """Verdicts of `comparisons` arms against one scratch; only the first differs, by `effect` deviations of the difference."""
    ease = rng.normal(0.5, 3 * DEVIATION, n)  # what both arms of a seed share
    scratch = ease + rng.normal(0, DEVIATION / math.sqrt(2), n)
    arms = ease + rng.normal(0, DEVIATION / math.sqrt(2), (comparisons, n))
    arms[0] += effect * DEVIATION
    differences = [paired_difference(arm, scratch) for arm in arms]
    adjusted = holm([difference.p for difference in differences])
    return [verdict(difference, p) for difference, p in zip(differences, adjusted, strict=True)]


def pictures(studies: int, seed: int, count: int = 200) -> None:
    """False verdicts where no difference exists on the population of pictures, with the picture part and without."""
    rows: dict[str, list[str]] = {}
    for kind, (shared, single) in KINDS.items():
        for n in SEEDS:
            rng = np.random.default_rng([seed, n])
            nothing = resampling.top1(np.zeros((n, count)))
            both = alone = 0
            for number in range(studies):
                values = rng.normal(0, shared, count) + rng.normal(0, single, (n, count))
                scores, zeros = values.mean(axis=1), np.zeros(n)
                variance = picture_variance(resampling.top1(values), nothing, count, seed=number, replicates=200)
                with_pictures = paired_difference(scores, zeros, picture_variance=variance, pictures=count)
                both += verdict(with_pictures, with_pictures.p) != "no evidence"
                without = paired_difference(scores, zeros)
                alone += verdict(without, without.p) != "no evidence"
            rows.setdefault(kind, []).append(f"{percent(both, studies)} ({percent(alone, studies)})")
    table([f"{count} test pictures", *(f"{n} seeds" for n in SEEDS)], rows)


def saved(studies: int, seed: int) -> None:
    """Coverage of labels saved: power-law curves, truths within the measured fractions, below and above them."""
    rows: dict[str, list[str]] = {}
    for noise in (0.001, 0.003, 0.01, 0.03):
        cells = []
        for n in (3, 5):
            rng = np.random.default_rng([seed, n])
            covered, closed, factors = 0, 0, []
            for _ in range(studies):
                truth, exponent = math.exp(rng.uniform(math.log(0.03), math.log(1.5))), rng.uniform(0.1, 1.5)
                height = 0.3 / (20**exponent - 1)
                scratch = 0.8 + height - height * truth**-exponent + rng.normal(0, noise, n)
                curve = 0.8 + height - height * FRACTIONS**-exponent
                found = labels_saved(FRACTIONS, scratch, curve[:, None] + rng.normal(0, noise, (len(FRACTIONS), n)))
                covered += (found.low or 0) <= truth <= (math.inf if found.high is None else found.high)
                if found.low is not None and found.high is not None:
                    closed += 1
                    factors.append(found.high / found.low)
            cells += [
                percent(covered, studies),
                percent(closed, studies),
                f"{np.median(factors):.1f}" if factors else "-",
            ]
        rows[f"{100 * noise:g} points"] = cells
    head = [f"{what}, {n} seeds" for n in (3, 5) for what in ("covers", "closed at both ends", "highest / lowest")]
    table(["deviation over seeds", *head], rows)


def percent(count: int, total: int) -> str:
    """A share with one decimal."""
    return f"{100 * count / total:.1f} %"


def table(head: list[str], rows: dict[str, list[str]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


if __name__ == "__main__":
    main()
