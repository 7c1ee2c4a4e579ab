"""The list of known faults fits the book as it is; that each is caught, `make faults` shows."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import plant_faults  # noqa: E402


def test_every_fault_finds_its_place():
    for name, (file, old, new) in plant_faults.FAULTS.items():
        assert (ROOT / file).read_text().count(old) == 1, f"{name!r}: see {file}"
        assert old != new, name


def test_a_fault_is_planted_in_the_copy_alone(tmp_path):
    name, (file, _, new) = next(iter(plant_faults.FAULTS.items()))
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text((ROOT / file).read_text())
    before = (ROOT / file).read_text()
    plant_faults.plant(name, tmp_path, only_look=True)
    assert (tmp_path / file).read_text() == before
    plant_faults.plant(name, tmp_path)
    assert new in (tmp_path / file).read_text()
    assert (ROOT / file).read_text() == before


def test_the_tests_that_are_asked_first_are_there():
    for file, _, _ in plant_faults.FAULTS.values():
        for stage in plant_faults.nearest_tests(file):
            paths = [word for word in stage if word.endswith((".py", ".ipynb"))]
            assert all((ROOT / path.removeprefix("--ignore=")).is_file() for path in paths), stage


def test_every_fault_was_planted_as_it_is_and_caught():
    known = plant_faults.known()
    missing = [name for name in plant_faults.FAULTS if name not in known]
    assert not missing, f"run `python tools/plant_faults.py --new`; not planted: {missing}"
    assert not [name for name, found in known.items() if not found["caught_by"]]


def test_a_fault_that_has_changed_is_no_longer_known(monkeypatch, tmp_path):
    monkeypatch.setattr(plant_faults, "RESULT", tmp_path / "faults.json")
    monkeypatch.setattr(plant_faults, "FAULTS", {"a": ("x.py", "1", "2"), "b": ("x.py", "3", "4")})
    for name, caught in (("b", ""), ("a", "tests/test_x.py::test")):
        plant_faults.keep(name, caught, 1.6)
    found = plant_faults.known()
    assert list(found) == ["a", "b"]
    assert found["a"]["caught_by"] == "tests/test_x.py::test"
    assert plant_faults.row("b", found["b"]).split() == ["b", "2", "s", "SURVIVED"]
    plant_faults.FAULTS["a"] = ("x.py", "1", "5")
    assert list(plant_faults.known()) == ["b"]
