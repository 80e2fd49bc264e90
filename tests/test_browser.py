"""The picker in a real browser: by mouse and by keyboard, narrow, dark and light, and while Run All still runs.

One JupyterLab and one page serve all tests, in their order; the screenshots are for whoever wants to look.
"""

import json
import shutil
from pathlib import Path

import browser
import nbformat
import pytest
from small_games import HOSTILE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not browser.CHROMIUM, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.skipif(not browser.PLAYWRIGHT, reason="playwright is not installed"),
]

CELLS = (
    f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from small_games import NAMES, album_of, catalogue_of, features_of
from utils import picker

appids = [*NAMES, *range(201, 249)]
control = picker.pick(features_of(appids), None, album_of(appids), catalogue_of(appids))
control.options["k"].value = 12""",
    "control",
    """
started = time.monotonic()
while control.appid == 620 and time.monotonic() < started + 100:
    time.sleep(0.05)
print("answered" if control.appid != 620 else "not answered", "while a cell ran")""",
)
MATCH = Path(__file__).parents[1] / "match_steam_banners_with_BEiT.ipynb"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PICKER = ".steam-banner-picker"
TILES = f"{PICKER} .sbp-grid .sbp-banner"
SEARCH = f"{PICKER} .sbp-search input"
FOUND = f"{PICKER} .sbp-list button"
NAMED = """name => {
    const each = document.activeElement;
    return (each.innerText || each.title || each.labels?.[0]?.innerText || '').trim() == name;
}"""
RIGHTMOST = f"""() => Math.max(...[...document.querySelectorAll('{PICKER} *')].filter(each => each.offsetParent)
    .map(each => each.getBoundingClientRect().right))"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over the small notebook and the match notebook, and a page: (page, address, folder)."""
    folder = tmp_path_factory.mktemp("lab")
    cells = list(map(nbformat.v4.new_code_cell, CELLS))
    for name, shown in (("pick.ipynb", cells), ("alone.ipynb", cells[:2])):
        nbformat.write(nbformat.v4.new_notebook(cells=shown, metadata=KERNEL), folder / name)
    shutil.copy(MATCH, folder)
    tracker = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')  # cells out of sight are there too
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERLAB_SETTINGS_DIR", str(folder / "settings"))
        patch.setenv("STEAM_BANNERS_SOURCE", "sample")
        patch.setenv("STEAM_BANNERS_DATA", str(folder / "data"))
        with browser.jupyterlab(folder) as address, browser.opened(folder) as page:
            page.set_default_timeout(400_000)  # a busy machine takes its time
            yield page, address, folder


@pytest.fixture(scope="module")
def page(lab):
    """The page, with the small notebook while Run All runs, until a click."""
    page, address, _ = lab
    browser.run_all(page, address, "pick.ipynb")
    page.locator(TILES).nth(11).wait_for()
    return page


def shows(page, name):
    page.locator(f"{PICKER} .sbp-query img[alt={json.dumps(name, ensure_ascii=False)}]").wait_for()


def go_on(page, at):
    """Click a match and see that its own are shown."""
    wanted = page.locator(TILES).nth(at).get_attribute("title")
    page.locator(TILES).nth(at).click()
    shows(page, wanted)


def find(page, typed, name):
    """Type into the search box and return the first game of that name in the list."""
    page.locator(SEARCH).fill("")
    page.locator(SEARCH).press_sequentially(typed)
    page.locator(FOUND, has_text=name).first.wait_for()
    return page.locator(FOUND, has_text=name).first


def test_a_click_is_answered_during_run_all(page):
    """The last cell ends because the game changed, so it was still running when the click was answered."""
    shows(page, "Portal 2")  # the most reviewed
    go_on(page, 11)  # a tile that was not there at first
    page.get_by_text("answered while a cell ran", exact=True).wait_for()
    page.locator(browser.IDLE).wait_for()
    page.wait_for_timeout(1_000)  # at the end of Run All, JupyterLab takes the focus from whoever types


def test_hostile_names_stay_text(page):
    find(page, "onerror", "onerror")
    page.locator(SEARCH).press("Enter")  # wherever the focus is: JupyterLab may have taken it
    shows(page, HOSTILE)
    assert page.title() != "hacked"
    page.locator(SEARCH).fill("zzzzzz")
    page.get_by_text("No game here is called “zzzzzz”").wait_for()


def test_no_key_leaves_the_picker(page):
    """The very keys that turned the cell into Markdown, inserted a cell, or left it."""
    before = page.locator(".jp-Cell").count(), page.locator(".jp-CodeCell").count()
    find(page, "gmae 210", "Game 210").click()
    shows(page, "Game 210")
    assert page.locator(FOUND).first.is_hidden()
    for key in ("m", "b", "a", "x", "y", "Escape", "d", "d"):
        page.keyboard.press(key)
    page.locator(TILES).first.focus()
    for key in ("m", "b", "ArrowUp", "ArrowDown", "d", "d"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert (page.locator(".jp-Cell").count(), page.locator(".jp-CodeCell").count()) == before
    assert page.evaluate(f"document.activeElement.closest('{PICKER}') !== null")


def tab_to(page, name):
    """Press the tab key until something of that name or label has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(NAMED, name):
            return
    raise AssertionError(f"{name} was not reached by the tab key")


def test_the_keyboard_is_enough_filters_included(page):
    find(page, "game 2", "Game 205")
    names = page.locator(f"{FOUND}:visible").all_inner_texts()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    shows(page, names[1])
    tab_to(page, "Filters and mirroring")
    page.keyboard.press("Space")
    page.get_by_label("Hide near-duplicates").wait_for()
    tab_to(page, "Matches")
    page.keyboard.type("4")  # what was there is chosen when the tab key comes to it
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelectorAll('{TILES}').length == 4")
    tab_to(page, "Hide near-duplicates")
    page.keyboard.press("Space")
    tab_to(page, "Random")
    wanted = page.locator(TILES).first.get_attribute("title")
    tab_to(page, wanted)
    page.keyboard.press("Enter")
    shows(page, wanted)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nobody_is_shut_out_in_either_theme(page, lab, theme):
    """By axe-core: names, roles, contrast and what else can be checked without a person."""
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("name => document.body.dataset.jpThemeName == name", arg=theme)
    find(page, "game 230", "Game 230")
    page.screenshot(path=lab[2] / f"{theme}.png")
    assert browser.serious(page, PICKER) == []


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_matches_are_on_the_first_screen_and_the_query_stays(page, lab, width):
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": width, "height": 844})
    page.wait_for_timeout(500)
    page.locator(f"{PICKER} .sbp-top").evaluate("each => each.scrollIntoView()")
    query = page.locator(f"{PICKER} .sbp-query img")
    assert all(0 <= each.bounding_box()["y"] < 844 - 165 for each in (query, page.locator(TILES).nth(1)))
    assert page.evaluate(RIGHTMOST) <= width
    go_on(page, page.locator(TILES).count() - 1)
    page.wait_for_timeout(800)  # it scrolls back
    assert 0 <= query.bounding_box()["y"] < 844 - 126
    page.screenshot(path=lab[2] / f"{width}.png")


def test_the_match_notebook_plays_while_run_all_runs(lab):
    """The notebook itself, on the sample: a game is picked as soon as the picker is there, and another at the end."""
    page, address, folder = lab
    page.set_viewport_size({"width": 1400, "height": 1100})
    browser.run_all(page, address, MATCH.name)
    go_on(page, 2)
    page.screenshot(path=folder / "during.png")
    page.locator(browser.IDLE).wait_for()
    find(page, "SILVER eg", "Silver Egg").click()
    shows(page, "Moonwyrm: The Silver Egg")
    page.screenshot(path=folder / "after.png")
    assert not page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count()


def test_voila_shows_the_picker_alone(lab):
    page, _, folder = lab
    with browser.serving(folder, "voila", str(folder / "alone.ipynb"), "--Voila.ip=127.0.0.1") as address:
        page.goto(address)
        shows(page, "Portal 2")
        go_on(page, 0)
