"""What grows is pruned in small batches, and nothing that is open or that keeps a record from being doubled goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from practising import Ground
from sqlalchemy import insert, select, update

from crosswalk.clock import SharedClock
from crosswalk.errors import SettingsError
from crosswalk.http.journal import Bodies, SqliteJournal
from crosswalk.http.protocols import Ended, Sent
from crosswalk.runs import pruning
from crosswalk.store import retention
from crosswalk.store.engine import Store
from crosswalk.store.retention import Periods
from crosswalk.store.tables import (
    APPROVAL,
    AUDIT,
    BATCH,
    ERRAND,
    HELD,
    INBOX,
    INCIDENT,
    LINK,
    MEMBER,
    METADATA,
    MUTE,
    NOTIFICATION,
    RECORD,
    RUN,
)

NEVER = {"meta", "cursor", "lease", "link", "record", "token", "alert_channel", "inbox_tally", "breaker", "correction"}
"""Tables that one row a connection, binding or record keeps as small as they are."""


def put(store: Store, table: Any, **values: Any) -> None:
    """One row; what is required and not given is empty, numbers are 1 and instants now."""
    blank: dict[str, Any] = {}
    for column in table.columns:
        if column.name in values or column.nullable or column.name == "number":
            continue
        kind: Any = getattr(column.type, "impl", column.type)
        blank[column.name] = store.clock.now() if kind.python_type is datetime else kind.python_type()
    with store.transaction("test") as connection:
        connection.execute(insert(table).values(**blank | values))


def ids(store: Store, table: Any, column: str = "id") -> set[str]:
    with store.reading() as connection:
        return set(connection.execute(select(table.c[column])).scalars())


def test_every_table_that_grows_has_a_period() -> None:
    """A table is pruned by a period, or is among those that do not grow; there is no third kind."""
    with_another = {part for part, _ in retention.WITH.values()}
    assert set(METADATA.tables) <= set(retention.PERIOD) | NEVER | with_another
    assert not set(retention.PERIOD) & NEVER
    assert set(retention.PERIOD.values()) | {"journal", "bodies"} == set(retention.NAMES)


def test_what_ended_long_ago_goes_and_what_is_open_stays(store: Store) -> None:
    """Old attempts, held rows, plans, events, messages, incidents, mutes and changes go; open ones of any age stay, and
    so does what is young. A dry run counts the same and takes out nothing."""
    now = store.clock.now()
    old, young = now - timedelta(days=1000), now - timedelta(days=1)
    for age, at in (("old", old), ("young", young)):
        put(store, BATCH, id=f"{age} done", open=False, frozen_at=at)
        put(store, BATCH, id=f"{age} doubt", open=True, frozen_at=at)
        put(store, BATCH, id=f"{age} named", open=False, frozen_at=at, scope="s")
        put(store, RECORD, scope="s", key=age, part="", batch=f"{age} named", first_seen_at=at, changed_at=at)
        for batch in ("done", "doubt", "named"):
            put(store, MEMBER, batch=f"{age} {batch}", position=0, scope="s", key=age, part="")
        put(store, HELD, id=f"{age} closed", open=False, last_at=at)
        put(store, HELD, id=f"{age} held", open=True, last_at=at)
        put(store, APPROVAL, id=f"{age} shown", made_at=at)
        put(store, APPROVAL, id=f"{age} approved", made_at=at, approved_by="anna", approved_at=at)
        for state in ("new", "gathered"):
            put(store, INBOX, id=f"{age} {state}", delivery=f"{age} {state}", state=state, last_at=at)
        put(
            store, INBOX, id=f"{age} asked", delivery=f"{age} asked", state="gathered", last_at=at, record=f"{age} open"
        )
        put(store, ERRAND, scope="s", key=f"{age} open", asked=2, served=1, served_at=at)
        put(store, ERRAND, scope="s", key=f"{age} served", asked=1, served=1, served_at=at)
        put(store, INCIDENT, id=f"{age} open", fingerprint=age, state="open", opened_at=at)
        put(store, INCIDENT, id=f"{age} over", fingerprint=age, state="resolved", resolved_at=at)
        for seq, (of, status) in enumerate((("open", "sent"), ("over", "sent"), ("over", "waiting"))):
            put(
                store, NOTIFICATION, id=f"{age} {of} {status}", incident=f"{age} {of}", seq=seq, status=status,
                made_at=at, ended_at=None if status == "waiting" else at,
            )  # fmt: skip
        put(store, MUTE, id=f"{age} over", until=at)
        put(store, MUTE, id=f"{age} on", until=now + timedelta(days=1), made_at=at)
        put(store, AUDIT, id=age, at=at)
    tables = (BATCH, HELD, APPROVAL, INBOX, INCIDENT, NOTIFICATION, MUTE, AUDIT)
    before = {table.name: ids(store, table) for table in tables}

    counted = retention.prune(store, Periods(), dry_run=True)
    assert {table.name: ids(store, table) for table in tables} == before
    assert retention.last_pruned(store) is None
    done = retention.prune(store, Periods())
    assert done.rows == counted.rows and not done.more and done.total == 8
    gone = {name: before[name] - ids(store, METADATA.tables[name]) for name in before}
    assert gone == {
        "batch": {"old done"}, "held": {"old closed"}, "approval": {"old shown"}, "inbox": {"old gathered"},
        "incident": set(), "notification": {"old over sent"}, "mute": {"old over"}, "audit": {"old"},
    }  # fmt: skip
    assert "old done" not in ids(store, MEMBER, "batch") and "old doubt" in ids(store, MEMBER, "batch")
    assert ids(store, ERRAND, "key") == {"old open", "young open", "young served"}
    assert retention.last_pruned(store) == now

    with store.transaction("test") as connection:
        connection.execute(update(NOTIFICATION).values(status="sent", ended_at=old))
    retention.prune(store, Periods())
    assert before["incident"] - ids(store, INCIDENT) == {"old over"}
    assert "old open sent" in ids(store, NOTIFICATION)


def test_the_runs_that_tell_how_a_binding_stands_stay(store: Store) -> None:
    """The last run, the last good one, and the first that failed since are kept at any age; the others go."""
    for days, scope, state in (
        (500, "a", "completed"), (400, "a", "completed"), (399, "a", "failed"), (398, "a", "failed"),
        (397, "a", "running"), (300, "b", "completed"), (299, "b", "completed"), (298, "b", "planned"),
    ):  # fmt: skip
        at = store.clock.now() - timedelta(days=days)
        ended = None if state == "running" else at
        put(
            store,
            RUN,
            id=f"{days}",
            scope=scope,
            started_at=at,
            ended_at=ended,
            state=state,
            dry_run=state == "planned",
        )
    retention.prune(store, Periods())
    assert ids(store, RUN) == {"400", "399", "397", "299"}


def test_a_call_takes_out_little_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes out more than a few hundred rows; a call ends at its limit and says so, the next goes on."""
    monkeypatch.setattr(retention, "AT_ONCE", 10)
    old = store.clock.now() - timedelta(days=1000)
    for number in range(45):
        put(store, HELD, id=f"{number:02}", open=False, last_at=old)
    sizes: list[int] = []
    some = retention._some

    def watched(*given: Any) -> int:
        sizes.append(some(*given))
        return sizes[-1]

    monkeypatch.setattr(retention, "_some", watched)
    first = retention.prune(store, Periods(), most=25)
    assert first.more and first.total == 25 and max(sizes) == 10 and retention.last_pruned(store) is None
    second = retention.prune(store, Periods(), most=25)
    assert not second.more and second.total == 20 and ids(store, HELD) == set()


