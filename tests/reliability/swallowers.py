"""Engines that swallow records, one way each: what a run must notice, whoever wrote the mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from crosswalk.connectors import graphql, shopify, xero
from crosswalk.connectors.base import Result, Window
from crosswalk.delivery import plan, prepare, send, settle, wanted
from crosswalk.frames import dedupe, parse, validate
from crosswalk.frames.frame import Frame
from crosswalk.mapping import apply as mapping
from crosswalk.mapping import refs
from crosswalk.runs import extract, loading, session, transform
from crosswalk.store import batches, held, ledger

Patch = pytest.MonkeyPatch


class Bite:
    """Lets a mutant bite the first time it may; a mutant that never bit proves nothing."""

    def __init__(self) -> None:
        self.bitten = 0

    def first(self, can: object = True) -> bool:
        """True once, at the first call in which it can."""
        if self.bitten or not can:
            return False
        self.bitten += 1
        return True


@dataclass(frozen=True)
class Swallower:
    """What is swallowed, and how the engine is changed so that it is."""

    name: str
    act: Callable[[Patch, Bite], None]


SWALLOWERS: list[Swallower] = []


def swallower(act: Callable[[Patch, Bite], None]) -> Callable[[Patch, Bite], None]:
    """Keep a change of the engine under the words of its docstring."""
    assert act.__doc__
    SWALLOWERS.append(Swallower(act.__doc__, act))
    return act


def around(patch: Patch, owner: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace a function by ``change(real, *arguments)``."""
    real = getattr(owner, name)
    patch.setattr(owner, name, lambda *a, **k: change(real, *a, **k))


def less(values: Any) -> Any:
    """Without its last element."""
    return values[:-1]


# ---- the extractor


@swallower
def a_page(patch: Patch, bite: Bite) -> None:
    """a page"""
    around(patch, extract.Extraction, "_list", lambda real, me: _emptied(bite, real(me)))


def _emptied(bite: Bite, page: list[bytes]) -> list[bytes]:
    return [] if bite.first(page) else page


@swallower
def a_record_of_a_page(patch: Patch, bite: Bite) -> None:
    """a record of a page, before it is counted"""
    around(patch, extract.Extraction, "_list", lambda real, me: _shorter(bite, real(me)))


def _shorter(bite: Bite, page: list[bytes]) -> list[bytes]:
    return less(page) if bite.first(page) else page


@swallower
def a_record_of_a_chunk(patch: Patch, bite: Bite) -> None:
    """a record of a chunk, after it was counted"""

    def change(real: Any, records: Any, *more: Any) -> Any:
        return real(less(records) if bite.first(records) else records, *more)

    around(patch, extract, "Raw", change)


@swallower
def the_later_part_of_the_window(patch: Patch, bite: Bite) -> None:
    """the later part of the window: less is asked for than the cursor passes over"""

    def change(real: Any, me: Any, resource: str, window: Window, resume: str | None = None) -> Any:
        bite.first()
        assert window.until is not None
        return real(me, resource, replace(window, until=window.until - timedelta(days=9)), resume)

    around(patch, shopify.Shopify, "read", change)


@swallower
def the_earlier_part_of_the_window(patch: Patch, bite: Bite) -> None:
    """the earlier part of the window: less is asked for than the run was to read"""

    def change(real: Any, me: Any, resource: str, window: Window, resume: str | None = None) -> Any:
        bite.first()
        assert window.until is not None
        return real(me, resource, replace(window, since=window.until - timedelta(days=9)), resume)

    around(patch, shopify.Shopify, "read", change)


@swallower
def what_lies_between_two_windows(patch: Patch, bite: Bite) -> None:
    """what lies between two windows: the second begins after the end of the first"""

    def change(real: Any, run: Any) -> Window:
        window = real(run)
        if run.position.value is None:
            return window
        bite.first()
        return Window(run.position.value + timedelta(seconds=30), window.until)

    around(patch, session, "_window", change)


# ---- frames


@swallower
def a_record_of_an_answer(patch: Patch, bite: Bite) -> None:
    """a record of an answer, while it is taken apart"""

    def change(real: Any, body: bytes, path: str) -> Any:
        records, rest = real(body, path)
        return (less(records), rest) if bite.first(path.endswith("orders.nodes") and len(records)) else (records, rest)

    around(patch, shopify, "rows", change)


@swallower
def a_record_in_the_parse(patch: Patch, bite: Bite) -> None:
    """a record in the parse"""

    def change(real: Any, record: Any, raws: Any) -> Any:
        found = real(record, raws)
        if not bite.first(len(found.frame)):
            return found
        return replace(found, frame=found.frame.take(less(_rows(found.frame))), kept=less(found.kept))

    around(patch, parse, "parse", change)


