"""A study's folder: study.json, finished cells, the runs of its fine-tunings. Loads no torch.

    study.json          what was asked for and all results so far; not there before the arms and the data are found right
    table.csv           one line a cell
    report.html         the page
    cells/KEY.json      a finished piece of work; KEY.npz holds its scores picture by picture
    runs/KEY/           the run folder of a fine-tuning; without its weights once it is scored
    workers.log         what the workers print

Every file is replaced as a whole. What lies in cells/ is never computed again.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from pretint.data.looks import LOOKS
from pretint.errors import RunError
from pretint.run_folder import begun, write_atomically, writing

STUDY = "study.json"
LOCK = "study.lock"


class StudyFolder:
    """Access to one study's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "StudyFolder":
        """Make the folder.

        Raises:
            RunError: it holds a study already, or other files.
            ResourceError: it cannot be made.
        """
        if (path / STUDY).exists():
            raise RunError(
                f"--out {path}: holds a study already; choose another folder, or add --resume to go on with it"
            )
        # A study that was refused, or stopped in its first moments, has left empty folders, its lock and looks at pictures.
        parts = [path / part for part in ("cells", "runs") if (path / part).is_dir()]
        others = path.exists() and (not path.is_dir() or any(map(_foreign, set(path.iterdir()) - set(parts))))
        if others or any(any(part.iterdir()) for part in parts):
            raise RunError(f"--out {path}: exists and is not empty; choose another folder")
        return cls(path)._prepared()

    @classmethod
    def open(cls, path: Path) -> "StudyFolder":
        """Open the folder of an existing study.

        Raises:
            RunError: there is no study in this folder.
        """
        if not (path / STUDY).is_file():
            raise _no_study(path)
        return cls(path)._prepared()

    def _prepared(self) -> "StudyFolder":
        with writing(self.path):
            for part in ("cells", "runs"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The content of study.json.

        Raises:
            RunError: there is none, it is damaged, or it is of something else.
        """
        path = self.path / STUDY
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise _no_study(self.path) from None
        except ValueError:
            raise RunError(
                f"{path}: is damaged (not JSON); restore it from a copy, or run the comparison again"
            ) from None
        if not isinstance(content, dict) or content.get("kind") != "study":
            raise RunError(f"{path}: does not describe a study; name a folder that pretint compare made")
        return content

    def write(self, document: dict[str, Any]) -> None:
        """Replace study.json."""
        write_atomically(self.path / STUDY, (json.dumps(document, indent=1) + "\n").encode())

    def outcome(self, key: str) -> dict[str, Any] | None:
        """What came out of a piece of work; None where it is not done, or has failed and is to be tried again."""
        path = self.path / "cells" / f"{key}.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return content

    def finished(self) -> int:
        """How many pieces of work are done."""
        return len(list((self.path / "cells").glob("*.json")))

    def pictures_of(self, key: str) -> Path:
        """Where the scores picture by picture of a cell lie."""
        return self.path / "cells" / f"{key}.npz"

    def masks_of(self, key: str) -> Path:
        """Where the masks of a cell lie, if they were kept: ``true/ID`` and ``predicted/ID``, uint8 (H, W)."""
        return self.path / "cells" / f"{key}-masks.npz"

    def forget_weights(self, key: str) -> None:
        """Remove the checkpoints of a run that is scored; its manifest and metrics stay."""
        shutil.rmtree(self.path / "runs" / key / "checkpoints", ignore_errors=True)


def _foreign(path: Path) -> bool:
    """Whether a file is none that a study makes before its study.json."""
    return path.name != LOCK and not path.name.startswith(LOOKS) and not begun(path, STUDY)


def _no_study(path: Path) -> RunError:
    return RunError(f"{path}: is not the folder of a study (it has no {STUDY})")
