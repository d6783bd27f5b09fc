"""The registry: frozen entries, found by name here and in other distributions, imported only when loaded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from _exchange.errors import InputError, MissingComponent
from _methods import registry
from _methods.interface import Method, MethodSettings
from tests.methods.quick_method import ENTRY, install_quick_method, write_distribution

REPOSITORY = Path(__file__).resolve().parents[2]


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=120
    )
    return set(done.stdout.split())


def test_the_baselines_are_there():
    names = [entry.name for entry in registry.entries()]
    assert names[:3] == ["inflate", "billboard", "mean_head"]


@pytest.mark.parametrize("name", ["inflate", "billboard", "mean_head"])
def test_an_entry_says_task_and_licence_and_loads_a_method(name):
    entry = registry.find(name)
    assert entry.licence == "Apache-2.0"
    assert "→" in entry.task
    assert entry.published == ()
    assert isinstance(entry.load(MethodSettings()), Method)


def test_entries_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        registry.find("inflate").name = "other"  # type: ignore[misc]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"inflate, billboard, mean_head.*found 'nerf'"):
        registry.find("nerf")


def test_importing_the_registry_imports_no_method_and_no_torch():
    modules = _modules_after("import _methods.registry")
    ours = {name for name in modules if name.startswith("_methods.")}
    assert ours == {"_methods.registry", "_methods.interface"}
    assert "torch" not in modules


def test_generating_with_a_baseline_imports_no_torch():
    modules = _modules_after("import _methods.generate, _methods.inflate, _methods.billboard, _methods.mean_head")
    assert "torch" not in modules


# -- other distributions ----------------------------------------------------------------------------------------


def test_an_installed_distribution_offers_its_method_by_entry_point(tmp_path, monkeypatch):
    install_quick_method(tmp_path, monkeypatch)
    assert registry.find("quick") == ENTRY
    assert ENTRY in registry.entries()
    assert type(registry.find("quick").load(MethodSettings())).__name__ == "Quick"


def test_an_unknown_name_lists_installed_methods_too(tmp_path, monkeypatch):
    install_quick_method(tmp_path, monkeypatch)
    with pytest.raises(InputError, match="mean_head, panic3d, quick"):
        registry.find("nerf")


def test_our_own_names_cannot_be_taken(tmp_path, monkeypatch):
    write_distribution(tmp_path, "tests.methods.quick_method:ENTRY", name="inflate")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.find("inflate").loader == "_methods.inflate:Inflate"
    assert [entry.name for entry in registry.entries()].count("inflate") == 1


def test_a_broken_distribution_is_named_and_does_not_hide_the_others(tmp_path, monkeypatch):
    write_distribution(tmp_path, "no_such_module:ENTRY", name="lost")
    write_distribution(tmp_path, "tests.methods.quick_method:ENTRY")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.find("quick") == ENTRY
    with pytest.raises(MissingComponent, match=r"lost .no_such_module:ENTRY"):
        registry.find("lost")


def test_an_entry_point_to_something_else_is_refused(tmp_path, monkeypatch):
    write_distribution(tmp_path, "tests.methods.quick_method:Quick", name="wrong")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"Expected a MethodEntry.*wrong.*found"):
        registry.find("wrong")


def _entry(loader: str) -> registry.MethodEntry:
    return registry.MethodEntry(name="odd", task="", licence="", paper="", published=(), loader=loader)


def test_a_method_whose_module_is_absent_says_what_is_missing():
    with pytest.raises(MissingComponent, match=r"odd needs.*no_such_module"):
        _entry("no_such_module:Odd").load(MethodSettings())


@pytest.mark.parametrize(("loader", "message"), [("_methods.inflate", "module:object"), ("math:Odd", "'Odd' in math")])
def test_a_loader_that_names_no_object_is_refused(loader, message):
    with pytest.raises(InputError, match=message):
        _entry(loader).load(MethodSettings())


def test_an_entry_of_another_name_than_its_entry_point_is_refused(tmp_path, monkeypatch):
    write_distribution(tmp_path, "tests.methods.quick_method:ENTRY", name="swift")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"called 'swift'.*found 'quick'"):
        registry.find("swift")


def test_a_loader_that_makes_no_method_is_refused():
    with pytest.raises(InputError, match=r"Expected a Method from builtins:repr for odd, found str"):
        _entry("builtins:repr").load(MethodSettings())
