"""Statuses follow from claim and computation."""

from pretint.reproduction.number import above, at_most, equal, needs_data, needs_no_model, not_reproducible, rounded


def status(make, *values):
    return make("id", "title", "what", *values).status


def test_exact_values():
    assert status(equal, [1, 2], [1, 2]) == "reproduced"
    assert status(equal, 16, 17) == "differs"
    assert status(equal, True, False) == "differs"


def test_rounded_values():
    assert status(rounded, 12.0, 11.96, 1) == "reproduced"
    assert status(rounded, 12.0, 12.06, 1) == "differs"
    assert rounded("id", "title", "what", 44.66, 44.66019417, 2).ours == 44.6602
    assert rounded("id", "title", "what", 44.6602, 44.66019417, 4).ours == 44.660194


def test_bounds():
    assert status(at_most, 1e-6, 1e-6) == "reproduced"
    assert status(at_most, 1e-6, 1.1e-6) == "differs"
    assert status(above, 0, 0.0) == "differs"
    assert status(above, 0, 1e-3) == "reproduced"
    assert at_most("id", "title", "what", 1e-6, 2.7488e-8).claim == "at most 1e-06"


def test_what_is_not_computed_has_no_value():
    assert (needs_data("id", "title", "what", 20.94).ours, status(needs_data, 20.94)) == (None, "needs data")
    assert status(not_reproducible, 24) == "not reproducible"
    assert (needs_no_model("id", "title", "what", 1.5).claim, status(needs_no_model, 1.5)) == (None, "explained")
