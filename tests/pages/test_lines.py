"""Charts of lines, and what holds for all charts: well-formed, safe to put in a page, right places, nothing lost, readable on light and dark."""

import itertools
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretint.pages.bars import Bar, Series, bar_chart, group_chart
from pretint.pages.elements import COLOURS
from pretint.pages.lines import BESIDE, MOST_POINTS, Line, line_chart

SVG = "{http://www.w3.org/2000/svg}"
GAIN = Bar(name="cGAN", value=0.024, low=0.011, high=0.039)
SCORES = Line(name="cGAN", x=[0.01, 0.1, 1], y=[0.2, 0.3, 0.4], low=[0.1, 0.2, 0.3], high=[0.3, 0.4, 0.5])


def texts(svg):
    return [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]


def curve(svg, number=0):
    """The corners of the series' line, as runs of (x, y)."""
    root = ET.fromstring(svg)
    lines = [p.get("d") for p in root.findall(f"{SVG}path") if p.get("stroke") in COLOURS and "h26" not in p.get("d")]
    return [tuple(map(float, pair.split())) for pair in lines[number][1:].split("L")]


@pytest.mark.parametrize(
    "svg",
    [
        line_chart([SCORES], title="mAP", x_label="labels", y_label="mAP", x_scale="log"),
        bar_chart([GAIN], title="Gain", value_label="mAP", reference=0.01, reference_name="goal"),
        line_chart([], title="none"),
        bar_chart([], title="none"),
        group_chart(["cat", "dog"], [Series(name="cGAN", values=[0.3, math.nan])], title="AP", value_label="AP"),
        group_chart([], [], title="none"),
    ],
)
def test_the_page_may_hold_it(svg):
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("viewBox").startswith("0 0 640 ")
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text
    assert not any(element.get("id") for element in root.iter())
    assert not re.search(r"<script|<style|href|url\(", svg)
    assert 'fill="currentColor"' in svg


def test_names_are_escaped():
    hostile = '<script>"&\x00'
    for svg in (
        line_chart([Line(name=hostile, x=[1], y=[1])], title=hostile, x_label=hostile, y_label=hostile),
        bar_chart([Bar(name=hostile, value=1)], title=hostile, reference=0.5, reference_name=hostile),
        group_chart([hostile], [Series(name=hostile, values=[1])], title=hostile, value_label=hostile),
    ):
        assert "<script" not in svg
        assert '<script>"&�' in ET.fromstring(svg)[0].text


def test_points_stand_where_they_belong():
    svg = line_chart([SCORES], title="mAP", x_scale="log")
    (x0, y0), (x1, y1), (x2, y2) = curve(svg)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)  # decades are equally wide
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y1  # higher values higher up
    ticks = {t.text: float(t.get("x")) for t in ET.fromstring(svg).iter(f"{SVG}text")}
    assert (ticks["0.01"], ticks["1"]) == pytest.approx((x0, x2), abs=0.2)


def test_epochs_are_marked_whole_and_points_to_a_hundred():
    perfect = Line(name="cGAN", x=[1, 2], y=[100, 100], low=[98, 98], high=[104, 104])
    svg = line_chart([perfect], title="mAP", x_label="epoch", y_label="mAP, points", interval="bars")
    marked = [float(text) for text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    assert max(marked) == 100
    assert [value for value in marked if value < 10] == [1, 2]
    ends = [float(y) for y in re.findall(r'd="M[\d.]+ [\d.]+L[\d.]+ ([\d.]+)M', svg)]
    (hundred,) = [float(t.get("y")) - 4 for t in ET.fromstring(svg).iter(f"{SVG}text") if t.text == "100.0"]
    assert min(ends) == pytest.approx(hundred, abs=0.2)  # the interval ends where points do, and its numbers stay
    assert "100 [98, 104]" in svg
    halves = texts(line_chart([Line(name="l", x=[0.5, 1.5], y=[1, 2])], title="t"))
    assert {"0.6", "0.8"} <= set(halves)
    full = bar_chart([Bar(name="a", value=100)], title="t", value_label="F1, points")
    assert max(float(text) for text in texts(full) if re.fullmatch(r"[\d.]+", text)) == 100


def test_bands_and_bars_of_an_interval():
    root = ET.fromstring(line_chart([SCORES], title="mAP"))
    band = next(p.get("d") for p in root.findall(f"{SVG}path") if p.get("fill-opacity") == "0.18")
    assert band.endswith("Z")
    assert band.count("L") == 5  # three lower ends, three upper ends
    assert line_chart([SCORES], title="mAP", interval="bars").count("h-4h8") == 6  # two ends of three


def centres(svg):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in ET.fromstring(svg).iter(f"{SVG}circle")]


def test_series_with_bars_stand_beside_each_other():
    same = [Line(name=name, x=[1, 2], y=[3, 4], low=[2, 3], high=[4, 5]) for name in "abc"]
    svg = line_chart(same, title="mAP", interval="bars")
    uprights = [float(x) for x in re.findall(r'd="M([\d.]+) [\d.]+L\1 [\d.]+M', svg)]  # of the intervals
    first, second = sorted(uprights)[:3], sorted(uprights)[3:]
    for places in (first, second):
        assert [b - a for a, b in itertools.pairwise(places)] == pytest.approx([BESIDE] * 2, abs=0.2)
    assert second[0] - first[-1] > 100


