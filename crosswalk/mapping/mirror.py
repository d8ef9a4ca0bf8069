"""The rules of a table that holds all that a record holds."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Dict

from crosswalk.mapping.language import HOLD, LEAVE_OUT, Constant, Lines, Rule
from crosswalk.mapping.verbs.basic import Copy
from crosswalk.schemas.base import Field, Record
from crosswalk.schemas.tables import column_names


def mirror(
    source: Record, rename: Dict[str, str] | None = None, leave_out: Collection[str] = (), prefix: str = ""
) -> list[Rule | Constant | Lines]:
    """A plain copy of every field and list, for ``table_record(source, name, rename, leave_out)`` as the target.

    What the source requires is held when it is missing; the rest is left out. prefix: only for lists inside.
    """
    names = column_names(source, rename, leave_out, prefix)
    rules: list[Rule | Constant | Lines] = []
    for field in source.fields:
        if field.name not in names:
            continue
        if isinstance(field, Field):
            missing = HOLD if field.required else LEAVE_OUT
            rules.append(Rule(names[field.name], Copy(field.name), missing))
        else:
            inside = mirror(field.record, rename, leave_out, f"{prefix}{field.name}.")
            rules.append(Lines(names[field.name], each=field.name, rules=inside))
    return rules
