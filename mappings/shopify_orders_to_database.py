"""Every Shopify order becomes one row of the table orders; its lines, payments and refunds become rows of their own."""

from datetime import timedelta

from crosswalk.integration import Integration
from crosswalk.mapping import Compare, Count, Hold, Mapping
from crosswalk.mapping.mirror import mirror
from crosswalk.schemas import shopify
from crosswalk.schemas.tables import table_record

ORDERS = table_record(shopify.Order, "database.orders")

orders_to_rows = Mapping(
    "Shopify orders become rows of a database",
    source=shopify.Order,
    target=ORDERS,
    key="id",
    holds=[
        Hold(
            "negative quantity",
            Compare(Count("lineItems", where=Compare("quantity", "<", 0)), ">", 0),
            why="nobody orders less than nothing: a report would silently sell less",
        )
    ],
    rules=mirror(shopify.Order),
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
