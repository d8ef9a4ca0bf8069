"""Copying the store away and back."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import make_store
import pytest
from practising import Ground
from sqlalchemy import insert, select, text

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.errors import KeyTrouble, StoreError, StoreVersion
from crosswalk.http.protocols import Token
from crosswalk.store import breakers, held, ledger, links
from crosswalk.store.backup import backup, restore
from crosswalk.store.engine import Store
from crosswalk.store.held import Hold
from crosswalk.store.links import Parent
from crosswalk.store.tables import METADATA, RECORD
from crosswalk.store.tokens import Tokens
from crosswalk.store.vault import PRACTICE_KEY, Vault

OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
FIXTURE = Path(__file__).parent / "fixtures" / "store-0001.gz"
ANN = Parent("sandbox/shop/a", "shopify.customers", "1", "sandbox/books/b", "xero.contacts")


def fill(store: Store) -> None:
    """One row of what is awkward: bytes, instants, nulls, booleans, text in other scripts, numbers of links."""
    now = store.clock.now() + timedelta(microseconds=123456)
    row = {"scope": "s", "key": "k", "part": "p", "resource": "r", "first_seen_at": now, "changed_at": now,
           "wanted_payload": '{"Name": "Ünïcødé 書"}', "wanted_remove": True, "parked_at": None}  # fmt: skip
    with store.transaction("test") as connection:
        connection.execute(insert(RECORD).values(**row))
        held.put(connection, store, "s", "run", [Hold("k", "", "parse", "r", "f", "y", raw=b"\x00\xff")], now)
        for number in range(3):
            parent = Parent(ANN.source, ANN.source_resource, str(number), ANN.target, ANN.target_resource)
            links.commit(connection, parent, f"c-{number}", "customers", now)
    Tokens(store).save("sandbox/books/b", Token("access", now, now, "refresh"), 0)


def rows(store: Store) -> dict[str, list[Any]]:
    """Everything in the store but what a restore is to change."""
    with store.reading() as connection:
        found = {
            t.name: [tuple(r) for r in connection.execute(select(*(c for c in t.c if c.name != "look_first")))]
            for t in METADATA.sorted_tables
            if t.name != "meta"
        }
    return {name: sorted(map(repr, some)) for name, some in found.items()}


def fresh(url: str, clock: SharedClock, key: str = PRACTICE_KEY) -> Store:
    return Store(url, clock=clock, vault=Vault(key), durable=False).open(migrate=True)


def test_what_was_copied_away_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    """Rows, types and the numbering of links are the same; what came after the copy is gone; the epoch is another."""
    fill(store)
    kept, epoch, since = rows(store), store.epoch(), store.since()
    counts = backup(store, tmp_path / "copy.gz")
    assert counts["link"] == 3 and counts["record"] == 1
    with store.transaction("test") as connection:
        connection.execute(text("DELETE FROM held"))
        links.commit(connection, ANN, "c-new", "customers", store.clock.now())
    store.clock.sleep(60)
    assert restore(store, tmp_path / "copy.gz") == counts
    assert rows(store) == kept
    assert store.epoch() != epoch and store.since() > since
    with store.transaction("test") as connection:
        links.commit(connection, Parent("a", "b", "new", "c", "d"), "t", "x", store.clock.now())


def test_after_a_restore_first_creates_look_first(store: Store, tmp_path: Path) -> None:
    """The store may be older than the world: what has no counterpart yet is looked up before it is made."""
    fill(store)
    backup(store, tmp_path / "copy.gz")
    restore(store, tmp_path / "copy.gz")
    with store.reading() as connection:
        assert connection.execute(select(RECORD.c.look_first)).scalar_one() is True


@pytest.mark.postgres
@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
def test_a_store_moves_between_the_databases(tmp_path: Path, postgres_url: str, clock: SharedClock, to: str) -> None:
    """A copy of one kind of database is restored into the other, row for row, and back."""
    urls = {"sqlite": f"sqlite:///{tmp_path / 'a.db'}", "postgresql": postgres_url}
    source = fresh(urls["sqlite" if to == "postgresql" else "postgresql"], clock)
    target = fresh(urls[to], clock)
    fill(source)
    backup(source, tmp_path / "copy.gz")
    restore(target, tmp_path / "copy.gz")
    assert rows(target) == rows(source)
    token = Tokens(target).read("sandbox/books/b")
    assert token is not None and token.refresh == "refresh"
    with target.transaction("test") as connection:
        links.commit(connection, Parent("a", "b", "new", "c", "d"), "t", "x", clock.now())
    source.close()
    target.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda raw: raw[: len(raw) // 2], "is cut or damaged"),
        (lambda raw: b"hello", "is cut or damaged"),
        (lambda raw: gzip.compress(b""), "is no backup"),
        (lambda raw: gzip.compress(b"[]\n"), "is no backup"),
        (lambda raw: gzip.compress(b'{"format": "something else"}\n'), "is no backup"),
        (lambda raw: gzip.compress(b"not json\n"), "is cut or damaged"),
        (lambda raw: _lines(raw, lambda lines: lines[:-1]), "its last line is missing"),
        (lambda raw: _lines(raw, lambda lines: [*lines[:3], *lines[4:]]), "holds other rows than it says"),
    ],
    ids=["half", "no archive", "empty", "a list", "another format", "no json", "no end", "a row less"],
)
def test_a_file_that_is_no_whole_backup_changes_nothing(
    store: Store, tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    """Cut, damaged or something else altogether: an error that says so, and the store as it was."""
    fill(store)
    file = tmp_path / "copy.gz"
    backup(store, file)
    before = (rows(store), store.epoch())
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(StoreError, match=said) as refused:
        restore(store, file)
    assert refused.value.safe == "the store is as it was"
    assert (rows(store), store.epoch()) == before


def _lines(raw: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return gzip.compress(b"\n".join(change(gzip.decompress(raw).splitlines())) + b"\n")


def test_a_backup_that_is_not_there_is_said_so(store: Store, tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(StoreError, match=r"there is no file .*nothing\.gz"):
        restore(store, tmp_path / "nothing.gz")


def test_a_backup_of_another_release_is_refused(store: Store, tmp_path: Path) -> None:
    """It is restored by the release that wrote it, and migrated then."""
    file = tmp_path / "copy.gz"
    backup(store, file)
    head, *rest = gzip.decompress(file.read_bytes()).splitlines()
    other = json.dumps({**json.loads(head), "revision": "0000"}).encode()
    file.write_bytes(gzip.compress(b"\n".join([other, *rest]) + b"\n"))
    with pytest.raises(StoreVersion, match="stands at migration 0000"):
        restore(store, file)


def test_a_backup_under_another_key_is_refused_before_anything_is_replaced(
    store: Store, tmp_path: Path, clock: SharedClock
) -> None:
    """Otherwise the store would hold what nobody can open."""
    foreign = fresh(f"sqlite:///{tmp_path / 'foreign.db'}", clock, OTHER_KEY)
    fill(foreign)
    backup(foreign, tmp_path / "copy.gz")
    fill(store)
    before = rows(store)
    with pytest.raises(KeyTrouble):
        restore(store, tmp_path / "copy.gz")
    assert rows(store) == before
    store.open()


def test_a_kill_beside_a_restore_leaves_the_old_store_or_a_new_epoch(store: Store, tmp_path: Path) -> None:
    """Rows of the copy never stand under the epoch of the store that they replace."""
    fill(store)
    backup(store, tmp_path / "copy.gz")
    with store.transaction("test") as connection:
        connection.execute(text("DELETE FROM held"))
    epoch = store.epoch()
    store.close()

    def restored() -> None:
        points.install(lambda name: os.kill(os.getpid(), signal.SIGKILL))
        again = Store(store.url, clock=store.clock, vault=store.vault, durable=False)
        restore(again, tmp_path / "copy.gz")

    pid = os.fork()
    if pid == 0:
        restored()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert store.epoch() != epoch
    assert len(held.listing(store)) == 1


def test_a_token_that_was_renewed_since_the_backup_is_kept(store: Store, tmp_path: Path) -> None:
    """Tokens rotate: the copy's is used up, and putting it back would cost the connection."""
    fill(store)
    backup(store, tmp_path / "copy.gz")
    now = store.clock.now()
    assert Tokens(store).save("sandbox/books/b", Token("newer", now, now, "newer"), 1)
    assert Tokens(store).save("sandbox/other", Token("other", now, now, "other"), 0)
    restore(store, tmp_path / "copy.gz")
    found = Tokens(store).read("sandbox/books/b")
    assert found is not None and (found.access, found.version) == ("newer", 2)
    assert Tokens(store).read("sandbox/other") is not None


