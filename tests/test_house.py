"""The house keeps its shape: floors, no circles, short modules, nothing of one machine in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
FLOORS = {"catalog": 1, "access_control": 2, "hub_config": 3}
LONGEST_MODULE = 400  # lines


def tracked(pattern: str = "*") -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPO / line for line in listed.stdout.splitlines() if (REPO / line).is_file()]


def sources() -> list[Path]:
    return [p for p in tracked("*.py") if p.relative_to(REPO).parts[0] in FLOORS]


def module_name(path: Path) -> str:
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module of the house a file imports, also inside functions and under TYPE_CHECKING."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")
                base = ".".join([*up[: len(up) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def graph() -> dict[str, set[str]]:
    names = {module_name(p): p for p in sources()}
    packages = {module_name(p) for p in sources() if p.name == "__init__.py"}
    edges: dict[str, set[str]] = {}
    for name, path in names.items():
        found = set()
        for target in imports(path):
            if target in names and target != name and not (target in packages and name.startswith(target)):
                found.add(target)
        edges[name] = found
    return edges


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(REPO)))
def test_a_package_imports_only_its_own_and_lower_floors(path: Path) -> None:
    own = FLOORS[path.relative_to(REPO).parts[0]]
    if own == 1 and "client" in path.parts:
        assert not [i for i in imports(path) if i.split(".")[0] in FLOORS], "the client shares no server code"
    upward = [i for i in imports(path) if FLOORS.get(i.split(".")[0], 0) > own]
    assert not upward, f"{path} imports a higher floor: {upward}"


def test_there_is_no_import_circle() -> None:
    edges = graph()
    state: dict[str, int] = {}
    trail: list[str] = []

    def visit(node: str) -> None:
        state[node] = 1
        trail.append(node)
        for target in sorted(edges[node]):
            if state.get(target) == 1:
                circle = [*trail[trail.index(target) :], target]
                pytest.fail("import circle: " + " -> ".join(circle))
            if target not in state:
                visit(target)
        trail.pop()
        state[node] = 2

    for node in sorted(edges):
        if node not in state:
            visit(node)


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda p: str(p.relative_to(REPO)))
def test_a_module_stays_short_and_says_what_it_knows(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE, "split by concept, not by kind"
    if path.name != "__init__.py" or text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path} has no module docstring"


def test_content_folders_never_shadow_an_installed_package() -> None:
    assert not [
        p for p in tracked("*__init__.py") if p.relative_to(REPO).parts[0] in {"datasets", "notebooks"}
    ]


def test_tests_mirror_the_house() -> None:
    folders = {p.parent for p in tracked("tests/*.py")}
    assert not [f for f in folders if not (f / "__init__.py").exists()]


def test_nothing_of_one_machine_or_a_download_address_is_in_the_tree() -> None:
    machine = re.compile(r"/(work|farm)/|/root/|/tmp/(probe|research)/")
    bad = [
        f"{p.relative_to(REPO)}:{n}"
        for p in tracked()
        if p.suffix in {".py", ".sh", ".md", ".yml", ".toml", ".json", ".html", ".lock", ".in"}
        and p != Path(__file__).resolve()
        for n, line in enumerate(p.read_text("utf-8").splitlines(), 1)
        if machine.search(line)
    ]
    assert not bad
    assert not [p for p in tracked("*.lock") if "://" in p.read_text("utf-8")]
    assert not [p for p in tracked("*package-lock.json") if '"resolved"' in p.read_text("utf-8")]
