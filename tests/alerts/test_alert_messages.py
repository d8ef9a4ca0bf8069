"""What alerts say, and that no limit of Slack's and no secret slips through."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crosswalk.alerts.channels.base import cut
from crosswalk.alerts.message import Failure, HeldRows, Impact, by_itself, clean, failure_of, pack, unpack
from crosswalk.alerts.slack import blocks, escaped
from crosswalk.errors import BadCredentials, ConsentNeeded, SettingsError, StoreError, Throttled, Unreachable
from crosswalk.http import redact
from crosswalk.sandbox.sink import faulty

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
FAILURE = Failure(
    binding="orders",
    environment="production",
    integration="shopify_orders_to_xero_invoices",
    step="load",
    kind="BadCredentials",
    what="Xero does not accept the credentials",
    at=AT,
    safe="nothing was sent",
    command="crosswalk connect books",
    then="Nothing until a person mends it.",
    impact=Impact(
        rows=(("pending", 128), ("held", 3)),
        money=(("invoices", Decimal("10234.50"), "EUR"),),
        since=datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
        failures=4,
        last_good=datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
    ),
    run="brave-otter",
    link="http://127.0.0.1:4200/runs/flow-run/9f1c",
)
HELD = HeldRows(
    "orders", "production", "tax type", "TaxType", "no tax type for DE at 7 %", 12, ("1", "2", "3", "4", "5")
)


def test_a_failure_says_all_that_a_person_needs() -> None:
    """Binding, step, class, message, rows, money, since when, what happens next, the command and the link are there."""
    said = FAILURE.message("abc").plain()
    for part in (
        "orders", "load", "BadCredentials", "Xero does not accept", "128 pending, 3 held", "invoices 10,234.50 EUR",
        "2026-11-23 08:00 UTC, 4 times in a row", "Last good run: 2026-11-23 07:30", "Nothing until a person mends it.",
        "crosswalk connect books", "http://127.0.0.1:4200/runs/flow-run/9f1c",
    ):  # fmt: skip
        assert part in said, part


def test_a_failure_without_a_store_still_says_what_failed() -> None:
    """Plain values are enough: when the store is gone the alert says that it could not be asked."""
    error = StoreError("the store cannot be reached", safe="what was committed stands", next_command="crosswalk status")
    failure = failure_of(error, binding="orders", environment="production", integration="", step="open", at=AT)
    said = failure.message("abc").plain()
    assert "the store cannot be reached" in said
    assert "the store could not be asked" in said
    assert "crosswalk status" in said


def test_held_rows_are_counted_with_their_keys() -> None:
    """A warning names the rule, how many rows, the first keys and the next command."""
    said = HELD.message("abc").plain()
    assert "12 rows held by 'tax type'" in said
    assert "1, 2, 3, 4, 5, …" in said
    assert "crosswalk held list orders" in said


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ConsentNeeded("gone"), "connected the account again"),
        (BadCredentials("no"), "credentials are mended"),
        (SettingsError("no"), "setting is mended"),
        (StoreError("away"), "once the store answers"),
        (Unreachable("away"), "only what is left"),
        (Throttled("slow", wait=300), "only what is left"),
        (ValueError("a bug"), "only what is left"),
    ],
)
def test_what_happens_next_goes_by_the_class_of_the_error(error: Exception, word: str) -> None:
    """Every error class says what happens without anybody, the nearest class first."""
    assert word in by_itself(error)


def test_a_mistake_in_the_program_is_told_too() -> None:
    """An error outside the tree has class and message, and what is safe."""
    failure = failure_of(KeyError("x"), binding="b", environment="sandbox", integration="i", step="transform", at=AT)
    assert (failure.kind, failure.what, failure.safe) == ("KeyError", "'x'", "what was committed stands")


def test_no_secret_comes_out_in_any_part() -> None:
    """A registered value, a bearer phrase, a secret query value and a user part are gone from every text and block."""
    canary = "canary-4f1d2e9b77aa"
    redact.register(canary)
    dirty = (
        f"{canary} Bearer sk_live_998877665544 https://u:hunter22@host/x?access_token=tok_998877 password=swordfish9"
    )
    failure = replace(
        FAILURE, what=dirty, safe=dirty, record=dirty, command=dirty, then=dirty, step=dirty, binding=dirty,
        link=f"https://u:hunter22@prefect.example/runs/1?token=tok_998877&k={canary}",
    )  # fmt: skip
    for message in (
        failure.message("a"),
        replace(HELD, reason=dirty, rule=dirty, keys=(dirty,), link=dirty).message("a"),
    ):
        out = message.plain() + json.dumps(blocks(message))
        for secret in (canary, "sk_live_998877665544", "hunter22", "tok_998877", "swordfish9"):
            assert secret not in out, secret
        assert clean(message) == message, "cleaning is done once and for all"


NASTY = [
    "&<>" * 3000,
    "x" * 60_000,
    "`" * 4000,
    "```" * 2000,
    "é✓🛒" * 3000,
    "|" * 3000,
    "",
    " ",
    "\n" * 500,
    "a\n" * 9000,
]


@pytest.mark.parametrize("text", NASTY)
def test_oversized_text_is_cut_to_blocks_that_slack_takes(text: str) -> None:
    """Whatever a message holds, what is posted keeps every limit of Block Kit and of the message."""
    failure = replace(
        FAILURE, what=text, safe=text, record=text, command=text or "x", then=text, step=text, binding=text, run=text
    )
    held = replace(HELD, rule=text, reason=text, field=text, keys=(text,) * 5, binding=text)
    for message in (failure.message("a"), held.message("a")):
        content = {"text": cut(message.plain(), 3000), "blocks": blocks(message)}
        assert faulty(content) is None, faulty(content)
        assert _texts(content["blocks"]) < 10_000
        _as_slack_sdk_takes_it(content["blocks"])


def _texts(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _texts(v) for k, v in value.items())
    return sum(map(_texts, value)) if isinstance(value, list) else 0


def _as_slack_sdk_takes_it(content: object) -> None:
    """slack-sdk's own models know the limits of header, section, fields and buttons."""
    from slack_sdk.models.blocks import Block

    for block in Block.parse_all(content):  # type: ignore[arg-type]
        block.validate_json()


def test_an_escape_is_never_cut_in_two() -> None:
    """Text is cut so that its escaped form fits and ends with a whole escape."""
    rng = random.Random(7)
    for _ in range(300):
        text = "".join(rng.choice("&<>ab ") for _ in range(rng.randrange(1, 400)))
        most = rng.randrange(5, 300)
        done = escaped(text, most)
        assert len(done) <= most
        rest = done.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not set("&<>") & set(rest), (text, done)


def test_a_message_survives_the_store() -> None:
    """What is packed for the outbox is unpacked the same, instants included."""
    for message in (FAILURE.message("a"), HELD.message("b")):
        assert unpack(pack(message)) == message


def test_addresses_and_telephone_numbers_of_people_are_left_out() -> None:
    """An alert is read by more people than the record: e-mail addresses and telephone numbers do not get into it."""
    failure = replace(FAILURE, what="the contact eva.jansen+shop@example.nl, +31 6 1234 5678, exists already")
    said = failure.message("a").plain()
    assert "eva.jansen" not in said and "1234 5678" not in said
    assert "the contact [e-mail], [telephone], exists already" in said
    assert "10,234.50 EUR" in said and "2026-11-23 08:00" in said, "amounts and times are no telephone numbers"
