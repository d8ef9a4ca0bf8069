"""What the commands print: sentences, tables and errors. Everything passes the redaction on its way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crosswalk.errors import CrosswalkError

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 500
"""Columns of a table that no terminal shows: one line a row, for other programs."""


def clean(value: object) -> str:
    """A value as text, without secrets."""
    from crosswalk.http import redact

    return redact.text("" if value is None else str(value))


@lru_cache(maxsize=2)
def _console(error: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or WIDE)
    return Console(stderr=error, width=width, highlight=False, markup=False, emoji=False)


def say(value: object = "") -> None:
    """A sentence, never wrapped."""
    _console(False).print(clean(value), soft_wrap=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Rows under their heads; long values are folded, never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(*head, box=box.SIMPLE, title=title or None, title_justify="left", pad_edge=False)
    for column in made.columns:
        column.overflow = "fold"
    for row in rows:
        made.add_row(*(Text(clean(value)) for value in row))
    _console(False).print(made)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and their values, one a line."""
    lines = [(name, clean(value)) for name, value in pairs]
    wide = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        say(f"  {name:<{wide}}  {value}".rstrip())


def error(trouble: BaseException) -> None:
    """What happened, to which record, what is safe, and the next command: on standard error."""
    known = isinstance(trouble, CrosswalkError)
    lines = str(trouble) if known else f"{type(trouble).__name__}: {trouble}"
    sys.stderr.write(clean(lines) + "\n")


def warn(text: str) -> None:
    """A sentence on standard error."""
    sys.stderr.write(clean(text) + "\n")


def when(instant: datetime | None) -> str:
    """An instant to the second."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "never"


def span(length: timedelta | float) -> str:
    """A length of time in its two largest units."""
    left = int(length.total_seconds() if isinstance(length, timedelta) else length)
    found = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            found.append(f"{count} {unit}")
    return " ".join(found[:2]) or "0 s"


def as_json(value: Any) -> None:
    """A value as JSON, for another program."""
    import json

    from crosswalk.http import redact

    plain = json.loads(json.dumps(value, default=str))
    sys.stdout.write(json.dumps(redact.data(plain), indent=2, ensure_ascii=False) + "\n")


def plain(text: str) -> None:
    """A sentence that is meant to be opened or copied as it is: an address to log in at. It holds no secret of ours."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
