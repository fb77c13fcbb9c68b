"""The whole at sizes that mean nothing: every part answers, every table is filled, a stop keeps what there is."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pretint.errors import ResourceError
from pretint.speed import plan
from pretint.speed.children import Child
from pretint.speed.measuring import measure
from pretint.speed.page import section
from pretint.speed.plain_steps import LADDERS
from pretint.speed.plan import PARTS
from tests.speed.plans import tiny


@pytest.mark.long
def test_every_part() -> None:
    said: list[str] = []
    asked = plan.chosen(tiny(), parts=(*PARTS, plan.CURVES), threads=1)
    document = json.loads(json.dumps(measure(asked, lambda part, doing, left: said.append(part))))
    assert list(dict.fromkeys(said)) == list(asked.parts)
    assert not document["interrupted"]
    assert document["missing"] == {}
    assert {"float32", "bf16", "copy"} <= {peak["kind"] for peak in document["peaks"]}
    for step, pretext in zip(document["step"], ("cgan", "regression"), strict=True):
        names = [rung["name"] for rung in step["rungs"]]
        assert names[: len(LADDERS[pretext])] == [rung.name for rung in LADDERS[pretext]]
        assert names[len(LADDERS[pretext])] == "pretint, float32"
        assert all(rung["images_per_second"]["median"] > 0 for rung in step["rungs"])
    assert set(document["feed"]["trainings"][0]["stages"]) == {"read", "decode", "resize", "augment", "transfer", "Lab"}
    assert 0 <= document["feed"]["waits"]["median"] <= 1
    assert document["colorize"]["photos"][0]["seconds"]["median"] > 0
    assert all(row.get("GB", 1) > 0.05 for row in document["memory"])
    assert len(document["curves"]) == 4
    assert "not measured" in {target["answer"] for target in document["targets"]}
    assert "### Targets" in section(document)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_was_measured(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(session: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    monkeypatch.setattr("pretint.speed.measuring.MEASURES", {"peaks": lambda session: None, "step": stopped})
    document = measure(plan.chosen(tiny(), parts=("peaks", "step", "feed")))
    assert document["interrupted"]
    assert document["step"] == []


@pytest.mark.parametrize("end", [KeyboardInterrupt(), ResourceError("too little memory")], ids=["stop", "memory"])
def test_an_end_within_the_last_curve_keeps_what_was_measured(
    end: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed(child: Child, *, count: int) -> dict[str, Any]:
        if count > plan.PICTURES[0]:
            raise end
        return {"sample": {"seconds": 2.0}}

    monkeypatch.setattr("pretint.speed.ladders.curves", lambda most: {})
    monkeypatch.setattr("pretint.speed.session.photos.write", lambda folder, count: Path(folder).mkdir())
    monkeypatch.setattr(Child, "start", lambda child: {})
    monkeypatch.setattr(Child, "ask", feed)
    document = measure(plan.chosen(tiny(), parts=(plan.CURVES,)))
    assert document["interrupted"] == isinstance(end, KeyboardInterrupt)
    (curve,) = document["curves"]
    assert [(point["at"], point["work"]) for point in curve["points"]] == [
        (f"{plan.PICTURES[0]} pictures", plan.PICTURES[0])
    ]
    assert curve["points"][0]["seconds"]["median"] == 2.0


def test_a_fault_of_memory_is_noted_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(session: object) -> None:
        raise ResourceError("too little memory")

    done: list[str] = []
    monkeypatch.setattr(
        "pretint.speed.measuring.MEASURES", {"peaks": short, "step": lambda session: done.append("step")}
    )
    document = measure(plan.chosen(tiny(), parts=("peaks", "step")))
    assert document["missing"] == {"peaks": "too little memory"}
    assert done == ["step"]
