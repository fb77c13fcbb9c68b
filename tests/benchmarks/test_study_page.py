"""docs/study.md and its pictures are what the kept results say."""

from pathlib import Path

import pytest
import study_page


def test_the_page_is_that_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = study_page.PAGE
    monkeypatch.setattr(study_page, "PAGE", tmp_path / "study.md")
    (tmp_path / "images").mkdir()
    assert study_page.page() == kept.read_text()
    drawn = {path.name: path.read_text() for path in (tmp_path / "images").iterdir()}
    assert drawn == {path.name: path.read_text() for path in (kept.parent / "images").glob("study-*")}
