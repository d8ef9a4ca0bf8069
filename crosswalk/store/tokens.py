"""OAuth tokens at rest: sealed, versioned, refreshed by one process at a time through a claim."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from crosswalk.http.protocols import Token
from crosswalk.store.engine import Store, Taken
from crosswalk.store.leases import Process, gone
from crosswalk.store.tables import TOKEN


class Tokens:
    """The store's side of ``crosswalk.http.protocols.TokenStore``. Connections are connection keys."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, connection: str) -> Token | None:
        with self._store.reading() as reading:
            row = reading.execute(
                select(TOKEN.c.version, TOKEN.c.sealed).where(TOKEN.c.connection == connection)
            ).one_or_none()
        if row is None or not row.version:
            return None
        return replace(_unpack(self._store.vault.open(row.sealed)), version=row.version)

    def claim(self, connection: str, holder: str, seconds: float) -> bool:
        try:
            return self._claim(connection, holder, seconds)
        except Taken:
            return False

    def _claim(self, connection: str, holder: str, seconds: float) -> bool:
        now = self._store.clock.now()
        until = now + timedelta(seconds=seconds)
        process = Process.this()
        mark = f"{holder}|{process.host}|{process.boot_id}|{process.pid}"
        with self._store.transaction("token-claim") as writing:
            row = writing.execute(select(TOKEN).where(TOKEN.c.connection == connection)).one_or_none()
            if row is None:
                writing.execute(
                    insert(TOKEN).values(
                        connection=connection, version=0, sealed=b"", claimed_by=mark, claimed_until=until
                    )
                )
                return True
            if row.claimed_by and row.claimed_until > now and not _dead(row.claimed_by):
                return bool(row.claimed_by.startswith(f"{holder}|"))
            taken = writing.execute(
                update(TOKEN)
                .where(TOKEN.c.connection == connection, TOKEN.c.claimed_by == row.claimed_by)
                .values(claimed_by=mark, claimed_until=until)
            ).rowcount
        return bool(taken == 1)

    def release(self, connection: str, holder: str) -> None:
        with self._store.transaction("token-release") as writing:
            writing.execute(
                update(TOKEN)
                .where(TOKEN.c.connection == connection, TOKEN.c.claimed_by.startswith(f"{holder}|", autoescape=True))
                .values(claimed_by="", claimed_until=None)
            )

    def save(self, connection: str, token: Token, expected_version: int) -> bool:
        sealed = self._store.vault.seal(_pack(token))
        try:
            with self._store.transaction("token") as writing:
                saved = writing.execute(
                    update(TOKEN)
                    .where(TOKEN.c.connection == connection, TOKEN.c.version == expected_version)
                    .values(sealed=sealed, version=expected_version + 1)
                ).rowcount
                if not saved and expected_version == 0 and not _known(writing, connection):
                    writing.execute(
                        insert(TOKEN).values(connection=connection, version=1, sealed=sealed, claimed_by="")
                    )
                    saved = 1
        except Taken:
            return False
        return bool(saved == 1)


def _known(connection: Any, name: str) -> bool:
    return connection.execute(select(TOKEN.c.version).where(TOKEN.c.connection == name)).one_or_none() is not None


def _dead(mark: str) -> bool:
    _, host, boot, pid = mark.rsplit("|", 3)
    return gone(host, boot, int(pid))


def _pack(token: Token) -> bytes:
    values = asdict(token)
    del values["version"]
    return json.dumps(values, default=datetime.isoformat).encode()


def _unpack(packed: bytes) -> Token:
    values = json.loads(packed)
    for name in ("issued_at", "expires_at"):
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Token(**values)