def test_dots_stand_at_their_values_beside_the_bar():
    line = Line(
        name="cGAN", x=[1, 10], y=[3, 5], low=[2, 4], high=[4, 6], dots=[(1, 2), (1, 3), (10, 9), (10, math.nan)]
    )
    dots = centres(line_chart([line], title="mAP", x_scale="log", interval="bars"))
    (x0, y0), (x1, y1), (x2, y2) = dots
    assert x0 == x1 < x2
    assert y0 - y1 == pytest.approx((y1 - y2) / 6, abs=0.2)  # 2, 3 and 9; nothing lies outside the chart
    assert min(y for _, y in dots) > 34


def test_a_reference_is_a_dashed_line_with_its_name():
    svg = line_chart([SCORES], title="mAP", reference=0.05, reference_name="constant predictor")
    root = ET.fromstring(svg)
    (dashed,) = [p for p in root.findall(f"{SVG}path") if p.get("stroke-dasharray") == "4 3"]
    y = float(dashed.get("d").split("L")[0].split()[1])
    assert y > max(place for _, place in curve(svg))  # 0.05 is below all of the line
    assert "constant predictor 0.05" in texts(svg)
    assert "constant predictor 0.05" in root[1].text
    assert "nan" not in line_chart([SCORES], title="mAP", y_scale="log", reference=0)


def test_points_tell_their_numbers():
    svg = line_chart([SCORES], title="mAP", x_label="labels")
    told = [t.text for t in ET.fromstring(svg).iter(f"{SVG}title")]
    assert "cGAN: 0.1, 0.3 [0.2, 0.4]" in told
    assert ET.fromstring(svg)[1].text == "cGAN: 0.4 [0.3, 0.5] at labels 1"


def test_values_that_are_not_finite_leave_gaps():
    nan, inf = math.nan, math.inf
    line = Line(name="loss", x=[0, 1, 2, 3, 4, 5], y=[1, 2, nan, 3, inf, 4])
    svg = line_chart([line], title="loss")
    assert "nan" not in svg
    assert "inf" not in svg
    assert [len(curve(svg, run)) for run in range(3)] == [2, 1, 1]
    assert len(curve(line_chart([Line(name="l", x=[0, 1, 10], y=[5, 1, 2])], title="log", x_scale="log"))) == 2


def test_a_long_line_is_thinned_and_keeps_its_spikes():
    y = [math.sin(i / 500) for i in range(50_000)]
    y[12_345], y[40_001] = 9.0, -7.0
    svg = line_chart([Line(name="loss", x=range(50_000), y=y)], title="loss")
    places = curve(svg)
    assert len(places) <= MOST_POINTS + 2
    heights = sorted(place for _, place in places)
    assert heights[1] - heights[0] > 50
    assert heights[-1] - heights[-2] > 50
    assert len(svg) < 15_000


def test_series_differ_without_colour():
    svg = line_chart([Line(name=str(n), x=[0, 1], y=[n, n]) for n in range(4)], title="four")
    lines = [p for p in ET.fromstring(svg).findall(f"{SVG}path") if p.get("stroke") in COLOURS and p.get("fill")]
    assert len({p.get("stroke-dasharray") for p in lines}) == 4


def test_many_series_differ_without_markers():
    """Of more points than get markers."""
    xs = list(range(60))
    many = [Line(name=f"run{i}", x=xs, y=[float(x + i) for x in xs]) for i in range(3 * len(COLOURS))]
    looks = [
        (path.get("stroke"), path.get("stroke-dasharray"))
        for path in ET.fromstring(line_chart(many, title="Losses")).findall(f"{SVG}path")
        if path.get("stroke") in COLOURS and "h26" not in path.get("d")
    ]
    assert len(set(looks)) == len(looks) == len(many)


def test_long_legends_wrap():
    names = [f"an arm with a long name, number {n}" for n in range(5)]
    svg = line_chart([Line(name=name, x=[0, 1], y=[0, 1]) for name in names], title="five")
    legend = [t for t in ET.fromstring(svg).iter(f"{SVG}text") if t.text in names]
    assert len(legend) == 5
    assert len({t.get("y") for t in legend}) > 1
    assert all(float(t.get("x")) < 400 for t in legend)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e12, 1e12), st.floats(width=32)), max_size=20),
    st.sampled_from(["linear", "log"]),
    st.sampled_from(["linear", "log"]),
)
def test_any_numbers_make_a_chart(points, x_scale, y_scale):
    line = Line(name="any", x=[x for x, _ in points], y=[y for _, y in points])
    root = ET.fromstring(line_chart([line], title="any", x_scale=x_scale, y_scale=y_scale))
    for path in root.iter(f"{SVG}path"):
        assert all(math.isfinite(float(n)) for n in re.findall(r"-?[\d.]+", path.get("d")))


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        line_chart([Line(name="loss", x=[1, 2], y=[1])], title="loss")


def test_colours_are_readable_on_light_and_dark():
    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in COLOURS:
        assert 1.05 / (luminance(colour) + 0.05) >= 3
        assert (luminance(colour) + 0.05) / (luminance("#121212") + 0.05) >= 3


def test_the_report_loads_no_torch():
    code = "import sys, pretint.pages.lines, pretint.pages.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
