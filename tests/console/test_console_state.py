"""The store in an operator's hands: migrate, check, backup, restore, cursors, adoption."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from console_kit import Folder, staging
from sqlalchemy import delete, select, update

from crosswalk.http.protocols import Admission
from crosswalk.store import audit, cursors
from crosswalk.store.breakers import Breakers
from crosswalk.store.engine import HEAD
from crosswalk.store.leases import BACKFILL, Process, take
from crosswalk.store.tables import LINK, META, METADATA, RECORD, RUN

LEDGER = ("record", "link", "cursor", "batch", "member", "held", "run", "lease", "approval")


def forget(folder: Folder) -> None:
    """The ledger is empty again, the login is kept."""
    with folder.house() as house, house.store.transaction("test") as connection:
        for name in LEDGER:
            connection.execute(delete(METADATA.tables[name]))


def records(folder: Folder, binding: str = "orders") -> dict[tuple[str, str], tuple[str, bool]]:
    """Every record's target id, and whether what is wanted is applied."""
    with folder.house() as house, house.store.reading() as connection:
        scope = house.settings.binding(binding).scope
        rows = connection.execute(select(RECORD).where(RECORD.c.scope == scope))
        return {(r.key, r.part): (r.target_id, r.wanted_hash == r.applied_hash) for r in rows}


def test_a_store_is_backed_up_and_restored(folder: Folder) -> None:
    """After a restore the next run finds what was delivered meanwhile by our own references and doubles nothing."""
    folder.good("run", "customers", "--bare")
    file = folder.path / "backups" / "monday.gz"
    file.parent.mkdir()
    said = folder.good("store", "backup", str(file))
    assert f"are in {file}" in said and "CROSSWALK_KEY" in said
    folder.good("run", "orders", "--bare")
    written, delivered = folder.writes(), records(folder)
    before = folder.good("state", "show", "orders")
    folder.cw("store", "restore", str(file)).told("nobody agreed", "--yes", code=2)
    assert folder.good("state", "show", "orders") == before
    assert "its epoch is" in folder.good("store", "restore", str(file), "--yes")
    assert records(folder) == {}
    folder.good("run", "orders", "--bare")
    effects = folder.control.effects()
    numbers = [i["number"] for i in effects["invoices"] if i["status"] != "VOIDED"]
    assert len(numbers) == len(set(numbers))
    again = records(folder)
    assert {k for k, v in again.items() if v[0]} == {k for k, v in delivered.items() if v[0]}
    assert {k: v[0] for k, v in again.items()} == {k: v[0] for k, v in delivered.items()}
    assert folder.writes() - written <= 2  # what was refused before is tried, and refused, again


def test_a_restore_waits_for_runs(folder: Folder) -> None:
    """While a process runs a binding, nothing is restored under it."""
    file = folder.path / "store.gz"
    folder.good("store", "backup", str(file))
    with folder.house() as house:
        lease = take(house.store, house.settings.binding("orders").scope, Process.this())
        folder.cw("store", "restore", str(file), "--yes").told(f"pid {os.getpid()}", "wait for the run to end")
        lease.release()
    folder.good("store", "restore", str(file), "--yes")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "there is no file"), (b"nonsense", "damaged"), (b"", "is no backup")]
)
def test_what_is_no_backup_is_not_restored(folder: Folder, content: bytes | None, said: str) -> None:
    """A file that is missing, damaged or empty leaves the store as it was."""
    folder.good("run", "customers", "--bare")
    file = folder.path / "some.gz"
    if content is not None:
        file.write_bytes(content)
    before = records(folder, "customers")
    ran = folder.cw("store", "restore", str(file), "--yes")
    assert ran.code == 1 and said in ran.err and "Safe: the store is as it was" in ran.err, ran.text
    assert records(folder, "customers") == before


def test_a_backup_that_cannot_be_written_is_told(folder: Folder) -> None:
    """A place that does not exist is named; the store is as it was."""
    folder.cw("store", "backup", str(folder.path / "no" / "such" / "folder.gz")).told("cannot be written")


def test_a_check_finds_the_store_whole_or_says_what_is_not(folder: Folder) -> None:
    """Migration, key, rows by table; a journal that is damaged is named."""
    folder.good("run", "customers", "--bare")
    said = folder.good("store", "check")
    assert "The store is whole." in said and f"migration  {HEAD}" in said and "fits" in said
    journal = folder.path / ".crosswalk" / "journal.db"
    # Another file in its place: a connection that is closed later writes its pages into the one it knew.
    for end in ("", "-wal", "-shm"):
        Path(f"{journal}{end}").unlink(missing_ok=True)
    journal.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    ran = folder.cw("store", "check")
    assert ran.code == 1 and f"Wrong: {journal}" in ran.err and "The store is whole." not in ran.out


