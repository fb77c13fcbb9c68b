"""From folders to a page: finds out whether they are runs, a study or a demo, and writes their report. Loads no torch."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pretint import run_folder
from pretint.errors import OptionError, RunError
from pretint.pages import study
from pretint.pages.page import write_page
from pretint.pages.runs import runs_document
from pretint.studies.folder import STUDY

DOCUMENT = "report.json"
"""The document of a report that a demo keeps beside its page."""


def build(
    paths: Sequence[Path],
    out: Path | None,
    command_of: Callable[[Mapping[str, Any]], str | None],
    named: Sequence[str] = (),
) -> Path:
    """Write the page of some folders; gives back its path.

    Args:
        paths: folders of runs; or one folder of a study or a demo. A folder that holds runs stands for them.
        out: the page; where not given, report.html in the folder, which then must be the only one.
        command_of: the command that makes a run again, from its run.json; None where it is not known.
        named: the paths as they were given, where that is otherwise, such as by the name of the shipped model.
    Raises:
        OptionError: --out does not fit.
        RunError: a folder holds none of these, or is damaged.
    """
    page = _page(paths, out)
    alone = [path for path in paths if (path / STUDY).is_file() or _is_demo(path)]
    if alone and len(paths) > 1:
        raise RunError(f"{alone[0]}: a study or a demo has a page of its own; name it alone")
    if not alone:
        runs = list({run.resolve(): run for path in paths for run in _runs(path)}.values())
        known = [command_of(run_folder.RunFolder.open(run).manifest) for run in runs]
        written = ["pretint", "report", *(named or map(str, paths)), *(["--out", str(out)] if out else [])]
        again = [*filter(None, known), shlex.join(written)]
        document = runs_document(runs, again)
    elif _is_demo(alone[0]):
        document = _demo(alone[0])
    else:
        document = study.study_document(alone[0])
    write_page(page, document)
    return page


def _page(paths: Sequence[Path], out: Path | None) -> Path:
    if out is None:
        if len(paths) > 1:
            raise OptionError("--out: is missing; a page about several runs needs a name, such as --out report.html")
        return paths[0] / "report.html"
    if out.suffix not in (".html", ".htm") or out.is_dir():
        raise OptionError(f"--out {out}: must be the name of a file that ends in .html")
    return out


def _runs(path: Path) -> list[Path]:
    """The run in a folder, or the runs in the folders below it."""
    if not path.is_dir():
        raise RunError(f"{path}: there is no such folder; name the folder of a run, a study or a demo")
    if (path / run_folder.MANIFEST).is_file():
        return [path]
    below = sorted(file.parent for file in path.glob(f"*/{run_folder.MANIFEST}"))
    if not below:
        raise RunError(f"{path}: is not the folder of a run, a study or a demo, and holds no runs")
    return below


def _is_demo(path: Path) -> bool:
    return (path / DOCUMENT).is_file() and (path / "pretrain" / run_folder.MANIFEST).is_file()


def _demo(path: Path) -> dict[str, Any]:
    """The document that the demo kept; its pictures are named relative to its folder."""
    try:
        document: dict[str, Any] = json.loads((path / DOCUMENT).read_text(encoding="utf-8"))
        sections = document["sections"]
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{path / DOCUMENT}: is damaged; run pretint demo --out {path} again") from None
    for image in (image for section in sections for image in section.get("images", [])):
        if "path" in image:
            image["path"] = str((path / image["path"]).resolve())
    return document
