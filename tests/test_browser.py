"""The picker in a real browser: alone in Voila, and in JupyterLab after "Run All"."""

import json
import shutil
from pathlib import Path

import browser
import nbformat
import pytest

pytestmark = [
    pytest.mark.skipif(not browser.CHROMIUM, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.skipif(not browser.PLAYWRIGHT, reason="playwright is not installed"),
]

GAMES = """
import io
import numpy as np
import pandas as pd
from PIL import Image
from utils import picker
from utils.banners import Banner
from utils.features import Features

def jpeg(appid):
    content = io.BytesIO()
    Image.new("RGB", (256, 384), (appid * 4, 200 - appid * 3, appid * 37 % 255)).save(content, "JPEG")
    return content.getvalue()

names = {appid: f"Game {appid:02}" for appid in range(1, 61)}
names |= {7: "<img src=x onerror=\\"document.title='hacked'\\">", 8: "東方紅魔郷 <b>&amp;</b>"}
album = {appid: Banner(appid, name, jpeg(appid)) for appid, name in names.items()}
vectors = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float16)
features = Features(np.array(list(names)), np.array(list(names.values()), dtype=object), vectors, {})
catalogue = pd.DataFrame({"appid": list(names), "review_count": range(60)})
catalogue["developers"] = catalogue["franchises"] = [[]] * 60
"""
SHOW = "picker.pick(features, album, catalogue, k=12)"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A small notebook that makes sixty games and shows the picker."""
    cells = [nbformat.v4.new_code_cell(source) for source in (GAMES, SHOW)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    file = tmp_path_factory.mktemp("notebook") / "pick.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), file)
    return file


@pytest.fixture
def page(tmp_path):
    with browser.opened(tmp_path) as page:
        yield page


def pick_about(page):
    """Type, pick, go on from a match, ask for more: what somebody does with the picker."""
    pictures, card = page.locator("img[style*='width:160px']"), page.locator("img[style*='width:220px']")
    pictures.nth(11).wait_for()
    assert pictures.count() == 12
    assert card.get_attribute("alt") == "Game 60"  # the most reviewed
    assert all(
        page.evaluate("[...document.querySelectorAll('img[style*=width]')].map(each => each.naturalWidth > 100)")
    )

    first = pictures.first.get_attribute("src")
    page.get_by_placeholder("Part of a name").press_sequentially("gmae 42")
    shortlist = page.locator("select[size]")
    shortlist.locator("option", has_text="42").click()
    page.locator("img[style*='width:220px'][alt='Game 42']").wait_for()
    page.wait_for_function("first => document.querySelector('img[style*=\"width:160px\"]').src != first", arg=first)
    assert card.locator("xpath=..").get_attribute("href") == "https://store.steampowered.com/app/42"

    wanted = pictures.nth(3).get_attribute("alt")
    page.get_by_role("button", name="More like this").nth(3).click()
    page.locator(f"img[style*='width:220px'][alt={wanted!r}]").wait_for()

    page.get_by_placeholder("Part of a name").fill("onerror")
    page.get_by_placeholder("Part of a name").press("Enter")
    page.locator("img[style*='width:220px'][alt^='<img']").wait_for()
    page.get_by_placeholder("Part of a name").fill("東方")
    page.get_by_placeholder("Part of a name").press("Enter")
    page.locator("img[style*='width:220px'][alt$='<b>&amp;</b>']").wait_for()
    assert page.title() != "hacked"
    page.get_by_placeholder("Part of a name").fill("zzzzzz")
    page.get_by_text("No game is called 'zzzzzz'").wait_for()


def test_voila_shows_the_picker_alone(notebook, page, tmp_path):
    with browser.voila(notebook, tmp_path) as address:
        page.goto(address)
        pick_about(page)
        page.screenshot(path=tmp_path / "voila.png", full_page=True)


def test_jupyterlab_runs_all(notebook, page, tmp_path):
    with browser.jupyterlab(notebook.parent, tmp_path) as address:
        browser.run_all(page, address, notebook.name)
        pick_about(page)
        page.screenshot(path=tmp_path / "jupyterlab.png")


def test_the_match_notebook_in_jupyterlab(page, tmp_path, monkeypatch):
    """The notebook itself, on the sample, from Run All to a picked game."""
    notebook = Path(__file__).parents[1] / "match_steam_banners_with_BEiT.ipynb"
    shutil.copy(notebook, tmp_path)
    shown = tmp_path / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    shown.parent.mkdir(parents=True)
    shown.write_text(json.dumps({"windowingMode": "none"}))  # cells out of sight are there too
    monkeypatch.setenv("JUPYTERLAB_SETTINGS_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("STEAM_BANNERS_SOURCE", "sample")
    monkeypatch.setenv("STEAM_BANNERS_DATA", str(tmp_path / "data"))
    with browser.jupyterlab(tmp_path, tmp_path) as address:
        page.set_default_timeout(150_000)
        browser.run_all(page, address, notebook.name)
        search = page.get_by_placeholder("Part of a name")
        search.wait_for()
        first = page.locator("img[style*='width:160px']").first
        before = first.get_attribute("src")
        search.press_sequentially("SILVER eg")
        page.locator("select[size] option", has_text="Silver Egg").click()
        page.locator("img[style*='width:220px'][alt='Moonwyrm: The Silver Egg']").wait_for()
        page.wait_for_function(
            "before => document.querySelector('img[style*=\"width:160px\"]').src != before", arg=before
        )
        assert first.get_attribute("alt").startswith("Moonwyrm")
        page.screenshot(path=tmp_path / "match.png")