def test_migrating_twice_does_no_harm(folder: Folder) -> None:
    """A store of this release is left as it is."""
    first = folder.good("store", "migrate")
    assert folder.good("store", "migrate") == first and "stands at migration" in first


def test_a_cursor_set_back_is_written_down_and_reads_again_without_doubling(folder: Folder) -> None:
    """What was done stands as a run of its own; a new epoch makes first creates look up; nothing is written twice."""
    folder.delivered()
    before = folder.writes()
    with folder.house() as house:
        epoch = house.store.epoch()
    said = folder.good("state", "set", "orders", "--cursor", "2026-06-01T00:00:00+02:00")
    assert "it is 2026-05-31 22:00:00 UTC now" in said and "new epoch" in said
    with folder.house() as house, house.store.reading() as connection:
        scope = house.settings.binding("orders").scope
        row = connection.execute(select(RUN).where(RUN.c.scope == scope, RUN.c.state == "cursor set")).one()
        assert house.store.epoch() != epoch
    account = json.loads(row.account)
    assert account["after"].startswith("2026-05-31") and account["before"] > account["after"]
    ran = folder.good("run", "orders", "--bare")
    assert "unchanged" in ran and "created" not in ran and folder.writes() == before
    assert "cursor set" not in folder.good("list")  # it is no run that delivered


def test_a_cursor_set_forward_keeps_the_epoch(folder: Folder) -> None:
    """Going forward leaves records unread, which is said and has to be agreed to; only going back makes the store
    distrust its memory; an instant in the future, or none, is refused."""
    folder.good("run", "orders-to-database", "--bare")
    with folder.house() as house:
        resource = "shopify.orders"
        scope = house.settings.binding("orders-to-database").scope
        cursor = cursors.read(house.store, scope, resource).value
        epoch = house.store.epoch()
        later = min(cursor + timedelta(seconds=5), datetime.now(UTC))
        folder.cw("state", "set", "orders-to-database", "--cursor", later.isoformat()).told(
            f"what changed from {cursor:%Y-%m-%d %H:%M:%S} UTC to", "would never be read", "--skip", code=2
        )
        assert cursors.read(house.store, scope, resource).value == cursor
        said = folder.good("state", "set", "orders-to-database", "--cursor", later.isoformat(), "--skip")
        assert said.index("will never be read") < said.index("it is ") and "crosswalk backfill" in said
        assert house.store.epoch() == epoch
        assert cursors.read(house.store, scope, resource).value == later
    ran = folder.cw("state", "set", "orders-to-database", "--cursor", "2126-01-01T00:00:00Z")
    assert ran.code == 2 and "lies in the future" in ran.err
    folder.cw("state", "set", "orders-to-database", "--cursor", "2026-01-01").told("carries no zone", code=2)


def test_a_cursor_is_not_moved_under_a_run(folder: Folder) -> None:
    """While a process runs the binding its cursor is left alone."""
    with folder.house() as house:
        lease = take(house.store, house.settings.binding("orders").scope, Process.this())
        folder.cw("state", "set", "orders", "--cursor", "2026-01-01T00:00:00Z").told("its lease ends at")
        lease.release()


def test_a_cursor_is_rewound_with_a_reason_and_an_author(folder: Folder) -> None:
    """Outside the sandbox both are needed; what it means is said first; the audit trail has both and both places."""
    folder.cw("state", "rewind", "orders", "--days", "3").told("there is no cursor to set back", code=2)
    staging(folder)
    said = folder.good("plan", "customers")
    folder.good("apply", said.split("crosswalk apply ")[1].split()[0], "--bare")
    folder.cw("state", "rewind", "customers", "--days", "3").told("without --reason and --by", code=2)
    folder.cw("state", "rewind", "customers", "--reason", "x", "--by", "x").told("say how far", code=2)
    signed = ("--reason", "a filter was wrong", "--by", "Ada")
    said = folder.good("state", "rewind", "customers", "--days", "3", *signed)
    assert said.index("reads everything of shopify.customers again") < said.index("it is ")
    with folder.house() as house:
        (line,) = audit.listing(house.store, action="cursor.")
        position = cursors.read(house.store, house.settings.binding("customers").scope, "shopify.customers")
    assert (line.actor, line.reason) == ("Ada", "a filter was wrong")
    before, after = (datetime.fromisoformat(json.loads(t)["cursor"]) for t in (line.before, line.after))
    assert (before - after, after) == (timedelta(days=3), position.value)
    folder.cw("state", "rewind", "customers", "--to", before.isoformat(), *signed).told("is not before", code=2)