def test_the_journal_is_pruned_with_the_store(tmp_path: Path, store: Store, clock: SharedClock) -> None:
    """Old requests and their bodies go, each by its own period, and a dry run counts them."""
    journal = SqliteJournal(tmp_path / "journal.db", clock, Bodies(tmp_path / "bodies"))
    for _ in range(2):
        sent = Sent("shop", "POST", "https://shop.test/", clock.now(), body=b'{"a": 1}')
        journal.close(journal.open(sent), Ended("answered", 0.1, 200, body=b'{"b": 2}'))
        clock.advance(40 * 86400)
    counted = retention.prune(store, Periods(bodies=60), journal, dry_run=True)
    assert (counted.rows["journal"], counted.rows["bodies"]) == (2, 2)
    assert len(journal.entries()) == 2
    retention.prune(store, Periods(journal=60, bodies=30), journal)
    assert len(journal.entries()) == 1 and not list((tmp_path / "bodies").rglob("*.gz"))


def test_a_pruned_store_writes_nothing_twice(sqlite_ground: Ground) -> None:
    """After everything that may go is gone, the next run finds every record as it left it and writes nothing."""
    ground = sqlite_ground.fresh("refund_part", "locked", orders=8)
    ground.whole(passes=2)
    held = {row.id for row in ground.held()}
    ground.clock.advance(10 * 86400)
    shortest = replace(Periods(), **{name: retention.LEAST.get(name, 0) for name in retention.NAMES})
    done = retention.prune(ground.store, shortest, ground.house().journal)
    assert done.rows["batch"] > 3 and done.rows["run"] >= 2 and done.rows["journal"] > 10
    with ground.store.reading() as connection:
        assert not list(connection.execute(select(MEMBER.c.batch))) and list(connection.execute(select(LINK.c.id)))
    before = ground.control.counts()
    ground.run("customers", since=ground.clock.now() - timedelta(days=365))
    ground.run("orders", since=ground.clock.now() - timedelta(days=365))
    assert sum(ground.wrote(before).values()) == 0 and held and held <= {row.id for row in ground.held()}
    assert ground.verdict() == []


def test_periods_come_from_the_settings(tmp_path: Path) -> None:
    """[retention] changes single periods; a name or number that does not fit is refused with what is allowed."""
    file = tmp_path / "crosswalk.toml"
    file.write_text("")
    assert pruning.periods(tmp_path) == Periods()
    file.write_text("[retention]\nattempts = 3\nbodies = 0\n")
    assert pruning.periods(tmp_path) == Periods(attempts=3, bodies=0)
    for wrong, said in (("records = 3", "kept nowhere"), ("events = 2", "from 7 on"), ('runs = "x"', "no number")):
        file.write_text(f"[retention]\n{wrong}\n")
        with pytest.raises(SettingsError, match=said):
            pruning.periods(tmp_path)
