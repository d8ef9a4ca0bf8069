"""The worker whose runs start in forked processes: warm, apart from one another, and in Prefect like any other."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flow_kit import ORDERS, Folder, until
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Scheduled
from servers import prefect as servers

from crosswalk import prefect_deploy, prefect_run, prefect_server
from crosswalk.console import working
from crosswalk.errors import SettingsError
from crosswalk.prefect_server import Child, Server
from crosswalk.prefect_warm.pool import Warm, look
from crosswalk.store import runs

pytestmark = pytest.mark.prefect

KILLING = Path(__file__).parent / "killing"
POOL = "warm"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Odd:
    """A folder with one flow, deployed to the warm pool. Runs write what they are into files of the folder."""

    folder: Path
    deployment: UUID
    worker: Child
    count: int = 0

    def start(self, what: str, **variables: Any) -> tuple[FlowRun, Path]:
        """Ask for a run; the run, and the file that it will write."""
        self.count += 1
        place = self.folder.parent / f"{what}-{self.count}"
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(
                self.deployment, parameters={"what": what, "place": str(place)}, job_variables=variables or None
            )
        return run, place

    def run(self, what: str, **variables: Any) -> tuple[FlowRun, dict[str, Any]]:
        """A run that has ended, and what it wrote."""
        run, place = self.start(what, **variables)
        return ended(run.id), facts(place)


@pytest.fixture(scope="module")
def odd(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    """The odd flow's folder, its deployment, and a warm worker that serves it."""
    from prefect.flows import load_flow_from_entrypoint

    place = tmp_path_factory.mktemp("warm")
    folder = place / "folder"
    shutil.copytree(Path(__file__).parent / "odd", folder)
    with get_client(sync_client=True) as client, pytest.MonkeyPatch.context() as patch:
        prefect_deploy._make_pool(client, POOL, "crosswalk-warm")
        patch.syspath_prepend(str(folder))
        found = load_flow_from_entrypoint(str(folder / "flows" / "odd.py") + ":odd", use_placeholder_flow=True)
        deployment = client.create_deployment(
            flow_id=client.create_flow_from_name(found.name), name="odd", entrypoint="flows/odd.py:odd",
            work_pool_name=POOL, pull_steps=prefect_deploy._here(folder),
        )  # fmt: skip
    with work(server, place) as worker:
        yield Odd(folder, deployment, worker)


