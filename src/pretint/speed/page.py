"""The document of ``pretint bench`` as a section of Markdown, for docs/performance.md."""

from collections.abc import Mapping
from typing import Any

from pretint.speed.tables import machine_lines, tables


def section(document: Mapping[str, Any]) -> str:
    """One section: the machine, then a table a part."""
    machine = document["machine"]
    lines = [f"## {machine['gpu'] or machine['processor']}", ""]
    lines += [f"- {line}" for line in machine_lines(document)]
    if document["interrupted"]:
        lines.append("- stopped by Ctrl-C before all was measured")
    lines += [f"- not measured: {why}" for why in document["missing"].values()]
    for table in tables(document):
        lines += ["", f"### {table.title}", ""]
        lines += ["| " + " | ".join(table.columns) + " |", "|---" + "|---:" * (len(table.columns) - 1) + "|"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
        if table.note:
            lines += ["", f"{table.note}."]
    return "\n".join(lines) + "\n"
