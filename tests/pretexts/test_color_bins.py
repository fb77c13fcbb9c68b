"""Colour bins keep the promises of a pretext."""

from pathlib import Path

import pytest

from tests.pretexts.promises import BACKBONES, PROMISES, Signer


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise, backbone: str, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    promise(Signer("color_bins", backbone, pictures), tmp_path)
