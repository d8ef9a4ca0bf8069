"""Shopify's orders, customers and products, by the names of its Admin GraphQL (version 2026-10).

Money is a decimal in a string, a tax rate a JSON number, counts of the type UnsignedInt64 are strings.
Lists behind ``.nodes`` can be paged; the others come whole or with a limit and no next page, which is why a list as
long as its limit is held.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crosswalk.schemas.base import BOOLEAN, ID, INSTANT, INTEGER, MONEY, RATE, TEXT, Field, Lines, Must, Record

# What one page of a nested list holds. The connector asks for the rest of a longer one.
LINE_ITEMS = 25
SHIPPING_LINES = 5
REFUND_LINE_ITEMS = 25
REFUND_SHIPPING_LINES = 5
ORDER_ADJUSTMENTS = 5
REFUND_TRANSACTIONS = 5
VARIANTS = 50

# The most that is asked of a list without pages. Generous for an order, small for the cost of the query.
REFUNDS = 20
TRANSACTIONS = 30
TAX_LINES = 10

FINANCIAL_STATUS = (
    "AUTHORIZED",
    "EXPIRED",
    "PAID",
    "PARTIALLY_PAID",
    "PARTIALLY_REFUNDED",
    "PENDING",
    "REFUNDED",
    "VOIDED",
)
FULFILLMENT_STATUS = (
    "FULFILLED",
    "FULFILLMENT_NOT_REQUIRED",
    "IN_PROGRESS",
    "ON_HOLD",
    "OPEN",
    "PARTIALLY_FULFILLED",
    "PENDING_FULFILLMENT",
    "REQUEST_DECLINED",
    "RESTOCKED",
    "SCHEDULED",
    "UNFULFILLED",
)
CANCEL_REASON = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")
TRANSACTION_KIND = (
    "AUTHORIZATION",
    "CAPTURE",
    "CHANGE",
    "EMV_AUTHORIZATION",
    "REFUND",
    "SALE",
    "SUGGESTED_REFUND",
    "VOID",
)
TRANSACTION_STATUS = ("AWAITING_RESPONSE", "ERROR", "FAILURE", "PENDING", "SUCCESS", "UNKNOWN")
CUSTOMER_STATE = ("DECLINED", "DISABLED", "ENABLED", "INVITED")
# Beside the nodes of every list with pages.
_PAGES = tuple(
    f"{path}.pageInfo"
    for path in (
        "lineItems",
        "shippingLines",
        "refunds.refundLineItems",
        "refunds.refundShippingLines",
        "refunds.orderAdjustments",
        "refunds.transactions",
        "variants",
    )
)
PRODUCT_STATUS = ("ACTIVE", "ARCHIVED", "DRAFT", "UNLISTED")


def _money(name: str, required: bool = True, about: str = "") -> Field:
    """The amount of a MoneyBag in the shop's currency."""
    return Field(f"{name}.shopMoney.amount", MONEY, required=required, about=about)


def _not_negative(values: pa.Array) -> pa.Array:
    return pc.greater_equal(values, 0)


def _address(name: str, *, whole: bool) -> tuple[Field, ...]:
    place = (
        Field(f"{name}.countryCodeV2", TEXT),
        Field(f"{name}.provinceCode", TEXT),
        Field(f"{name}.zip", TEXT, personal=True),
        Field(f"{name}.city", TEXT, personal=True),
    )
    person = tuple(
        Field(f"{name}.{part}", TEXT, personal=True)
        for part in ("name", "company", "address1", "address2", "province", "country", "phone")
    )
    return place + person if whole else place


_tax = (
    Field("title", TEXT, required=True),
    Field("rate", RATE, wire="number", about="a fraction: 0.21 is 21 %"),
    Field("ratePercentage", RATE, wire="number"),
    _money("priceSet"),
)

_discounts = Lines(
    "discountAllocations",
    (_money("allocatedAmountSet"), Field("discountApplication.index", INTEGER, required=True)),
    required=True,
    about="comes whole",
)

