"""Settings: the cell's values, the environment that overrides them, and every value that is not allowed."""

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