def _rows(frame: Frame) -> pa.Array:
    return pa.array(range(len(frame)), pa.int64())


@swallower
def a_refused_record(patch: Patch, bite: Bite) -> None:
    """the reason why a record was refused, and with it the record"""

    def change(real: Any, record: Any, raws: Any) -> Any:
        found = real(record, raws)
        return replace(found, refused=less(found.refused)) if bite.first(found.refused) else found

    around(patch, parse, "parse", change)


@swallower
def a_record_in_the_checks(patch: Patch, bite: Bite) -> None:
    """a record in the checks"""

    def change(real: Any, frame: Any, **how: Any) -> Any:
        found = real(frame, **how)
        if not bite.first(len(found.good)):
            return found
        return replace(found, good=found.good.take(less(_rows(found.good))), kept=less(found.kept))

    around(patch, validate, "validate", change)


@swallower
def a_record_as_a_duplicate(patch: Patch, bite: Bite) -> None:
    """a record, taken for a duplicate of another"""

    def change(real: Any, frame: Any, kept: Any) -> Any:
        found = real(frame, kept)
        if not bite.first(len(found.frame)):
            return found
        return replace(found, frame=found.frame.take(less(_rows(found.frame))), kept=less(found.kept))

    around(patch, dedupe, "dedupe", change)


@swallower
def a_refund_of_an_order(patch: Patch, bite: Bite) -> None:
    """a refund of an order, while the order is parsed"""
    _child(patch, bite, parse, "parse", "refunds")


@swallower
def a_transaction_of_an_order(patch: Patch, bite: Bite) -> None:
    """a transaction of an order, while the order is parsed"""
    _child(patch, bite, parse, "parse", "transactions")


@swallower
def a_line_of_an_order(patch: Patch, bite: Bite) -> None:
    """a line of an order, while the order is parsed"""
    _child(patch, bite, parse, "parse", "lineItems")


def _child(patch: Patch, bite: Bite, owner: Any, name: str, of: str) -> None:
    def change(real: Any, *given: Any) -> Any:
        found = real(*given)
        child = found.frame.lines.get(of)
        if not bite.first(child is not None and len(child)):
            return found
        lines = {**found.frame.lines, of: child.take(less(_rows(child)))}
        lines[of] = Frame(child.record, child.table.slice(0, len(child) - 1), _below(child))
        return replace(found, frame=replace(found.frame, lines=lines))

    around(patch, owner, name, change)


def _below(frame: Frame) -> dict[str, Frame]:
    """The lists of all rows but the last."""
    return dict(frame.take(less(_rows(frame))).lines)


@swallower
def what_hangs_on_a_record_when_rows_are_chosen(patch: Patch, bite: Bite) -> None:
    """what hangs on the records, when some of them are chosen"""

    def change(real: Any, frame: Frame, rows: Any) -> Frame:
        found = real(frame, rows)
        child = found.lines.get("transactions")
        if child is None or not bite.first(len(child)):
            return found
        lines = {**found.lines, "transactions": Frame.empty(child.record, child=True)}
        return Frame(found.record, found.table, lines)

    around(patch, Frame, "take", change)


# ---- mapping and transform


@swallower
def a_placed_row(patch: Patch, bite: Bite) -> None:
    """a row that the mapping has placed"""

    def change(real: Any, me: Any) -> Any:
        found = real(me)
        return transform.take(found, range(len(found.frame) - 1)) if bite.first(len(found.frame)) else found

    around(patch, mapping._Run, "outcome", change)


@swallower
def a_row_that_a_mapping_holds(patch: Patch, bite: Bite) -> None:
    """a row that the mapping holds"""

    def change(real: Any, me: Any, *given: Any) -> Any:
        found = real(me, *given)
        return less(found) if bite.first(found) else found

    around(patch, mapping._Run, "_held", change)


@swallower
def an_element_that_a_part_is_made_of(patch: Patch, bite: Bite) -> None:
    """an element that a part is made of"""

    def change(real: Any, me: Any, path: str) -> Any:
        scope, positions, rest = real(me, path)
        if path != "transactions" or rest or not bite.first(len(scope)):
            return scope, positions, rest
        keep = pa.array([n < len(scope) - 1 for n in range(len(scope))])
        return scope.filter(keep), positions.filter(keep), rest

    around(patch, refs.Scope, "into", change)


