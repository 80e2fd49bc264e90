"""The gallery's page in a real browser, opened from the disk."""

from pathlib import Path

import browser
import numpy as np
import pytest
from share_games import ALBUM, EXTRAS, GAMES, HOSTILE, MATCHES

import share
from utils import matching, settings
from utils.search import Index

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (browser.CHROMIUM and browser.PLAYWRIGHT), reason="no chromium (apt-get install chromium), or no playwright"
    ),
]
NAMES = dict(zip(MATCHES.appids.tolist(), MATCHES.names, strict=True))
FIRST = GAMES["appid"][:10].tolist()  # the popular games


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "gallery"
    return share.gallery(MATCHES, GAMES, ALBUM, folder, pictures="folder", popular=FIRST, extras=EXTRAS)


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser.opened(tmp_path_factory.mktemp("browser")) as page:
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        yield page


@pytest.fixture
def page(window):
    """A page whose console stays silent: no script was refused, and none failed."""
    window.set_viewport_size({"width": 1400, "height": 1100})
    yield window
    assert window.said == []


def opened(page, gallery, place=""):
    """The page from the disk, loaded once more, with its names."""
    page.said.clear()
    page.goto("about:blank")
    page.goto(gallery.as_uri() + place)
    page.get_by_placeholder("Part of a name").wait_for()


def until(page, true):
    """Wait for an expression to be true; the page's policy forbids what playwright does for that."""
    for _ in range(200):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{true} did not come true in 10 s")


def grid(page):
    return page.locator("#grid bdi").all_text_contents()


def test_type_pick_and_go_on(page, gallery):
    def shows(appid):
        page.locator("#query p", has_text=f"appid {appid} ").wait_for()
        assert page.locator("#query h2").text_content() == NAMES[appid]
        assert page.url.endswith(f"#{appid}")
        near, cosines = MATCHES.of(appid)
        assert grid(page) == [NAMES[each] for each in near.tolist()]
        assert page.locator("#grid p span").all_text_contents() == [f"{each:.2f}" for each in cosines]
        assert page.locator("#grid p a").first.get_attribute("href") == settings.STORE_PAGE.format(appid=near[0])

    opened(page, gallery)
    assert grid(page)[: len(HOSTILE)] == HOSTILE
    until(page, "document.querySelector('#grid img').naturalWidth === 256")
    page.keyboard.press("/")
    page.keyboard.type("moonwrm ember")  # forgiven
    page.locator("#list li", has_text="Ember").first.wait_for()
    page.keyboard.press("Enter")
    query = next(appid for appid, name in NAMES.items() if name.startswith("Moonwyrm: Ember"))
    shows(query)
    page.locator("#grid li > a").nth(2).click()
    shows(int(MATCHES.of(query)[0][2]))
    page.go_back()
    shows(query)
    page.locator("#text").fill("gloom")
    page.keyboard.press("ArrowDown")
    second = int(page.locator("#list li[aria-selected=true] small").text_content())
    page.locator("#list li").nth(1).click()
    shows(second)
    page.get_by_role("button", name="A random game").click()
    page.wait_for_url(lambda url: not url.endswith(f"#{second}"))


def test_hostile_names_are_text_and_the_page_runs_no_script_but_its_own(page, gallery):
    for appid, name in zip(FIRST, HOSTILE, strict=False):
        opened(page, gallery, f"#{appid}")
        page.locator("#query h2").wait_for()
        assert page.locator("#query h2").text_content() == name
        page.locator("#text").fill(name)
        page.locator("#list li").first.wait_for()
        assert name in page.locator("#list bdi").all_text_contents()
    assert "hacked" not in page.title().replace(HOSTILE[-1], "")
    assert page.evaluate("document.querySelectorAll('main b, main img[src=x], body script:not([src])').length") == 0
    page.evaluate("document.body.append(make('script', { textContent: 'document.title = 1' }))")
    page.evaluate("document.body.append(make('img', { src: 'http://a.test/x.jpg' }))")
    page.wait_for_timeout(100)
    assert page.title().endswith("games that look alike")
    said = [page.said.pop() for _ in range(2)]
    assert all("Content Security Policy" in each for each in said)


