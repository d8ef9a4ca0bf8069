"""The wheel, installed beside nothing of this repository, works on somebody else's folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import houses
import pytest

from crosswalk.sandbox import control

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"`([\w/]+\.py)`\n\n```python\n(.*?)```", re.DOTALL)
UV = Path(sys.executable).parent / "uv"

SETTINGS = """
[bindings.mailing]
integration = "shopify_customers_to_mailing"
source = "shop"
target = "warehouse"
"""

LOOK = """
import sys
from importlib import import_module
from pathlib import Path

import crosswalk, flows, mappings, tasks
from crosswalk.prefect_deploy import load_flow_from_entrypoint
from crosswalk.console import place

place.settings()
for flow in ("flows/shopify_customers_to_mailing.py:shopify_customers_to_mailing",
             "flows.shopify_orders_to_database.shopify_orders_to_database"):
    assert load_flow_from_entrypoint(flow).name, flow
for package in (flows, mappings):
    assert Path.cwd() / package.__name__ in map(Path, package.__path__), list(package.__path__)
shipped = ("crosswalk", "tasks.load", "flows.sync", "flows.shopify_orders_to_database",
           "mappings.shopify_orders.invoices")
for name in shipped:
    assert Path(import_module(name).__file__).is_relative_to(sys.prefix), name
"""


@dataclass
class Installed:
    """A fresh environment with the wheel, and a user's folder outside the repository."""

    wheel: Path
    python: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CROSSWALK_", "PYTHON", "PREFECT_"))}
        return subprocess.run(command, cwd=self.folder, env=kept, capture_output=True, text=True, check=False)

    def cw(self, *arguments: str) -> str:
        """Type the installed command; it must end with 0."""
        done = self.run(str(self.python.parent / "crosswalk"), *arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own. What it depends on is seen where it is installed already."""
    place = tmp_path_factory.mktemp("wheel")
    quiet = {"check": True, "capture_output": True}
    isolated = ["--no-build-isolation", "--python", sys.executable]
    subprocess.run([UV, "build", "--wheel", *isolated, "--out-dir", place, ROOT], **quiet)
    (wheel,) = place.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "env"], **quiet)
    python = place / "env" / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--offline", "--no-deps", "--python", python, wheel], **quiet)
    (site,) = (place / "env").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(wheel, python, place / "folder")


def test_the_wheel_holds_what_a_run_needs(installed: Installed) -> None:
    """Every source file of the four packages is in it with migrations and value tables, and none is an __init__ that
    would hide a folder of the same name."""
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    for package in ("crosswalk", "flows", "tasks", "mappings"):
        files = [f for end in ("py", "csv", "graphql", "mako") for f in (ROOT / package).rglob(f"*.{end}")]
        assert {str(f.relative_to(ROOT)) for f in files} <= names
    assert any(n.startswith("crosswalk/store/migrations/versions/0001") for n in names)
    assert "mappings/tables/tax_types.csv" in names
    assert not {"flows/__init__.py", "tasks/__init__.py", "mappings/__init__.py"} & names
    assert not [n for n in names if n.startswith("tests/")]


def test_the_wheel_works_on_another_folder(installed: Installed) -> None:
    """From a folder with settings, one mapping and one flow: it lists, documents, plans and runs its own integration
    and a shipped one, and everything that is not the folder's comes from the wheel."""
    files = dict(BLOCK.findall((ROOT / "docs" / "add-an-integration.md").read_text(encoding="utf-8")))
    with control.start(orders=6, minute=2) as practice:
        folder = houses.write(installed.folder, practice)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        with (folder / "crosswalk.toml").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS)
        look = installed.run(str(installed.python), "-c", LOOK)
        assert look.returncode == 0, look.stderr
        listed = installed.cw("list")
        assert "mailing" in listed and "orders-to-database" in listed
        installed.cw("docs")
        pages = {page.name for page in (folder / "docs").rglob("*.md")}
        assert "shopify-customers-become-rows-for-the-mailing.md" in pages and "systems.md" in pages
        assert "would do. Nothing was written" in installed.cw("run", "mailing", "--dry-run")
        assert "completed" in installed.cw("run", "mailing", "--bare")
        assert "completed" in installed.cw("run", "orders-to-database", "--bare")
    assert "last completed" in installed.cw("status", "mailing")


def test_pages_of_shipped_mappings_that_nobody_uses_stay_away(installed: Installed) -> None:
    """A folder documents its own mappings and those it binds, not everything that the wheel brings."""
    folder = installed.folder.with_name("bare")
    folder.mkdir()
    (folder / "crosswalk.toml").write_text("")
    bare = Installed(installed.wheel, installed.python, folder)
    assert "1 pages" in bare.cw("docs")
    assert [page.name for page in (folder / "docs").rglob("*.md")] == ["systems.md"]