_line_item = (
    Field("id", ID, required=True),
    Field("title", TEXT, required=True),
    Field("variantTitle", TEXT),
    Field("sku", TEXT, about="not unique"),
    Field("quantity", INTEGER, required=True, about="as ordered; added lines count from their edit"),
    Field("currentQuantity", INTEGER, required=True, about="less what was removed or refunded"),
    Field("isGiftCard", BOOLEAN, required=True),
    Field("taxable", BOOLEAN),
    Field("requiresShipping", BOOLEAN),
    Field("product.id", ID),
    Field("product.productType", TEXT),
    Field("variant.id", ID),
    _money("originalUnitPriceSet"),
    _money("originalTotalSet", required=False),
    _money("discountedTotalSet", required=False),
    _money("totalDiscountSet", required=False),
    _discounts,
    Lines("taxLines", _tax, required=True, whole_below=TAX_LINES),
)

_shipping_line = (
    Field("id", ID, about="null for a line that was never stored"),
    Field("title", TEXT, required=True),
    Field("code", TEXT),
    Field("isRemoved", BOOLEAN, required=True),
    _money("originalPriceSet"),
    _money("discountedPriceSet"),
    _money("currentDiscountedPriceSet", required=False),
    _discounts,
    Lines("taxLines", _tax, required=True, about="comes whole"),
)

_transaction = (
    Field("id", ID, required=True),
    Field("kind", TEXT, required=True, values=TRANSACTION_KIND),
    Field("status", TEXT, required=True, values=TRANSACTION_STATUS),
    Field("gateway", TEXT),
    Field("test", BOOLEAN, required=True),
    Field("createdAt", INSTANT, required=True),
    Field("processedAt", INSTANT),
    Field("parentTransaction.id", ID),
    _money("amountSet"),
    Field("amountSet.shopMoney.currencyCode", TEXT),
)

_refund = (
    Field("id", ID, required=True),
    Field("legacyResourceId", ID, required=True),
    Field("createdAt", INSTANT),
    Field("processedAt", INSTANT, required=True),
    Field("updatedAt", INSTANT, required=True),
    Field("note", TEXT, personal=True),
    _money("totalRefundedSet"),
    Lines(
        "refundLineItems",
        (
            Field("id", ID),
            Field("lineItem.id", ID, required=True),
            Field("quantity", INTEGER, required=True),
            Field("restockType", TEXT),
            _money("priceSet", required=False),
            _money("subtotalSet"),
            _money("totalTaxSet"),
        ),
        path="refundLineItems.nodes",
        key="id",
        required=True,
    ),
    Lines(
        "refundShippingLines",
        (
            Field("id", ID, required=True),
            Field("shippingLine.id", ID),
            _money("subtotalAmountSet"),
            _money("taxAmountSet"),
        ),
        path="refundShippingLines.nodes",
        key="id",
        required=True,
    ),
    Lines(
        "orderAdjustments",
        (Field("id", ID, required=True), Field("reason", TEXT), _money("amountSet"), _money("taxAmountSet")),
        path="orderAdjustments.nodes",
        key="id",
        required=True,
    ),
    Lines("transactions", _transaction, path="transactions.nodes", key="id", required=True),
)