def test_what_the_store_knows_is_exported_without_what_is_personal(folder: Folder) -> None:
    """Every record and link with its ids and state, and the cursor; names and addresses only when they are asked for;
    a file that is there is not replaced."""
    folder.good("run", "customers", "--bare")
    file = folder.path / "state.json"
    assert "25 records and 23 links" in folder.good("state", "export", "customers", str(file))
    assert file.stat().st_mode & 0o077 == 0
    folder.cw("state", "export", "customers", str(file)).told("cannot be written", code=2)
    found = json.loads(file.read_text())
    ours = records(folder, "customers")
    assert {(r["key"], r["part"]): r["target_id"] for r in found["records"]} == {k: v[0] for k, v in ours.items()}
    assert len(found["links"]) == 23 and [c["resource"] for c in found["cursors"]] == ["shopify.customers"]
    names = [c["name"] for c in folder.control.effects()["contacts"]]
    assert names and not any(name in file.read_text() for name in names)
    assert any(name in folder.good("state", "export", "customers", "--personal") for name in names)


def test_the_state_shows_who_reads_and_what_is_away(folder: Folder) -> None:
    """A backfill that goes on, a connection whose breaker is open, and the last runs with their windows."""
    folder.good("run", "customers", "--bare")
    with folder.house() as house:
        bound = house.settings.binding("customers")
        lease = take(house.store, bound.scope + BACKFILL, Process.this())
        breakers = Breakers(house.store)
        for _ in range(5):
            breakers.failed(bound.target.key, Admission(0), "no answer")
        said = folder.good("state", "show", "customers")
        lease.release()
    assert re.search(rf"backfill +pid {os.getpid()}", said) and "away since" in said
    assert "the beginning to 20" in said and "completed" in said


def test_an_empty_ledger_adopts_everything_that_is_there(folder: Folder) -> None:
    """Every target record that carries our reference is known again, with its id; nothing is written to the target,
    paid invoices count as what was written, and the next run finds nothing to do."""
    folder.delivered()
    delivered = {b: records(folder, b) for b in ("customers", "orders")}
    before = folder.writes()
    forget(folder)
    contacts = folder.good("state", "adopt", "customers")
    assert "nothing was written to the target" in contacts
    said = folder.good("state", "adopt", "orders")
    assert folder.writes() == before
    assert "changed" not in said.replace("unchanged", ""), said
    found = {b: records(folder, b) for b in ("customers", "orders")}
    for binding, ours in delivered.items():
        assert {k: v for k, v in found[binding].items() if v[0]} == {k: v for k, v in ours.items() if v[0]}
    for binding in ("customers", "orders"):
        folder.good("run", binding, "--bare")
    assert folder.writes() - before <= 2  # what was refused before is tried, and refused, again
    assert {k: v[0] for k, v in records(folder).items()} == {k: v[0] for k, v in delivered["orders"].items()}


def test_adopting_twice_finds_the_same(folder: Folder) -> None:
    """What is known is not looked up again; what is absent is looked up by every adoption, and written by none."""
    folder.good("run", "customers", "--bare")
    first = folder.good("state", "adopt", "orders")
    assert "absent" in first
    second = folder.good("state", "adopt", "orders")
    assert first == second
    assert folder.control.effects()["invoices"] == []


def test_adoption_changes_what_is_to_go(folder: Folder) -> None:
    """An order that was cancelled after its invoice was written: an empty ledger finds the invoice and voids it."""
    folder.delivered()
    with folder.house() as house, house.store.reading() as connection:
        scope = house.settings.binding("orders").scope
        sent = (RECORD.c.scope == scope, RECORD.c.part == "", RECORD.c.target_id != "")
        candidates = list(connection.execute(select(RECORD.c.key).where(*sent)).scalars())
    unpaid = next(k for k in candidates if folder.control.node("orders", k)["displayFinancialStatus"] == "PENDING")
    folder.control.edit(
        "orders", unpaid, {"cancelledAt": "2026-11-20T09:00:00Z", "displayFinancialStatus": "VOIDED"}
    )  # fmt: skip
    forget(folder)
    folder.good("state", "adopt", "customers")
    said = folder.good("state", "adopt", "orders")
    assert "changed" in said, said
    invoice = records(folder)[(unpaid, "")][0]
    assert invoice
    folder.good("run", "orders", "--bare", "--ids", unpaid)
    (found,) = [i for i in folder.control.effects()["invoices"] if i["id"] == invoice]
    assert found["status"] == "VOIDED"


