"""Decisions about held rows and the comparison of both systems, as a person types them."""

from __future__ import annotations

import json
import re

from console_kit import Folder


def test_a_person_decides_and_the_books_are_compared(folder: Folder) -> None:
    """Edit, dismiss, take back: each is shown with author and reason; books that agree end with 0, an edit with 1."""
    folder.good("run", "customers", "--bare")
    folder.good("run", "orders", "--bare")
    listed = folder.good("held", "list", "orders", "--rule", "Status")
    [key] = set(re.findall(r"gid://shopify/Order/\d+", listed))
    folder.good("held", "edit", "orders", "--key", key, "--set", "displayFinancialStatus=PAID", "--author", "anna",
                "--reason", "paid in the shop")  # fmt: skip
    assert "displayFinancialStatus" in folder.good("held", "corrections", "orders")
    folder.good("run", "orders", "--bare")
    assert key not in folder.good("held", "list", "orders", "--rule", "Status")
    folder.good("held", "undo", "orders", "--key", key, "--reason", "once more")
    held = folder.good("held", "list", "orders")
    other = re.findall(r"gid://shopify/Order/\d+", held)[0]
    folder.good("held", "dismiss", "orders", "--key", other, "--reason", "of the old company")
    told = folder.good("audit", "--action", "held.")
    assert all(word in told for word in ("anna", "paid in the shop", "held.undo", "held.dismiss", "old company"))
    folder.cw("held", "edit", "orders", "--key", other, "--set", "name", "--reason", "x").told("field=value", code=2)


def test_a_comparison_prints_a_line_a_period_and_ends_with_what_it_found(folder: Folder) -> None:
    """0 where both agree, 1 with the key and its cause where somebody has edited the books, 2 for what is no day."""
    folder.good("run", "customers", "--bare")
    folder.good("run", "orders", "--bare")
    days = ("--since", "2026-01-01", "--until", "2030-01-01")
    assert "Both agree." in folder.good("reconcile", "orders", *days)
    invoice = next(i for i in folder.control.effects()["invoices"] if i["status"] == "AUTHORISED")
    folder.control.call("xero.edit", "Invoices", {"InvoiceID": invoice["id"], "Reference": "by hand"})
    ran = folder.cw("reconcile", "orders", *days)
    assert ran.code == 1 and "changed at the target" in ran.out and "Reference is by hand" in ran.out, ran.text
    found = json.loads(folder.cw("reconcile", "orders", *days, "--json").out)
    assert not found["clean"] and found["differences"][0]["target_id"] == invoice["id"]
    assert folder.cw("reconcile", "orders", "--since", "November").code == 2
    assert "orders: source and target do not agree" in folder.cw("incidents", "list").out
