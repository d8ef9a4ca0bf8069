"""The store's schema and its key."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from crosswalk.clock import SharedClock
from crosswalk.errors import KeyTrouble, StoreError, StoreVersion
from crosswalk.store import migrate
from crosswalk.store.engine import HEAD, Store
from crosswalk.store.tables import METADATA
from crosswalk.store.vault import PRACTICE_KEY, Vault

OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
FORK = multiprocessing.get_context("fork")


def bare(url: str, clock: SharedClock, keys: str = PRACTICE_KEY) -> Store:
    return Store(url, clock=clock, vault=Vault(keys), durable=False)


def test_an_empty_database_becomes_a_store_of_this_release(database_url: str, clock: SharedClock) -> None:
    """Opening with leave to migrate brings an empty database to the newest migration."""
    store = bare(database_url, clock)
    assert store.revision() is None
    store.open(migrate=True)
    assert store.revision() == HEAD == migrate.head()
    assert migrate.known() >= {HEAD}


def test_the_migrations_make_exactly_what_the_tables_declare(store: Store) -> None:
    """Alembic finds no difference between the migrated database and the declared tables, types included."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_a_second_migration_changes_nothing(store: Store) -> None:
    """Opening again finds everything done and keeps epoch and seal."""
    before = (store.epoch(), store.since())
    migrate.upgrade(store.engine)
    store.open(migrate=True)
    assert (store.epoch(), store.since()) == before


def test_an_empty_database_is_refused_without_leave(database_url: str, clock: SharedClock) -> None:
    """Outside the sandbox nobody gets a store by opening one: the error names the command that makes it."""
    with pytest.raises(StoreVersion, match="the store is empty") as refused:
        bare(database_url, clock).open()
    assert refused.value.next_command == "crosswalk store migrate"
    assert bare(database_url, clock).revision() is None


@pytest.mark.parametrize("leave", [True, False])
def test_a_store_of_a_newer_release_is_refused(store: Store, leave: bool) -> None:
    """A migration that this release does not know is neither used nor migrated."""
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreVersion, match="9999, which this release does not know"):
        store.open(migrate=leave)
    assert store.revision() == "9999"


def _migrate(url: str, clock: Path, barrier: object, told: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        store = bare(url, SharedClock(clock)).open(migrate=True)
        told.put(store.epoch())  # type: ignore[attr-defined]
    except BaseException as error:
        told.put(repr(error))  # type: ignore[attr-defined]


def test_processes_that_migrate_at_once_end_with_one_store(
    database_url: str, clock: SharedClock, tmp_path: Path
) -> None:
    """Four processes open an empty store in the same moment: all succeed, and all see the same epoch."""
    barrier, told = FORK.Barrier(4), FORK.Queue()
    files = (database_url, tmp_path / "clock", barrier, told)
    children = [FORK.Process(target=_migrate, args=files) for _ in range(4)]
    for child in children:
        child.start()
    epochs = [told.get(timeout=60) for _ in children]
    for child in children:
        child.join(30)
    assert len(set(epochs)) == 1 and len(epochs[0]) == 8, epochs


def test_a_missing_key_is_said_before_anything_else(store: Store, clock: SharedClock) -> None:
    """Without CROSSWALK_KEY the store is not read, and the error says how a key is made."""
    with pytest.raises(KeyTrouble, match="CROSSWALK_KEY is not set") as trouble:
        bare(store.url, clock, "").open()
    assert "generate_key" in trouble.value.next_command


def test_a_wrong_key_is_told_from_a_broken_one(store: Store, clock: SharedClock) -> None:
    """Another store's key and something that is no key are two errors."""
    with pytest.raises(KeyTrouble, match="not the key that this store was written with"):
        bare(store.url, clock, OTHER_KEY).open()
    with pytest.raises(KeyTrouble, match="is not a key"):
        bare(store.url, clock, "hunter2").open()


def test_keys_rotate(store: Store, clock: SharedClock) -> None:
    """A new key before the old one opens what the old one sealed, and seals anew."""
    both = bare(store.url, clock, f"{OTHER_KEY},{PRACTICE_KEY}").open()
    sealed = both.vault.seal(b"new")
    assert Vault(OTHER_KEY).open(sealed) == b"new"
    assert both.vault.open(store.vault.seal(b"old")) == b"old"


def test_an_address_that_is_none_is_said_plainly(clock: SharedClock, tmp_path: Path) -> None:
    """No address, another kind of database, an unreachable one: three clear errors, no password among them."""
    with pytest.raises(StoreError, match="CROSSWALK_STORE is no database address"):
        bare("not an address", clock)
    with pytest.raises(StoreError, match="SQLite or PostgreSQL, not in mysql"):
        bare("mysql://root:secret@localhost/x", clock)
    with pytest.raises(StoreError, match="cannot be reached") as away:
        bare("postgresql+psycopg://u:secret@127.0.0.1:9/x", clock).open()
    assert "secret" not in str(away.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder of the store cannot be made"):
        bare(f"sqlite:///{tmp_path}/file/store.db", clock)
