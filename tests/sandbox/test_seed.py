"""The practice business: the same from the same seed, whole in its sums, every case of the page in it."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crosswalk.sandbox.practice import spoiled
from crosswalk.sandbox.seed import case as registry
from crosswalk.sandbox.seed import oracle
from crosswalk.sandbox.seed.change import AT, apply, changes
from crosswalk.sandbox.seed.generate import generate
from crosswalk.sandbox.seed.oracle import expect
from crosswalk.sandbox.seed.sales import Business, Sale
from crosswalk.sandbox.seed.shelf import half_up, tax_of
from crosswalk.sandbox.seed.to_shopify import decimal, order_node, person_node
from crosswalk.sandbox.spoil import SPOILS

PAGE = (Path(__file__).parents[2] / "docs" / "practice-business.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def business() -> Business:
    return generate(7)


def _digest(seed: int, orders: int) -> str:
    business = generate(seed, orders)
    return hashlib.sha256(repr((business, changes(business, 3))).encode()).hexdigest()


def test_a_seed_makes_the_same_business_in_every_process() -> None:
    """Another process with another hash seed makes the same people, sales and changes; another seed makes others."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from test_seed import _digest; print(_digest(5, 200))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent,
        env={"PYTHONHASHSEED": "99"},
    )  # fmt: skip
    assert run.stdout.strip() == _digest(5, 200) != _digest(6, 200)


def test_a_thousand_orders_have_more_than_two_and_a_half_thousand_lines(business: Business) -> None:
    """The size that the demo promises, inside its dates, with ids that no float can carry."""
    assert len(business.sales) == 1000
    assert sum(len(s.lines) for s in business.sales) >= 2500
    moments = [m for s in business.sales for m in (s.processed, s.updated)]
    assert datetime(2026, 5, 1, tzinfo=UTC) <= min(moments) and max(moments) < datetime(2026, 11, 23, tzinfo=UTC)
    ids = [s.id for s in business.sales] + [p.id for p in business.people]
    ids += [row.id for s in business.sales for row in s.rows] + [r.id for s in business.sales for r in s.refunds]
    ids += [p.id for s in business.sales for p in (*s.payments, *(q for r in s.refunds for q in r.payments))]
    assert len(set(ids)) == len(ids) and all(id_ > 2**53 and int(float(id_)) != id_ for id_ in ids)


def _whole(sale: Sale) -> bool:
    rows = [row for row in sale.rows if not getattr(row, "removed", False) or hasattr(row, "ordered")]
    tax = 0 if sale.taxes_included else sum(t.cents for row in rows for t in row.taxes)
    return sum(row.cents for row in rows) + tax + sale.unexplained == sale.total


@pytest.mark.parametrize("seed", range(6))
def test_every_sale_adds_up(seed: int) -> None:
    """Lines, shipping and tax make the total; nothing is negative; no more is refunded than was sold or paid."""
    for sale in generate(seed, 200).sales:
        assert _whole(sale), sale.case
        assert sale.total >= 0 and all(row.cents >= 0 for row in sale.rows), sale.case
        for line in sale.lines:
            back = [r for refund in sale.refunds for r in refund.lines if r.line == line.id]
            assert sum(r.quantity for r in back) <= line.billed and sum(r.cents for r in back) <= line.cents, sale.case
            assert sum(r.tax for r in back) <= sum(t.cents for t in line.taxes), sale.case
        paid = sum(p.cents for p in sale.payments if p.kind in ("SALE", "CAPTURE") and p.status == "SUCCESS")
        out = sum(p.cents for r in sale.refunds for p in r.payments)
        assert paid <= sale.total and out <= max(paid, 0) + 250, sale.case


def test_a_line_refunded_in_pieces_is_refunded_to_the_cent() -> None:
    """The parts of an awkward line make the line."""
    for seed in range(10):
        sale = generate(seed, 1, cases=("refund_two",)).sale("refund_two")
        parts = [r for refund in sale.refunds for r in refund.lines]
        line = sale.lines[0]
        assert half_up(line.cents * 2, 3) == sum(r.cents for r in parts)


@pytest.mark.parametrize("orders", [100, 1000])
def test_every_case_is_there(orders: int) -> None:
    """From 100 orders on each named case has its sale or its customer."""
    business = generate(2, orders)
    assert {s.case for s in business.sales} == set(registry.CASES) | set(registry.PLAIN)
    people = {p.case for p in business.people}
    assert people >= {"same_name", "same_name_other_case", "name_of_a_stranger", "no_name", "long_name", "bad_customer"}


def test_the_page_names_every_case_and_no_other(business: Business) -> None:
    """What the mapping is written from is what is sold."""
    made = changes(business, 1)
    cases = {s.case for s in business.sales} | {p.case for p in business.people} | {c.case for c in made}
    cases -= {"plain"}
    tables = PAGE.partition("## What Xero must hold")[2]
    named = set(re.findall(r"^\| ([a-z][a-z0-9_, ]+) \|", tables, re.MULTILINE))
    listed = {name.strip() for cell in named for name in cell.split(",")}
    listed |= set(re.findall(r"`(bad_\w+)`", PAGE))
    assert listed - {"plain", "guests", "payment", "money"} == cases


