"""What lies in the store sealed: tokens and held records. The key comes from ``CROSSWALK_KEY`` alone."""

from __future__ import annotations

import base64
import os
from functools import cached_property
from typing import TYPE_CHECKING

from crosswalk.errors import KeyTrouble

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MAKE = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
PRACTICE_KEY = base64.urlsafe_b64encode(b"practice key, sandbox data only!").decode()


class Vault:
    """Seals and opens bytes. Several keys, separated by commas, rotate: the first seals, all open."""

    def __init__(self, keys: str) -> None:
        self._keys = keys

    @staticmethod
    def from_environment(environment: str) -> Vault:
        """The vault of this environment. Only the sandbox, whose data is invented, has a key of its own."""
        keys = os.environ.get("CROSSWALK_KEY", "")
        if not keys and environment == "sandbox":
            keys = PRACTICE_KEY
        return Vault(keys)

    def seal(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Raises KeyTrouble when no key fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise KeyTrouble(
                "CROSSWALK_KEY is not the key that this store was written with",
                safe="nothing was read or written",
                next_command="export CROSSWALK_KEY=<the key of this store>; several keys are separated by commas",
            ) from error

    @cached_property
    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        keys = [k.strip() for k in self._keys.split(",") if k.strip()]
        if not keys:
            raise KeyTrouble(
                "CROSSWALK_KEY is not set; tokens and held records are kept encrypted",
                safe="nothing was read or written",
                next_command=f"export CROSSWALK_KEY=$({MAKE})",
            )
        try:
            return MultiFernet([Fernet(k) for k in keys])
        except ValueError as error:
            raise KeyTrouble(
                "CROSSWALK_KEY is not a key: 32 bytes in url-safe base64 are expected",
                safe="nothing was read or written",
                next_command=f"export CROSSWALK_KEY=$({MAKE})",
            ) from error
