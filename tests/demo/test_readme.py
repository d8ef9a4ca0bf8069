"""The guides are true: their links lead somewhere, their commands exist, their files run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import houses
import pytest
import yaml

from crosswalk.sandbox import control

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^|`)crosswalk ([a-z]+(?: [a-z]+)?)", re.MULTILINE)
MAKE = re.compile(r"make ([a-z]+(?:-[a-z]+)?)\b")
PATH = re.compile(r"`((?:crosswalk|flows|tasks|mappings|tests|docs)/[\w./-]+)`")
BLOCK = re.compile(r"`([\w/]+\.py)`\n\n```python\n(.*?)```", re.DOTALL)
PICTURE = 300 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    """Every relative link and every path in backticks that a page names is there."""
    text = page.read_text(encoding="utf-8")
    links = [page.parent / link for link in LINK.findall(text) if "://" not in link]
    own = {name for name, _ in BLOCK.findall(text)}
    paths = [ROOT / path for path in PATH.findall(text) if path not in own]
    assert [str(p) for p in (*links, *paths) if not p.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_targets_exist(page: Path) -> None:
    """Every make target and every crosswalk command that a page names exists."""
    from crosswalk.console.main import application

    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).replace("``", "`")
    spans = " ".join(re.findall(r"`[^`]+`", prose) + re.findall(r"^ *make [a-z-]+", text, re.MULTILINE))
    assert set(MAKE.findall(spans)) <= targets
    app = application()
    for words in COMMAND.findall(text):
        first, *rest = words.split()
        assert first in app, words
        subcommands = [name for name in app[first] if not name.startswith("-")]
        assert not (subcommands and rest) or rest[0] in subcommands, words


def test_the_readme_says_what_a_newcomer_needs() -> None:
    """The two commands, the test command, the picture, production, what was never verified, the licence."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in ("make demo", "make test", "docs/images/run.png", "CROSSWALK_KEY", "CROSSWALK_STORE", "Apache-2.0"):
        assert words in text
    pictures = list((ROOT / "docs" / "images").glob("*.png"))
    assert pictures and all(picture.stat().st_size <= PICTURE for picture in pictures)


def test_the_guides_integration_runs_as_it_stands(tmp_path: Path) -> None:
    """The files of docs/add-an-integration.md, put into an empty folder, plan, run and fill the table."""
    import sqlite3

    page = (ROOT / "docs" / "add-an-integration.md").read_text(encoding="utf-8")
    files = dict(BLOCK.findall(page))
    assert len(files) == 2
    with control.start(orders=20, minute=2) as practice:
        someone = practice.control.node("customers", practice.control.ids("customers")[0])
        assert someone is not None
        practice.control.put("customers", someone | {"defaultEmailAddress": None})
        folder = houses.write(tmp_path / "house", practice)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        with (folder / "crosswalk.toml").open("a", encoding="utf-8") as settings:
            settings.write("\n".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)))
        planned = crosswalk(folder, "run", "mailing", "--dry-run", "--bare")
        ran = crosswalk(folder, "run", "mailing", "--bare")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "by 'no mail address'" in ran.stdout
    with sqlite3.connect(folder / "warehouse.db") as connection:
        rows = connection.execute("SELECT name, email, country FROM mailing").fetchall()
    assert len(rows) > 1 and all(name and "@" in email and country for name, email, country in rows)


def test_the_guides_examples_hold() -> None:
    """The worked examples of the guide's mapping do what they say."""
    from crosswalk.mapping import Mapping, check_examples

    page = (ROOT / "docs" / "add-an-integration.md").read_text(encoding="utf-8")
    made: dict[str, object] = {}
    exec(dict(BLOCK.findall(page))["mappings/shopify_customers_to_mailing.py"], made)
    mapping = made["customers_to_mailing"]
    assert isinstance(mapping, Mapping)
    assert check_examples(mapping) == []


def test_the_guides_deployment_is_like_the_others() -> None:
    """The deployment of the guide has the fields of those in prefect.yaml."""
    page = (ROOT / "docs" / "add-an-integration.md").read_text(encoding="utf-8")
    (shown,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    ours = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"][0]
    assert shown.keys() == ours.keys()


def crosswalk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CROSSWALK_")}
    return subprocess.run(
        [sys.executable, "-m", "crosswalk.console.main", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
