"""The Makefile: what was given to make arrives whole and runs nothing, and what is unknown is an error."""

import itertools
import os
import shlex
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
    for place in (programs, tmp_path / "tests"):
        place.mkdir(parents=True)
    tell = f"#!{sys.executable}\nimport os\nfor each in os.environ.items():\n    print('%s=%r' % each)\n"
    for name in ("python", "jupyter"):
        (programs / name).write_text(tell)
        (programs / name).chmod(0o755)
    for name in ("Makefile", "requirements.txt", "constraints.txt", "tests/requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (".venv/for-match", "match_steam_banners_with_BEiT.ipynb"):
        (tmp_path / name).touch()
    return tmp_path


def make(stage, *words, **environment):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    words = ["make", "-s", *words]
    ran = subprocess.run(words, cwd=stage, env=kept | environment, capture_output=True, text=True, check=False)
    assert not (stage / "y").exists()
    return ran


def arrived(stage, *words, **environment):
    """Run make and return the settings that the programs were given."""
    lines = make(stage, *words, **environment).stdout.splitlines()
    told = [line.removeprefix(settings.PREFIX).split("=", 1) for line in lines if line.startswith(settings.PREFIX)]
    return dict(told)


@pytest.mark.parametrize("goal", ["match", "play"])
def test_every_setting_arrives_whole_and_runs_nothing(stage, goal):
    values = dict(zip(settings.known()[1:], itertools.cycle(HOSTILE), strict=False))
    assert len(values) >= len(HOSTILE)
    expected = {"SOURCE": "'sample'"} | {name: repr(value) for name, value in values.items()}
    assert arrived(stage, goal, **values) == expected
    expected |= {name: repr(value.lstrip()) for name, value in values.items()}  # make itself drops what leads
    assert arrived(stage, goal, *(f"{name}={value}" for name, value in values.items())) == expected


def test_the_source_is_the_sample_unless_something_is_said(stage):
    assert arrived(stage)["SOURCE"] == arrived(stage, "match", "SOURCE=")["SOURCE"] == "'sample'"
    assert arrived(stage, STEAM_BANNERS_SOURCE="steam")["SOURCE"] == "'steam'"
    assert arrived(stage, "play", "SOURCE=folder")["SOURCE"] == "'folder'"


@pytest.mark.parametrize("goal", ["match", "", "test"])
def test_an_unknown_name_is_an_error_that_names_those_allowed(stage, goal):
    ran = make(stage, *goal.split(), "GAME=5", "SORCE=steam")
    assert (ran.returncode != 0, ran.stdout, len(ran.stderr.splitlines())) == (True, "", 1)
    before, _, after = ran.stderr.replace(".", "").partition("allowed here are")
    assert ("GAME" in before, "SORCE" in before, "PYTHON" in after) == (True, True, True)
    assert ("SOURCE" in after) == (goal != "test")


def test_the_closing_hint_is_quoted_for_a_shell(monkeypatch, stage):
    for name, value in zip(settings.known(), ["sample", *HOSTILE], strict=False):
        monkeypatch.setenv(settings.PREFIX + name, value)
    _, *words = shlex.split(run_notebooks.again("play"))
    hinted = dict(zip(settings.known(), map(repr, ["sample", *map(str.lstrip, HOSTILE)]), strict=False))
    assert arrived(stage, *words).items() >= hinted.items()


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
