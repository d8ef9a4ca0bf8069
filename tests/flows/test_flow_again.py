"""A step that is tried again counts nothing twice. No server: the bare steps under a plain loop of retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flow_kit import ORDERS, Folder
from sqlalchemy.exc import OperationalError

from crosswalk.errors import StoreError, Throttled
from crosswalk.runs import body
from crosswalk.runs.body import Steps
from crosswalk.runs.extract import Extraction, Raw
from crosswalk.runs.session import Request, Session
from tasks.retrying import may_pass


def again(step: Callable[..., Any], tries: list[str]) -> Callable[..., Any]:
    """What the task does: the same call once more after an infrastructure error."""

    def tried(*arguments: Any) -> Any:
        for _ in range(4):
            try:
                return step(*arguments)
            except Exception as error:
                tries.append(type(error).__name__)
                if not may_pass(error):
                    raise
        raise AssertionError("tried four times")

    return tried


def break_once(session: Session, statement: str) -> list[str]:
    """Let the store fail in the middle of the transaction that first says this."""
    done: list[str] = []

    def before(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not done and statement in text:
            done.append(text)
            raise OperationalError(text, {}, Exception("database is locked"))

    sa.event.listen(session.store.engine, "before_cursor_execute", before)
    return done


@pytest.mark.parametrize("statement", ["INSERT INTO record", "INSERT INTO cursor", "INSERT INTO batch", "UPDATE batch"])
def test_loading_again_counts_once(folder: Folder, statement: str) -> None:
    """A store that fails once while a chunk is planned or sent leaves an account that adds up, and equal books."""
    house = folder.house()
    body.run(house.session("customers", Request()))
    session = house.session("orders", Request())
    broken, tries = break_once(session, statement), []
    steps = Steps(load=again(body.load_chunk, tries), send=again(body.send, tries))
    account = body.run(session, steps)
    assert broken and tries == ["StoreError"]
    assert (account.read, account.distinct, account.duplicate) == (ORDERS, ORDERS, 0)
    assert not account.queued and account.states.keys() <= {"applied", "held", "skipped"}
    twice = [line for line in folder.control.verdict("S1") if "guests" not in line]
    assert twice == []
    house.close()


def test_loading_a_database_again_counts_once(folder: Folder) -> None:
    """A database that fails once while the cursor is moved is loaded again without a duplicate in the account."""
    house = folder.house()
    session = house.session("orders-to-database", Request())
    broken, tries = break_once(session, "INSERT INTO cursor"), []
    account = body.run(session, Steps(load=again(body.load_chunk, tries)))
    assert broken and tries == ["StoreError"]
    assert (account.read, account.distinct, account.duplicate) == (ORDERS, ORDERS, 0)
    assert account.created + account.unchanged + account.held == ORDERS
    house.close()


def test_extracting_again_goes_on_behind_the_last_whole_page(folder: Folder) -> None:
    """A page that is lost after every retry of the client costs the step one more try, and stand-ins stay stand-ins."""
    house = folder.house()
    session = house.session("customers", Request())
    read, lost = session.source.read, []

    def once(*arguments: Any) -> Any:
        if not lost:
            lost.append(True)
            raise StoreError("the journal is away")
        return read(*arguments)

    session.source.read = once  # type: ignore[method-assign]
    tries: list[str] = []
    account = body.run(session, Steps(extract=again(Extraction.next, tries)))
    assert tries == ["StoreError"]
    assert account.stand_ins == 1 and account.distinct == account.read + 1
    house.close()


def test_a_source_that_lets_nothing_through_ends_the_run_as_queued(folder: Folder) -> None:
    """A limit that lasts longer than the client waits is no failure: the run stops, and the next goes on there."""
    house = folder.house()

    def limited(_: Extraction) -> Raw:
        raise Throttled("over the daily limit", wait=3600)

    session = house.session("customers", Request())
    account = body.run(session, Steps(extract=limited))
    assert "3600 s" in account.stopped
    assert session.position.value is None, "the cursor stays"
    account = body.run(house.session("customers", Request()))
    assert account.created and not account.stopped
    house.close()
