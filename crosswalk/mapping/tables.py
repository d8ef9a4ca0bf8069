"""Value tables: CSV files that the business owns, one decision a row, each with its reason.

They come out of spreadsheets, so a byte-order mark, ``;`` or tabs, blanks at the ends and empty rows are put right, and
what a spreadsheet destroys without a word (1.23E+11, 1-Feb, #N/A) is refused by file, line and column. Cells are text:
leading zeros stay. A leading apostrophe says that a cell is meant as it stands: ``'1E5``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from crosswalk.errors import TableError

REASON = "reason"
HOLD = "hold"
_MONTHS = "jan|feb|mar|mär|mrt|apr|may|mai|mei|maj|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez"
_SCIENTIFIC = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_DATE = re.compile(
    rf"\d{{1,2}}[-/. ]({_MONTHS})\.?([-/. ]\d{{2,4}})?|({_MONTHS})\.?[-/. ]\d{{1,4}}"
    r"|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}-\d{1,2}-\d{2,4}|\d{1,2}\.\d{1,2}\.\d{2,4}",
    re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?")
_ERROR = re.compile(
    r"#(REF|N/A|NAME\?|VALUE|DIV/0|NULL|NUM|N/B|NAAM\?|WAARDE|VERW|WERT|BEZUG|NV)!?.*|#{3,}", re.IGNORECASE
)


@dataclass(frozen=True)
class Table:
    """A table as read: text cells by column, and the line of the file that each row stands on."""

    name: str
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    literal: frozenset[tuple[str, int]] = frozenset()

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self) -> list[tuple[str, ...]]:
        """All rows, header first, without duplicates: what a digest is made of."""
        return [tuple(self.columns), *dict.fromkeys(zip(*self.columns.values(), strict=True))]

    def choices(self, keys: Sequence[str], value: str, also: Sequence[str] = ()) -> Choices:
        """The rows as key → value. Identical rows count once.

        Raises TableError for a missing or undeclared column, a key that stands twice with different outcomes, an empty
        outcome or reason, and cells that a spreadsheet has damaged.
        """
        self._columns(keys, value, also)
        self._reasons()
        first: dict[tuple[str, ...], int] = {}
        for row, key in enumerate(zip(*(self.columns[k] for k in keys), strict=True)):
            known = first.setdefault(key, row)
            if any(column[known] != column[row] for column in self.columns.values()):
                raise TableError(
                    f"{self.name}, lines {self.lines[known]} and {self.lines[row]}: {' / '.join(key)!r} stands twice "
                    f"and the rows differ. Keep one of them."
                )
        chosen = list(first.values())
        outcomes = [self.columns[value][row] for row in chosen]
        for row, outcome in zip(chosen, outcomes, strict=True):
            if not outcome:
                raise TableError(
                    f"{self.name}, line {self.lines[row]}: {value!r} is empty. Write a value, or {HOLD!r} when a "
                    f"person decides."
                )
        cells = {k: [self._plain(k, row) for row in chosen] for k in keys}
        reasons = [self.columns[REASON][row] for row in chosen]
        values = [HOLD if o.lower() == HOLD else self._plain(value, r) for o, r in zip(outcomes, chosen, strict=True)]
        return Choices(self.name, cells, values, reasons, [self.lines[row] for row in chosen])

    def _columns(self, keys: Sequence[str], value: str, also: Sequence[str]) -> None:
        wanted = [*keys, value, REASON]
        for column in wanted:
            if column not in self.columns:
                close = get_close_matches(column, self.columns, n=1)
                hint = f" Is {close[0]!r} meant?" if close else f" It has {', '.join(self.columns)}."
                raise TableError(f"{self.name} has no column {column!r}.{hint}")
        unknown = [c for c in self.columns if c not in wanted and c not in also]
        if unknown:
            raise TableError(
                f"{self.name} has a column {unknown[0]!r} that no rule uses. Remove it, or name it in also=(...)."
            )

    def _reasons(self) -> None:
        for row, reason in enumerate(self.columns[REASON]):
            if not reason:
                raise TableError(f"{self.name}, line {self.lines[row]}: the reason is empty. Say why.")

    def _plain(self, column: str, row: int) -> str:
        """The cell, unless a spreadsheet has damaged it."""
        cell = self.columns[column][row]
        if (column, row) in self.literal:
            return cell
        for pattern, what in ((_SCIENTIFIC, "a rounded number"), (_DATE, "a date"), (_ERROR, "a formula's error")):
            if pattern.fullmatch(cell):
                raise TableError(
                    f"{self.name}, line {self.lines[row]}, column {column!r}: {cell!r} looks like {what} that a "
                    f"spreadsheet made of something else. Write what was meant; if it is meant so, write '{cell}."
                )
        return cell


@dataclass(frozen=True)
class Choices:
    """Keys and what each becomes; ``values`` holds "hold" where a person decides."""

    name: str
    keys: dict[str, list[str]]
    values: list[str]
    reasons: list[str]
    lines: list[int]

    def key(self, column: str, arrow: pa.DataType) -> pa.Array:
        """A key column in the type of what it is compared with. Raises TableError."""
        cells = zip(self.keys[column], self.lines, strict=True)
        return pa.array([self._typed(cell, line, column, arrow) for cell, line in cells], arrow)

    def outcome(self, column: str, arrow: pa.DataType) -> pa.Array:
        """The values in the target's type, null where a person decides. Raises TableError."""
        cells = zip(self.values, self.lines, strict=True)
        return pa.array([None if c == HOLD else self._typed(c, n, column, arrow) for c, n in cells], arrow)

    def _typed(self, cell: str, line: int, column: str, arrow: pa.DataType) -> Any:
        where = f"{self.name}, line {line}, column {column!r}"
        try:
            value = typed(cell, arrow)
        except (ValueError, InvalidOperation, pa.ArrowInvalid) as error:
            hint = " Decimals have a point." if "," in cell else ""
            raise TableError(f"{where}: {cell!r} is not a value of type {arrow}.{hint}") from error
        if value is None:
            raise TableError(f"{where}: a table cannot hold values of type {arrow}.")
        if pa.types.is_string(arrow) and _ISO.fullmatch(cell):
            raise TableError(f"{where}: {cell!r} looks like a date that a spreadsheet made of something else.")
        return value


