"""Settings: the cell's values, the environment that overrides them, and every value that is not allowed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from utils import settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in ("SOURCE", "GAMES", "FOLDER", "DATA"):
        monkeypatch.delenv(settings.PREFIX + name, raising=False)
    monkeypatch.delenv("STEAM_API_URL", raising=False)
    monkeypatch.delenv("STEAM_ASSETS_URL", raising=False)


def test_defaults_are_the_live_store():
    chosen = settings.read()
    assert (chosen.source, chosen.games, chosen.api_url) == ("steam", 0, "https://api.steampowered.com")
    assert chosen.snapshots == Path("data/steam/snapshots")
    assert chosen.checkpoint == "microsoft/beit-base-patch16-224-pt22k-ft22k"
    assert settings.read(SOURCE="sample").checkpoint == ""


def test_cell_values_in_capitals_and_their_types():
    chosen = settings.read(SOURCE="sample", GAMES="12", ADULT="yes", DATA="elsewhere", DRIVE="")
    assert (chosen.source, chosen.games, chosen.adult, chosen.data, chosen.drive) == (
        "sample",
        12,
        True,
        Path("elsewhere"),
        None,
    )


def test_environment_wins(monkeypatch):
    monkeypatch.setenv("STEAM_BANNERS_SOURCE", "sample")
    monkeypatch.setenv("STEAM_BANNERS_GAMES", "7")
    monkeypatch.setenv("STEAM_API_URL", "http://127.0.0.1:1")
    chosen = settings.read(SOURCE="steam", GAMES=3)
    assert (chosen.source, chosen.games, chosen.api_url) == ("sample", 7, "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ({"SOURCE": "gog"}, ["SOURCE", "'gog'", "'steam'", "'sample'", "'folder'"]),
        ({"IMAGE": "stretch"}, ["IMAGE", "'squash'", "'crop'", "'whole'"]),
        ({"POOLING": "max"}, ["POOLING", "'pooled'", "'mean@8'"]),
        ({"DTYPE": "int8"}, ["DTYPE", "'bfloat16'", "'float32'"]),
        ({"GAMES": "many"}, ["GAMES", "'many'", "whole number"]),
        ({"GAMES": -1}, ["GAMES", "-1"]),
        ({"MATCHES": 0}, ["MATCHES", "1 to 100"]),
        ({"ADULT": "perhaps"}, ["ADULT", "'perhaps'"]),
        ({"SOURCE": "folder"}, ["FOLDER", "pictures"]),
        ({"CHECKPOINTS": "x"}, ["unknown setting CHECKPOINTS", "CHECKPOINT"]),
        ({"POOLING": ["cls"]}, ["POOLING", "text"]),
    ],
)
def test_what_is_not_allowed_is_answered_with_what_is(cell, words):
    with pytest.raises(settings.SettingsError) as error:
        settings.read(**cell)
    assert all(word in str(error.value) for word in words)


def test_a_misspelt_variable_of_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv("STEAM_BANNERS_SORCE", "sample")
    with pytest.raises(settings.SettingsError, match="SORCE"):
        settings.read()


def test_folders_of_one_name_are_kept_apart(tmp_path):
    homes = {settings.read(SOURCE="folder", FOLDER=tmp_path / place / "covers").home for place in ("a", "b")}
    assert len(homes) == 2


def test_an_error_is_one_line_in_a_notebook():
    assert settings.SettingsError("what to do")._render_traceback_() == ["SettingsError: what to do"]


def test_the_line_says_where_the_environment_beats_the_cell(monkeypatch, tmp_path):
    monkeypatch.setenv("STEAM_BANNERS_GAMES", "7")
    monkeypatch.setenv("STEAM_BANNERS_QUERY", "Moonwyrm")
    monkeypatch.setenv("STEAM_BANNERS_DATA", str(tmp_path))
    line = "From the environment, not the cell: GAMES '7' (the cell: '2000'), QUERY 'Moonwyrm' (the cell: '')"
    assert str(settings.read(SOURCE="sample", GAMES=2000, QUERY="")).splitlines()[1:] == [line]
    assert len(str(settings.read(SOURCE="sample", GAMES="7", QUERY="Moonwyrm ")).splitlines()) == 1


def test_the_line_promises_no_games_that_may_not_be_there():
    chosen = settings.read(SOURCE="sample", GAMES=2000)
    assert str(chosen) == "up to 2,000 games of the sample store, kept in data/sample"
    assert chosen.found(149) == "149 games of the sample store"
    assert str(settings.read(GAMES=0)).startswith("every game of Steam")
    assert settings.read().found(1) == "1 game of Steam"


@pytest.mark.parametrize(
    ("pooling", "parts"), [("pooled", ("pooled", None)), ("mean@8", ("mean", 8)), ("complex@0", ("complex", 0))]
)
def test_a_pooling_is_a_style_and_perhaps_a_block(pooling, parts):
    assert settings.split_pooling(pooling) == parts


@pytest.mark.parametrize("pooling", ["", "@", "mean@", "pooled@3", "mean@-1", "mean@1e3", "mean@٣", "mean@8@8", "Mean"])
def test_what_is_no_pooling(pooling):
    with pytest.raises(settings.SettingsError, match="POOLING"):
        settings.split_pooling(pooling)


@pytest.fixture
def loop(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    return tmp_path / "one"


@pytest.mark.parametrize("name", ["DATA", "FOLDER", "DRIVE"])
@pytest.mark.parametrize("value", ["~nobody-of-that-name/x", "a\0b", "x" * 5_000, "{loop}", "{loop}/within"])
def test_a_path_that_the_system_cannot_look_up_is_one_line(loop, name, value):
    """Newer Pythons find no fault in a loop of links, which is then a folder that is not there."""
    line = ""
    try:
        settings.read(SOURCE="sample", **{name: value.format(loop=loop)})
    except settings.SettingsError as error:
        line = str(error)
    assert line.startswith(f"{name} is ") or "loop" in value
    assert len(line) < 300
    assert "\n" not in line


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(settings.SettingsError, match=r"DATA is .*file.*, but .*file cannot be written to"):
            settings.read(DATA=data)
    assert settings.read(DATA=tmp_path / "not" / "yet" / "there").data.parent.name == "yet"
    assert [place.name for place in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of folders")
def test_a_folder_of_somebody_else(tmp_path):
    place = tmp_path / "theirs"
    place.mkdir(mode=0o555)
    leave = "import os; from utils import settings; os.geteuid() or os.setuid(65534)"
    code = f"{leave}\nsettings.read(DATA={str(place)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search(r"SettingsError: DATA is .*theirs.*(cannot be written to|cannot look up)", ran.stderr)


@pytest.mark.parametrize("name", ["STEAM_API_URL", "STEAM_ASSETS_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "ftp://host",
        "file:///etc/passwd",
        "host",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://a b",
    ],
)
def test_an_address_that_is_none(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    with pytest.raises(settings.SettingsError, match=rf"{name} is '.*'; allowed is an http"):
        settings.read()


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("https://api.steampowered.com", True),
        ("https://api.steampowered.com/", True),
        ("http://api.steampowered.com", False),
        ("https://api.steampowered.com.evil.example", False),
        ("https://api.steampowered.com@evil.example", False),
        ("https://api.steampowered.com:8443", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_the_key_is_for_steam_alone(monkeypatch, address, given):
    monkeypatch.setenv("STEAM_API_KEY", "my-own-key")
    assert settings.store_key(address) == ("my-own-key" if given else None)
    monkeypatch.setenv("STEAM_API_KEY", "")
    assert settings.store_key(address) is None


def test_values_are_shown_short_and_on_one_line():
    with pytest.raises(settings.SettingsError) as error:
        settings.read(SOURCE="a\n" * 10_000)
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)
    with pytest.raises(settings.SettingsError, match="GAMES"):
        settings.read(GAMES="9" * 10_000)
    with pytest.raises(settings.SettingsError, match="10,000,000"):
        settings.read(GAMES=10**100)


def test_bytes_that_are_no_text_can_be_printed(monkeypatch, tmp_path):
    monkeypatch.setenv("STEAM_BANNERS_QUERY", "a\udcffb")
    monkeypatch.setenv("STEAM_BANNERS_DATA", f"{tmp_path}/a\udcff\nb")
    line = str(settings.read(SOURCE="sample", QUERY="x"))
    assert line.encode()
    assert len(line.splitlines()) == 2


@pytest.mark.parametrize(("value", "study"), [(False, False), ("false", False), ("", False), (True, True), ("1", True)])
def test_the_study_is_a_switch(value, study):
    assert settings.read(SOURCE="sample", STUDY=value).study is study
