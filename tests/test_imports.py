"""What a user meets before any work loads no torch: the import, every help, every error of an option."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pretint.cli import VERBS
from tests.conftest import environment

CODE = """
import contextlib, io, sys
import pretint
print("import", 0, "torch" in sys.modules)
from pretint.cli import main
for line in sys.stdin:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(line.split())
        except SystemExit as end:
            code = end.code
    print(line.strip() or "nothing", code, "torch" in sys.modules, sep="|")
"""
HELPS = ["--help", "--version", "pretrain --help", "finetune --help", "pretrain --pretext regression --help"]
HELPS += ["finetune --task segmentation --recipe paper --help"]
HELPS += [f"{verb} --help" for verb in VERBS if find_spec(f"pretint.commands.{verb}") and f"{verb} --help" not in HELPS]
FAULTS = [
    "pretrane", "pretrain", "pretrain --data a --out o --epoch 3", "pretrain --data a --out o --recipe smal",
    "pretrain --data a --out o --pretext cgam", "pretrain --data a --out o --size 8", "finetune --data a --out o",
    "pretrain --data a --out o --cgan.leek True", "finetune --task detection --data a --out o",
    "finetune --task multilabel --data a --out o --loop.ema 2", "colorize a.jpg --setting lively", "report pretint",
    "export a",
]  # fmt: skip


def test_no_torch_before_work() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], input="\n".join([*HELPS, *FAULTS]), env=environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split("|") for line in done.stdout.splitlines()[1:]]
    assert done.stdout.startswith("import 0 False")
    assert [line for line, _, torch in lines if torch == "True"] == []
    codes = {line: code for line, code, _ in lines}
    assert {line: codes[line] for line in HELPS} == dict.fromkeys(HELPS, "0")
    assert {line: codes[line] for line in FAULTS} == dict.fromkeys(FAULTS, "2")


def test_every_verb_exists() -> None:
    missing = [verb for verb in VERBS if find_spec(f"pretint.commands.{verb}") is None]
    assert not missing


def test_results_and_report_load_no_torch() -> None:
    modules = ["pretint.experiments.results", "pretint.experiments.options", "pretint.run_folder", "pretint.recipe"]
    report = Path(str(find_spec("pretint.pages").submodule_search_locations[0]))  # type: ignore[union-attr,index]
    modules += [f"pretint.pages.{path.stem}" for path in report.glob("*.py") if path.stem != "__init__"]
    code = f"import sys\nfor m in {modules!r}:\n    __import__(m)\n    assert 'torch' not in sys.modules, m"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
