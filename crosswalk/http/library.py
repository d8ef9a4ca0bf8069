"""The one door through which the HTTP library comes in, so that its successor can take its place here."""

import httpx

__all__ = ["httpx"]
