"""Pictures and a table: labels.csv with the columns "file" (path below the folder) and one a class, 1 or 0; a column "split" is optional."""

import csv
import os
from itertools import zip_longest
from pathlib import Path

from pretint.data.record import Record, Source, split_name
from pretint.errors import DataError, OptionError


def recognises(folder: Path) -> bool:
    """True for a folder with labels.csv."""
    return (folder / "labels.csv").is_file()


def tells_splits(folder: Path) -> bool:
    """True for a folder whose labels.csv has the columns "file" and "split".

    Raises:
        DataError: its columns are not separated by commas.
    """
    if not recognises(folder):
        return False
    with (folder / "labels.csv").open(newline="", encoding="utf-8-sig", errors="replace") as file:
        columns = next(csv.reader(file), [])
    _refuse_separator(folder / "labels.csv", columns)
    return {"file", "split"} <= set(columns)


def _refuse_separator(table: Path, columns: list[str]) -> None:
    if len(columns) == 1 and (other := next((mark for mark in ";\t|" if mark in columns[0]), None)):
        raise DataError(f"{table}: its columns are separated by {other!r}; save it with commas")


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List the table's pictures in its order; see ``open_source``. Columns of other classes than the given are not looked at.

    Raises:
        DataError: the table is malformed, names a file twice, one that is not there or one beside the folder.
        OptionError: a class without a column.
    """
    table = folder / "labels.csv"
    splits: dict[str, list[Record]] = {"all": []}
    seen: set[str] = set()
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = next(rows, [])
            _refuse_separator(table, columns)
            named = [column for column in columns if column]  # programs for tables leave empty columns at the right
            if "file" not in named or len(set(named)) < len(named):
                raise DataError(f'{table}: the first line must name the columns, "file" among them, each once')
            found = tuple(c for c in named if c not in ("file", "split"))
            for name in classes or ():
                if name not in found:
                    raise OptionError(f"--classes {name}: {table} has the columns {', '.join(found)}")
            names = found if classes is None else classes
            for values in filter(any, rows):
                where = f"{table}, line {rows.line_num}"
                row = dict(zip(columns, values, strict=False))
                if any(value for column, value in zip_longest(columns, values) if not column):
                    raise DataError(f"{where}: holds a value that no column is named for; mend the table")
                given = row.get("file", "")
                # Normalised, else ./a.png would be a second picture beside a.png.
                path, name = folder / given, os.path.normpath(given)
                if (place := Path(name)).is_absolute() or place.parts[:1] == (os.pardir,):
                    raise DataError(f"{where}: {given} is no path below {folder}; mend the table")
                if name in seen or not path.is_file():
                    raise DataError(
                        f"{where}: {given} {'is named twice' if name in seen else 'is not there'}; mend the table"
                    )
                seen.add(name)
                for column in names:
                    if (value := row.get(column, "")) not in ("0", "1"):
                        raise DataError(f"{where}: the column {column} holds {value!r}; it must be 0 or 1")
                record = Record(place.as_posix(), path, tuple(c for c in names if row[c] == "1"))
                splits["all"].append(record)
                if (split := split_name(row.get("split", ""))) and split.lower() != "all":
                    splits.setdefault(split, []).append(record)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: this is no table in UTF-8 ({error}); save it as CSV") from None
    return Source("table", folder, names, {name: tuple(records) for name, records in splits.items()})
