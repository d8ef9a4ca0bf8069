"""The command line itself: help, the reference, exit codes, errors in words."""

from __future__ import annotations

import ast
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_kit import Folder
from cyclopts import App

from crosswalk.console import main, place, show
from crosswalk.console.pages import commands
from crosswalk.errors import StoreError

ROOT = Path(__file__).parents[2]


def walk(app: App, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command with its words, groups included."""
    yield words, app
    for name in app:
        if not name.startswith("-"):
            yield from walk(app[name], (*words, name))


COMMANDS = dict(walk(main.application()))


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command says what it does, and every argument of it what it is for."""
    assert main.run([*words, "--help"]) == 0
    text = capsys.readouterr().out
    app = COMMANDS[words]
    assert app.help and app.help.strip(), words
    if app.default_command is None:
        return
    arguments = app.assemble_argument_collection(parse_docstring=True)
    unsaid = [a.name for a in arguments if not (a.parameter.help or "").strip()]
    assert unsaid == [], f"{' '.join(words)} leaves unsaid what {unsaid} is for"
    assert "Usage: crosswalk" in text


def test_the_reference_of_commands_is_fresh() -> None:
    """docs/reference-commands.md is what the commands' own help says."""
    assert (ROOT / "docs" / "reference-commands.md").read_text(encoding="utf-8") == commands()


def next_commands() -> Iterator[tuple[str, str]]:
    """Every command that an error or a page tells people to type, and where."""
    for folder in ("crosswalk", "flows", "tasks", "mappings"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for said in re.findall(r"(?:^|[`;:(] ?|then |Next: )crosswalk ([a-z][a-z -]*)", node.value):
                        yield str(file.relative_to(ROOT)), said
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for said in re.findall(r"(?:`|^|\$ )crosswalk ([a-z][a-z -]*)", file.read_text(encoding="utf-8"), re.M):
            yield str(file.relative_to(ROOT)), said


def test_every_command_that_is_named_exists() -> None:
    """No error and no guide sends a person to a command, or an option of it, that does not exist."""
    wrong = []
    found = 0
    for where, said in next_commands():
        words = tuple(w for w in said.split() if not w.startswith("-"))
        options = [w for w in said.split() if w.startswith("--")]
        while words and words not in COMMANDS:
            words = words[:-1]
        found += bool(words)
        known = _options(words) if words else []
        if not words or (COMMANDS[words].default_command is None and len(said.split()) > len(words)):
            wrong.append(f"{where}: crosswalk {said}")
        wrong += [f"{where}: crosswalk {said}: no {o}" for o in options if o not in (*known, "--help", "--version")]
    assert wrong == []
    assert found > 20


def _options(words: tuple[str, ...]) -> list[str]:
    app = COMMANDS[words]
    if app.default_command is None:
        return []
    return [name for a in app.assemble_argument_collection(parse_docstring=True) for name in a.names]


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["nope"], "nope", "crosswalk --help"),
        (["run"], "BINDING", "crosswalk run --help"),
        (["held", "show"], "id", "crosswalk held show --help"),
        (["run", "orders", "--nope"], "--nope", "crosswalk run --help"),
        (["status", "--limit"], "--limit", "crosswalk status --help"),
    ],
)
def test_what_cannot_be_understood_ends_with_two(
    arguments: list[str], said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command or argument that does not exist is named, with the help to read."""
    assert main.run(arguments) == 2
    out, err = capsys.readouterr()
    assert said.lower() in err.lower() and f"Next: {hint}" in err and out == ""


def test_an_error_nobody_foresaw_is_told_without_a_traceback(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with 1, says where the traceback lies, and with --debug shows it; secrets stay out of both."""
    from crosswalk.http import redact

    redact.register("hunter2-hunter2")

    def broken() -> None:
        raise ZeroDivisionError("password=hunter2-hunter2")

    monkeypatch.setattr(place, "settings", broken)
    ran = folder.cw("list")
    assert ran.code == 1 and "ZeroDivisionError" in ran.err and "Traceback" not in ran.err
    log = folder.path / ".crosswalk" / "errors.log"
    assert str(log) in ran.err and "in broken" in log.read_text()
    shown = folder.cw("list", "--debug")
    assert "in broken" in shown.err
    assert "hunter2" not in ran.text + shown.text + log.read_text()


def test_an_error_says_what_is_safe_and_comes_next(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours shows its four parts and nothing else, on standard error; a secret in it is redacted."""

    def full() -> None:
        raise StoreError("the disk is full; token=abcdef123456", record="order 7", safe="all is", next_command="tidy")

    monkeypatch.setattr(place, "settings", full)
    ran = folder.cw("list")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "the disk is full; token=[redacted]\nRecord: order 7\nSafe: all is\nNext: tidy\n"


def test_stopping_by_hand_is_told_kindly(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C ends with 130 and says that what was committed stands."""

    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, "settings", stopped)
    ran = folder.cw("list")
    assert ran.code == 130 and "Safe:" in ran.err


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version and nothing else."""
    assert main.run(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\S*|from source", capsys.readouterr().out.strip())


def test_lengths_are_told_in_their_two_largest_units() -> None:
    """A length of time is short to read at any size."""
    assert [show.span(s) for s in (0, 59, 3600, 3661, 90_061)] == ["0 s", "59 s", "1 h", "1 h 1 min", "1 d 1 h"]


HEAVY = (
    "prefect",
    "pandas",
    "pandera",
    "graphql",
    "babel",
    "pycountry",
    "phonenumbers",
    "alembic",
    "pyarrow",
    "sqlalchemy",
)
LOOK = """
import json, sys
from crosswalk.console import main
code = main.run(sys.argv[1:])
sys.stderr.write(json.dumps([code, [m for m in {heavy} if m in sys.modules]]))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["status"]], ids=" ".join)
def test_help_and_lists_import_nothing_heavy(
    folder: Folder, arguments: list[str], record_property: Callable[[str, object], None]
) -> None:
    """Help, list and status come without Prefect, pandas or Arrow, help and list without SQLAlchemy too; the report
    says what their start costs."""
    folder.good("store", "migrate")

    def cpu(*command: str) -> tuple[float, str]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr

    bare, _ = cpu(sys.executable, "-c", "pass")
    ours, said = cpu(sys.executable, "-c", LOOK.format(heavy=HEAVY), *arguments)
    code, found = json.loads(said)
    assert [m for m in found if m != "sqlalchemy" or arguments != ["status"]] == []
    assert code == (1 if arguments == ["status"] else 0)
    words = " ".join(arguments)
    record_property("start-up", f"crosswalk {words}: {ours:.2f} CPU seconds, {ours / bare:.0f} times bare Python")


def test_a_glance_says_what_the_store_says(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list tells the same of the last runs whether the store is opened or only looked at; a store of another
    release is opened as always."""
    from crosswalk.console import glance

    folder.good("run", "customers", "--bare")
    looked = folder.good("list")
    assert "completed, 20" in looked
    monkeypatch.setattr(glance, "last_runs", lambda store, scopes: None)
    assert folder.good("list") == looked
    monkeypatch.undo()
    monkeypatch.setattr(glance, "_head", lambda: "9999")
    with folder.house() as house:
        assert glance.last_runs(house.settings.store, []) is None
    assert glance.last_runs("postgresql+psycopg://nobody@localhost/x", []) is None
