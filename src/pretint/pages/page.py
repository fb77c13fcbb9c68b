"""The report: one HTML file that carries its charts and pictures in itself. Loads no torch.

It needs no network and no script, follows the reader's light or dark setting, and prints. What it says comes from a plain
document (every part but title and verdict may be left out), so that whatever is shown can be kept as JSON as well::

    {"title": str, "verdict": str, "made": str, "summary": [str],
     "sections": [{"heading": str, "text": [str],
                   "tables": [{"caption": str, "columns": [str], "rows": [[str | number | None]],
                               "best": {column: "max" | "min"}}],
                   "findings": [{"mark": str, "text": str}],
                   "charts": [{"kind": "lines", "title": str, "lines": [{"name", "x", "y", "low", "high", "dots"}],
                               "x_label", "y_label", "x_scale", "y_scale", "interval", "reference", "reference_name",
                               "caption"},
                              {"kind": "bars", "title": str, "bars": [{"name", "value", "low", "high", "dots",
                               "colour": int}],
                               "value_label", "reference", "reference_name", "caption"},
                              {"kind": "groups", "title": str, "groups": [str], "series": [{"name", "values", "apart": bool}],
                               "value_label", "caption"}],
                   "images": [{"path": str, "alt": str, "caption": str} or
                              {"uri": "data:image/...", "size": (width, height), "alt": str, "caption": str}]}],
     "notes": [str], "commands": [str], "environment": {str: str}}
"""

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from pretint.errors import DataError
from pretint.pages.bars import Bar, Series, bar_chart, group_chart
from pretint.pages.images import data_uri
from pretint.pages.lines import Line, line_chart
from pretint.run_folder import make_folder, write_atomically

MOST_BYTES = 200_000  # of a picture that is carried as it is; a larger one becomes a JPEG
TEXT_LETTERS = 84  # of a table as wide as the text; a longer one goes beyond it
MOST_PIXELS = 1600  # side of a picture in the page; a larger one is reduced

