"""The house has one direction: what each file imports, read from its syntax tree."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LEVELS = (
    {"_exchange"},
    {"torch_utils", "_render"},
    {"_databacks"},
    {"training"},
    {"_methods", "_measure", "_train"},
    {"_scripts"},
)
ROOMS = set().union(*LEVELS)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
OTHER_PLACES = {"make", "docker", "_env", "tests"}
TORCH_FREE = ("_exchange", "_render", "_databacks")
SOURCES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(tree: ast.AST, module: str, is_package: bool) -> set[str]:
    """Full names of everything imported anywhere in a file; names in `from m import n` are given as m and m.n."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parents, *([base] if base else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def top_level_imports(tree: ast.Module, module: str, is_package: bool) -> set[str]:
    """Imports that run when the file is imported: not those inside functions or under TYPE_CHECKING."""
    names: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= imported_modules(ast.Module([node], []), module, is_package)
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return names


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_room_imports_only_what_stands_to_its_left(path: Path) -> None:
    room = path.relative_to(REPOSITORY).parts[0]
    for name in imported_modules(parse(path), module_name(path), path.name == "__init__.py"):
        other = name.split(".")[0]
        assert other != "tests", f"{path} imports the tests"
        if other in ROOMS and other != room:
            assert LEVEL[other] < LEVEL[room], f"{room} must not import {other} ({name})"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_star_import_and_no_bare_except(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"{path}:{node.lineno}: star import"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}:{node.lineno}: bare except"


def test_imports_have_no_circle() -> None:
    known = {module_name(path): path for path in SOURCES}
    graph = {
        module: {name for name in top_level_imports(parse(path), module, path.name == "__init__.py") if name in known}
        - {module}
        for module, path in known.items()
    }
    finished: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in finished:
            for other in sorted(graph[module]):
                # a package's __init__ gathers names from its own files; those files name siblings, not the package
                visit(other, (*trail, module))
            finished.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_there_is_no_other_top_level_package() -> None:
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert packages <= ROOMS | {"tests"}
    assert not (REPOSITORY / "docker" / "__init__.py").exists()


def test_import_docker_finds_the_sdk_from_the_repository_root() -> None:
    found = run_python("import docker; print(docker.DockerClient.__module__, docker.__file__)")
    assert found.startswith("docker.client")
    assert str(REPOSITORY / "docker") not in found


VERBS = sorted(path.stem for path in (REPOSITORY / "_scripts").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_imports_no_torch(verb: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", f"_scripts.{verb}", "--help"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "_exchange.command" in imported
    assert "torch" not in imported


@pytest.mark.parametrize("room", TORCH_FREE)
def test_rooms_named_torch_free_import_no_torch(room: str) -> None:
    modules = [module_name(path) for path in SOURCES if path.relative_to(REPOSITORY).parts[0] == room]
    assert modules
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nprint('torch' in sys.modules)"
    assert run_python(code) == "False"


def test_doctor_runs_without_torch() -> None:
    code = (
        "import sys\n"
        "from _exchange.command import execute\n"
        "from _scripts.doctor import Doctor, run\n"
        "code = execute(Doctor, run, [])\n"
        "print('torch' in sys.modules)\n"
    )
    assert run_python(code).endswith("False")


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter started in the repository root."""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip()