def test_search_in_the_page_answers_as_in_python(page, gallery):
    """Well-known names and what people type, both also cut and with letters swapped."""
    here = Path(__file__).parent
    names = (here / "search_names.txt").read_text(encoding="utf-8").splitlines()
    names += ["???", "™", "  ", "🐉 Dragon", "墨鯉", "Würfel & Kreis", "ファイナルファンタジー"]
    typed = [line.partition(",")[0] for line in (here / "search_queries.csv").read_text(encoding="utf-8").splitlines()]
    typed += [name[1:12] for name in names] + [name[:2] + name[3:2:-1] + name[4:] for name in names] + ["fÄinal", "か"]
    index = Index(range(len(names)), names)
    opened(page, gallery)
    script = """({names, typed}) => {
        const made = new Index(names.map((_, at) => at), names);
        return typed.map(each => made.find(each));
    }"""
    assert page.evaluate(script, {"names": names, "typed": typed}) == [index.find(each) for each in typed]


def test_filters_leave_out_what_does_not_pass_and_stand_in_the_link(page, gallery):
    table = GAMES.set_index("appid")
    appid = int(MATCHES.appids[0])
    near = MATCHES.of(appid)[0].tolist()
    tag = table.loc[near[0], "tags"][0]
    others = [near[at] for at in matching.exclude_same_studio(np.array(near), appid, GAMES)]
    opened(page, gallery, f"#{appid}")
    page.get_by_text("Filters (among its 8 stored matches)").click()

    def shows(passing):
        assert grid(page) == [NAMES[each] for each in passing]
        link = page.url
        opened(page, gallery, link.partition("index.html")[2])
        page.locator("#grid li").first.wait_for()
        assert grid(page) == [NAMES[each] for each in passing]
        page.goto(gallery.as_uri() + f"#{appid}")
        until(page, "document.querySelectorAll('#grid bdi').length === 8")

    page.locator("#tag").select_option(label=tag)
    shows([each for each in near if tag in table.loc[each, "tags"]])
    page.locator("#score").fill("80")
    shows([each for each in near if table.loc[each, "review_score"] >= 80])
    page.locator("#others").check()
    shows(others)
    page.locator("#distinct").check()
    shows([each for each in near if each not in set(EXTRAS.groups[0])])
    page.locator("#others").check()
    page.locator("#grid li > a").first.click()
    page.locator("#query p", has_text=f"appid {others[0]} ").wait_for()
    assert page.url.endswith(f"#{others[0]}?others=1")
    page.locator("#year").fill("2099")
    page.get_by_text("None of its 8 stored matches passes these filters.").wait_for()


def test_home_fills_the_page_as_far_as_somebody_looks(page, gallery):
    opened(page, gallery)
    until(page, f"document.querySelectorAll('#grid li').length > {2 * len(FIRST)}")
    for _ in range(20):
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(50)
    until(page, f"document.querySelectorAll('#grid li').length === {len(NAMES)}")
    order = GAMES.sort_values(["review_count", "appid"], ascending=[False, True])["appid"].tolist()
    rest = [appid for appid in order if appid in NAMES and appid not in FIRST]
    assert grid(page) == [NAMES[appid] for appid in FIRST + rest]
    assert page.get_by_role("link", name="As a list to post").get_attribute("href") == "popular.md"


def seats(page):
    until(page, "plane.seats.size > 0 && !plane.waiting")
    return [(row, cell) for row, cell in page.evaluate("[...plane.seats]")]


@pytest.mark.parametrize("width", [390, 1400])
def test_the_map_shows_banners_at_every_zoom(page, gallery, width):
    """One a cell, none over another, the most reviewed first; in the end none is hidden, and one is always in sight."""
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, gallery, "#map")
    shown = dict(seats(page))
    assert 0 in shown
    assert all(cell["wide"] > 40 for cell in shown.values())
    corners = {(round(cell["x"]), round(cell["y"])) for cell in shown.values()}
    assert len(corners) == len(shown) > 50
    until(page, "[...plane.seats.keys()].every(row => plane.picture(row).complete)")
    box = page.locator("#plane").bounding_box()
    for _ in range(25):
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 30)
        page.mouse.wheel(0, -200)
        shown = dict(seats(page))
        assert shown
    assert page.evaluate("plane.hidden") == 0
    assert max(cell["wide"] for cell in shown.values()) > 120
    page.get_by_role("button", name="Show all of the map").click()
    until(page, "plane.scale === 1 && plane.left === 0")


