"""``pretint report`` on the command line and from Python; it loads no torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pretint
from pretint import shipped
from pretint.cli import main
from pretint.errors import OptionError
from tests.conftest import environment
from tests.pages.studies import study, write_study

CODE = """
import sys
from pretint.cli import main
codes = [main(["report", path]) for path in sys.argv[1:]]
sys.exit(f"{codes} {'torch' in sys.modules}")
"""


def test_the_verb_prints_where_the_page_is(
    coloring_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["report", str(coloring_run), "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    text = page.read_text(encoding="utf-8")
    assert "<span>pretrain</span>" in text  # the command that makes the run again
    assert "data:image/jpeg" in text  # its progress
    assert main(["report", str(tmp_path / "gone")]) == 2
    assert main(["report"]) == 2


def test_runs_beside_each_other(multilabel_run: Path, segmentation_run: Path, tmp_path: Path) -> None:
    page = pretint.report([multilabel_run, segmentation_run], out=tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    assert f"Runs {multilabel_run.name} and {segmentation_run.name}" in text


def test_the_verb_is_a_function_although_a_folder_has_its_name(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", study())
    for _ in range(2):  # the first call imports the folder of the same name
        assert pretint.report(folder) == folder / "report.html"
    assert not isinstance(pretint.report, ModuleType)


def test_no_torch(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", study())
    run = next((folder / "runs").iterdir())
    done = subprocess.run(
        [sys.executable, "-c", CODE, folder, run], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr == "[0, 0] False\n"


def test_a_run_whose_start_is_damaged_has_its_page(multilabel_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(multilabel_run, tmp_path / "run"))
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "run.json").write_text("{")
    manifest = json.loads((run / "run.json").read_text())
    manifest["options"]["init"] = str(tmp_path / "start")
    (run / "run.json").write_text(json.dumps(manifest))
    assert pretint.report(run).is_file()


def test_damaged_metrics_are_told_by_their_line(
    multilabel_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(multilabel_run, tmp_path / "run"))
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([lines[0], lines[1][:9], *lines[2:]]) + "\n")
    assert main(["report", str(run)]) == 2
    assert "metrics.jsonl, line 2: is damaged" in capsys.readouterr().err


def test_the_shipped_model_is_named_as_it_was(tmp_path: Path) -> None:
    if not shipped.is_there():
        pytest.skip("this package carries no model")
    text = pretint.report("pretint", out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert str(shipped.folder()) not in text


def test_an_empty_text_is_no_folder() -> None:
    with pytest.raises(OptionError, match="empty"):
        pretint.report("")
