"""Logging in, and checking what a connection can do, against the practice systems."""

from __future__ import annotations

import socket
import threading
import urllib.request
from contextlib import closing

import pytest
from console_kit import Folder
from sqlalchemy import delete

from crosswalk.console import show
from crosswalk.runs.wiring import House
from crosswalk.store.tables import TOKEN

TENANT = "cd613e30-d8f1-4adf-91b7-584a2265b1f5"


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person who opens the address at once and consents; the addresses that were opened."""
    opened: list[str] = []
    said = show.plain

    def open_(text: str) -> None:
        said(text)
        address = text.splitlines()[-1]
        opened.append(address)
        threading.Thread(target=lambda: urllib.request.urlopen(address, timeout=20).read(), daemon=True).start()

    monkeypatch.setattr(show, "plain", open_)
    return opened


def logged_out(folder: Folder) -> None:
    with folder.house() as house, house.store.transaction("test") as connection:
        connection.execute(delete(TOKEN))


def test_a_login_is_kept_encrypted_and_serves_the_next_run(folder: Folder, browser: list[str]) -> None:
    """After the login in the browser a run works; the store holds the token sealed, and nothing shows it."""
    logged_out(folder)
    assert "missing: crosswalk connect books" in folder.good("connections", "list")
    folder.cw("run", "customers", "--bare").told("crosswalk connect books")
    ran = folder.cw("connect", "books", "--no-browser", "--timeout", "30")
    assert ran.code == 0, ran.text
    assert "http://localhost:8765/callback" in ran.out and "Practice BV" in ran.out and "this connection" in ran.out
    assert "code_challenge_method=S256" in browser[0] and "offline_access" in browser[0]
    assert "missing" not in folder.good("connections", "list")
    with folder.house() as house:
        token = house.around.tokens.read(house.settings.connection("books").key)
    stored = (folder.path / ".crosswalk" / "store.db").read_bytes()
    assert token.refresh and token.refresh not in ran.text and token.access not in ran.text
    assert token.refresh.encode() not in stored and token.access.encode() not in stored
    folder.good("run", "customers", "--bare")
    assert "23 applied" in folder.good("status", "customers")


def test_a_login_repeated_replaces_the_one_before(folder: Folder, browser: list[str]) -> None:
    """Connecting again keeps the newer token, whatever was there."""
    with folder.house() as house:
        key = house.settings.connection("books").key
        before = house.around.tokens.read(key)
        assert folder.cw("connect", "books", "--no-browser").code == 0
        after = house.around.tokens.read(key)
    assert after.version > before.version and after.refresh != before.refresh


def test_a_login_to_another_organisation_says_which_to_name(folder: Folder, browser: list[str]) -> None:
    """Where the connection names an account that the login does not reach, the accounts are listed, and the login is
    not lost when the account is corrected."""
    logged_out(folder)
    tenant = folder.practice.credentials["xero"]["tenant_id"]
    folder.edit(f'account = "{tenant}"', 'account = "my organisation"')
    ran = folder.cw("connect", "books", "--no-browser")
    assert ran.code == 1 and f'account = "{tenant}"' in ran.out and "the login need not be repeated" in ran.out
    folder.edit('account = "my organisation"', f'account = "{tenant}"')
    assert "books is fit for use" in folder.good("connections", "check", "books")


def test_a_connection_without_a_login_is_checked_instead(folder: Folder) -> None:
    """An app with client credentials needs nobody in a browser; a database has nobody to log in to."""
    said = folder.good("connect", "shop")
    assert "needs no login" in said and "shop is fit for use" in said
    folder.cw("connect", "warehouse").told("is a database", "crosswalk connections check warehouse", code=2)


def test_a_login_that_nobody_finishes_changes_nothing(folder: Folder) -> None:
    """After its time it ends with the next command, and the login that was kept stands."""
    ran = folder.cw("connect", "books", "--no-browser", "--timeout", "0.3")
    ran.told("nobody finished the login", "crosswalk connect books")
    assert "books is fit for use" in folder.good("connections", "check", "books")


def test_a_port_that_is_taken_is_named_before_anybody_is_sent_away(folder: Folder) -> None:
    """Another port is a setting of the connection, and is what the login listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        folder.edit("[connections.books.settings]", f"[connections.books.settings]\nlogin_port = {port}")
        ran = folder.cw("connect", "books", "--no-browser")
    assert ran.code == 2 and str(port) in ran.err and "Safe: nothing has changed" in ran.err


def test_a_check_names_everything_that_does_not_fit(folder: Folder) -> None:
    """Currency, zone, scopes and organisation are compared with the connection; one that differs ends with 1."""
    for name in ("shop", "books", "warehouse"):
        assert f"{name} is fit for use" in folder.good("connections", "check", name)
    folder.edit('currency = "EUR"', 'currency = "USD"')
    for name in ("shop", "books"):
        ran = folder.cw("connections", "check", name)
        assert ran.code == 1 and "WRONG" in ran.out and f"{name} is not fit for use" in ran.out, ran.text
    folder.cw("connections", "check", "nope").told("there is no connection 'nope'", "connections list", code=2)


def test_systems_show_the_facts_of_every_connector(folder: Folder) -> None:
    """Every system, resource, operation and way of resolving a lost answer, for people and as JSON."""
    import json

    said = folder.good("systems")
    for part in ("Shopify: e-commerce", "Xero: accounting", "xero.invoices", "is sent again with its key for 6 min"):
        assert part in said
    found = {s["name"]: s for s in json.loads(folder.good("systems", "--json"))}
    assert set(found) == {"application", "shopify", "xero"}
    operations = {(w["resource"], w["operation"]) for w in found["xero"]["writes"]}
    assert ("xero.payments", "create") in operations and found["shopify"]["writes"] == []
    assert "Shopify" not in folder.good("systems", "xero")
    folder.cw("systems", "nope")
    assert folder.cw("systems", "nope").code == 2


def test_houses_are_closed(folder: Folder) -> None:
    """A command that ends leaves the store to others: it can be opened and written at once."""
    folder.good("connections", "list")
    with closing(House.here(folder.path)) as house:
        assert house.store.epoch()
