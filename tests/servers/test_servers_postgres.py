"""The PostgreSQL that the suite starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from servers.postgres import Server, serve

pytestmark = pytest.mark.postgres
TESTS = Path(__file__).parents[1]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[:1]


def test_answers_over_tcp_and_socket(postgres_server: Server) -> None:
    """The server answers on loopback and on its Unix socket."""
    for url in (postgres_server.url(), postgres_server.socket_url()):
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT current_setting('server_encoding')").fetchone() == ("UTF8",)


def test_each_test_has_its_own_database(postgres_server: Server, postgres_url: str) -> None:
    """A test's database is empty and is not the server's first one."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert tables.fetchone() == (0,)
    assert not postgres_url.endswith("/postgres")


def test_leaves_nothing_behind() -> None:
    """At the end of the block neither process nor folder is left."""
    with serve() as server:
        folder, pid = server.folder, server.pid
        assert _alive(pid)
    assert not folder.exists()
    assert not _alive(pid)


def test_goes_when_its_owner_is_killed() -> None:
    """A test process that is killed outright leaves neither process nor folder behind."""
    code = "import time; from servers.postgres import serve\n"
    code += "with serve() as s:\n print(s.pid, s.folder, flush=True)\n time.sleep(99)"
    owner = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    assert _alive(int(pid))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    for _ in range(100):
        if not Path(folder).exists():
            break
        time.sleep(0.1)
    assert not Path(folder).exists()
    assert not _alive(int(pid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may hide the binaries from nobody")
def test_runs_as_root_below_a_closed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, with a temporary folder that nobody may not enter, the server starts all the same."""
    # Not below pytest's own folders: the path of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory() as name:
        closed = Path(name)
        monkeypatch.setattr("tempfile.tempdir", name)
        with serve() as server:
            server.execute("SELECT 1")
            assert closed in server.folder.parents
        assert closed.stat().st_mode & 0o777 == 0o700