def work(server: Server, place: Path) -> Child:
    """A warm worker, in the folder of the repository."""
    (place / "kills").touch()
    settings = {
        **server.environment, "PREFECT_WORKER_QUERY_SECONDS": "1", "CROSSWALK_TEST_KILLS": str(place / "kills"),
        "PYTHONPATH": os.pathsep.join([str(KILLING), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }  # fmt: skip
    return prefect_server.start_worker(
        settings, pool=POOL, log=place / "worker.log", folder=servers.REPOSITORY, type="crosswalk-warm", limit=4
    )


def read(id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(id)


def ended(id: UUID, count: int = 1) -> FlowRun:
    """The run once its attempt of this number has ended."""

    def look() -> FlowRun | None:
        found = read(id)
        return found if found.run_count >= count and found.state and found.state.type.value in ENDED else None

    found = until(look, "the end of the run")
    assert isinstance(found, FlowRun)
    return found


def names(id: UUID) -> list[str]:
    """Every state that a run was in."""
    with get_client(sync_client=True) as client:
        return [str(state.name) for state in client.read_flow_run_states(id)]


def facts(place: Path) -> dict[str, Any]:
    """What a run wrote, once it has."""
    found = until(lambda: place.exists() and place.read_text(encoding="utf-8"), f"the file {place.name}")
    about: dict[str, Any] = json.loads(found)
    return about


def state_of(run: FlowRun) -> str:
    assert run.state is not None
    return str(run.state.name)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_run_starts_with_its_imports_made(odd: Odd) -> None:
    """Runs are forked from one process that has imported everything, has one thread and holds no connection."""
    seen = look(odd.folder)
    (first, one), (second, two) = odd.run("tell"), odd.run("tell", env={"TOLD": "yes"})
    assert state_of(first) == state_of(second) == "Completed"
    assert one["warm"] == ["pandas", "pandera", "pyarrow", "sqlmodel"] and one["folder"] == str(odd.folder)
    assert one["pid"] != two["pid"] and one["group"] == one["pid"]
    assert one["parent"] == two["parent"] or look(odd.folder) != seen
    assert (one["told"], two["told"]) == (None, "yes")
    zygote = Path(f"/proc/{two['parent']}")
    assert b"crosswalk.prefect_warm.zygote" in (zygote / "cmdline").read_bytes()
    assert len(list((zygote / "task").iterdir())) == 1
    open_files = [str(file.readlink()) for file in (zygote / "fd").iterdir() if int(file.name) > 2]
    assert sum(name.startswith("socket:") for name in open_files) == 1, "the line to its worker"
    assert all(name.startswith(("socket:", "pipe:", "anon_inode:")) for name in open_files), open_files


@pytest.fixture
def deployments(folder: Folder, odd: Odd) -> dict[str, UUID]:
    """The bindings' deployments, in the warm pool."""
    file = folder.path / "prefect.yaml"
    text = file.read_text(encoding="utf-8").replace("{name: crosswalk}", f"{{name: {POOL}}}")
    file.unlink()
    file.write_text(text, encoding="utf-8")
    return {one.binding: UUID(one.id) for one in prefect_deploy.deploy(folder.path, pools="crosswalk-warm")}


def test_a_warm_run_is_recorded(folder: Folder, deployments: dict[str, UUID]) -> None:
    """A binding's deployment runs through the warm worker to its end, and the store has its account."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployments["orders-to-database"])
    assert state_of(ended(run.id)) == "Completed"
    house = folder.house()
    found = runs.last(house.store, house.settings.binding("orders-to-database").scope)
    house.close()
    assert found is not None and (found.state, found.flow_run_id) == ("completed", str(run.id))
    account = json.loads(found.account)
    assert account["created"] + account["held"] == ORDERS
    with pytest.raises(SettingsError, match="of type 'crosswalk-warm' and not 'process'"):
        prefect_deploy.deploy(folder.path, pools="process")


def test_a_killed_warm_run_is_told_of_and_goes_on(folder: Folder, odd: Odd, deployments: dict[str, UUID]) -> None:
    """A binding's run that is killed amid its writes is told of; retried at once, it leaves the books in order."""
    assert prefect_run.run("customers").name == "Completed"
    kills = odd.folder.parent / "kills"
    kills.write_text("store:freeze", encoding="utf-8")
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployments["orders"])
        assert state_of(ended(run.id)) == "Crashed" and not kills.read_text(encoding="utf-8")
        client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"), force=True)
    assert state_of(ended(run.id, count=2)) == "Completed"
    told = " ".join(message["message"]["text"] for message in folder.control.messages())
    assert "orders failed: Crashed" in told and "takes over at once" in told
    assert [line for line in folder.control.verdict("S1") if "guests" not in line] == []
    assert names(run.id).count("Crashed") == 1


def test_a_killed_run_harms_no_other(odd: Odd) -> None:
    """A killed process shows as Crashed once, at once; a retry completes though its hook still runs; others go on."""
    (killed, file), (other, another) = odd.start("wait"), odd.start("wait")
    pid = facts(file)["pid"]
    facts(another)
    os.kill(pid, signal.SIGKILL)
    assert state_of(ended(killed.id)) == "Crashed"
    file.with_name(file.name + ".go").touch()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(killed.id, Scheduled(name="AwaitingRetry"), force=True)
    again = ended(killed.id, count=2)
    assert (state_of(again), again.run_count) == ("Completed", 2)
    hook = file.with_name(file.name + ".hook")
    assert until(hook.exists, "the hook") and "Crashed" in hook.read_text(encoding="utf-8")
    assert state_of(read(other.id)) == "Running"
    another.with_name(another.name + ".go").touch()
    assert state_of(ended(other.id)) == "Completed"
    assert names(killed.id).count("Crashed") == 1, names(killed.id)
    assert names(killed.id)[-1] == "Completed"


def test_a_run_outlives_what_it_was_forked_from(odd: Odd) -> None:
    """When the process that runs are forked from is killed, runs under way complete and the next gets another one."""
    run, file = odd.start("wait")
    zygote = facts(file)["parent"]
    os.kill(zygote, signal.SIGKILL)
    after, told = odd.run("tell")
    assert state_of(after) == "Completed" and told["parent"] != zygote
    assert state_of(read(run.id)) == "Running"
    file.with_name(file.name + ".go").touch()
    assert state_of(ended(run.id)) == "Completed"
    assert until(lambda: gone(facts(file)["pid"]), "the end of the process") and "Crashed" not in names(run.id)


def test_a_run_is_cancelled_from_the_pages(odd: Odd) -> None:
    """Cancelling a run ends its process, calls its hook, and shows it as Cancelled."""
    run, file = odd.start("wait")
    pid = facts(file)["pid"]
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Cancelling())
    assert until(lambda: state_of(read(run.id)) == "Cancelled", "the end of the run as Cancelled")
    assert gone(pid)
    assert "Cancelling" in file.with_name(file.name + ".hook").read_text(encoding="utf-8")
    assert "Crashed" not in names(run.id)


def test_what_a_run_leaves_behind_reaches_no_other(odd: Odd) -> None:
    """Threads, processes, memory, changed modules and environment, and an exit of its own, stay with the run."""
    leaking, leaked = odd.run("leak")
    assert state_of(leaking) == "Completed"
    assert until(lambda: gone(leaked["child"]), "the end of what the run had started")
    assert state_of(odd.run("exit")[0]) == "Crashed"
    assert state_of(odd.run("fail")[0]) == "Failed"
    after, told = odd.run("tell")
    assert state_of(after) == "Completed"
    assert (told["word"], told["leaked"]) == ("first", None) and told["threads"] < 15


def test_changed_code_is_run_by_the_next_run(odd: Odd) -> None:
    """A file that flows import is edited, and the next run runs it."""
    words = odd.folder / "flows" / "words.py"
    assert odd.run("tell")[1]["word"] == "first"
    words.write_text(words.read_text(encoding="utf-8").replace("first", "second"), encoding="utf-8")
    try:
        assert odd.run("tell")[1]["word"] == "second"
    finally:
        words.write_text(words.read_text(encoding="utf-8").replace("second", "first"), encoding="utf-8")


def looked_again(times: int) -> None:
    """Wait until the worker has looked into its pool again, as often as this."""
    with get_client(sync_client=True) as client:
        for _ in range(times):
            before = client.read_work_queues(work_pool_name=POOL)[0].last_polled
            until(lambda before=before: client.read_work_queues(work_pool_name=POOL)[0].last_polled != before, "a look")


def test_the_pool_decides_how_many_run_at_once(odd: Odd) -> None:
    """With a limit of one on the work pool the second run waits for the first."""
    with get_client(sync_client=True) as client:
        client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=1))
        try:
            (first, file), (second, another) = odd.start("wait"), odd.start("tell")
            facts(file)
            before = len(names(second.id))
            looked_again(2)
            assert not another.exists() and len(names(second.id)) == before and state_of(read(second.id)) != "Running"
            file.with_name(file.name + ".go").touch()
            assert state_of(ended(first.id)) == state_of(ended(second.id)) == "Completed"
        finally:
            client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=None))


