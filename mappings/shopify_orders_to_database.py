"""Every Shopify order becomes one row of the table orders; its lines, payments and refunds become rows of their own."""

from datetime import timedelta

from crosswalk.integration import Integration
from crosswalk.mapping import Example, Mapping, mirror
from crosswalk.schemas import shopify
from crosswalk.schemas.tables import table_record
from mappings.shopify_orders import worked

ORDERS = table_record(shopify.Order, "database.orders")

orders_to_rows = Mapping(
    "Shopify orders become rows of a database",
    source=shopify.Order,
    target=ORDERS,
    key="id",
    rules=mirror(shopify.Order),
    base=worked.ORDER,
    examples=[
        Example(
            "an order with its line and its payment",
            expect={
                "id": "gid://shopify/Order/5780011223344",
                "name": "#1001",
                "processed_at": "2026-11-20T10:00:00Z",
                "test": False,
                "display_financial_status": "PAID",
                "customer_id": "gid://shopify/Customer/77",
                "shipping_address_country_code": "NL",
                "total_price": "24.90",
                "line_items": 1,
                "line_items[0].title": "Moby-Dick",
                "line_items[0].quantity": 1,
                "line_items[0].product_type": "book",
                "line_items[0].original_unit_price": "19.95",
                "line_items[0].tax_lines[0].rate": "0.09",
                "shipping_lines[0].discounted_price": "4.95",
                "transactions[0].amount": "24.90",
                "refunds": 0,
            },
        ),
        Example(
            "a refund stands beside the order, whose total stays",
            given={"refunds": [worked.refund(5, "19.95", refundLineItems=[worked.refunded(1, 1, "19.95", "1.65")])]},
            expect={
                "total_price": "24.90",
                "refunds[0].legacy_resource_id": "5",
                "refunds[0].refund_line_items[0].line_item_id": "gid://shopify/LineItem/1",
                "refunds[0].refund_line_items[0].subtotal": "19.95",
            },
        ),
        Example("a test order is kept: whoever counts leaves it out", given={"test": True}, expect={"test": True}),
        Example("a guest", given={"customer": None}, expect={"customer_id": None}),
        Example(
            "a cancelled order is kept",
            given={"cancelledAt": "2026-11-21T09:00:00Z"},
            expect={"cancelled_at": "2026-11-21T09:00:00Z"},
        ),
    ],
)

INTEGRATION = Integration(
    name="shopify_orders_to_database",
    title="Shopify orders become rows of a database",
    source="shopify.orders",
    target="database",
    parts=(orders_to_rows,),
    owner="data",
    fresh_within=timedelta(hours=1),
)
