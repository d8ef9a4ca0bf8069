"""A person is forgotten: no byte of them is left in the store or the journal, and nothing is written twice after."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from practising import Ground, number
from sqlalchemy import select, update

from crosswalk.errors import Busy, SettingsError
from crosswalk.runs.forgetting import forget
from crosswalk.store import audit, leases
from crosswalk.store.leases import Process
from crosswalk.store.tables import AUDIT, HELD, LINK, RECORD, RUN

WHOLE = timedelta(days=365)


def person(ground: Ground) -> dict[str, Any]:
    """A customer with an order, who is called like nobody else."""
    (someone, *_) = [o["customer"]["id"] for o in ground.orders() if o.get("customer")]
    node = ground.control.node("customers", someone)
    assert node is not None
    named = {"displayName": "Zuzana Överbeek", "firstName": "Zuzana", "lastName": "Överbeek"}
    node |= named | {"defaultEmailAddress": {"emailAddress": "Zuzana@overbeek.example"}}
    ground.control.put("customers", node)
    return node


def words_of(node: dict[str, Any]) -> list[str]:
    return [node["displayName"], node["defaultEmailAddress"]["emailAddress"]]


def traces(folder: Path, words: list[str]) -> set[str]:
    """Files below a folder in whose bytes one of the words stands, in any case; compressed ones are opened."""
    found = set()
    for path in (p for p in folder.rglob("*") if p.is_file() and p.name != "crosswalk.toml"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if any(word.lower().encode() in content.lower() for word in words):
            found.add(path.name)
    return found


def test_no_byte_of_a_person_is_left(sqlite_ground: Ground, tmp_path: Path) -> None:
    """Name and address stand in the store's file and the journal's before, and nowhere after, in sealed rows neither;
    the audit tells who was asked for without saying who that is; the next run writes nothing."""
    ground = sqlite_ground.fresh("locked", "refund_part", "status_expired", orders=10)
    someone = person(ground)
    ground.whole(passes=2)
    words = words_of(someone)
    with ground.store.transaction("test") as connection:
        connection.execute(update(RUN).values(error=f"the name {words[0]!r} is taken"))
    assert "store.db" in {n.removesuffix("-wal") for n in traces(tmp_path, words)}
    assert any(n.endswith(".gz") for n in traces(tmp_path, words))
    house = ground.house()

    mine = [o for o in ground.orders() if (o.get("customer") or {}).get("id") == someone["id"]]
    done = forget(house, "shop", "customers", number(someone["id"]), by="the shop")
    for order in mine:
        forget(house, "shop", "shopify.orders", order["id"])
    assert done.erased["records"] == 1 and done.erased["payloads of requests"] >= 1
    assert done.erased["bodies in the journal"] >= 1 and done.erased["texts of run"] >= 1
    ground.close()  # as when no other process has the files open
    assert forget(ground.house(), "shop", "customers", someone["id"], also=words).compacted
    ground.close()
    assert traces(tmp_path, words) == set()
    store = ground.store
    with store.reading() as connection:
        for row in connection.execute(select(HELD)):
            opened = store.vault.open(row.raw).decode() if row.raw else ""
            assert not any(word in opened for word in words)
        before = {
            r.key: (r.applied_hash, r.target_id) for r in connection.execute(select(RECORD).where(RECORD.c.part == ""))
        }
        assert any(r.source_id == someone["id"] for r in connection.execute(select(LINK)))
    first = audit.listing(store, f"shop shopify.customers {number(someone['id'])}")
    assert [r.actor for r in first] == ["the shop"]

    counts = ground.control.counts()
    ground.run("customers", since=ground.clock.now() - WHOLE)
    ground.run("orders", since=ground.clock.now() - WHOLE)
    # What the target refused before is tried, and refused, again; nothing is there twice.
    assert sum(ground.wrote(counts).values()) <= len(mine)
    # The oracle knows the person under the name that they had before the test.
    assert [line for line in ground.verdict() if number(someone["id"]) not in line] == []
    assert before[someone["id"]][0] and ground.records("customers")[(number(someone["id"]), "")].applied_hash


def test_a_held_person_is_forgotten_too(ground: Ground) -> None:
    """A record that was never delivered loses its raw bytes, reason and value; mended at the source, it is delivered
    once."""
    ground.fresh(orders=4)
    someone = person(ground)
    ground.control.put("customers", someone | {"lastName": "x" * 300})
    ground.run("customers")
    (row,) = [r for r in ground.held() if r.key == someone["id"]]
    assert row.raw
    done = forget(ground.house(), "shop", "customers", someone["id"])
    assert done.erased["held rows"] == 1
    with ground.store.reading() as connection:
        (row,) = connection.execute(select(HELD).where(HELD.c.key == someone["id"]))
        assert (row.raw, row.excerpt, row.reason) == (b"", "", "[forgotten]")
        told = [f"{r.before}{r.after}{r.subject}" for r in connection.execute(select(AUDIT))]
    assert told and not any(words_of(someone)[1] in text for text in told)
    ground.control.put("customers", someone | {"lastName": "Redacted"})
    ground.run("customers", since=ground.clock.now() - WHOLE)
    assert ground.records("customers")[(number(someone["id"]), "")].state == "applied"
    assert someone["id"] not in {r.key for r in ground.held()}


def test_what_is_on_its_way_is_not_erased(sqlite_ground: Ground) -> None:
    """While a binding runs, or a change waits to be sent, nothing is erased and the way out is told; an account that
    nobody reads, and a resource that is none, are refused."""
    ground = sqlite_ground.fresh(orders=4)
    someone = person(ground)
    ground.run("customers")
    house = ground.house()
    scope = house.settings.binding("customers").scope
    mine = (RECORD.c.scope == scope, RECORD.c.key == someone["id"])
    lease = leases.take(house.store, scope, Process.this())
    with pytest.raises(Busy, match="in its memory"):
        forget(house, "shop", "customers", someone["id"])
    lease.release()
    for values in ({"wanted_hash": "another"}, {"batch": "b"}):
        with house.store.transaction("test") as connection:
            connection.execute(update(RECORD).where(*mine).values(**values))
        with pytest.raises(Busy, match="still to be sent") as caught:
            forget(house, "shop", "customers", someone["id"])
        assert "crosswalk run customers" in caught.value.next_command
    assert ground.records("customers")[(number(someone["id"]), "")].wanted_payload
    with pytest.raises(SettingsError, match="no binding reads"):
        forget(house, "shop", "parcels", "1")
    with pytest.raises(SettingsError, match="no connection"):
        forget(house, "nowhere", "customers", "1")