@swallower
def a_line_of_an_invoice(patch: Patch, bite: Bite) -> None:
    """a line of an invoice, when the blocks of lines are joined"""

    def change(real: Any, li: Any, blocks: Any) -> Any:
        found = real(li, blocks)
        if not bite.first(len(found)):
            return found
        return Frame(found.record, found.table.slice(0, len(found) - 1), found.lines)

    around(patch, mapping, "_joined", change)


@swallower
def a_row_that_fits_the_target(patch: Patch, bite: Bite) -> None:
    """a row that fits the target's schema"""

    def change(real: Any, outcome: Any) -> Any:
        found = real(outcome)
        can = len(found.frame) and found.frame.record.name == "xero.payments"
        return transform.take(found, range(len(found.frame) - 1)) if bite.first(can) else found

    around(patch, transform, "_checked", change)


# ---- planning


@swallower
def a_part_among_the_wanted(patch: Patch, bite: Bite) -> None:
    """a part, between the mapping and the plan"""

    def change(real: Any, chunk: Any, given: Any, *rest: Any) -> None:
        real(chunk, given, *rest)
        if bite.first(given.target.name == "xero.payments" and chunk.wanted):
            chunk.wanted.pop()

    around(patch, wanted, "_wanted", change)


@swallower
def a_skipped_part(patch: Patch, bite: Bite) -> None:
    """a part that a rule leaves out, between the mapping and the plan"""

    def change(real: Any, chunk: Any, *rest: Any) -> None:
        real(chunk, *rest)
        if bite.first(chunk.skipped):
            chunk.skipped.pop()

    around(patch, transform, "gather", change)


@swallower
def a_part_in_the_plan(patch: Patch, bite: Bite) -> None:
    """a part, while the plan is committed"""

    def change(real: Any, connection: Any, store: Any, scope: str, run: str, chunk: Any, *rest: Any, **how: Any) -> Any:
        if bite.first(len(chunk.wanted) > 1):
            chunk = replace(chunk, wanted=less(chunk.wanted))
        return real(connection, store, scope, run, chunk, *rest, **how)

    around(patch, plan, "commit", change)


@swallower
def a_new_row_of_the_ledger(patch: Patch, bite: Bite) -> None:
    """a new row of the ledger"""
    around(patch, ledger, "add", lambda real, c, rows: real(c, less(rows) if bite.first(rows) else rows))


@swallower
def a_changed_row_of_the_ledger(patch: Patch, bite: Bite) -> None:
    """a changed row of the ledger"""

    def change(real: Any, connection: Any, rows: Any, columns: Any) -> None:
        can = rows and "wanted_hash" in columns
        real(connection, less(rows) if bite.first(can) else rows, columns)

    around(patch, ledger, "upsert", change)


@swallower
def a_held_row(patch: Patch, bite: Bite) -> None:
    """a row of the quarantine"""

    def change(real: Any, connection: Any, store: Any, scope: str, run: str, holds: Any, at: Any) -> None:
        real(connection, store, scope, run, less(holds) if bite.first(holds) else holds, at)

    around(patch, held, "put", change)


@swallower
def a_fate(patch: Patch, bite: Bite) -> None:
    """a changed part, called unchanged"""

    def change(real: Any, old: Any, new: Any, now: Any) -> Any:
        found = real(old, new, now)
        can = old is not None and old.applied_hash and found.fate == "planned" and not new.remove
        return plan.Decision("unchanged", None) if bite.first(can) else found

    around(patch, plan, "decide", change)


# ---- sending


@swallower
def a_part_among_the_pending(patch: Patch, bite: Bite) -> None:
    """a pending part, whenever it is asked for"""

    def change(real: Any, *given: Any) -> Any:
        rows = real(*given)
        bite.first(rows)
        return less(rows)

    around(patch, ledger, "pending", change)


@swallower
def a_part_when_its_links_are_filled_in(patch: Patch, bite: Bite) -> None:
    """a part, when its links are filled in"""

    def change(real: Any, *given: Any) -> Any:
        found = real(*given)
        bite.first(found)
        return less(found)

    around(patch, prepare, "_linked", change)


@swallower
def a_part_in_no_batch(patch: Patch, bite: Bite) -> None:
    """a part that comes into no batch"""

    def change(real: Any, me: Any, resource: str, op: str, items: Any) -> Any:
        bite.first(items)
        return real(me, resource, op, less(items))

    around(patch, xero.Xero, "batches", change)


@swallower
def an_item_of_a_body(patch: Patch, bite: Bite) -> None:
    """an item that is left out of the body"""

    def change(real: Any, me: Any, resource: str, op: str, items: Any) -> Any:
        can = len(items) > 1 and op == "create"
        return real(me, resource, op, less(items) if bite.first(can) else items)

    around(patch, xero.Xero, "freeze", change)


