"""What a study runs: every arm the same training but for what the arm is."""

from pathlib import Path
from typing import Any

import pytest

from pretint import recipe
from pretint.commands.compare import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.layouts import open_source
from pretint.errors import DataError, OptionError
from pretint.studies.arms import resolve
from pretint.studies.options import CompareOptions
from pretint.studies.plan import Pictures, cells, check_positives, epochs_at, searches, seeds_of
from pretint.studies.work import options_of
from tests.experiments.tiny_runs import COMMON

PICTURES = Pictures(training=100, held_out=20, test=30)


def options(**changes: Any) -> CompareOptions:
    given = {"task": "multilabel", "data": "d", "out": "o", **COMMON, **changes}
    chosen: CompareOptions = options_from_call(SCHEMA, given)
    return chosen


def test_few_labels_get_as_many_steps() -> None:
    study = options(epochs=10, batch_size=8, least_steps=50)
    assert epochs_at(study, 100) == (10, 120)  # 12 steps an epoch: enough
    assert epochs_at(study, 20) == (25, 50)  # 2 steps an epoch
    assert epochs_at(study, 5) == (50, 50)  # less than a batch: one step an epoch
    assert epochs_at(options(epochs=10, batch_size=8, least_steps=0), 20) == (10, 20)


def test_arms_differ_in_nothing_but_what_they_are() -> None:
    study = options(seeds=3, fractions=[0.25, 1.0], least_steps=0)
    arms = resolve(["again=scratch@first-seed=7", "random-frozen"], recipe.as_values(study))
    jobs = {arm.name: cells(arm, study, Path("o"), PICTURES, rate=0.01) for arm in arms}
    assert {len(found) for found in jobs.values()} == {6}
    for one, other in zip(jobs["scratch"], jobs["random-frozen"], strict=True):
        differing = {name for name in one.values if one.values[name] != other.values[name]}
        assert differing == {"init", "out"}
        assert (one.fraction, one.seed, one.steps) == (other.fraction, other.seed, other.steps)
    assert [job.seed for job in jobs["again"]] == [7, 7, 8, 8, 9, 9]
    keys = [job.key for found in jobs.values() for job in found]
    assert len(set(keys)) == len(keys) == 18


def test_a_schedule_of_two_phases_is_searched_as_a_whole() -> None:
    """The second phase is as long and as fast, in proportion, whatever the number of epochs and the rate."""
    two = {
        "epochs": 4,
        "frozen_epochs": 3,
        "rate": 0.0003,
        "unfrozen_rate": 0.00005,
        "batch_size": 4,
        "least_steps": 200,
    }
    study = options(fractions=[0.1], **two)
    (scratch,) = resolve([], recipe.as_values(study))
    for job in searches(scratch, study, Path("o"), PICTURES):
        assert (job.values["epochs"], job.values["frozen_epochs"]) == (100, 75)
        assert job.values["unfrozen_rate"] / job.values["rate"] == pytest.approx(1 / 6)


def test_a_cell_is_a_fine_tuning_of_its_own() -> None:
    study = options(fractions=[0.25], least_steps=60, classes=["a", "b"])
    (scratch,) = resolve([], recipe.as_values(study))
    job = cells(scratch, study, Path("o"), PICTURES, rate=0.02)[1]
    made = options_of(job.values)
    assert (made.fraction, made.seed, made.rate, made.init, made.resume) == (0.25, 1, 0.02, "scratch", True)
    assert (made.epochs, made.classes, made.task, made.out) == (10, ("a", "b"), "multilabel", Path("o/runs") / job.key)
    assert made.loop.validate_every == 5  # as many validations as the two epochs that were asked for have
    assert made.validation == study.validation


def test_the_search_is_declared_and_on_a_seed_of_its_own() -> None:
    study = options(seeds=2, fractions=[0.25, 1.0], rate=0.003)
    (scratch,) = resolve([], recipe.as_values(study))
    trials = searches(scratch, study, Path("o"), PICTURES)
    assert [job.rate for job in trials] == [0.001, 0.003, 0.009]
    assert {job.fraction for job in trials} == {0.25}
    assert {job.seed for job in trials}.isdisjoint(seeds_of(scratch, study))
    assert searches(scratch, options(rates=[0.5]), Path("o"), PICTURES) == []


def test_a_class_that_the_smallest_part_lacks_is_named(labelled: Path) -> None:
    source = open_source(labelled)
    arms = resolve([], recipe.as_values(options()))
    check_positives(source, options(fractions=[0.5]), arms)
    with pytest.raises(DataError, match=r"--fractions 0\.1: only 0 of its 1 pictures show .* take a larger fraction"):
        check_positives(source, options(fractions=[0.1, 1.0]), arms)
    check_positives(source, options(fractions=[0.1], least_positives=0), arms)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fractions": [0.0]}, "--fractions 0"),
        ({"fractions": [1.5]}, "--fractions 1.5"),
        ({"seeds": 0}, "--seeds"),
        ({"fractions": [0.1, 0.1]}, "--fractions 0.1 0.1: names something twice"),
        ({"jobs": 0}, "--jobs 0"),
        ({"rates": [-1.0]}, "--rates -1"),
        ({"task": "segmentation", "modes": ["knn"]}, "--modes"),
    ],
)
def test_options_that_cannot_be(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        options(**changes)


def test_rates_cannot_be_chosen_on_nothing() -> None:
    with pytest.raises(OptionError, match="--validation 0: the learning rates are chosen on validation pictures"):
        options(validation=0).check_search()
    options(validation=0, rates=[0.1]).check_search()
