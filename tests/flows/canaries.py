"""Invented secrets, where each is planted, and everything in which none of them may be found."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

SHAPES: dict[str, Callable[[str], str]] = {
    "a pair": lambda s: f"access_token={s}",
    "a JSON member": lambda s: f'{{"client_secret": "{s}"}}',
    "a phrase": lambda s: f"Bearer {s} is not accepted",
    "a user part": lambda s: f"see https://admin:{s}@example.test/errors",
    "a query": lambda s: f"GET https://example.test/v1/things?api_key={s}&page=2",
    "a password": lambda s: f"password: {s}",
    "a basic header": lambda s: "Authorization: Basic " + base64.b64encode(f"admin:{s}".encode()).decode(),
    "a header": lambda s: f"X-Api-Key: {s}",
}
"""How a vendor's text may show a secret that nobody here knows: 8 shapes."""


@dataclass
class Canaries:
    """name → value.  ours: secrets that the engine holds; theirs: such as only a vendor's words show."""

    ours: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)

    def own(self, name: str, lead: str = "canary-") -> str:
        """A secret that the settings, the environment or a grant hold."""
        self.ours[name] = f"{lead}{len(self.ours):02d}Zq8{name.encode().hex()[:16]}"
        return self.ours[name]

    def words(self, place: str) -> str:
        """A vendor's text with a secret of its own in every shape."""
        said = []
        for shape, make in SHAPES.items():
            value = f"cnry{len(self.theirs):02d}Yw7{place.encode().hex()[:12]}"
            self.theirs[f"{place}: {shape}"] = value
            said.append(make(value))
        return " ; ".join(said)

    @property
    def all(self) -> dict[str, str]:
        return {**self.ours, **self.theirs}

    def inside(self, content: bytes) -> list[str]:
        """The canaries that are in some bytes: plain, quoted, in hex, in base64 at any offset."""
        return [name for name, value in self.all.items() if any(form in content for form in forms(value))]


def forms(value: str) -> set[bytes]:
    """How a value may look inside other text."""
    raw = value.encode()
    found = {raw, quote(value, safe="").encode(), raw.hex().encode(), json.dumps(value)[1:-1].encode()}
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        found.add(whole[(0, 2, 3)[offset] : -1])
    return found


@dataclass
class Wire:
    """What really went over the wire, unredacted."""

    out: bytes = b""
    back: bytes = b""

    def tap(self, patch: Any) -> None:
        """Listen to every request of the HTTP library from now on."""
        from crosswalk.http.library import httpx

        real = httpx.HTTPTransport.handle_request

        def listen(transport: Any, request: Any) -> Any:
            head = b"\n".join(b": ".join(pair) for pair in request.headers.raw)
            self.out += str(request.url).encode() + b"\n" + head + b"\n" + request.read() + b"\n"
            response = real(transport, request)
            body = response.read()
            self.back += b"\n".join(b": ".join(pair) for pair in response.headers.raw) + b"\n" + body + b"\n"
            # It was read to its end and unpacked on the way.
            headers = [
                (n, v) for n, v in response.headers.raw if n.lower() not in (b"content-encoding", b"content-length")
            ]
            return httpx.Response(response.status_code, headers=headers, content=body, extensions=response.extensions)

        patch.setattr(httpx.HTTPTransport, "handle_request", listen)


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below, with what is packed in it unpacked."""
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            content = path.read_bytes()
            yield str(path), gzip.decompress(content) if path.suffix == ".gz" else content