def test_a_backup_that_fails_leaves_the_older_one(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    """A copy is written beside the old one and takes its place when it is whole."""
    file = tmp_path / "copy.gz"
    backup(store, file)
    before = file.read_bytes()

    def broken(value: object) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr("crosswalk.store.backup.json.dumps", broken)
    with pytest.raises(StoreError, match="no space left"):
        backup(store, file)
    assert file.read_bytes() == before
    assert list(tmp_path.glob("*.part")) == []


def test_the_store_of_the_first_release_opens(store: Store) -> None:
    """A copy that the first release made is restored: its rows, its states, its sealed records and its open attempt."""
    restore(store, FIXTURE)
    with store.reading() as connection:
        scopes = sorted(set(connection.execute(select(RECORD.c.scope)).scalars()))
    states = [ledger.states(store, scope) for scope in scopes]
    assert states == [
        {"applied": 23, "held": 2},
        {"applied": 7, "held": 4, "in doubt": 4, "parked": 3, "skipped": 4},
    ]
    assert all(held.raw(store, row) for row in held.listing(store) if row.step != "load")
    assert Tokens(store).read(next(iter(_connections(store)))) is not None


def _connections(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(text("SELECT connection FROM token WHERE connection LIKE '%books%'")).scalars())


def test_the_store_of_the_first_release_goes_on(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restored beside books that hold what it had delivered, it resolves its attempt and finishes: nothing twice."""
    ground.fresh(*make_store.CASES)
    with monkeypatch.context() as first:
        first.setattr(breakers, "LIMIT", 1_000)  # the first release had no breakers, and went on
        make_store.work(ground)
    now = {f"S1-{n}": i for n, i in _ids(ground).items()}
    ground.empty_store()
    file = tmp_path / "copy.gz"
    file.write_bytes(_with_ids(FIXTURE.read_bytes(), now))
    restore(ground.store, file)
    with ground.store.transaction("test") as connection:
        connection.execute(text("DELETE FROM token"))  # the grant of another practice Xero
    ground.close()
    ground.control.clear_faults()
    ground.later(700).whole(2)
    assert ground.verdict() == []
    assert set(ground.states()) <= {"applied", "held", "parked", "skipped"}


def _ids(ground: Ground) -> dict[str, str]:
    """What the books call each record that carries our reference."""
    effects = ground.control.effects()
    kinds = ("contacts", "invoices", "credit_notes")
    rows = [r for kind in kinds for r in effects[kind] if str(r["number"]).startswith("S1-")]
    return {r["number"].removeprefix("S1-"): r["id"] for r in rows}


def _with_ids(raw: bytes, now: dict[str, str]) -> bytes:
    """The copy with the ids of today's books in the place of those of the books it was made with."""
    whole = gzip.decompress(raw).decode()
    rows = [json.loads(line) for line in whole.splitlines()[1:-1]]
    records = [values for table, values in rows if table == "record"]
    ids = {r["target_id"]: now[r["marker"]] for r in records if r["target_id"] and r["marker"] in now}
    # In one pass: an id of those books may be another record's id in these.
    return gzip.compress(re.sub("|".join(ids), lambda found: ids[found[0]], whole).encode())
