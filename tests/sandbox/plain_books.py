"""A bookkeeper who reads docs/practice-business.md and the shop's nodes, and writes into the practice Xero by hand.

Row by row, in plain Python, knowing nothing of mappings: it shows that the page can be followed and that both practice
systems and the oracle mean the same by it.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from xero_client import Got, call

from crosswalk.sandbox.practice import Practice
from crosswalk.sandbox.spoil import Spoil
from crosswalk.sandbox.xero import create

Node = dict[str, Any]
ACCOUNTS = {"book": "4010", "course": "4020", "mug": "4030"}
TAXES = {("NL", "0.21"): "TAX001", ("NL", "0.09"): "TAX002", ("DE", "0.19"): "TAX004", ("BE", "0.21"): "TAX005"}
ZERO_RATED = {"NL", "DE", "BE", "GB", "US", "CH", "JP"}
BANKS = {"shopify_payments": "1010", "paypal": "1020", "manual": "1030", "Bank Deposit": "1030", "gift_card": "2100"}


class Bookkeeper:
    """Keeps the books of one practice under a prefix. refused: (order, Xero's message)."""

    def __init__(self, practice: Practice, prefix: str) -> None:
        self.shop, self.org, self.prefix = practice.shop, practice.org, prefix
        self.org.limits.minute = self.org.limits.day = 1_000_000
        self.app = create(self.org, practice.clock)
        self.token = self.org.access_token()
        self.spoil: Spoil = practice.spoil
        self.contacts: dict[str, str] = {}
        self.invoices: dict[str, str] = {}
        self.refused: list[tuple[str, str]] = []

    def keep(self) -> None:
        for gid in self.shop.ids("customers"):
            node = self._read("customers", gid)
            if node is not None and isinstance(node["displayName"], str) and len(node["displayName"]) <= 255:
                self._contact(number(gid), node["displayName"], (node["defaultEmailAddress"] or {}).get("emailAddress"))
        orders = [self._read("orders", gid) for gid in self.shop.ids("orders") if gid not in self.spoil.rows]
        if any(order and not order["customer"] for order in orders):
            self._contact("guests", "Shop guests", None)
        for order in orders:
            assert order is not None
            self._order(order)

    def _read(self, collection: str, gid: str) -> Node | None:
        node = self.shop.get(collection, gid)
        return json.loads(self.spoil.spoil(json.dumps(node).encode()))

    def _put(self, path: str, element: Node) -> Node | None:
        resource = path.rsplit("/", 1)[-1]
        headers = {"authorization": f"Bearer {self.token}", "xero-tenant-id": self.org.tenant_id}
        headers |= {"accept": "application/json", "content-type": "application/json"}
        body = json.dumps({resource: [element]}, default=str).encode()
        got: Got = asyncio.run(call(self.app, "PUT", f"/api.xro/2.0/{path}", headers, body, "summarizeErrors=false"))
        assert got.status == 200, got.text
        answer: Node = got.json[resource][0]
        if answer.get("StatusAttributeString") == "ERROR" or answer.get("ValidationErrors"):
            self.refused.append((str(element), answer["ValidationErrors"][0]["Message"]))
            return None
        return answer

    def _contact(self, id_: str, name: str, email: str | None) -> None:
        contact = {"ContactNumber": f"{self.prefix}-{id_}", "Name": name, **({"EmailAddress": email} if email else {})}
        made = self._put("Contacts", contact) or self._put("Contacts", {**contact, "Name": f"{name} ({id_})"})
        assert made is not None, self.refused[-1]
        self.contacts[id_] = made["ContactID"]

    def _order(self, order: Node) -> None:
        paid = sum(amount(t["amountSet"]) for t in order["transactions"] if came_in(t))
        total = amount(order["totalPriceSet"])
        if order["test"] or (order["cancelledAt"] and not paid) or not total:
            return
        if order["displayFinancialStatus"] in (None, "EXPIRED", "VOIDED"):
            return
        lines = [self._line(order, line) for line in order["lineItems"] if billed(order, line)]
        lines += [parcel(order, line) for line in order["shippingLines"] if not line["isRemoved"]]
        contact = self.contacts.get(number(order["customer"]["id"]) if order["customer"] else "guests")
        if contact is None or any(line["TaxType"] is None for line in lines):
            return
        tax = 0 if order["taxesIncluded"] else sum(line["TaxAmount"] for line in lines)
        if sum(line["LineAmount"] for line in lines) + tax != total:
            return
        id_, day = number(order["id"]), local(order["processedAt"])
        made = self._put("Invoices", {
            "Type": "ACCREC", "Contact": {"ContactID": contact}, "InvoiceNumber": f"{self.prefix}-{id_}",
            "Reference": order["name"], "Date": day, "DueDate": day, "Status": "AUTHORISED", "CurrencyCode": "EUR",
            "LineAmountTypes": "Inclusive" if order["taxesIncluded"] else "Exclusive", "LineItems": lines,
        })  # fmt: skip
        if made is None:
            return
        assert made["Total"] == total
        for transaction in order["transactions"]:
            if came_in(transaction) and transaction["gateway"] in BANKS:
                self._pay("Invoice", {"InvoiceID": made["InvoiceID"]}, transaction)
        for refund in order["refunds"]:
            self._refund(order, refund, contact, made["InvoiceID"])

    def _pay(self, of: str, document: Node, transaction: Node) -> None:
        payment = {
            of: document,
            "Account": {"Code": BANKS[transaction["gateway"]]},
            "Reference": number(transaction["id"]),
        }
        payment |= {"Date": local(transaction["processedAt"]), "Amount": amount(transaction["amountSet"])}
        assert self._put("Payments", payment) is not None, self.refused[-1]

    def _line(self, order: Node, line: Node) -> Node:
        off = sum(amount(d["allocatedAmountSet"]) for d in line["discountAllocations"])
        product = self._read("products", line["product"]["id"]) if line["product"] else None
        account = ACCOUNTS.get(product["productType"] if product else "", "4000")
        units = billed(order, line)
        return {
            "Description": line["title"], "AccountCode": "2100" if line["isGiftCard"] else account,
            "Quantity": units, "UnitAmount": amount(line["originalUnitPriceSet"]), "DiscountAmount": off,
            "LineAmount": units * amount(line["originalUnitPriceSet"]) - off, **taxed(order, line),
        }  # fmt: skip

    def _refund(self, order: Node, refund: Node, contact: str, invoice: str) -> None:
        sold = {line["id"]: self._line(order, line) for line in order["lineItems"]}
        sold |= {line["id"]: parcel(order, line) for line in order["shippingLines"]}
        back = [(r["lineItem"]["id"], r["subtotalSet"], r["totalTaxSet"]) for r in refund["refundLineItems"]]
        for row in refund["refundShippingLines"]:
            back.append((row["shippingLine"]["id"], row["subtotalAmountSet"], row["taxAmountSet"]))
        lines = []
        for id_, worth, tax in back:
            same = {name: sold[id_][name] for name in ("Description", "AccountCode", "TaxType")}
            lines.append({**same, "Quantity": 1, "UnitAmount": amount(worth), "TaxAmount": amount(tax)})
        for adjustment in refund["orderAdjustments"]:
            lines.append({"Description": "Adjustment", "AccountCode": "4060", "TaxType": "NONE", "Quantity": 1,
                          "UnitAmount": -amount(adjustment["amountSet"]), "TaxAmount": 0})  # fmt: skip
        added = 0 if order["taxesIncluded"] else sum(line["TaxAmount"] for line in lines)
        total = sum(line["UnitAmount"] for line in lines) + added
        if not total:
            return
        day = local(refund["processedAt"])
        made = self._put("CreditNotes", {
            "Type": "ACCRECCREDIT", "Contact": {"ContactID": contact}, "Date": day, "Status": "AUTHORISED",
            "CreditNoteNumber": f"{self.prefix}-{number(refund['id'])}", "LineItems": lines, "CurrencyCode": "EUR",
            "LineAmountTypes": "Inclusive" if order["taxesIncluded"] else "Exclusive",
        })  # fmt: skip
        assert made is not None and made["Total"] == total, self.refused[-1:]
        moving = [t for t in refund["transactions"] if t["status"] in ("SUCCESS", "PENDING")]
        rest = total - sum(amount(t["amountSet"]) for t in moving)
        for transaction in moving:
            if transaction["status"] == "SUCCESS":
                self._pay("CreditNote", {"CreditNoteID": made["CreditNoteID"]}, transaction)
        if rest > 0:
            allocation = {"Invoice": {"InvoiceID": invoice}, "Amount": rest, "Date": day}
            assert self._put(f"CreditNotes/{made['CreditNoteID']}/Allocations", allocation), self.refused[-1]


def number(gid: str) -> str:
    return gid.rsplit("/", 1)[-1]


def amount(bag: Node) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"])


def local(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(ZoneInfo("Europe/Amsterdam")).date().isoformat()


def came_in(transaction: Node) -> bool:
    return transaction["kind"] in ("SALE", "CAPTURE") and transaction["status"] == "SUCCESS"


def billed(order: Node, line: Node) -> int:
    back = [r for refund in order["refunds"] for r in refund["refundLineItems"] if r["lineItem"]["id"] == line["id"]]
    return int(line["currentQuantity"] + sum(r["quantity"] for r in back))


def parcel(order: Node, line: Node) -> Node:
    worth = amount(line["discountedPriceSet"])
    same = {"Description": line["title"], "AccountCode": "4050", "Quantity": 1}
    return {**same, "UnitAmount": worth, "LineAmount": worth, **taxed(order, line)}


def taxed(order: Node, line: Node) -> Node:
    """TaxType None: nobody has said which."""
    taxes = line["taxLines"]
    if not taxes or line.get("isGiftCard"):
        return {"TaxType": "NONE", "TaxAmount": Decimal(0)}
    country = (order["shippingAddress"] or order["billingAddress"])["countryCodeV2"]
    zero = "TAX003" if country in ZERO_RATED and taxes[0]["rate"] == 0 else None
    kind = TAXES.get((country, str(taxes[0]["rate"])), zero) if len(taxes) == 1 else None
    return {"TaxType": kind, "TaxAmount": sum(amount(t["priceSet"]) for t in taxes)}
