"""The picker in a real browser: by mouse and by keyboard, narrow, dark and light, and while Run All still runs.

One JupyterLab and one page serve all tests, in their order; the screenshots are for whoever wants to look.
"""

import json
import shutil
from pathlib import Path

import browser
import nbformat
import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not browser.CHROMIUM, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.skipif(not browser.PLAYWRIGHT, reason="playwright is not installed"),
]

GAMES = """
import sys
sys.path.insert(0, TESTS)
import numpy as np
from small_games import MANIFEST, catalogue_of, jpeg
from utils import picker
from utils.banners import Banner
from utils.features import Features

names = {appid: f"Game {appid:02}" for appid in range(1, 61)}
names |= {7: "<img src=x onerror=\\"document.title='hacked'\\">", 8: "東方紅魔郷 <b>&amp;</b>"}
colours = {appid: (appid * 4, 200 - appid * 3, appid * 37 % 255) for appid in names}
album = {appid: Banner(appid, name, jpeg(colours[appid])) for appid, name in names.items()}
vectors = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float16)
features = Features(np.array(list(names)), np.array(list(names.values()), dtype=object), vectors, MANIFEST)
catalogue = catalogue_of(list(names))
catalogue["review_count"] = range(60)
"""
SHOW = "picker.pick(features, album, catalogue, k=12)"
MATCH = Path(__file__).parents[1] / "match_steam_banners_with_BEiT.ipynb"
CARD = ".steam-banner-picker img[style*='width:220px']"
TILES = ".steam-banner-picker img[style*='width:160px']"
CONTRAST = """element => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
    let ground = element;
    const isClear = each => numbers(getComputedStyle(each).backgroundColor)[3] === 0;
    while (ground.parentElement && isClear(ground)) ground = ground.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map(numbers).map(light);
    return (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
}"""
NAMELESS = """() => {
    const named = each => each.labels?.length || each.alt || each.title || each.innerText || each.type == 'file';
    const all = [...document.querySelectorAll('.steam-banner-picker :is(input, select, button, img)')];
    return all.filter(each => !each.hidden && !named(each)).map(each => each.outerHTML.slice(0, 80));
}"""
RIGHTMOST = """() => {
    const all = [...document.querySelectorAll('.steam-banner-picker *')];
    return Math.max(...all.map(each => each.getBoundingClientRect().right));
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over the small notebook and the match notebook, and a page: (page, address, folder)."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [
        nbformat.v4.new_code_cell(f"TESTS = {str(Path(__file__).parent)!r}\n{GAMES}"),
        nbformat.v4.new_code_cell(SHOW),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "pick.ipynb")
    shutil.copy(MATCH, folder)
    shown = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    shown.parent.mkdir(parents=True)
    shown.write_text(json.dumps({"windowingMode": "none"}))  # cells out of sight are there too
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERLAB_SETTINGS_DIR", str(folder / "settings"))
        patch.setenv("STEAM_BANNERS_SOURCE", "sample")
        patch.setenv("STEAM_BANNERS_DATA", str(folder / "data"))
        with browser.jupyterlab(folder, folder) as address, browser.opened(folder) as page:
            page.set_default_timeout(400_000)
            yield page, address, folder


@pytest.fixture(scope="module")
def picked(lab):
    """The small notebook after Run All: its page."""
    page, address, _ = lab
    browser.run_all(page, address, "pick.ipynb")
    page.locator(TILES).nth(11).wait_for()
    return page


def shows(page, name):
    page.locator(f"{CARD}[alt={json.dumps(name, ensure_ascii=False)}]").wait_for()


def search(page):
    return page.get_by_placeholder("Part of a name")


def cells(page):
    """How many cells there are, and how many of them are code."""
    return page.locator(".jp-Notebook .jp-Cell").count(), page.locator(".jp-Notebook .jp-CodeCell").count()


def test_type_pick_and_go_on(picked):
    page = picked
    shows(page, "Game 60")  # the most reviewed
    assert page.locator(TILES).count() == 12
    widths = page.evaluate("[...document.querySelectorAll('img[style*=width]')].map(each => each.naturalWidth)")
    assert min(widths) > 100
    search(page).press_sequentially("gmae 42")
    page.locator("select[size] option", has_text="42").click()
    shows(page, "Game 42")
    wanted = page.locator(TILES).nth(3).get_attribute("alt")
    page.get_by_role("button", name="More like").nth(3).click()
    shows(page, wanted)
    page.get_by_role("button", name="Back").click()
    shows(page, "Game 42")


def test_hostile_names_stay_text(picked):
    page = picked
    for typed, end in (("onerror", "'hacked'\">"), ("東方", "<b>&amp;</b>")):
        search(page).fill(typed)
        search(page).press("Enter")
        page.locator(f"{CARD}[alt$={json.dumps(end)}]").wait_for()
    assert page.title() != "hacked"
    search(page).fill("zzzzzz")
    page.get_by_text("No game here is called “zzzzzz”").wait_for()


def test_no_key_leaves_the_picker(picked):
    """The very keys that turned the cell into Markdown, inserted a cell, or left it."""
    page = picked
    before = cells(page)
    search(page).fill("game 1")
    page.locator("select[size] option", has_text="Game 10").click()
    shows(page, "Game 10")
    for key in ("m", "b", "a", "x", "y", "Escape", "d", "d", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("button", name="More like").first.focus()
    for key in ("m", "b", "ArrowUp", "ArrowDown", "d", "d"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert cells(page) == before
    assert page.locator(CARD).count() == 1
    assert page.evaluate("document.activeElement.closest('.steam-banner-picker') !== null")


def test_arrows_and_enter_are_enough(picked):
    page = picked
    search(page).fill("game 2")
    page.locator("select[size] option", has_text="Game 20").wait_for()
    names = page.locator("select[size] option").all_inner_texts()
    search(page).press("ArrowDown")
    shows(page, names[0].replace("\u00a0", " "))
    page.keyboard.press("ArrowDown")
    shows(page, names[1].replace("\u00a0", " "))
    page.keyboard.press("ArrowUp")
    shows(page, names[0].replace("\u00a0", " "))
    wanted = page.locator(TILES).first.get_attribute("alt")
    page.get_by_role("button", name="More like").first.focus()
    page.keyboard.press("Enter")
    shows(page, wanted)


def test_everything_has_a_name(picked):
    page = picked
    nameless = page.evaluate(NAMELESS)
    assert nameless == []
    assert page.locator(".steam-banner-picker [title=null]").count() == 0


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_legible_in_both_themes(picked, lab, theme):
    page, folder = picked, lab[2]
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("name => document.body.dataset.jpThemeName == name", arg=theme)
    page.wait_for_timeout(500)
    assert page.locator(".steam-banner-picker bdi").first.evaluate(CONTRAST) > 7
    page.screenshot(path=folder / f"{theme.split()[1].lower()}.png")


def test_columns_stack_where_it_is_narrow(picked, lab):
    page, folder = picked, lab[2]
    card, tile = page.locator(CARD), page.locator(TILES).first
    assert tile.bounding_box()["x"] > card.bounding_box()["x"] + 200
    page.set_viewport_size({"width": 480, "height": 1000})
    page.wait_for_timeout(500)
    assert tile.bounding_box()["y"] > card.bounding_box()["y"] + 300
    assert page.evaluate(RIGHTMOST) <= 480
    page.screenshot(path=folder / "narrow.png", full_page=True)
    page.set_viewport_size({"width": 1400, "height": 1100})


def test_the_match_notebook_plays_while_run_all_runs(lab):
    """The notebook itself, on the sample: a game is picked as soon as the picker is there, and another at the end."""
    page, address, folder = lab
    browser.run_all(page, address, MATCH.name)
    page.locator(TILES).first.wait_for()
    wanted = page.locator(TILES).nth(2).get_attribute("alt")
    page.get_by_role("button", name="More like").nth(2).click()
    shows(page, wanted)
    page.screenshot(path=folder / "during.png")
    page.get_by_text("The gallery: data/sample").wait_for()
    search(page).press_sequentially("SILVER eg")
    page.locator("select[size] option", has_text="Silver Egg").click()
    shows(page, "Moonwyrm: The Silver Egg")
    page.screenshot(path=folder / "after.png")
    assert not page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count()


def test_voila_shows_the_picker_alone(lab):
    page, _, folder = lab
    with browser.voila(folder / "pick.ipynb", folder) as address:
        page.goto(address)
        shows(page, "Game 60")
        page.locator("select[size] option", has_text="Game 59").click()
        shows(page, "Game 59")
