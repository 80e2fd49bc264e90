"""Settings: the cell's values, the environment that overrides them, and every value that is not allowed."""

import os
import sys
from pathlib import Path

import pytest

from utils import settings
from utils.errors import SettingsError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("STEAM_BANNERS_", "STEAM_API", "STEAM_ASSETS")):
            monkeypatch.delenv(name)


def refusal(**values):
    """Return the lines that values are refused with; each can be shown as it is."""
    with pytest.raises(SettingsError) as error:
        settings.read(**values)
    assert max(map(len, str(error.value).splitlines())) < 300
    return str(error.value)


def test_defaults_are_the_live_store_and_texts_become_values():
    chosen = settings.read()
    assert (chosen.source, chosen.games, chosen.api_url) == ("steam", 0, "https://api.steampowered.com")
    assert (chosen.snapshots, chosen.checkpoint) == (Path("data/steam/snapshots"), settings.DEFAULT_CHECKPOINT)
    assert str(chosen) == "every game of Steam, kept in data/steam"
    chosen = settings.read(SOURCE="sample", GAMES=" 12 ", ADULT="yes", QUERY=440, DATA="there", DRIVE=" ")
    found = (chosen.games, chosen.adult, chosen.query, chosen.data, chosen.drive, chosen.checkpoint)
    assert found == (12, True, "440", Path("there"), None, "")
    assert str(chosen) == "up to 12 games of the sample store, kept in there/sample"
    assert settings.read(CHECKPOINT="a/mine").features == Path("data/steam/features/mine--squash--pooled")
    kept = {settings.read(SOURCE="folder", FOLDER=place).data_dir for place in ("a/covers", "b/covers")}
    assert len(kept) == 2  # folders of one name


def test_the_environment_wins_and_the_line_says_so(monkeypatch):
    outside = {"SOURCE": "sample", "GAMES": "7", "QUERY": "a\udcffb", "DRIVE": "", "DATA": "a\udcff\nb"}  # no text
    for name, value in outside.items():
        monkeypatch.setenv(f"STEAM_BANNERS_{name}", value)
    monkeypatch.setenv("STEAM_API_URL", "http://127.0.0.1:1")
    chosen = settings.read(SOURCE="sample", GAMES=2000, QUERY="")
    assert (chosen.source, chosen.games, chosen.api_url) == ("sample", 7, "http://127.0.0.1:1")
    line = "\nFrom the environment, not the cell: GAMES '7' (the cell: '2000')"
    assert str(chosen) == f"up to 7 games of the sample store, kept in a b/sample{line}"
    assert str(settings.read(GAMES=2000, QUERY="Sid")).endswith(f"{line}, QUERY 'a\\udcffb' (the cell: 'Sid')")
    assert "environment" not in str(settings.read(GAMES="7", QUERY="a\udcffb "))


WRONG = {
    "SOURCE": ("gog", "'steam', 'sample' or 'folder'"),
    "POOLING": (["cls"], "'pooled', 'cls'"),
    "GAMES": ("9" * 10_000, "1,000,000"),
    "MATCHES": (0, "1 to 100"),
    "ADULT": ("perhaps", "'true' and 'false'"),
    "QUERY": (["a"], "text"),
    "ORDER": ("a\n" * 10_000, "'top sellers'"),
}


def test_what_is_not_allowed_is_answered_with_what_is_a_line_each(monkeypatch):
    said = sorted(refusal(**{name: value for name, (value, _) in WRONG.items()}).splitlines())
    for line, (name, (value, allowed)) in zip(said, sorted(WRONG.items()), strict=True):
        assert line.startswith(f"{name} is {repr(value)[:20]}")
        assert allowed in line
    assert "FOLDER" in refusal(SOURCE="folder")
    assert "'CHECKPOINTS'; known are SOURCE, " in refusal(CHECKPOINTS="x")
    monkeypatch.setenv("STEAM_BANNERS_API_URL", "sample")
    assert "'API_URL'" in refusal()


LOOPS = ["loop", "loop/within"] if sys.version_info < (3, 13) else []  # newer Pythons take it for what is not there


@pytest.mark.parametrize("value", ["~nobody-of-that-name/x", "a\0b", "x" * 5_000, *LOOPS])
@pytest.mark.parametrize("name", ["DATA", "FOLDER", "DRIVE"])
def test_a_path_that_the_system_cannot_look_up_is_one_line(tmp_path, monkeypatch, name, value):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    (line,) = refusal(SOURCE="sample", **{name: value}).splitlines()
    assert line.startswith(f"{name} is ")


def test_a_place_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert refusal(DATA=tmp_path / "file").startswith("DATA is ")
    assert refusal(DATA=tmp_path / "file" / "below").startswith("DATA is ")
    assert settings.read(DATA=tmp_path / "not" / "yet" / "there").data.parent.name == "yet"
    assert [place.name for place in tmp_path.iterdir()] == ["file"]
    monkeypatch.setattr(os, "access", lambda *_: False)  # it is somebody else's
    assert f"{tmp_path} cannot be written to" in refusal(DATA=tmp_path)


@pytest.mark.parametrize("name", ["STEAM_API_URL", "STEAM_ASSETS_URL"])
@pytest.mark.parametrize("address", ["http://[::1", "ftp://host", "host", "http://", "http://h:99999", "http://a b"])
def test_an_address_that_is_none(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    assert f"{name} is {address!r}" in refusal()


def test_the_key_is_for_steam_alone(monkeypatch):
    monkeypatch.setenv("STEAM_API_KEY", "my-own-key")
    steam = "https://api.steampowered.com"
    assert settings.store_key(steam) == settings.store_key(f"{steam}/") == "my-own-key"
    for other in ("http" + steam[5:], f"{steam}.evil.example", f"{steam}@evil.example", f"{steam}:8443"):
        assert settings.store_key(other) is None