Order = Record(
    "shopify.orders",
    key="id",
    version="updatedAt",
    ignores=_PAGES,
    about="An order with its lines, payments and refunds. Closed orders still change; test orders are no sales.",
    fields=(
        Field("id", ID, required=True, about="gid://shopify/Order/<number>"),
        Field("legacyResourceId", ID, required=True, about="the number alone, as text: it does not fit a float"),
        Field("name", TEXT, required=True, about="#1001: for display, not unique for ever"),
        Field("createdAt", INSTANT, required=True),
        Field("processedAt", INSTANT, required=True, about="when the sale took place"),
        Field("updatedAt", INSTANT, required=True),
        Field("cancelledAt", INSTANT),
        Field("cancelReason", TEXT, values=CANCEL_REASON),
        Field("closedAt", INSTANT),
        Field("test", BOOLEAN, required=True),
        Field("edited", BOOLEAN),
        Field("taxesIncluded", BOOLEAN, required=True),
        Field("taxExempt", BOOLEAN),
        Field("currencyCode", TEXT, required=True, about="the shop's currency"),
        Field("presentmentCurrencyCode", TEXT, about="the currency the customer saw"),
        Field("displayFinancialStatus", TEXT, values=FINANCIAL_STATUS),
        Field("displayFulfillmentStatus", TEXT, values=FULFILLMENT_STATUS),
        Field("email", TEXT, personal=True),
        Field("note", TEXT, personal=True),
        Field("sourceName", TEXT),
        Field("customer.id", ID, about="null for a guest"),
        *_address("billingAddress", whole=False),
        *_address("shippingAddress", whole=True),
        _money("totalPriceSet", about="the original total and later edits, before refunds"),
        Field("totalPriceSet.presentmentMoney.amount", MONEY),
        _money("originalTotalPriceSet", required=False),
        _money("currentTotalPriceSet", about="after edits and refunds"),
        _money("subtotalPriceSet", required=False),
        _money("totalTaxSet", required=False),
        _money("totalDiscountsSet", required=False),
        _money("totalShippingPriceSet"),
        _money("totalRefundedSet"),
        _money("totalReceivedSet", required=False),
        _money("totalOutstandingSet", required=False),
        _money("totalTipReceivedSet", required=False),
        _money("currentTotalDutiesSet", required=False),
        Lines(
            "lineItems",
            _line_item,
            path="lineItems.nodes",
            key="id",
            required=True,
            checks=(
                Must("quantity", "is not negative", _not_negative),
                Must("currentQuantity", "is not negative", _not_negative),
            ),
        ),
        Lines("shippingLines", _shipping_line, path="shippingLines.nodes", key="id", required=True),
        Lines("transactions", _transaction, key="id", required=True, whole_below=TRANSACTIONS),
        Lines("refunds", _refund, key="id", required=True, whole_below=REFUNDS),
    ),
)

Customer = Record(
    "shopify.customers",
    key="id",
    version="updatedAt",
    about="A customer. Names, addresses and mail are null when the app may not see them.",
    fields=(
        Field("id", ID, required=True),
        Field("legacyResourceId", ID, required=True),
        Field("createdAt", INSTANT, required=True),
        Field("updatedAt", INSTANT, required=True),
        Field("displayName", TEXT, personal=True),
        Field("firstName", TEXT, personal=True),
        Field("lastName", TEXT, personal=True),
        Field("defaultEmailAddress.emailAddress", TEXT, personal=True),
        Field("defaultPhoneNumber.phoneNumber", TEXT, personal=True),
        Field("locale", TEXT),
        Field("note", TEXT, personal=True),
        Field("state", TEXT, values=CUSTOMER_STATE),
        Field("taxExempt", BOOLEAN),
        Field("numberOfOrders", INTEGER, wire="string"),
        *_address("defaultAddress", whole=True),
    ),
)

Product = Record(
    "shopify.products",
    key="id",
    version="updatedAt",
    ignores=_PAGES,
    about="A product with its variants.",
    fields=(
        Field("id", ID, required=True),
        Field("legacyResourceId", ID, required=True),
        Field("createdAt", INSTANT, required=True),
        Field("updatedAt", INSTANT, required=True),
        Field("title", TEXT, required=True),
        Field("handle", TEXT, required=True),
        Field("productType", TEXT),
        Field("vendor", TEXT),
        Field("status", TEXT, required=True, values=PRODUCT_STATUS),
        Field("isGiftCard", BOOLEAN),
        Field("totalInventory", INTEGER),
        Lines(
            "variants",
            (
                Field("id", ID, required=True),
                Field("legacyResourceId", ID, required=True),
                Field("title", TEXT, required=True),
                Field("sku", TEXT),
                Field("barcode", TEXT),
                Field("position", INTEGER),
                Field("price", MONEY, required=True),
                Field("compareAtPrice", MONEY),
                Field("inventoryQuantity", INTEGER),
                Field("taxable", BOOLEAN),
                Field("updatedAt", INSTANT),
            ),
            path="variants.nodes",
            key="id",
            required=True,
        ),
    ),
)
