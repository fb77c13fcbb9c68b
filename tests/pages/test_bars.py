"""Charts of bars: from zero, with their numbers, their intervals, their groups."""

import math
import xml.etree.ElementTree as ET

import pytest

from pretint.pages.bars import Bar, Series, bar_chart, group_chart
from pretint.pages.elements import COLOURS

SVG = "{http://www.w3.org/2000/svg}"
GAIN = Bar(name="cGAN", value=0.024, low=0.011, high=0.039)


def texts(svg):
    return [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]


def test_bars_start_at_zero_and_say_their_numbers():
    svg = bar_chart([GAIN, Bar(name="rotation", value=-0.012), Bar(name="none", value=math.nan)], title="Gain")
    gain, rotation = (r for r in ET.fromstring(svg).iter(f"{SVG}rect"))
    zero = float(gain.get("x"))
    assert float(rotation.get("x")) + float(rotation.get("width")) == pytest.approx(zero, abs=0.2)
    assert float(gain.get("width")) == pytest.approx(2 * float(rotation.get("width")), abs=0.3)
    assert {"0.024 [0.011, 0.039]", "−0.012", "no value"} <= set(texts(svg))
    assert svg.count("v-4v8") == 2  # one interval, two ends


def test_the_reference_is_marked_and_named():
    svg = bar_chart([GAIN], title="Gain", reference=0.05, reference_name="constant predictor")
    assert "constant predictor 0.05" in texts(svg)
    assert "constant predictor 0.05" in ET.fromstring(svg)[1].text


def test_dots_of_a_bar():
    bar = Bar(name="cGAN", value=2.0, dots=[1.0, 2.0, 3.0, math.nan])
    root = ET.fromstring(bar_chart([bar], title="Scores"))
    places = [float(circle.get("cx")) for circle in root.iter(f"{SVG}circle")]
    (drawn,) = root.iter(f"{SVG}rect")
    end = float(drawn.get("x")) + float(drawn.get("width"))
    assert places[1] == pytest.approx(end, abs=0.2)
    assert places[2] - places[1] == pytest.approx(places[1] - places[0], abs=0.2)
    assert len(places) == 3


def test_groups_hold_a_bar_a_series_in_its_colour():
    series = [Series(name="scratch", values=[0.2, 0.4]), Series(name="cGAN", values=[0.3, math.nan])]
    svg = group_chart(["cat", "dog"], series, title="AP", value_label="AP")
    root = ET.fromstring(svg)
    bars = [(r.get("fill"), float(r.get("width")), float(r.get("y"))) for r in root.iter(f"{SVG}rect")]
    assert [colour for colour, _, _ in bars] == [COLOURS[0], COLOURS[1], COLOURS[0]]
    assert [width / bars[0][1] for _, width, _ in bars] == pytest.approx([1, 1.5, 2], rel=0.01)
    assert [y for _, _, y in bars] == sorted(y for _, _, y in bars)
    assert {"cat", "dog", "scratch", "cGAN", "AP"} <= set(texts(svg))
    told = [t.text for t in root.iter(f"{SVG}title")]
    assert "dog, scratch: 0.4" in told
    assert root[1].text == "cat, scratch: 0.2; cat, cGAN: 0.3; dog, scratch: 0.4; dog, cGAN: no value"
    with pytest.raises(ValueError, match="2 values"):
        group_chart(["cat", "dog"], [Series(name="a", values=[1.0])], title="AP")


def test_long_names_keep_what_tells_them_apart():
    arms = [f"photos-of-fifteen-thousand-pictures-of-all-kinds, {share} %" for share in (10, 100)]
    found = texts(bar_chart([Bar(name=name, value=1.0) for name in arms], title="Gain"))
    assert len({text for text in found if "…" in text}) == 2
    assert any(text.endswith(", 10 %") for text in found)


def test_many_series_look_different():
    series = [Series(name=f"arm{i}", values=[1.0]) for i in range(2 * len(COLOURS))]
    constant = Series(name="constant predictor", values=[0.5], apart=True)
    svg = group_chart(["cat"], [*series, constant], title="By class")
    looks = [
        tuple((key, rect.get(key)) for key in ("fill", "fill-opacity", "stroke"))
        for rect in ET.fromstring(svg).iter(f"{SVG}rect")
    ]
    assert len(set(looks)) == len(looks) == len(series) + 1
