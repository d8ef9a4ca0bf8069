"""What the demo prints can be read without a terminal, and loses nothing of an alert."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from crosswalk.alerts.message import Failure, Impact
from crosswalk.alerts.slack import blocks
from crosswalk.console.demo.runs import Held, Ran
from crosswalk.console.demo.show import Show, waits
from crosswalk.console.demo.story import arrived
from crosswalk.runs.account import Account

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def shown() -> tuple[Show, io.StringIO]:
    out = io.StringIO()
    return Show(Console(file=out, highlight=False, soft_wrap=True)), out


def test_an_alert_is_shown_whole_and_as_a_reader_sees_it() -> None:
    """Every fact, the cause, the next command and the link of a Slack message stand there without its markup."""
    failure = Failure(
        "orders", "sandbox", "shopify_orders_to_xero_invoices", "load", "ConsentNeeded", "the grant <is> gone & over",
        at=AT, safe="nothing was sent", command="crosswalk connect books", then="Nothing by itself.",
        impact=Impact((("pending", 4),), (("invoices", Decimal("12.50"), "EUR"),), AT), run="calm-otter",
        link="http://127.0.0.1:4200/runs/flow-run/1",
    )  # fmt: skip
    show, out = shown()
    show.message({"text": "short", "blocks": blocks(failure.message("abc"))})
    text = out.getvalue()
    for piece in (
        "[sandbox] orders failed: ConsentNeeded", "Step: load", "Failing since: 2026-11-23 09:00 UTC", "4 pending",
        "invoices 12.50 EUR", "the grant <is> gone & over", "crosswalk connect books",
        "[calm-otter] http://127.0.0.1:4200/runs/flow-run/1",
    ):  # fmt: skip
        assert piece in text
    assert "<!date" not in text and "*" not in text


def test_an_account_names_new_held_rows_with_reasons_and_counts_the_old() -> None:
    """Two rows held by this run are told with rule, reason and an example; five older ones are one number."""
    account = Account(
        read=9, parts=9, distinct=9, created=4, held=2, parked=1, skipped=2, requests=1, skipped_by={"test order": 2},
        held_by=[("Status", "a person decides", 7, "gid://shopify/Order/1")],
        waits_for={"sandbox/shop/x|shopify.orders|gid://shopify/Order/2|sandbox/books/y|xero.credit_notes": 1},
    )  # fmt: skip
    held = (Held("Status", "a person decides", 2, "gid://shopify/Order/42"),)
    show, out = shown()
    show.account("orders", Ran("1", "n", "Completed", "", 1, 2.0, account, held), where="here", link="http://x/1")
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert lines == [
        "orders: here, 2 s, 1 request",
        "9 records read; 9 parts = 4 created + 2 held + 1 parked + 2 skipped",
        "held       2  Status: a person decides (e.g. order 42)",
        "held       5  since earlier runs",
        "parked     1  until their credit note is there",
        "skipped    2  test order",
        "http://x/1",
    ]


def test_what_waits_for_the_same_kind_is_added_up() -> None:
    """Three parts that wait for two invoices are one line of three."""
    assert waits({"a|b|1|c|xero.invoices": 2, "a|b|2|c|xero.invoices": 1}) == [(3, "until their invoice is there")]


def test_requests_are_told_by_difference_and_writes_by_name() -> None:
    """Only what arrived in between counts; what writes in Xero is named with its number."""
    before = {"shopify": {"total": 4, "paths": {}}, "xero": {"total": 2, "paths": {"PUT /api.xro/2.0/Invoices": 2}}}
    paths = {"PUT /api.xro/2.0/Invoices": 3, "GET /api.xro/2.0/Contacts": 1, "POST /connect/token": 1}
    after = {"shopify": {"total": 5, "paths": {}}, "xero": {"total": 5, "paths": paths}}
    assert arrived(before, after) == "shopify: 1 request; xero: 3 requests (1 PUT Invoices)"


def test_progress_without_a_terminal_is_lines() -> None:
    """What is under way is said once in plain text, without a cursor being moved."""
    show, out = shown()
    with show.working("reading", lambda: "half"):
        pass
    assert out.getvalue() == "    reading ...\n"
