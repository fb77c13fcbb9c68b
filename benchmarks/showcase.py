"""The grid of the README: 24 test photos, grey, coloured by both settings, original.

    python benchmarks/showcase.py --photos DATA/colorization_test

The photos are every twentieth of the folder in the order of their names, from the tenth on: a rule that no result can bend.
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

import pretint
from pretint.data.layouts.pictures import pictures_below

OUT = Path(__file__).parents[1] / "docs" / "images" / "showcase.jpg"
SIDE, COLUMNS, PHOTOS = 144, 8, 24


def main() -> None:
    """Colour, put together, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", default="pretint")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    every = sorted(path for path, _ in pictures_below(arguments.photos))
    chosen = every[10::20][:PHOTOS]
    with tempfile.TemporaryDirectory() as folder:
        rows = {"grey": [Image.open(path).convert("L") for path in chosen]}
        for setting in ("accurate", "vivid"):
            out = Path(folder) / setting
            pretint.colorize(chosen, out=out, model=arguments.model, setting=setting)  # type: ignore[arg-type]
            rows[setting] = [Image.open(next(out.glob(f"{path.stem}.*"))) for path in chosen]
        rows["original"] = [Image.open(path) for path in chosen]
        grid = Image.new("RGB", (SIDE * COLUMNS, SIDE * len(rows) * (len(chosen) // COLUMNS)), "white")
        for row, pictures in enumerate(rows.values()):
            for number, picture in enumerate(pictures):
                block, column = divmod(number, COLUMNS)
                square = ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE))
                grid.paste(square, (column * SIDE, (block * len(rows) + row) * SIDE))
        grid.save(arguments.out, quality=85)


if __name__ == "__main__":
    main()