def typed(cell: str, arrow: pa.DataType) -> Any:
    """A cell as text, yes/no, whole number, decimal or day; None for another type. Raises ValueError."""
    if pa.types.is_string(arrow):
        return cell
    if pa.types.is_boolean(arrow):
        return (
            {"true": True, "false": False, "yes": True, "no": False}[cell.lower()]
            if cell.lower() in _YES
            else _no(cell)
        )
    if pa.types.is_int64(arrow):
        return int(cell) if re.fullmatch(r"[+-]?\d{1,18}", cell) else _no(cell)
    if pa.types.is_decimal(arrow):
        return pa.scalar(Decimal(cell), arrow).as_py() if re.fullmatch(r"[+-]?\d+(\.\d+)?", cell) else _no(cell)
    if pa.types.is_date32(arrow):
        return date.fromisoformat(cell)
    return None


_YES = frozenset({"true", "false", "yes", "no"})


def _no(cell: str) -> Any:
    raise ValueError(cell)


@dataclass(frozen=True)
class Tables:
    """Folders of value tables: a table in ``overrides`` replaces the one of that name in ``folder``."""

    folder: Path | None = None
    overrides: Path | None = None

    def read(self, name: str) -> Table:
        """The table. Raises TableError when there is none or it cannot be read as meant."""
        for folder in (self.overrides, self.folder):
            path = folder / name if folder else None
            if path and path.is_file():
                stat = path.stat()
                return _read(path, name, stat.st_mtime_ns, stat.st_size)
        if self.folder is None:
            raise TableError(
                f"No folder of value tables is given, so {name} cannot be read; set tables= on the mapping."
            )
        close = get_close_matches(name, [p.name for p in sorted(self.folder.glob("*.csv"))], n=1)
        raise TableError(f"There is no value table {name} in {self.folder}.{f' Is {close[0]} meant?' if close else ''}")


@lru_cache(maxsize=256)
def _read(path: Path, name: str, _changed: int, _size: int) -> Table:
    return parse_table(name, path.read_bytes())


def parse_table(name: str, body: bytes) -> Table:
    """The table in a CSV file. Raises TableError that names line and column."""
    text = _decode(name, body)
    lines = text.splitlines(keepends=True)
    start = 0
    if lines and lines[0].lower().startswith("sep="):
        start = 1
    header_line = next((line for line in lines[start:] if line.strip(" ;,\t\r\n")), "")
    if not header_line:
        raise TableError(f"{name} is empty. It needs a header, ending in {REASON!r}, and a row for each value.")
    delimiter = max(";\t,", key=header_line.count)
    try:
        reader = csv.reader(io.StringIO("".join(lines[start:]), newline=""), delimiter=delimiter, strict=True)
        rows = [(reader.line_num + start, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise TableError(f"{name} cannot be read: {error}. A quote may be open.") from error
    filled = [(line, row) for line, row in rows if any(row)]
    return _table(name, filled)


def _decode(name: str, body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{name} is saved as UTF-16. Save it as 'CSV UTF-8'.")
    if body.startswith(b"PK\x03\x04"):
        raise TableError(f"{name} is a spreadsheet file, not CSV. Save it as 'CSV UTF-8'.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise TableError(
            f"{name}, line {line}: byte 0x{body[error.start]:02x} is not UTF-8; the file seems to be saved as "
            f"Windows-1252 ('CSV'). Save it as 'CSV UTF-8'."
        ) from error
    for mark in ("\0", "\ufffd"):
        if mark in text:
            line = text[: text.index(mark)].count("\n") + 1
            raise TableError(f"{name}, line {line}: there is a character that was lost in an earlier conversion.")
    return text


def _table(name: str, rows: list[tuple[int, list[str]]]) -> Table:
    (header_line, header), *body = rows
    width = max((i + 1 for _, row in rows for i, cell in enumerate(row) if cell), default=0)
    names = header[:width]
    for i, column in enumerate(names):
        if not column:
            raise TableError(f"{name}, line {header_line}: column {i + 1} has cells but no name.")
        if names.index(column) != i:
            raise TableError(f"{name}, line {header_line}: the column {column!r} stands twice.")
    if REASON not in names:
        raise TableError(f"{name} has no column {REASON!r}. Every row of a value table says why.")
    if not body:
        raise TableError(f"{name} has a header and no rows.")
    for line, row in body:
        if (len(row) > width and any(row[width:])) or len(names) < width:
            raise TableError(f"{name}, line {line}: there are {len(row)} cells and {len(names)} columns.")
        if len(row) < len(names):
            raise TableError(f"{name}, line {line}: there are {len(row)} cells and {len(names)} columns.")
    cells = {c: tuple(row[i].removeprefix("'") for _, row in body) for i, c in enumerate(names)}
    literal = frozenset(
        (c, n) for i, c in enumerate(names) for n, (_, row) in enumerate(body) if row[i].startswith("'")
    )
    return Table(name, cells, tuple(line for line, _ in body), literal)
