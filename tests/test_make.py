"""The Makefile: what was given to make arrives whole and runs nothing, and what is unknown is an error."""

import itertools
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import run_notebooks
from utils import __version__, settings

ROOT = Path(__file__).parents[1]
HOSTILE = ["Sid Meier's Civilization", "x'; touch y; '", '"; touch y; "', "`touch y`", "$(touch y)", "$(shell touch y)"]
HOSTILE += ["${shell touch y}", "$$x $x $", "two\nlines: $(shell touch y)\n\ttouch y", "# no comment \\ back\\"]
HOSTILE += ["|| touch y", "  leading and trailing  ", "%s ünïcode 名前"]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="this system has no make")


@pytest.fixture
def stage(tmp_path):
    """A folder with the Makefile, whose Python and Jupyter only tell the settings that reach them."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    tell = f"#!{sys.executable}\nimport os\nfor each in os.environ.items():\n    print('%s=%r' % each)\n"
    for name in ("python", "jupyter"):
        (programs / name).write_text(tell)
        (programs / name).chmod(0o755)
    (tmp_path / "tests").mkdir()
    for name in ("Makefile", "requirements.txt", "constraints.txt", "tests/requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (".venv/for-match", "match_steam_banners_with_BEiT.ipynb"):
        (tmp_path / name).touch()
    return tmp_path


def run(stage, *words, **environment):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    ran = subprocess.run(words, cwd=stage, env=kept | environment, capture_output=True, text=True, check=False)
    assert not (stage / "y").exists()
    return ran


def arrived(stage, *words, **environment):
    """Run a command and return the settings that the programs were given."""
    ran = run(stage, *words, **environment)
    assert ran.returncode == 0, ran.stderr
    lines = [line.partition("=") for line in ran.stdout.splitlines() if line.startswith(settings.PREFIX)]
    return {name.removeprefix(settings.PREFIX): value for name, _, value in lines}


@pytest.mark.parametrize("goal", ["match", "play"])
def test_every_setting_arrives_whole_and_runs_nothing(stage, goal):
    names = [name for name in settings.known() if name != "SOURCE"]
    values = dict(zip(names, itertools.cycle(HOSTILE), strict=False))
    expected = {"SOURCE": "'sample'"} | {name: repr(value) for name, value in values.items()}
    assert len(names) >= len(HOSTILE)
    assert arrived(stage, "make", "-s", goal, **values) == expected
    expected |= {name: repr(value.lstrip()) for name, value in values.items()}  # make itself drops what leads
    assert arrived(stage, "make", "-s", goal, *(f"{name}={value}" for name, value in values.items())) == expected


def test_the_source_is_the_sample_unless_something_is_said(stage):
    assert arrived(stage, "make", "-s")["SOURCE"] == "'sample'"
    assert arrived(stage, "make", "-s", "match", "SOURCE=")["SOURCE"] == "'sample'"
    assert arrived(stage, "make", "-s", STEAM_BANNERS_SOURCE="steam")["SOURCE"] == "'steam'"
    assert arrived(stage, "make", "-s", "play", "SOURCE=folder")["SOURCE"] == "'folder'"


@pytest.mark.parametrize(
    ("words", "unknown", "allowed"),
    [
        ("match GAME=5 SORCE=steam", "GAME SORCE", "GAMES"),
        ("SORCE=steam", "SORCE", "SOURCE"),
        ("test SOURCE=steam", "SOURCE", "PYTHON"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_those_allowed(stage, words, unknown, allowed):
    ran = run(stage, "make", *words.split())
    assert (ran.returncode != 0, ran.stdout, len(ran.stderr.splitlines())) == (True, "", 1)
    before, _, after = ran.stderr.replace(".", "").partition("allowed here are")
    assert all(name in before for name in unknown.split())
    assert allowed in after.split()


def test_the_closing_hint_repeats_what_was_given_quoted_for_a_shell(monkeypatch, stage):
    for name in settings.known():
        monkeypatch.delenv(settings.PREFIX + name, raising=False)
    monkeypatch.setenv("STEAM_BANNERS_SOURCE", "sample")
    assert run_notebooks.again("play") == "make play SOURCE=sample"
    given = {name: value.strip() for name, value in zip(settings.known()[1:], HOSTILE, strict=False)}
    for name, value in given.items():
        monkeypatch.setenv(settings.PREFIX + name, value)
    hint = run_notebooks.again("play").replace("make ", "make -s ")
    expected = {"SOURCE": "'sample'"} | {name: repr(value) for name, value in given.items()}
    assert arrived(stage, "sh", "-c", hint) == expected


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