def test_a_binding_can_be_run_without_a_worker(folder: Folder, server: Server) -> None:
    """Code of one's own has a binding run in a forked process and learns how it ended."""
    warm = Warm({**os.environ, **server.environment})
    try:
        process = warm.submit("orders-to-database", home=folder.path)
        assert process.ended.result(60) == 0
        folder.control.add_fault("shopify", "status", status=403, body="no")
        assert warm.submit("customers", ids=["1"], home=folder.path).ended.result(60) == 1
    finally:
        warm.stop()


def test_the_command_becomes_the_worker_of_its_pool(
    folder: Folder, odd: Odd, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``crosswalk work`` starts Prefect's worker of the pool's type, with a limit; no pool is an error."""
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, command, __: became.append(command))
    working.work(pool=POOL)
    words = " ".join(became[0][1:])
    assert words.startswith(f"-m prefect worker start --pool {POOL} --type crosswalk-warm --limit ")
    with pytest.raises(SettingsError, match="no work pool 'nowhere'"):
        working.work(pool="nowhere")


def test_a_worker_that_is_stopped_leaves_no_run_open(odd: Odd) -> None:
    """SIGTERM to the worker ends its runs and reports them; none stays Running with nobody at work."""
    run, file = odd.start("wait")
    pid = facts(file)["pid"]
    odd.worker.process.send_signal(signal.SIGTERM)
    assert odd.worker.process.wait(60) is not None
    assert gone(pid)
    assert state_of(read(run.id)) == "Crashed", names(run.id)


def test_a_run_outlives_its_worker(odd: Odd, server: Server) -> None:
    """When a worker is killed, its runs go on to their end."""
    with work(server, odd.folder.parent) as worker:
        run, file = odd.start("wait")
        facts(file)
        worker.process.kill()
        worker.process.wait()
        file.with_name(file.name + ".go").touch()
        assert state_of(ended(run.id)) == "Completed"
        assert until(lambda: gone(facts(file)["parent"]), "the end of what it was forked from")
