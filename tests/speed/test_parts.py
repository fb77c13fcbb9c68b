"""The first step: timed until the loop's first line, and a pretraining that ends before it is no time."""

import sys
from pathlib import Path

import pytest

from pretint.errors import ResourceError
from pretint.speed.parts import first_step

WRITES = "import pathlib, sys, time; out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1]); out.mkdir(); time.sleep(0.3); "


def test_the_first_step_is_timed_and_then_nothing_is_waited_for(tmp_path: Path) -> None:
    code = WRITES + "(out / 'metrics.jsonl').write_text('{}'); time.sleep(60)"
    sample = first_step(tmp_path / "out", [sys.executable, "-c", code], tmp_path)
    assert 0.3 <= sample.seconds < 30


@pytest.mark.parametrize("before", ["", WRITES, WRITES + "(out / 'metrics.jsonl').touch(); "])
def test_a_pretraining_that_ends_before_its_first_step_is_no_time(before: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"pretint pretrain ended before its first step \(exit code 2\)"):
        first_step(tmp_path / "out", [sys.executable, "-c", before + "raise SystemExit(2)"], tmp_path)
