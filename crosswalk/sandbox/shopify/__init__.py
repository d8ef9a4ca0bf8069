"""The practice Shopify: one shop's Admin API, written from the vendor's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosswalk.sandbox.shopify.shop import Effect, Shop, gid, instant, money, number

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from crosswalk.clock import Clock

__all__ = ["Effect", "Shop", "create", "gid", "instant", "money", "number"]


def create(shop: Shop, clock: Clock) -> Starlette:
    """The shop as an ASGI application."""
    # Loaded late: the GraphQL engine takes a while, and a seed needs only the nodes.
    from crosswalk.sandbox.shopify.app import create as build

    return build(shop, clock)
