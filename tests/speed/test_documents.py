"""The numbers of a measurement follow from its timings: shares of peak and roofline, gains, the limiting stage, by hand."""

from pathlib import Path
from typing import Any

import pytest

from pretint.speed.ladders import curves_document, steps_document
from pretint.speed.parts import colorize_document, feed_document
from pretint.speed.plan import Plan, StepCase
from pretint.speed.samples import Sample
from pretint.speed.session import Session
from pretint.speed.work import Work

CASE = StepCase(name="made", title="made up", recipe="small", batch=4, seconds=0)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    plan = Plan(steps=(CASE,), trained={"photos": ("small", {})}, megapixels=(12, 48))
    return Session(plan, tmp_path, lambda *_: None, "cpu", "bf16")


def timed(session: Session, *key: str, seconds: tuple[float, ...]) -> None:
    session.samples[key] = [Sample(one) for one in seconds]


def medians(found: dict[str, Any]) -> dict[str, Any]:
    """Estimates as their medians."""
    return {name: one["median"] if isinstance(one, dict) and "median" in one else one for name, one in found.items()}


def test_shares_of_peak_and_roofline(session: Session) -> None:
    """Of a step of 4 x 1 GFLOP and 2 GB; peaks of 100 and 400 GFLOP/s and 10 GB/s."""
    session.facts["step", "made"] = Work(flop=1e9, bytes=2e9)
    session.facts["waits", "made"] = 1.5
    for kind, amount in {"float32": 2e11, "bf16": 8e11, "copy": 2e10}.items():
        session.facts["peak", kind] = amount, 1
        timed(session, "peak", kind, seconds=(2.0,))
    timed(session, "step", "made", "plain", seconds=(0.4, 0.5, 0.32))
    timed(session, "step", "made", "pretint, bf16", seconds=(0.25,))
    (document,) = steps_document(session)
    # At the peaks a step takes 0.04 s + 0.2 s in float32, 0.01 s + 0.2 s in bf16.
    assert medians(document["roofline_images_per_second"]) == pytest.approx({"float32": 4 / 0.24, "bf16": 4 / 0.21})
    plain, ours = document["rungs"]
    assert medians(plain) == {
        "name": "plain",
        "seconds": 0.4,
        "images_per_second": pytest.approx(10),
        "against_plain": 1,
        "share_of_peak": pytest.approx(0.1),
        "share_of_roofline": pytest.approx(0.6),
    }
    assert (plain["share_of_roofline"]["low"], plain["share_of_roofline"]["high"]) == pytest.approx((0.48, 0.75))
    assert medians(ours) == {
        "name": "pretint, bf16",
        "seconds": 0.25,
        "images_per_second": pytest.approx(16),
        "against_plain": pytest.approx(1.6),
        "share_of_peak": pytest.approx(0.04),
        "share_of_roofline": pytest.approx(0.84),
    }
    assert (document["gflop_a_picture"], document["optimizer_megabytes"], document["synchronizations"]) == (
        1,
        2000,
        1.5,
    )


def test_without_a_peak_there_is_no_share_of_it(session: Session) -> None:
    session.facts["step", "made"] = Work(flop=1e9, bytes=2e9)
    session.facts["peak", "bf16"] = None  # the device does not have it
    timed(session, "step", "made", "pretint, bf16", seconds=(0.25,))
    (document,) = steps_document(session)
    (ours,) = document["rungs"]
    assert (ours["against_plain"], ours["share_of_peak"], ours["share_of_roofline"]) == (None, None, None)
    assert ours["images_per_second"]["median"] == pytest.approx(16)


def test_the_feed_names_the_stage_that_limits(session: Session) -> None:
    session.facts["ways",] = (("files", 500.0), ("shards", None))
    seconds = {"read": 0.001, "decode": 0.004, "resize": 0.002, "augment": 0.0005, "transfer": 0.0001, "Lab": 0.003}
    for stage, one in seconds.items():
        timed(session, "stage", "photos", stage, seconds=(one,))
    timed(session, "way", "files", seconds=(0.008,))
    timed(session, "waits", seconds=(0.1, 0.3, 0.2))
    document = feed_document(session)
    assert document is not None
    (training,) = document["trainings"]
    assert training["limiting"] == "decode"
    assert training["reading_seconds"] == pytest.approx(0.007)  # read, decode and resize, by the readers
    assert training["device_seconds"] == pytest.approx(0.0036)
    assert training["stages"]["Lab"]["pictures_per_second"]["median"] == pytest.approx(1 / 0.003)
    assert [medians(way) for way in document["ways"]] == [
        {"name": "files", "goal": 500.0, "pictures_per_second": pytest.approx(125)}
    ]
    assert document["waits"]["median"] == 0.2


def test_a_folder_is_held_against_the_network(session: Session) -> None:
    for way, seconds in {"plain": 0.1, "network": 0.02, "alike": 0.01, "folder": 0.0125}.items():
        timed(session, "colorize", way, seconds=(seconds,))
    timed(session, "large", "12", seconds=(2.0,))
    for stage, seconds in {"read": 0.5, "network": 0.25, "colours": 0.75}.items():
        timed(session, "large", "12", stage, seconds=(seconds,))
    document = colorize_document(session)
    assert document is not None
    (photo,) = document.pop("photos")  # that of 48 megapixels was not measured
    assert (photo["megapixels"], photo["seconds"]["median"]) == (12, 2.0)
    assert photo["stages"] == {"read": 0.5, "network": 0.25, "colours": 0.75, "write": 0.5}
    assert medians(document) == {
        "folder_pictures_per_second": pytest.approx(80),
        "alike_pictures_per_second": pytest.approx(100),
        "network_pictures_per_second": pytest.approx(50),
        "plain_pictures_per_second": pytest.approx(10),
        "folder_share": pytest.approx(0.8),
        "network_gain": pytest.approx(5),
    }


def test_curves_are_held_against_their_last_point(session: Session) -> None:
    for at, work, seconds in (("64 px", 1.0, 0.3), ("128 px", 4.0, 0.8)):
        timed(session, "curve", "resolution", at, seconds=(seconds,))
        session.facts["curve", "resolution", at] = work
    (curve,) = curves_document(session)
    assert [point["to_linear"] for point in curve["points"]] == pytest.approx([1.5, 1])
    assert [(point["at"], point["work"]) for point in curve["points"]] == [("64 px", 1.0), ("128 px", 4.0)]
    assert (curve["name"], curve["unit"]) == ("resolution", "GFLOP")
