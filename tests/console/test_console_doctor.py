"""The doctor: an incomplete set-up is said to be so, part by part, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console_kit import Folder

from crosswalk.console.main import run

PRODUCTION = """
[connections.shop]
system = "shopify"
environment = "production"
account = "a-shop.myshopify.com"
[connections.shop.secrets]
client_id = "env:SHOP_ID"
client_secret = "env:SHOP_SECRET"
[connections.books]
system = "xero"
environment = "production"
account = "practice"
[connections.books.secrets]
client_id = "env:SHOP_ID"
client_secret = "env:SHOP_ID"
[bindings.orders]
integration = "shopify_orders_to_xero_invoices"
source = "shop"
target = "books"
"""


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was examined, and how it is: the worst where there are several lines."""
    rank = ("ok", "warn", "fail")
    found: dict[str, str] = {}
    for line in json.loads(capsys.readouterr().out):
        assert line["state"] == "ok" or line["todo"], line
        found[line["what"]] = max(found.get(line["what"], "ok"), line["state"], key=rank.index)
    return found


def test_a_production_set_up_that_nobody_watches_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No heartbeat, no channel, no look, no server, no secret, no login: each is a failing line; mended, it is none."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREFECT_API_URL", "PREFECT_UI_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "crosswalk.toml").write_text('prefect_ui = "http://127.0.0.1:9"\n' + PRODUCTION, encoding="utf-8")
    monkeypatch.setenv("CROSSWALK_ENV", "production")
    monkeypatch.setenv("CROSSWALK_STORE", f"sqlite:///{tmp_path / 'store.db'}")
    assert run(["doctor", "--json"]) == 1
    assert states(capsys)["store"] == "fail"  # there is no key
    monkeypatch.setenv("CROSSWALK_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    assert run(["store", "migrate"]) == 0
    capsys.readouterr()
    assert run(["doctor", "--json"]) == 1
    found = states(capsys)
    lacking = {"prefect", "watch", "heartbeat", "channels", "connection shop", "connection books", "binding orders"}
    assert {what for what, state in found.items() if state == "fail"} == lacking
    assert {found["store"], found["backup"], found["retention"]} == {"warn"}
    more = '[watch]\nheartbeat = "env:BEAT"\n[channels.hook]\nkind = "slack-webhook"\nurl = "env:BEAT"\n'
    text = PRODUCTION.replace("[bindings.orders]", '[bindings.orders]\nstart = "2026-11-01T00:00:00Z"')
    (tmp_path / "crosswalk.toml").write_text('prefect_ui = "http://127.0.0.1:9"\n' + text + more, encoding="utf-8")
    for name in ("SHOP_ID", "SHOP_SECRET"):
        monkeypatch.setenv(name, "a-value-that-is-set")
    monkeypatch.setenv("BEAT", "http://127.0.0.1:9/ping")
    assert run(["watch", "--once"]) in (0, 1) and run(["store", "backup", "copy.gz"]) == 0
    capsys.readouterr()
    assert run(["doctor", "--json"]) == 1
    mended = states(capsys)
    assert {what for what, state in mended.items() if state == "fail"} == {"prefect", "connection books"}
    assert {mended[what] for what in ("watch", "backup", "connection shop", "channel hook")} == {"ok"}


def test_online_the_systems_are_asked(folder: Folder) -> None:
    """Connections answer and fit; one that refuses the credentials fails with the command that says more."""
    well = folder.cw("doctor", "--online")
    assert well.code == 0 and well.out.count("fit for use") == 2, well.text
    folder.control.add_fault("shopify", "status", status=403, body="no")
    ill = folder.cw("doctor", "--online")
    assert ill.code == 1 and "connection shop" in ill.out and "403" in ill.out, ill.text
