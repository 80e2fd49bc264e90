"""Settings: the cell's values, the environment that overrides them, and every value that is not allowed."""

import dataclasses
import os
import subprocess
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


def test_defaults_are_the_live_store():
    chosen = settings.read()
    assert (chosen.source, chosen.games, chosen.api_url) == ("steam", 0, "https://api.steampowered.com")
    assert chosen.snapshots == Path("data/steam/snapshots")
    assert chosen.checkpoint == "microsoft/beit-base-patch16-224-pt22k-ft22k"
    assert settings.read(SOURCE="sample").checkpoint == ""


def test_texts_become_values_and_blank_ones_the_default():
    chosen = settings.read(SOURCE="sample", GAMES=" 12 ", ADULT="yes", QUERY=440, DATA="there", DRIVE=" ")
    found = (chosen.games, chosen.adult, chosen.query, chosen.data, chosen.drive)
    assert found == (12, True, "440", Path("there"), None)


def test_the_environment_wins_and_the_line_says_so(monkeypatch):
    monkeypatch.setenv("STEAM_BANNERS_SOURCE", "sample")
    monkeypatch.setenv("STEAM_BANNERS_GAMES", "7")
    monkeypatch.setenv("STEAM_BANNERS_QUERY", "Moonwyrm")
    monkeypatch.setenv("STEAM_BANNERS_DRIVE", "")
    monkeypatch.setenv("STEAM_API_URL", "http://127.0.0.1:1")
    chosen = settings.read(SOURCE="sample", GAMES=2000, QUERY="")
    assert (chosen.source, chosen.games, chosen.api_url) == ("sample", 7, "http://127.0.0.1:1")
    line = "From the environment, not the cell: GAMES '7' (the cell: '2000'), QUERY 'Moonwyrm' (the cell: '')"
    assert line.replace(", QUERY 'Moonwyrm' (the cell: '')", "") in str(chosen)
    assert str(settings.read(GAMES=2000, QUERY="Sid")).endswith("QUERY 'Moonwyrm' (the cell: 'Sid')")
    assert "environment" not in str(settings.read(GAMES="7", QUERY="Moonwyrm "))


WRONG = {
    "SOURCE": ("gog", "'steam', 'sample' or 'folder'"),
    "IMAGE": ("stretch", "'squash', 'crop' or 'whole'"),
    "POOLING": (["cls"], "'pooled', 'cls'"),
    "DTYPE": ("int8", "'bfloat16'"),
    "GAMES": ("9" * 10_000, "10,000,000"),
    "MATCHES": (0, "1 to 100"),
    "ADULT": ("perhaps", "'true' and 'false'"),
    "QUERY": (["a"], "text"),
    "ORDER": ("a\n" * 10_000, "'top sellers'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_allowed_is_answered_with_what_is(name):
    value, allowed = WRONG[name]
    with pytest.raises(SettingsError) as error:
        settings.read(**{name: value})
    line = str(error.value)
    assert line.startswith(f"{name} is ")
    assert repr(value)[:20] in line
    assert allowed in line
    assert "\n" not in line
    assert len(line) < 250


def test_each_wrong_value_has_a_line():
    with pytest.raises(SettingsError) as error:
        settings.read(**{name: value for name, (value, _) in WRONG.items()})
    assert {line.split()[0] for line in str(error.value).splitlines()} == WRONG.keys()
    with pytest.raises(SettingsError) as error:
        settings.read(SOURCE="folder")
    assert "FOLDER" in str(error.value)


def test_a_misspelt_name_is_answered_with_those_known(monkeypatch):
    with pytest.raises(SettingsError) as error:
        settings.read(CHECKPOINTS="x")
    assert "'CHECKPOINTS'" in str(error.value)
    assert "CHECKPOINT," in str(error.value)
    monkeypatch.setenv("STEAM_BANNERS_API_URL", "sample")
    with pytest.raises(SettingsError) as error:
        settings.read()
    assert "'API_URL'" in str(error.value)


def test_settings_are_changed_by_a_copy_that_is_checked():
    chosen = dataclasses.replace(settings.read(SOURCE="sample"), checkpoint="mine", api_url="http://127.0.0.1:1")
    assert (chosen.checkpoint, chosen.features.name) == ("mine", "mine--squash--pooled")
    with pytest.raises(dataclasses.FrozenInstanceError):
        chosen.games = 1


def test_folders_of_one_name_are_kept_apart(tmp_path):
    kept = {settings.read(SOURCE="folder", FOLDER=tmp_path / place / "covers").data_dir for place in ("a", "b")}
    assert len(kept) == 2


def test_the_line_says_what_is_asked_for():
    chosen = settings.read(SOURCE="sample", GAMES=2000)
    assert str(chosen) == "up to 2,000 games of the sample store, kept in data/sample"
    assert str(settings.read(GAMES=0)).startswith("every game of Steam")


@pytest.mark.parametrize("name", ["DATA", "FOLDER", "DRIVE"])
@pytest.mark.parametrize("value", ["~nobody-of-that-name/x", "a\0b", "x" * 5_000, "{loop}", "{loop}/within"])
def test_a_path_that_the_system_cannot_look_up_is_one_line(tmp_path, name, value):
    """Newer Pythons find no fault in a loop of links, which is then a folder that is not there."""
    (tmp_path / "one").symlink_to(tmp_path / "one")
    line = ""
    try:
        settings.read(SOURCE="sample", **{name: value.format(loop=tmp_path / "one")})
    except SettingsError as error:
        line = str(error)
    assert line.startswith(f"{name} is ") or "loop" in value
    assert len(line) < 300
    assert "\n" not in line


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError) as error:
            settings.read(DATA=data)
        assert f"DATA is {str(data)!r}"[:80] in str(error.value).replace("PosixPath(", "")
    assert settings.read(DATA=tmp_path / "not" / "yet" / "there").data.parent.name == "yet"
    assert [place.name for place in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of folders")
def test_a_folder_of_somebody_else(tmp_path):
    place = tmp_path / "theirs"
    place.mkdir(mode=0o555)
    leave = "import os; from utils import settings; os.geteuid() or os.setuid(65534)"
    code = f"{leave}\nsettings.read(DATA={str(place)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "SettingsError: DATA is " in ran.stderr


NO_ADDRESSES = [
    "http://[::1",
    "ftp://host",
    "file:///etc/passwd",
    "host",
    "http://",
    "http://h:port",
    "http://h:99999",
    "http://a b",
]


@pytest.mark.parametrize("address", NO_ADDRESSES)
@pytest.mark.parametrize("name", ["STEAM_API_URL", "STEAM_ASSETS_URL"])
def test_an_address_that_is_none(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    with pytest.raises(SettingsError) as error:
        settings.read()
    assert f"{name} is {address!r}" in str(error.value)


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


def test_bytes_that_are_no_text_can_be_printed(monkeypatch, tmp_path):
    monkeypatch.setenv("STEAM_BANNERS_QUERY", "a\udcffb")
    monkeypatch.setenv("STEAM_BANNERS_DATA", f"{tmp_path}/a\udcff\nb")
    line = str(settings.read(SOURCE="sample", QUERY="x"))
    assert line.encode()
    assert len(line.splitlines()) == 2
    folder = tmp_path / "covers\udcff"
    assert str(settings.read(SOURCE="folder", FOLDER=str(folder))).encode()
