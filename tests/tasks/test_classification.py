"""Classification: cross-entropy by hand, top-1, exactly one class a picture."""

import math
from pathlib import Path

import pytest
import torch

from pretint.data.layouts import open_source
from pretint.errors import DataError
from pretint.tasks.classification import Options, build
from tests.tasks.batches import batch

TASK = build(Options(), ["even", "odd"])


def test_loss_by_hand() -> None:
    loss = TASK.loss(torch.tensor([[1.0, 1.0], [3.0, 0.0]]), batch(labels=[[1.0, 0.0], [0.0, 1.0]]))
    assert float(loss.total) == pytest.approx(math.log(2) + math.log(1 + math.exp(3)))
    assert loss.count == 2


def test_top1() -> None:
    scores = TASK.meter()
    scores.update(batch(labels=[[1, 0], [0, 1], [0, 1]]), TASK.prediction(torch.tensor([[1.0, 0], [1, 0], [0, 1]])))
    assert scores.compute() == {"top1": pytest.approx(2 / 3)}


def test_the_constant_predictor(sorted_pictures: Path) -> None:
    records = open_source(sorted_pictures, task="labels").split("all")
    assert TASK.frequencies(records, {}) == [0.5, 0.5]
    assert TASK.constant([0.3, 0.7], (2, 2)).argmax(axis=1).tolist() == [1, 1]


def test_none_and_two_labels_are_refused(labelled: Path) -> None:
    task = build(Options(), ["warm", "bright"])
    records = open_source(labelled, task="labels").split("all")  # of no, one, the other, both labels in turn
    for record, count in zip(records[:4], (0, 1, 1, 2), strict=True):
        if count == 1:
            task.check([record], "the list", "choose another")
            continue
        with pytest.raises(
            DataError, match=rf"has {count} of the classes warm, bright|shows none of the classes warm, bright"
        ):
            task.check([record], "the list", "choose another")
    with pytest.raises(DataError, match=r"has 0 of the classes warm, bright; .*--task multilabel"):
        task.check(records, "the list", "choose another")


def test_one_class_alone_is_refused(sorted_pictures: Path) -> None:
    """There would be nothing to learn, and every picture would be right."""
    source = open_source(sorted_pictures, classes=("even",), task="labels")
    records = [record for record in source.split("all") if record.labels == ("even",)]
    with pytest.raises(DataError, match=r"the list has the class even alone, .* two or more .*--task multilabel"):
        build(Options(), source.classes).check(records, "the list", "choose another")
