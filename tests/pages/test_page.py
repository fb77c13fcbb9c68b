"""The report's page: whole in one file, escaped, readable; numbers and pictures as they should be."""

import base64
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pretint.errors import DataError
from pretint.pages import page
from pretint.pages.page import shown, write_page

VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = "<script>alert(1)</script>\"'& \x00 {{ 7 * 7 }}"
LINES = {
    "kind": "lines",
    "title": "Scores",
    "lines": [{"name": "cGAN", "x": [1, 2, 3], "y": [0.2, None, 0.4], "low": None, "high": None}],
    "x_label": "epoch",
    "y_label": "mAP",
    "reference": 0.1,
    "reference_name": "knowing nothing",
}
BARS = {
    "kind": "bars",
    "title": "Gain",
    "bars": [{"name": "cGAN", "value": 0.03, "low": 0.01, "high": 0.05}, {"name": "lost", "value": None}],
    "value_label": "points",
    "reference": 0.0,
}


class Reader(HTMLParser):
    """Elements with their attributes and text; notes tags that do not close in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.faults = [], [], []
        self.feed(text)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()["tag"] != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [e for e in self.elements if e["tag"] == tag]

    def texts(self, tag):
        return [" ".join(e["text"].split()) for e in self.all(tag)]


def written(folder, document):
    write_page(folder / "report.html", document)
    text = (folder / "report.html").read_text(encoding="utf-8")
    reader = Reader(text)
    assert not reader.faults
    return reader, text


def one_table(folder, **table):
    return written(folder, {"title": "t", "verdict": "v", "sections": [{"heading": "h", "tables": [table]}]})[0]


def one_picture(folder, image):
    image = {"path": "a.png", "alt": "x", **image}
    reader, _ = written(folder, {"title": "t", "verdict": "v", "sections": [{"heading": "h", "images": [image]}]})
    (element,) = reader.all("img")
    kind, _, content = element["src"].partition(";base64,")
    return element, kind, base64.b64decode(content)


@pytest.fixture
def document(tmp_path):
    Image.new("RGB", (20, 10), (200, 10, 10)).save(tmp_path / "red.png")
    table = {"caption": "Costs", "columns": ["arm", "hours"], "rows": [["cGAN", 0.71], ["scratch", None]]}
    return {
        "title": "Does it help?",
        "verdict": "Yes: 3 points more.",
        "made": "2026-01-02",
        "summary": ["First.", "Second."],
        "sections": [
            {"heading": "Scores", "text": ["Means."], "tables": [table], "charts": [LINES, BARS]},
            {"heading": "Pictures", "images": [{"path": "red.png", "alt": "a red field", "caption": "red"}]},
            {"heading": "More", "charts": [{**LINES, "y_scale": "log"}]},
        ],
        "notes": ["Five seeds are few."],
        "commands": ["pretint report studies/first", "pretint demo"],
        "environment": {"torch": "2.13.0"},
    }


def test_the_page_is_one_file_that_says_everything(tmp_path, document):
    reader, text = written(tmp_path / "new" / "folder", {**document, "sections": document["sections"][::2]})
    assert reader.all("html")[0]["lang"] == "en"
    assert reader.texts("title")[:2] == ["Does it help?", "Scores"]  # the page's, then those of charts and points
    assert reader.texts("h1") == ["Does it help? · 2026-01-02"]
    assert reader.texts("h2") == ["Scores", "More", "Limits", "How to make it again", "Made with"]
    assert [e["text"] for e in reader.all("p") if e.get("class") == "verdict"] == ["Yes: 3 points more."]
    assert text.index("Yes: 3 points") < text.index("First.") < text.index("Means.")
    assert reader.texts("caption") == ["Costs"]
    assert reader.texts("li")[-1] == "Five seeds are few."
    assert reader.texts("code") == document["commands"]
    assert reader.texts("dd") == ["2.13.0"]
    assert len(reader.all("svg")) == 3
    assert "knowing nothing" in text


def test_findings_have_a_word_as_their_mark(tmp_path):
    findings = [
        {"mark": "ok", "text": "No leak."},
        {"mark": "hurt", "text": "Worse."},
        {"mark": "odd", "text": "Else."},
    ]
    reader, _ = written(tmp_path, {"title": "t", "verdict": "v", "sections": [{"heading": "h", "findings": findings}]})
    assert reader.texts("li") == ["ok No leak.", "hurt Worse.", "odd Else."]
    marks = [e["class"] for e in reader.all("span") if e.get("class", "").startswith("mark")]
    assert marks == ["mark good", "mark bad", "mark plain"]


def test_groups_and_dots_are_drawn(tmp_path):
    groups = {"kind": "groups", "title": "AP", "groups": ["cat"], "series": [{"name": "a", "values": [None]}]}
    bars = {**BARS, "bars": [{"name": "a", "value": 1.0, "dots": [0.5, 1.5, None]}]}
    lines = {**LINES, "lines": [{"name": "a", "x": [1], "y": [2.0], "dots": [[1, 2.5], [1, 1.5]]}]}
    reader, _ = written(
        tmp_path, {"title": "t", "verdict": "v", "sections": [{"heading": "h", "charts": [groups, bars, lines]}]}
    )
    assert len(reader.all("svg")) == 3
    assert len(reader.all("circle")) == 4


def test_nothing_is_fetched_and_nothing_runs(tmp_path, document):
    reader, text = written(tmp_path, document)
    assert not reader.all("script")
    assert not re.search(r"@import|url\(", text)
    for element in reader.elements:
        assert not [name for name in element if name.startswith("on")]
        for name in ("src", "href", "srcset"):
            assert element.get(name, "data:").startswith(("data:", "#"))
    policy = next(e["content"] for e in reader.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_every_reference_within_the_page_has_its_goal(tmp_path, document):
    reader, _ = written(tmp_path, document)
    goals = [e["id"] for e in reader.elements if "id" in e]
    assert len(goals) == len(set(goals))
    wanted = [e["href"][1:] for e in reader.all("a")] + [e["aria-labelledby"] for e in reader.all("section")]
    assert len(reader.all("a")) == 5
    assert set(wanted) <= set(goals)


def test_every_string_is_escaped(tmp_path, document):
    def hostile(value, key=""):
        if isinstance(value, dict):
            return {k if key != "environment" else HOSTILE: hostile(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [hostile(v, key) for v in value]
        return HOSTILE if isinstance(value, str) and key not in ("path", "kind", "x_scale", "y_scale") else value

    reader, text = written(tmp_path, hostile(document))
    assert not reader.all("script")
    assert "<script" not in text
    assert "{{ 7 * 7 }}" in text
    assert {"alert(1)", "onload"}.isdisjoint(name for e in reader.elements for name in e)
    assert reader.all("img")[0]["alt"] == HOSTILE
    assert reader.all("figcaption")[0]["text"].startswith("<script>alert(1)</script>\"'& ")


def test_a_name_that_is_no_text_does_not_stop_the_page(tmp_path):
    _, text = written(tmp_path, {"title": "pictures/\udcff.jpg", "verdict": "v"})
    assert "pictures/?.jpg" in text


def test_title_and_verdict_suffice_and_typing_errors_do_not_pass(tmp_path):
    reader, _ = written(tmp_path, {"title": "Nothing yet", "verdict": "No run has been scored."})
    assert not reader.all("section")
    assert not reader.all("nav")
    with pytest.raises(Exception, match="verdict"):
        write_page(tmp_path / "x.html", {"title": "t"})
    with pytest.raises(KeyError, match="columns"):
        one_table(tmp_path, rows=[[1]])
    with pytest.raises(ValueError, match="zip"):
        one_table(tmp_path, columns=["a", "b"], rows=[[1, 2], [1]])


def test_a_document_may_come_from_json(tmp_path, document):
    _, text = written(tmp_path, document)
    _, again = written(tmp_path, json.loads(json.dumps(document)))
    assert again == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (0, "0"),
        (-0.0, "0"),
        (14700, "14,700"),
        (-3, "−3"),
        (0.41237, "0.4124"),
        (0.5, "0.5"),
        (0.00031416, "0.0003142"),
        (12.3456, "12.35"),
        (99999.6, "100,000"),
        (13602817.4, "13,602,817"),
        (-0.02, "−0.02"),
        (1.5e-7, "1.5 × 10⁻⁷"),
        (2e20, "2 × 10²⁰"),
        (float("inf"), "∞"),
        ("41.2 %", "41.2 %"),
    ],
)
def test_values_as_shown(value, text):
    assert shown(value) == text


def test_cells_of_a_column_get_the_same_decimals_where_they_are_alike(tmp_path):
    rows = [["a", 0.5, 0.00012, 3], ["b", 0.4123, 12.5, None], ["c", None, 1000.0, 12000]]
    reader = one_table(tmp_path, columns=["arm", "x", "y", "n"], rows=rows)
    assert reader.texts("td") == ["0.5000", "0.00012", "3", "0.4123", "12.5", "–", "–", "1,000", "12,000"]


def test_tables_tell_their_heads_and_set_numbers_to_the_right(tmp_path):
    rows = [["a", "41.2 % [40, 42]", "x1", 1], ["b", "–", "7", 2.5]]
    reader = one_table(tmp_path, caption="Scores", columns=["arm", "mAP", "mixed", "n"], rows=rows)
    heads = reader.all("th")
    assert [e["scope"] for e in heads] == ["col"] * 4 + ["row"] * 2
    assert [e.get("class") for e in heads[:4]] == [None, "number", None, "number"]
    assert [e.get("class") for e in reader.all("td")[:3]] == ["number", None, "number"]
    (box,) = [e for e in reader.elements if e.get("role") == "region"]
    assert (box["class"], box["tabindex"], box["aria-label"]) == ("scroll", "0", "Scores")
    assert not reader.all("strong")
    nameless = one_table(tmp_path, columns=["", ""], rows=[["a", 1]])
    assert not nameless.all("thead")
    assert one_table(tmp_path, columns=["a"], rows=[]).texts("th") == ["a"]


def test_the_best_of_a_column_is_bold_and_said_to_be(tmp_path):
    rows = [["a", "41.2 % [40, 42]", 3.0, 1], ["b", "9.9 %", 2.0, 1], ["c", "no run", 2.0, 1]]
    best = {"mAP": "max", "error": "min", "same": "max"}
    reader = one_table(tmp_path, columns=["arm", "mAP", "error", "same"], rows=rows, best=best)
    assert reader.texts("strong") == ["41.2 % [40, 42]", "2", "2"]
    assert "Bold: the best of its column." in reader.texts("p")
    with pytest.raises(ValueError, match="list"):
        one_table(tmp_path, columns=["arm"], rows=rows[:0], best={"absent": "max"})


def test_small_pictures_are_carried_bit_by_bit(tmp_path):
    Image.new("RGB", (20, 10), (200, 10, 10)).save(tmp_path / "a.png")
    image, kind, content = one_picture(tmp_path, {"alt": "red", "caption": "c"})
    assert (kind, image["width"], image["height"], image["alt"]) == ("data:image/png", "20", "10", "red")
    assert content == (tmp_path / "a.png").read_bytes()
    assert one_picture(tmp_path, {"path": str(tmp_path / "a.png")})[2] == content


def test_large_pictures_become_smaller_and_keep_their_look(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_PIXELS", 100)
    ramp = np.broadcast_to(np.linspace(0, 255, 300).astype(np.uint8)[None, :, None], (150, 300, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "a.png")
    image, kind, content = one_picture(tmp_path, {})
    assert (kind, image["width"], image["height"]) == ("data:image/jpeg", "100", "50")
    small = np.asarray(Image.open(io.BytesIO(content)), dtype=float)
    assert small.shape == (50, 100, 3)
    assert np.abs(small[25, :, 0] - np.linspace(0, 255, 100)).max() < 8
    Image.new("RGBA", (200, 50), (0, 0, 255, 128)).save(tmp_path / "a.png")
    _, kind, content = one_picture(tmp_path, {})
    assert kind == "data:image/png"
    assert Image.open(io.BytesIO(content)).getpixel((5, 5)) == (0, 0, 255, 128)


def test_forms_that_browsers_may_not_know_are_changed(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif")
    assert one_picture(tmp_path, {"path": "a.tif"})[1] == "data:image/jpeg"


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n cut"])
def test_a_picture_that_cannot_be_read_is_named_and_no_page_is_left(tmp_path, content):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png"):
        one_picture(tmp_path, {})
    assert not (tmp_path / "report.html").exists()


def test_colours_of_text_are_readable_in_light_and_dark():
    style = Path(page.__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    parts = style.partition("@media print")[0].split("prefers-color-scheme: dark)")
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in parts)

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for names in (light, dark):
        for ground in ("paper", "well"):
            for ink in ("ink", "soft", "strong", "link", "good", "bad"):
                dim, bright = sorted((luminance(names[ink]), luminance(names[ground])))
                assert (bright + 0.05) / (dim + 0.05) >= 4.5


def test_the_report_loads_no_torch():
    code = "import sys; import pretint.pages.page, pretint.pages.runs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