def test_a_small_business_has_the_cases_it_is_asked_for() -> None:
    """Five orders are ordinary; named cases come beside ordinary ones; an unknown case is refused."""
    assert {s.case for s in generate(1, 5).sales} == set(registry.PLAIN)
    cases = Counter(s.case for s in generate(1, 4, cases=("refund_mixed", "locked")).sales)
    assert cases["refund_mixed"] == cases["locked"] == 1 and cases.total() == 4
    with pytest.raises(KeyError, match="nothing_such"):
        generate(1, 5, cases=("nothing_such",))


def test_rounding_cases_differ_from_what_xero_would_work_out() -> None:
    """Some line's tax is not its amount times the rate, rounded; with tax on top that would change the total."""
    for name in ("rounding_included", "rounding_excluded"):
        sale = generate(1, 1, cases=(name,)).sale(name)
        own = [tax_of(line.cents, line.taxes[0].rate, sale.taxes_included) for line in sale.lines]
        theirs = [line.taxes[0].cents for line in sale.lines]
        assert own != theirs
        assert sale.taxes_included or sum(own) != sum(theirs)


def test_midnight_cases_lie_on_another_day_in_the_shop(business: Business) -> None:
    """The shop's calendar day is the next one, in summer and in winter; the border of the lock is such a day."""
    expected = expect(business)
    for name, day in (("midnight_summer", "08-15"), ("midnight_winter", "11-11"), ("locked_border", "07-01")):
        sale = business.sale(name)
        invoice = expected.invoices[str(sale.id)]
        assert invoice.date == f"2026-{day}" != sale.processed.date().isoformat()


def test_few_enough_rows_are_held_for_a_run_to_go_on(business: Business) -> None:
    """Fewer than fifty and five in a hundred, or the run would stop instead of showing anything."""
    held = [left for left in expect(business).held if left.reason != "status"]
    assert 10 < len(held) < 50 and len(held) < 0.05 * len(business.sales)


@pytest.mark.parametrize(
    "text", [decimal(cents, variant) for cents in (0, 5, 1000, 1050, 1234) for variant in range(3)]
)
def test_money_is_written_with_varying_scale(text: str) -> None:
    """Trailing zeros come and go, and nothing else."""
    assert re.fullmatch(r"\d+(\.\d{1,2})?", text)


def test_the_scale_does_vary(business: Business) -> None:
    """All three forms of a round amount occur among the orders."""
    texts = [order_node(s)["totalPriceSet"]["shopMoney"]["amount"] for s in business.sales]
    assert {len(t.partition(".")[2]) for t in texts} == {0, 1, 2}


def test_foreign_buyers_see_their_own_money(business: Business) -> None:
    """Yen have no minor unit; the shop's side stays in euros."""
    node = order_node(business.sale("presentment_jpy"))
    bag = node["totalPriceSet"]
    assert bag["presentmentMoney"]["currencyCode"] == node["presentmentCurrencyCode"] == "JPY"
    assert bag["presentmentMoney"]["amount"].isdigit() and bag["shopMoney"]["currencyCode"] == "EUR"


def test_every_broken_row_has_its_damage(business: Business) -> None:
    """All kinds of damage are used, each for a row of its own."""
    rows = spoiled(business)
    assert set(rows.values()) == set(SPOILS) | {"bad_null"} and len(rows) == len(SPOILS) + 1


def test_the_oracle_imports_the_sales_list_and_the_standard_library_only() -> None:
    """Neither mapping nor engine nor either vendor's words can leak into what is expected."""
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
    assert own == {"sales"}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
    assert not {"importlib", "sys"} & names


def test_the_oracle_knows_worked_examples() -> None:
    """Figures worked out by hand for a discount, a mixed refund and a gift card."""
    business = generate(1, 3, cases=("discount_awkward", "refund_mixed", "gift_card_whole"))
    expected = expect(business)
    sale = business.sale("discount_awkward")
    goods = 3 * 333 + 1999 + 7 * 101 - 99
    percent = next(d.percent for d in sale.lines[0].discounts if d.percent)
    net = goods - (goods * percent * 2 + 100) // 200
    amounts = expected.invoices[str(sale.id)].amounts
    assert sum(cents for cents, _ in amounts.values()) == net
    mixed = business.sale("refund_mixed")
    assert [m.cents for m in expected.allocations.values()] == [4000]
    assert expected.invoices[str(mixed.id)].status == expected.credit_notes[str(mixed.refunds[0].id)].status == "PAID"
    gift = business.sale("gift_card_whole")
    assert [(m.account, m.cents) for m in expected.payments.values() if m.document == str(gift.id)] == [
        ("2100", gift.total)
    ]


def test_changes_come_again_from_the_same_seed_and_leave_the_rest_alone(business: Business) -> None:
    """One in a hundred orders, each once; a second round takes others."""
    made = changes(business, 1)
    assert made == changes(business, 1) != changes(business, 2)
    assert len(made) == 10 and max(c.at for c in made) == AT
    after = apply(business, made)
    touched = {c.sale.id for c in made if c.sale}
    assert len(touched) == 9 and len(after.sales) == 1001
    old = {s.id: s for s in business.sales}
    assert {s.id for s in after.sales if old.get(s.id) != s} == touched
    assert all(_whole(c.sale) for c in made if c.sale)
    again = changes(after, 1)
    assert not touched & {c.sale.id for c in again if c.sale}


def test_customers_without_a_name_show_their_address(business: Business) -> None:
    """As the vendor says of displayName."""
    person = business.people_of("no_name")[0]
    assert person_node(person)["displayName"] == person.email
    assert replace(person, first="Anna").name == "Anna"
