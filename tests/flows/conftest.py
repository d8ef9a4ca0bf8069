"""One Prefect server and one process of practice systems for all tests of flows; a user's folder for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import houses
import pytest
from flow_kit import ORDERS, Folder, Worker
from servers import prefect as servers

from crosswalk.prefect_server import Server
from crosswalk.sandbox import control
from crosswalk.sandbox.control import Started

KILLING = Path(__file__).parent / "killing"


@pytest.fixture(scope="session")
def practice() -> Iterator[Started]:
    """The practice systems by the machine's own clock: a worker's process knows no other."""
    with control.start(orders=ORDERS, minute=2) as started:
        yield started


@pytest.fixture
def folder(practice: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """The current folder is a user's own, whose practice systems are as at the beginning."""
    about = practice.control.reset(orders=ORDERS, cases=None, minute=2)
    practice.credentials.update(about.get("credentials") or practice.control.connect())
    practice.ready["credentials"] = practice.credentials
    path = houses.write(tmp_path / "house", practice)
    for name in ("flows", "tasks", "mappings", "prefect.yaml"):
        (path / name).symlink_to(servers.REPOSITORY / name)
    monkeypatch.chdir(path)
    monkeypatch.syspath_prepend(str(servers.REPOSITORY))
    made = Folder(path, practice)
    made.house().close()
    yield made
    practice.control.clear_faults()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The Prefect server; in this process every client is its own while the session lasts."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL, temporary_settings

    with servers.serve() as running:
        home = running.environment["PREFECT_HOME"]
        values = {PREFECT_API_URL: running.api, PREFECT_HOME: home, PREFECT_UI_URL: running.ui}
        with temporary_settings(updates=values), pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREFECT_UI_URL", running.ui)
            yield running
            _hand_in_what_is_left()


@pytest.fixture(scope="session")
def worker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for all tests; it starts a process for each run, in the folder of the run's deployment."""
    place = tmp_path_factory.mktemp("worker")
    made = Worker(place / "worker.log", place / "kills")
    made.kills.touch()
    python = os.pathsep.join([str(KILLING), *filter(None, [os.environ.get("PYTHONPATH")])])
    with servers.work(server, place, CROSSWALK_TEST_KILLS=str(made.kills), PYTHONPATH=python):
        yield made


def _hand_in_what_is_left() -> None:
    """Logs and events go out in threads of their own, which would look for the server long after it is gone."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.instance().drain()
    EventsWorker.instance().drain()


@pytest.fixture
def deployed(server: Server, folder: Folder) -> dict[str, str]:
    """The deployments of prefect.yaml in this test's folder; binding → deployment id."""
    from crosswalk import prefect_deploy

    return {one.binding: one.id for one in prefect_deploy.deploy(folder.path)}
