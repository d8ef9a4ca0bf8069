"""Every Shopify order becomes one row of the table orders."""

from typing import Any

from prefect import State, flow

from crosswalk.prefect_run import main
from flows.sync import OPTIONS, Binding, DryRun, Full, Ids, Since, Until, sync
from mappings.shopify_orders_to_database import INTEGRATION


@flow(name="shopify orders to database", **OPTIONS)
def shopify_orders_to_database(
    binding: Binding, since: Since = None, until: Until = None, ids: Ids = None, dry_run: DryRun = False,
    full: Full = False,
) -> State[Any]:  # fmt: skip
    """Every Shopify order becomes one row; its lines, payments and refunds become rows of tables of their own.

    From shopify.orders to database, by mappings/shopify_orders_to_database.py.
    Owner: data. Fresh within 1 hour.
    """
    return sync(INTEGRATION, binding, since, until, ids, dry_run, full)


if __name__ == "__main__":
    main(shopify_orders_to_database)