@swallower
def an_item_of_every_body(patch: Patch, bite: Bite) -> None:
    """an item that is left out of every body"""

    def change(real: Any, me: Any, resource: str, op: str, items: Any) -> Any:
        can = len(items) > 1 and op == "create"
        bite.first(can)
        return real(me, resource, op, less(items) if can else items)

    around(patch, xero.Xero, "freeze", change)


@swallower
def a_member_of_an_attempt(patch: Patch, bite: Bite) -> None:
    """a member of an attempt, while it is frozen; it is in the body"""

    def change(real: Any, connection: Any, scope: str, resource: str, operation: str, request: Any, drafts: Any,
               **more: Any) -> str:  # fmt: skip
        can = len(drafts) > 1
        return str(
            real(connection, scope, resource, operation, request, less(drafts) if bite.first(can) else drafts, **more)
        )

    around(patch, batches, "freeze", change)


# ---- settling


@swallower
def an_item_of_an_answer(patch: Patch, bite: Bite) -> None:
    """an item of an answer, for ever"""

    def change(real: Any, delivery: Any, attempt: Any, answers: Any, **how: Any) -> Any:
        can = len(answers) > 1
        bite.first(can)
        return real(delivery, attempt, dict(less(sorted(answers.items()))) if can else answers, **how)

    around(patch, settle, "results", change)


@swallower
def an_item_inside_the_settling(patch: Patch, bite: Bite) -> None:
    """an item inside the settling of an answer"""

    def change(real: Any, me: Any, connection: Any, member: Any, result: Any) -> None:
        if not bite.first(result.outcome == "applied"):
            real(me, connection, member, result)

    around(patch, settle._Settling, "one", change)


@swallower
def what_the_target_refused(patch: Patch, bite: Bite) -> None:
    """what the target refused, settled as if it had been applied"""

    def change(real: Any, me: Any, connection: Any, member: Any, row: Any, result: Result) -> None:
        if bite.first(result.outcome == "refused"):
            me._applied(connection, member, row, result)
        else:
            real(me, connection, member, row, result)

    around(patch, settle._Settling, "_refused", change)


@swallower
def what_the_connector_calls_applied(patch: Patch, bite: Bite) -> None:
    """what the target refused, called applied by the connector"""

    def change(real: Any, *given: Any) -> Any:
        return [
            Result(r.item, "applied", echo=r.echo) if bite.first(r.outcome == "refused") else r for r in real(*given)
        ]

    around(patch, xero.xero_answers, "results", change)


@swallower
def what_the_target_left_in_doubt(patch: Patch, bite: Bite) -> None:
    """what the answer did not name, settled as if it had been applied"""

    def half(real: Any, me: Any, resource: str, op: str, items: Any, answer: Any) -> Any:
        payload = json.loads(answer.body)
        name = next((n for n, v in payload.items() if isinstance(v, list) and len(v) > 1), "")
        if op != "create" or not bite.first(name):
            return real(me, resource, op, items, answer)
        payload[name] = less(payload[name])
        cut = replace(answer, body=json.dumps(payload).encode())
        results = real(me, resource, op, items, cut)
        return [replace(r, outcome="applied") if r.outcome == "doubt" else r for r in results]

    around(patch, xero.Xero, "read_answer", half)


@swallower
def the_mark_of_an_applied_part(patch: Patch, bite: Bite) -> None:
    """the mark that a part was applied"""

    def change(real: Any, connection: Any, scope: str, names: Any, **values: Any) -> int:
        return 0 if bite.first("applied_hash" in values and "target_id" in values) else int(
            real(connection, scope, names, **values)
        )  # fmt: skip

    around(patch, settle.ledger, "mark", change)


@swallower
def a_member_that_is_called_absent(patch: Patch, bite: Bite) -> None:
    """a part whose attempt is closed although it was not resolved"""

    def change(real: Any, connection: Any, batch: str, outcomes: Any) -> Any:
        found = real(connection, batch, less_of(outcomes) if bite.first(len(outcomes) > 1) else outcomes)
        connection.execute(batches.update(batches.BATCH).where(batches.BATCH.c.id == batch).values(open=False))
        return found

    around(patch, batches, "resolve", change)


def less_of(values: dict[int, str]) -> dict[int, str]:
    return dict(less(sorted(values.items())))


__all__ = ["SWALLOWERS", "Bite", "Swallower", "graphql", "loading", "send"]