def test_a_drawn_banner_is_chosen_by_a_click_and_by_arrows_and_enter(page, gallery):
    opened(page, gallery, "#map")
    for row, cell in seats(page)[::17]:
        for right, down in ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)):
            x, y = cell["x"] + right * cell["wide"], cell["y"] + down * cell["high"]
            assert page.evaluate("([x, y]) => plane.at(x, y)", [x, y]) == row
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + cell["x"] + 5, box["y"] + cell["y"] + 5)
    assert page.locator("#tip bdi").text_content() == page.evaluate("row => index.names[row]", row)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url(f"**#{page.evaluate('row => index.appids[row]', row)}")
    opened(page, gallery, "#map")
    seats(page)
    page.locator("#plane").focus()
    met = set()
    for key in ["ArrowRight"] * 4 + ["+"] * 8 + ["ArrowDown"] * 6 + ["ArrowLeft"] * 6:
        page.keyboard.press(key)
        shown, chosen = dict(seats(page)), page.evaluate("plane.chosen")
        assert chosen in shown
        met.add(chosen)
    assert len(met) > 8
    assert page.locator("#tip bdi").text_content() == page.evaluate("index.names[plane.chosen]")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**#{page.evaluate('index.appids[plane.chosen]')}")


def test_the_views_of_unique_games_and_near_duplicates(page, gallery):
    opened(page, gallery, "#unique")
    page.get_by_role("heading", name="The most unique banners").wait_for()
    table = matching.most_unique(MATCHES, 250)
    assert grid(page) == table["name"].tolist()
    assert page.get_by_role("link", name="Nearest").first.get_attribute("href") == f"#{table['nearest'].iloc[0]}"
    opened(page, gallery, "#duplicates")
    least, most = (f"{each:.2f}" for each in (MATCHES.cosines[:3, 0].min(), MATCHES.cosines[:3, 0].max()))
    page.get_by_text(f"3 games, cosine {least} to {most}", exact=True).wait_for()
    assert grid(page) == MATCHES.names[:3].tolist()
    assert page.get_by_role("link", name="As a list to post").get_attribute("href") == "duplicates.md"


def test_a_gallery_without_reviews_and_pictures_and_error_states(page, tmp_path):
    gallery = share.gallery(MATCHES, GAMES.assign(review_count=0), {}, tmp_path / "gallery", pictures="folder")
    opened(page, gallery)
    page.get_by_role("heading", name="Games from A to Z").wait_for()
    assert grid(page)[:100] == sorted(MATCHES.names.tolist(), key=str.casefold)[:100]
    page.locator("#text").fill("zzzzqqqq")
    page.get_by_text("No game is called that, nor nearly so.").wait_for()
    for place, said in {"#99": "No game here has the appid 99.", "#<b>x": "is no appid"}.items():
        opened(page, gallery, place)
        page.locator("#message", has_text=said).wait_for()
    chunks = [file for file in (gallery.parent / "data").iterdir() if file.stem.isdigit()]
    for file in chunks:
        file.rename(file.with_suffix(".gone"))
    opened(page, gallery, f"#{MATCHES.appids[0]}")
    page.locator("#message", has_text="could not be loaded").wait_for()
    for file in chunks:
        file.with_suffix(".gone").rename(file)
    page.get_by_role("button", name="Try again").click()
    page.locator("#query h2").wait_for()
    page.said.clear()  # of the chunk that was gone


def test_every_view_is_open_to_all_and_none_is_wider_than_a_phone(page, tmp_path):
    rest = {appid: banner for appid, banner in ALBUM.items() if appid != MATCHES.appids[0]}
    gallery = share.gallery(MATCHES, GAMES, rest, tmp_path / "gallery", pictures="folder", extras=EXTRAS)
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ("", "#map", "#unique", "#duplicates", "#90000010", "#90000020"):
        page.emulate_media(color_scheme="dark" if place == "#90000020" else "light")
        opened(page, gallery, place)
        page.locator("#heading h2").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
        assert browser.serious(page) == [], place
        if place == "#90000010":
            page.locator("#query .missing").wait_for()
    until(page, "document.querySelector('#query img').naturalWidth === 256")
