"""``pretint demo``: which folders it takes. What it does in them is tested where the verbs are."""

from pathlib import Path
from typing import Any

import pytest

import pretint
from pretint.data import scenes
from pretint.errors import RunError
from pretint.run_folder import RunFolder


class Begun(Exception):
    """The demo took the folder."""


@pytest.fixture(autouse=True)
def no_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any, **__: Any) -> None:
        raise Begun

    monkeypatch.setattr(scenes, "write", write)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("held", ["run.json", "study.json", "report.html", "thesis.tex", "scenes/thesis.tex"])
def test_a_folder_of_something_else_is_refused(held: str, tmp_path: Path) -> None:
    (tmp_path / held).parent.mkdir(exist_ok=True)
    (tmp_path / held).write_text("{}")
    before = content(tmp_path)
    with pytest.raises(RunError, match=r"--out .*: exists and is not empty, and holds no demo; choose another folder"):
        pretint.demo(out=tmp_path)
    assert content(tmp_path) == before


def test_a_run_is_refused_even_with_scenes_in_it(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", {"kind": "pretrain", "options": {}})
    (tmp_path / "run" / "scenes").mkdir()
    (tmp_path / "run" / "scenes" / "scenes.json").write_text("{}")
    with pytest.raises(RunError, match="holds no demo"):
        pretint.demo(out=tmp_path / "run")


@pytest.mark.parametrize(
    "held",
    [(), ("scenes/scenes.json",), ("scenes/scenes.json", "pretrain/run.json", "report.html"), (".scenes.x1y2/half",)],
    ids=["empty", "scenes", "trained", "killed"],
)
def test_a_new_folder_and_a_demo_that_was_begun_are_taken(held: tuple[str, ...], tmp_path: Path) -> None:
    for name in held:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(Begun):
        pretint.demo(out=tmp_path)
    with pytest.raises(Begun):
        pretint.demo(out=tmp_path / "new" / "folder")


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="choose another folder"):
        pretint.demo(out=tmp_path / "file")
