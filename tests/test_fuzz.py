"""`make fuzz`: it counts what it tried, names what failed, and goes on."""

import subprocess
import sys

import pytest

from tools import fuzz

PROPERTIES = """
from hypothesis import given, strategies as st

@given(st.integers())
def test_that_holds(number):
    assert number == number

@given(st.integers())
def test_that_fails(number):
    assert number < 50

@given(st.binary())
def test_fuzz_files(content):
    assert content is not None
"""

PROFILE = """
import hypothesis

hypothesis.settings.register_profile("fuzz", max_examples=30, deadline=None)
"""


@pytest.mark.parametrize("given", ["abc", "", "-1", "nan", "inf", "1\n2"])
def test_minutes_that_are_none_are_one_line(given):
    ran = subprocess.run([sys.executable, "-m", "tools.fuzz", given], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert f"FUZZ_MINUTES is {given!r}; allowed is" in ran.stderr


@pytest.mark.slow
def test_examples_damaged_files_and_failures_are_counted(tmp_path, monkeypatch, capfd):
    (tmp_path / "test_fuzz_files.py").write_text(PROPERTIES)
    (tmp_path / "conftest.py").write_text(PROFILE)
    monkeypatch.chdir(tmp_path)
    assert fuzz.main(0, str(tmp_path)) == 1
    printed = capfd.readouterr().out
    assert "1 rounds," in printed
    assert ", 1 properties failed," in printed
    assert "test_fuzz_files.py::test_that_fails" in printed
    lines = printed.splitlines()
    held = next(line for line in lines if line.endswith("::test_that_holds"))
    assert held.split()[:3] == ["30", "0", "failed"]


@pytest.mark.slow
def test_a_folder_without_properties_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="no property was tried"):
        fuzz.main(0, str(tmp_path))
