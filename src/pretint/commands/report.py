"""``pretint report``: one page about a run, several runs, a study or a demo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretint.commands import finetune, positional, pretrain
from pretint.commands.resolve import command_line, plain_options
from pretint.errors import OptionError, PretintError
from pretint.shipped import NAME, as_text, run_of


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Build a page about runs, a study or a demo: one HTML file that needs no network, at any time, also while they run.

    A run: its losses, its scores on held-out pictures, its progress. Several runs: the same beside each other.
    A study: whether pretraining helped, how sure that is, and all that it rests on.

    examples:
      pretint report runs/photos
      pretint report runs/scratch runs/pretrained --out compared.html
      pretint report runs/study
    """

    paths: positional.Runs
    """Folders of runs, or a folder that holds runs, or one folder of a study or a demo; pretint is the shipped model's training."""
    out: Path | None = None
    """The page, a file that ends in .html; where not given, report.html in the folder. Several folders need it, and pretint."""

    def __post_init__(self) -> None:
        if not self.paths:
            raise OptionError("report: name the folder of at least one run, of a study or of a demo")
        if NAME in self.paths and self.out is None:
            raise OptionError(f"--out: is missing; the page of {NAME} needs a name, such as --out report.html")


def report(paths: str | Path | Sequence[str | Path], *, out: str | Path | None = None) -> Path:
    """Build a page about runs, a study or a demo; gives back its path.

    Args:
        paths: a folder or several, as for ``pretint report``.
        out: the page; where not given, ``report.html`` in the only folder.

    Raises:
        PretintError: a folder is none of a run, a study or a demo, or ``out`` does not fit.
    """
    chosen = [paths] if isinstance(paths, str | Path) else paths
    return _run(ReportOptions(paths=tuple(map(as_text, chosen)), out=None if out is None else positional.as_path(out)))


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    print(_run(plain_options(ReportOptions, "report", arguments)))


def _run(options: ReportOptions) -> Path:
    from pretint.pages.building import build

    return build(list(map(run_of, options.paths)), options.out, _command_of, options.paths)


def _command_of(manifest: Mapping[str, Any]) -> str | None:
    """The command that makes a run again; None where its recipe or an option is no longer known."""
    schema = {"pretrain": pretrain.SCHEMA, "finetune": finetune.SCHEMA}.get(manifest.get("kind", ""))
    try:
        return command_line(schema, manifest["options"]) if schema else None
    except (PretintError, KeyError):  # what it was initialized from may be gone, or damaged
        return None
