"""How verbs that go on past a picture end: with what was done, and not as if all of it had been."""

from collections.abc import Sequence
from pathlib import Path

from pretint.errors import PretintError
from pretint.terminal import counted, tell


def end(refused: Sequence[tuple[Path, str]], done: str, failed: str) -> None:
    """Name the pictures that were left out, say what was done.

    Args:
        refused: pictures with the reason.
        done: the line for stdout.
        failed: what could not be done with them, such as ``coloured``.

    Raises:
        PretintError: there are any; so the exit code tells it too.
    """
    for _, reason in refused:
        tell(f"left out: {reason}")
    print(done)
    if refused:
        raise PretintError(
            f"{counted(len(refused), 'picture')} could not be {failed}, as told above; the others are done"
        )