_NONE = "–"
_MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
# What a mark means to the reader; one that is not here is shown without colour.
_TONES = {"ok": "good", "helped": "good", "warning": "bad", "hurt": "bad", "failed": "bad"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEADING_NUMBER = re.compile(r"\s*\[?([+−-]?\d[\d,]*\.?\d*)")


def write_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document as one HTML file; its folder is made, a file that is there is replaced as a whole.

    Args:
        path: the file.
        document: as above. Paths of pictures are relative to the file's folder, or absolute. In tables, floats are shown
            with about four digits and None as a dash; a column's best cells are set bold, by the number that they begin with.
    Raises:
        DataError: a picture is missing or cannot be read.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_tied,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = {
        "made": "",
        "summary": [],
        "notes": [],
        "commands": [],
        "environment": {},
        **document,
        "sections": [_section(section, path.parent) for section in document.get("sections", [])],
    }
    page = environment.get_template("page.html.jinja").render(content)
    make_folder(path.parent)
    write_atomically(path, page.encode("utf-8", "replace"))  # a file's name may hold what is no character


def _tied(value: Any) -> Any:
    """Text whose "5 %" does not break at the end of a line."""
    return re.sub(r"(?<=\d) %", "\u00a0%", value) if type(value) is str else value


def shown(value: Any) -> str:
    """A value as the page shows it: floats with four digits, thousands parted by commas, a dash for what is not there."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, float):
        return str(value)
    value += 0.0  # no minus before zero
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e15 or 0 < abs(value) < 1e-4:
        digits, _, power = f"{value:.3e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')} × 10".replace("-", "−") + str(int(power)).translate(_RAISED)
    decimals = _decimals(value)
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if decimals else text).replace("-", "−")


def _decimals(value: float) -> int:
    """Decimals that leave four digits of a number, at least those before the point."""
    return max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0


def _column(cells: Sequence[Any]) -> list[str]:
    """A column as text: its floats get the same decimals where that adds or takes no more than a digit or two."""
    texts = [shown(cell) for cell in cells]
    floats = {row: cell for row, cell in enumerate(cells) if isinstance(cell, float) and math.isfinite(cell)}
    sizes = [abs(value) for value in floats.values() if value]
    if sizes and min(sizes) >= 1e-4 and max(sizes) < min(1e15, 100 * min(sizes)):
        decimals = max(len(texts[row].partition(".")[2]) for row in floats)
        decimals = min(decimals, _decimals(max(sizes)) + 1)
        texts = [
            f"{floats[row]:,.{decimals}f}".replace("-", "−") if row in floats else t for row, t in enumerate(texts)
        ]
    return texts


def _section(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {
        "heading": section["heading"],
        "text": section.get("text", []),
        "findings": [
            {"mark": item["mark"], "text": item["text"], "tone": _TONES.get(item["mark"], "plain")}
            for item in section.get("findings", [])
        ],
        "tables": [_table(table) for table in section.get("tables", [])],
        "charts": [_chart(chart) for chart in section.get("charts", [])],
        "images": [_picture(image, folder) for image in section.get("images", [])],
    }


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    names, rows = list(table["columns"]), table["rows"]
    columns = [list(cells) for cells in zip(*rows, strict=True)] or [[] for _ in names]
    best = {names.index(name): direction for name, direction in (table.get("best") or {}).items()}
    marked = [_best_rows(cells, best.get(number)) for number, cells in enumerate(columns)]
    texts = [_column(cells) for cells in columns]
    return {
        "caption": table.get("caption", ""),
        "columns": [(name, _is_numeric(cells)) for name, cells in zip(names, columns, strict=True)],
        "rows": [[(texts[c][r], r in marked[c]) for c in range(len(names))] for r in range(len(rows))],
        "has_names": any(names),
        "has_best": any(marked),
        "wide": sum(max(map(len, (name, *cells))) + 3 for name, cells in zip(names, texts, strict=True)) > TEXT_LETTERS,
    }


def _is_numeric(cells: Sequence[Any]) -> bool:
    return bool(cells) and all(shown(cell) in ("", _NONE) or _leading_number(cell) is not None for cell in cells)


def _leading_number(cell: Any) -> float | None:
    """The number that a cell is or begins with ("41.2 % [40.1, 42.3]"); None without one."""
    if isinstance(cell, int | float):
        return None if isinstance(cell, bool) or math.isnan(cell) else float(cell)
    match = _LEADING_NUMBER.match(str(cell))
    return float(match[1].replace(",", "").replace("−", "-")) if match else None


def _best_rows(cells: Sequence[Any], direction: str | None) -> set[int]:
    """Rows with the best number of a column, none where all are equally good."""
    values = {row: number for row, cell in enumerate(cells) if (number := _leading_number(cell)) is not None}
    if direction is None or len(set(values.values())) < 2:
        return set()
    best = {"max": max, "min": min}[direction](values.values())
    return {row for row, value in values.items() if value == best}


def _chart(chart: Mapping[str, Any]) -> dict[str, Any]:
    draw = {"lines": _lines, "bars": _bars, "groups": _groups}[chart["kind"]]
    return {"title": chart["title"], "svg": Markup(draw(chart)), "caption": chart.get("caption", "")}


def _lines(chart: Mapping[str, Any]) -> str:
    lines = [
        Line(
            name=line["name"],
            dots=[(float(x), float(y)) for x, y in line.get("dots", [])],
            **{k: _floats(line.get(k)) for k in ("x", "y", "low", "high")},
        )
        for line in chart["lines"]
    ]
    names = ("x_label", "y_label", "x_scale", "y_scale", "interval", "reference", "reference_name")
    return line_chart(lines, title=chart["title"], **{k: chart[k] for k in names if k in chart})


def _bars(chart: Mapping[str, Any]) -> str:
    bars = [
        Bar(
            name=bar["name"],
            value=_floats([bar["value"]])[0],
            low=bar.get("low"),
            high=bar.get("high"),
            dots=_floats(bar.get("dots")),
            colour=bar.get("colour"),
        )
        for bar in chart["bars"]
    ]
    given = {k: chart[k] for k in ("value_label", "reference", "reference_name") if k in chart}
    return bar_chart(bars, title=chart["title"], **given)


def _groups(chart: Mapping[str, Any]) -> str:
    series = [
        Series(name=one["name"], values=_floats(one["values"]), apart=one.get("apart", False))
        for one in chart["series"]
    ]
    return group_chart(chart["groups"], series, title=chart["title"], value_label=chart.get("value_label", ""))


def _floats(values: Sequence[float | None] | None) -> list[float]:
    """JSON has no nan, so a document holds None in its place."""
    return [math.nan if value is None else float(value) for value in values or ()]


def _picture(image: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    uri, (width, height) = (image["uri"], image["size"]) if "uri" in image else _carried(folder / image["path"])
    return {
        "uri": uri,
        "width": width,
        "height": height,
        "wide": width > max(2 * height, 800),
        "alt": image["alt"],
        "caption": image.get("caption", ""),
    }


def _carried(path: Path) -> tuple[str, tuple[int, int]]:
    """A picture file as a data URI, and its size in pixels."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for damaged files
        raise DataError(f"{path}: picture of the report is missing or unreadable; make it again") from None
    uri = ""
    if max(picture.size) > MOST_PIXELS:
        picture.thumbnail((MOST_PIXELS, MOST_PIXELS), Image.Resampling.LANCZOS)
    elif len(content) <= MOST_BYTES and picture.format in _MIME:
        uri = f"data:{_MIME[picture.format]};base64,{base64.b64encode(content).decode()}"
    return uri or data_uri(picture, "png" if picture.has_transparency_data else "jpeg"), picture.size