def test_a_foreign_record_in_our_place_is_held(folder: Folder) -> None:
    """A target record that another source record claims is not adopted a second time but held."""
    folder.delivered()
    forget(folder)
    folder.good("state", "adopt", "customers")
    with folder.house() as house:
        connection = house.settings.connection("shop").key
        with house.store.transaction("test") as writing:
            one = writing.execute(select(LINK.c.id).order_by(LINK.c.id).limit(1)).scalar_one()
            writing.execute(update(LINK).where(LINK.c.id == one).values(source_id="somebody else"))
            writing.execute(delete(RECORD))
        assert connection
    said = folder.good("state", "adopt", "customers")
    assert "foreign" in said and "held for a person" in said
    assert "conflict" in folder.good("held", "list", "customers", "--rule", "conflict")


def test_adoption_needs_no_approval(folder: Folder) -> None:
    """Outside the sandbox, too, a new store may look what the target holds up: nothing is written there."""
    folder.good("run", "customers", "--bare")
    before = folder.writes()
    staging(folder)
    said = folder.good("state", "adopt", "customers")
    assert re.search(r"found +xero.contacts +23 ", said), said
    folder.cw("run", "customers", "--bare").told("has not been approved")
    assert folder.writes() == before


def test_a_database_has_nothing_to_adopt(folder: Folder) -> None:
    """Its rows are the ledger."""
    folder.cw("state", "adopt", "orders-to-database").told("whose rows are the ledger", code=2)


def test_an_adoption_that_fails_is_written_down_and_can_be_repeated(folder: Folder) -> None:
    """When the target cannot be asked, what was found is kept, the lease is let go, and the same command goes on."""
    folder.delivered()
    forget(folder)
    folder.good("state", "adopt", "customers")
    folder.control.add_fault("xero", "status", path="/api.xro/2.0/Invoices*", method="GET", status=401, body="{}")
    ran = folder.cw("state", "adopt", "orders")
    assert ran.code == 1, ran.text
    with folder.house() as house, house.store.reading() as connection:
        assert connection.execute(select(RUN.c.error).where(RUN.c.state == "adopt failed")).scalars().first()
    folder.control.clear_faults()
    assert "found" in folder.good("state", "adopt", "orders")


def test_the_epoch_of_a_store_is_shown(folder: Folder) -> None:
    """state show has the cursor, the records by state, the links and the epoch."""
    folder.delivered()
    said = folder.good("state", "show", "orders")
    with folder.house() as house, house.store.reading() as connection:
        epoch = connection.execute(select(META.c.value).where(META.c.name == "epoch")).scalar_one()
    for part in (epoch, "xero.invoices", "applied", "read up to", "free", "completed"):
        assert part in said, said


def test_old_rows_go_and_a_person_is_forgotten(folder: Folder) -> None:
    """Pruning counts, takes out and says since when; forgetting says what went, may be repeated, and refuses what
    nobody reads."""
    folder.good("run", "customers", "--bare")
    assert "Nothing was taken out" in folder.good("store", "prune", "--dry-run")
    assert "pruned     never" in folder.good("store", "check")
    table = folder.good("store", "prune")
    assert all(name in table for name in ("batch", "journal", "bodies", "30 d", "730 d"))
    assert "pruned     never" not in folder.good("store", "check")
    with folder.house() as house, house.store.reading() as connection:
        key = next(k for k in connection.execute(select(RECORD.c.key)).scalars() if k.startswith("gid:"))
    said = folder.good("forget", "shop", "customers", key.rpartition("/")[2], "--value", "nobody@example.test")
    assert "payloads of requests" in said and "Not touched" in said
    folder.good("forget", "shop", "customers", key)
    folder.cw("forget", "shop", "parcels", "1").told("no binding reads shopify.parcels", code=2)
    before = folder.writes()
    folder.good("run", "customers", "--bare")
    assert folder.writes() == before
