"""The gallery's files one by one, and its page in a real browser, opened from the disk."""

import io
import json
import re
import zlib
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import browser
import mistune
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sample
import share
from share import escape
from utils import catalogue, matching, settings
from utils.banners import Banner
from utils.features import Features
from utils.names import visible
from utils.search import Index

HOSTILE = [
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\"> & 'quotes' &lt;",
    "a | b ]( javascript:alert(1) ) [c](http://evil.test) `code` **bold** # $x$ ~~no~~ \\| www.evil.test",
    '</script><b>bold</b> \u2028\u2029 "]);document.title="hacked";//',
    "\u202eevil \u2066\u200fשלום\n\n# new line",
    "__proto__",
]
MANIFEST = {"checkpoint": "tiny|beit", "revision": "0123456789abcdef", "pooling": "cls", "image": "crop"}
FILES = {"index.html", "gallery.css", "gallery.js", "search.js", "filters.js", "map.js", "data"}
FILES |= {"popular.md", "popular.bbcode.txt", "unique.md", "matches.csv", "manifest.json", "files.txt"}


@cache
def jpeg(appid):
    content = io.BytesIO()
    Image.new("RGB", (256, 384), (appid % 251, appid // 10 % 256, 90)).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture(scope="module")
def games():
    """The sample store's games, the first with hostile names; the store serves their banners meanwhile."""
    stock = sample.Stock(sample.fictional().games, jpeg)
    with sample.Store(stock) as store:
        found = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        found.loc[: len(HOSTILE) - 1, "name"] = HOSTILE
        yield found


@pytest.fixture(scope="module")
def matches(games):
    """Eight matches a game: games of a series are alike."""
    rng, rows = np.random.default_rng(0), zip(games["franchises"], games["name"], strict=True)
    seeds = [zlib.crc32("".join(franchises or [name]).encode()) for franchises, name in rows]
    vectors = np.array([np.random.default_rng(seed).normal(size=16) + 0.6 * rng.normal(size=16) for seed in seeds])
    features = Features(games["appid"].to_numpy(), games["name"].to_numpy(), vectors.astype(np.float16), MANIFEST)
    return matching.all_matches(matching.prepare(features, "centred"), 8)


@pytest.fixture(scope="module")
def extras(matches):
    """The mirrored matches are the others backwards; one group of near-duplicates; a map of a few clusters."""
    backwards = replace(matches, neighbours=matches.neighbours[:, ::-1].copy(), cosines=matches.cosines[:, ::-1].copy())
    places = np.random.default_rng(3).normal(size=(len(matches.appids), 2))
    return share.Extras(backwards, [matches.appids[:3]], places)


@pytest.fixture(scope="module")
def gallery(games, matches, extras, tmp_path_factory):
    """An export that begins with the hostile names, with one popular game that has no matches."""
    popular = [*games["appid"][:10], 999]
    folder = tmp_path_factory.mktemp("web") / "gallery"
    return share.gallery(matches, games, {}, folder, popular=popular, extras=extras)


# ------------------------------------------------------------ files


def test_the_table_for_a_spreadsheet_is_the_matches(gallery, matches):
    assert {file.name for file in gallery.parent.iterdir()} == FILES | {"duplicates.md"}
    table = pd.read_csv(gallery.parent / "matches.csv", encoding="utf-8")
    k = matches.neighbours.shape[1]
    np.testing.assert_array_equal(table["appid"].to_numpy().reshape(-1, k)[:, 0], matches.appids)
    np.testing.assert_array_equal(table["match"].to_numpy().reshape(-1, k), matches.neighbours)
    np.testing.assert_allclose(table["cosine"].to_numpy().reshape(-1, k), matches.cosines, atol=5.1e-5)
    assert table["rank"].tolist() == list(range(1, k + 1)) * len(matches.appids)
    assert table["match_name"].notna().all()


@pytest.mark.parametrize("name", ["=1+1", "+SUM(A1)", "-2", "@x", "\t=1"])
def test_no_name_is_a_formula_in_a_spreadsheet(name):
    assert escape.in_csv(name)[0] in "'1"
    assert escape.in_csv("A-Train") == "A-Train"


def test_bbcode_shows_names_as_text(gallery):
    text = (gallery.parent / "popular.bbcode.txt").read_text(encoding="utf-8")
    tags = set(re.findall(r"\[(/?[^\]=]*)[\]=]", text))
    assert tags == {"i", "/i", "b", "/b", "url", "/url", "list", "/list", "*"}
    assert text.count("[url=https://store.steampowered.com/app/") == 10 + 10 * 8


def test_the_most_unique_and_the_near_duplicates_are_listed(gallery, matches):
    unique = (gallery.parent / "unique.md").read_text(encoding="utf-8").splitlines()
    assert len([line for line in unique if re.match(r"\| \d+ \|", line)]) == min(250, len(matches.appids))
    assert "- 3 games:" in (gallery.parent / "duplicates.md").read_text(encoding="utf-8")


def test_embedding_atlas_gets_one_parquet(games, matches, extras, tmp_path):
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids.tolist()[1:]}
    file = share.atlas(matches, games, album, extras.plane, tmp_path / "atlas.parquet")
    table = pq.read_table(file).to_pylist()
    assert [row["appid"] for row in table] == matches.appids.tolist()
    assert table[0]["image"] is None
    assert table[1]["image"]["bytes"] == jpeg(table[1]["appid"])
    for row, near in zip(table, matches.neighbours, strict=True):
        assert matches.appids[row["neighbors"]["ids"]].tolist() == near.tolist()
    np.testing.assert_allclose(table[5]["neighbors"]["distances"], 1 - matches.cosines[5], atol=1e-6)


def test_the_manifest_says_what_made_them(gallery, matches):
    manifest = json.loads((gallery.parent / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["features"] == matches.manifest
    assert (manifest["games"], manifest["matches"], manifest["pictures"]) == (len(matches.appids), 8, "store")
    assert data(gallery, "start")["made"] == (
        "Features of tiny|beit, revision 0123456789ab: pooling cls, input crop; compared centred."
    )


def data(gallery, file):
    """What a script of data/ hands over."""
    script = (gallery.parent / "data" / f"{file}.js").read_text(encoding="utf-8")
    assert not re.search("[<\u2028\u2029]", script)
    return json.loads(script.removeprefix(f'gallery("{file}",').removesuffix(");"))


def test_each_chunk_has_all_that_its_games_matches_need(gallery, games, matches):
    start = data(gallery, "start")
    urls = games.set_index("appid")["banner_url"]
    found = {}
    for chunk in range(start["chunks"]):
        part = data(gallery, chunk)
        assert part["mirrored"].keys() == part["matches"].keys()
        for appid, (near, cosines) in part["matches"].items():
            assert int(appid) // 10 % start["chunks"] == chunk
            found[int(appid)] = near, cosines
            for each in (int(appid), *near):
                name, picture, *_ = part["shown"][str(each)]
                assert name == matches.names[np.searchsorted(matches.appids, each)]
                assert (picture and start["pictures"] + picture) == urls[each]
    assert start["chunks"] > 1
    assert {appid: near for appid, (near, _) in found.items()} == dict(
        zip(matches.appids.tolist(), matches.neighbours.tolist(), strict=True)
    )
    names = data(gallery, "names")
    known = games[games["appid"].isin(matches.appids)].sort_values("review_count", ascending=False)
    assert sorted(names["appids"]) == sorted(matches.appids.tolist())
    assert names["appids"][0] == known["appid"].iloc[0]  # most reviewed first


def test_markdown_shows_names_as_text(gallery):
    """Rendered by mistune, each cell is a picture and a name that lead to the store, whatever the name is."""
    render = mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough", "math"])
    page = render((gallery.parent / "popular.md").read_text(encoding="utf-8"))
    cells = re.findall("<td.*?>(.*?)</td>", page, re.DOTALL)
    assert len(cells) == 10 * 9  # popular games, each with eight matches
    tags = set(re.findall("<(/?[a-z0-9]+)", page.partition("<tbody>")[2]))
    assert tags == {"tr", "td", "a", "img", "br", "/tr", "/td", "/a", "/tbody", "/table"}
    links = re.findall('href="(.*?)"', page)
    assert all(re.fullmatch(r"https://store\.steampowered\.com/app/\d+", link) for link in links)
    shown = [unescape(re.sub("<.*?>", "", cell)) for cell in cells[::9]]
    assert shown[: len(HOSTILE)] == [visible(name) for name in HOSTILE]


def pictures_shown(start):
    """The pictures of the first view's games."""
    return [start["shown"][str(appid)][1] for appid in start["popular"]]


def test_pictures_can_be_copied_into_the_folder(games, matches, tmp_path):
    missing, *others = matches.appids.tolist()
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in others}
    page = share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder", popular=[missing, others[0]])
    assert {file.name: file.read_bytes() for file in (page.parent / "pictures").iterdir()} == {
        f"{appid}.jpg": jpeg(appid) for appid in others
    }
    start = data(page, "start")
    assert start["pictures"] == "pictures/"
    assert pictures_shown(start) == [None, f"{others[0]}.jpg"]
    assert "127.0.0.1" not in page.read_text(encoding="utf-8")


def test_what_is_no_plain_address_is_no_picture(games, matches, tmp_path):
    odd = ["javascript:alert(1)", 'https://a.test/"><script>', "https://a.test/b; script-src *", "//a.test/b", "", None]
    appids = matches.appids[: len(odd)].tolist()
    changed = games.set_index("appid")["banner_url"].to_dict() | dict(zip(appids, odd, strict=True))
    games = games.assign(banner_url=games["appid"].map(changed))
    page = share.gallery(matches, games, {}, tmp_path / "gallery", popular=appids)
    assert pictures_shown(data(page, "start")) == [None] * len(odd)
    assert "a.test" not in page.read_text(encoding="utf-8")


def test_pictures_may_lie_with_several_hosts(games, matches, tmp_path):
    first, second = matches.appids[:2].tolist()
    urls = games["appid"].map({first: "https://a.test/1/x.jpg", second: "http://b.test:81/2/y.jpg?t=1"})
    page = share.gallery(matches, games.assign(banner_url=urls), {}, tmp_path / "gallery", popular=[first, second])
    start = data(page, "start")
    shown = [start["pictures"] + picture for picture in pictures_shown(start)]
    assert shown == ["https://a.test/1/x.jpg", "http://b.test:81/2/y.jpg?t=1"]
    assert "img-src http://b.test:81 https://a.test data:;" in page.read_text(encoding="utf-8")


def test_a_second_export_replaces_the_first_whole(games, matches, tmp_path):
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids.tolist()}
    share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder")
    fewer = replace(matches, neighbours=matches.neighbours[:, :2], cosines=matches.cosines[:, :2])
    page = share.gallery(fewer, games, album, tmp_path / "gallery")
    assert {file.name for file in page.parent.iterdir()} == FILES
    assert len(pd.read_csv(page.parent / "matches.csv")) == 2 * len(fewer.appids)
    assert list(tmp_path.iterdir()) == [page.parent]


def test_an_export_that_fails_leaves_the_earlier_one(games, matches, tmp_path):
    page = share.gallery(matches, games, {}, tmp_path / "gallery")
    before = page.read_bytes()
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids[:9].tolist()}
    album[matches.appids.item(9)] = Banner(1, "", None)
    with pytest.raises(TypeError):
        share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder")
    assert page.read_bytes() == before
    share.gallery(matches, games, {}, tmp_path / "gallery")
    assert list(tmp_path.iterdir()) == [page.parent]


def test_what_is_not_ours_stays(games, matches, tmp_path):
    page = share.gallery(matches, games, {}, tmp_path / "gallery")
    for name in ("CNAME", ".git/config", "pictures/mine.jpg", "data/mine.js"):
        (page.parent / name).parent.mkdir(exist_ok=True)
        (page.parent / name).write_text("mine")
    share.gallery(matches, games, {}, tmp_path / "gallery")
    for name in ("CNAME", ".git/config", "pictures/mine.jpg", "data/mine.js"):
        assert (page.parent / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["index.html", "manifest.json", "files.txt", "data/start.js"])
def test_a_file_that_is_not_ours_is_never_replaced(games, matches, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(share.ExportError, match="not of an earlier export"):
        share.gallery(matches, games, {}, tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_made_up_list_leads_nowhere_else(games, matches, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    (tmp_path / "gallery").mkdir()
    listed = ["files.txt", "../letter.txt", "/etc/hosts", "a/../../letter.txt", ".git/config"]
    (tmp_path / "gallery" / "files.txt").write_text("\n".join(listed))
    share.gallery(matches, games, {}, tmp_path / "gallery")
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_map_of_other_games_is_refused(games, matches, tmp_path):
    with pytest.raises(share.ExportError, match=r"plane is of shape \(3, 2\)"):
        share.gallery(matches, games, {}, tmp_path, extras=share.Extras(plane=np.zeros((3, 2))))


def test_other_words_for_the_pictures_are_refused(games, matches, tmp_path):
    with pytest.raises(share.ExportError, match="'web'; allowed are 'store', 'folder'"):
        share.gallery(matches, games, {}, tmp_path / "gallery", pictures="web")


# ------------------------------------------------------------ the page

can_browse = pytest.mark.skipif(
    not (browser.CHROMIUM and browser.PLAYWRIGHT), reason="no chromium (apt-get install chromium), or no playwright"
)


def in_browser(test):
    return pytest.mark.browser(can_browse(test))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page whose console stays silent: no script was refused, and none failed."""
    with browser.opened(tmp_path_factory.mktemp("browser")) as page:
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.said = said
        yield page


def opened(page, gallery, place=""):
    """The page from the disk, anew, its names loaded."""
    page.said.clear()
    page.goto("about:blank")
    page.goto(gallery.as_uri() + place)
    page.get_by_placeholder("Part of a name").wait_for()


def loaded(picture):
    """Wait for a banner to be there, whole."""
    from playwright.sync_api import expect

    expect(picture).to_have_js_property("naturalWidth", 256)


def until(page, true):
    """Wait for an expression to be true; the page's policy forbids what playwright does for that."""
    for _ in range(100):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{true} did not come true in 5 s")


def grid(page):
    return page.locator("#grid bdi").all_text_contents()


@in_browser
def test_type_pick_and_go_on(page, gallery, matches):
    names = dict(zip(matches.appids.tolist(), matches.names, strict=True))

    def shows(appid):
        page.locator("#query p", has_text=f"appid {appid} ").wait_for()
        assert page.locator("#query h2").text_content() == names[appid]
        assert page.url.endswith(f"#{appid}")
        near, cosines = matches.of(appid)
        assert grid(page) == [names[each] for each in near.tolist()]
        assert page.locator("#grid p span").all_text_contents() == [f"{each:.2f}" for each in cosines]
        assert page.locator("#grid p a").first.get_attribute("href") == settings.STORE_PAGE.format(appid=near[0])

    opened(page, gallery)
    assert grid(page)[: len(HOSTILE)] == HOSTILE
    loaded(page.locator("#grid img").first)
    page.keyboard.press("/")
    page.keyboard.type("moonwrm ember")  # forgiven
    page.locator("#list li", has_text="Ember").first.wait_for()
    page.keyboard.press("Enter")
    query = next(appid for appid, name in names.items() if name.startswith("Moonwyrm: Ember"))
    shows(query)
    page.locator("#grid li > a").nth(2).click()
    shows(int(matches.of(query)[0][2]))
    page.go_back()
    shows(query)
    page.locator("#text").fill("gloom")
    page.keyboard.press("ArrowDown")
    second = int(page.locator("#list li[aria-selected=true] small").text_content())
    page.locator("#list li").nth(1).click()
    shows(second)
    page.get_by_role("button", name="A random game").click()
    page.wait_for_url(lambda url: not url.endswith(f"#{second}"))
    assert page.said == []


@in_browser
def test_an_address_with_an_appid_leads_there(page, gallery, games):
    appid = int(games["appid"].iloc[20])
    opened(page, gallery, f"#{appid}")
    page.locator("#query").get_by_text(f"appid {appid}").wait_for()
    assert page.title().startswith(games["name"].iloc[20])


@in_browser
def test_hostile_names_are_text(page, gallery, games):
    for appid, name in zip(games["appid"], HOSTILE, strict=False):
        opened(page, gallery, f"#{appid}")
        page.locator("#query h2").wait_for()
        assert page.locator("#query h2").text_content() == name
        page.locator("#text").fill(name)
        page.locator("#list li").first.wait_for()
        assert name in page.locator("#list bdi").all_text_contents()
    assert "hacked" not in page.title().replace(HOSTILE[-1], "")
    assert page.evaluate("document.querySelectorAll('main b, main img[src=x], body script:not([src])').length") == 0
    assert page.said == []


@in_browser
def test_the_page_runs_no_script_but_its_own(page, gallery):
    opened(page, gallery)
    page.evaluate("document.body.append(make('script', { textContent: 'document.title = 1' }))")
    page.evaluate("document.body.append(make('img', { src: 'http://a.test/x.jpg' }))")
    page.wait_for_timeout(100)
    assert page.title().endswith("games that look alike")
    refused = [said for said in page.said if "Content Security Policy" in said]
    assert len(refused) == len(page.said) == 2


@in_browser
def test_search_finds_what_the_picker_finds(page, gallery, games, matches):
    known = games[games["appid"].isin(matches.appids)].sort_values("appid")
    index = Index(known["appid"].tolist(), known["name"].tolist(), known["review_count"].tolist())
    opened(page, gallery)
    words = ["the", "THE  paper", "wurfel", "WÜRFEL & kreis", "зимовье", "αστρολαβος", "墨鯉", "???", "a", "zzzzqqqq"]
    words += ["moonwrym", "kettel clover", "gilded spier", str(known["appid"].iloc[7]), *known["name"]]
    for each in words:
        assert page.evaluate("words => index.find(words).map(row => index.appids[row])", each) == index.find(each), each


@in_browser
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


@in_browser
def test_filters_leave_out_what_does_not_pass(page, gallery, games, matches, extras):
    table = games.set_index("appid")
    appid = int(matches.appids[0])
    opened(page, gallery, f"#{appid}")
    page.locator("#grid li").first.wait_for()
    near = matches.of(appid)[0].tolist()
    names = dict(zip(matches.appids.tolist(), matches.names, strict=True))
    tag = table.loc[near[0], "tags"][0]
    page.get_by_text("Filters", exact=True).click()
    page.locator("#tag").select_option(label=tag)
    assert grid(page) == [names[each] for each in near if tag in table.loc[each, "tags"]]
    page.locator("#tag").select_option(label="any")
    page.locator("#score").fill("80")
    assert grid(page) == [names[each] for each in near if table.loc[each, "review_score"] >= 80]
    page.locator("#score").fill("")
    page.locator("#others").check()
    assert grid(page) == [names[near[at]] for at in matching.by_others(np.array(near), appid, games)]
    page.locator("#others").uncheck()
    page.locator("#distinct").check()
    assert grid(page) == [names[each] for each in near if each not in extras.groups[0]]
    page.locator("#distinct").uncheck()
    page.locator("#mirrored").check()
    assert grid(page) == [names[each] for each in reversed(near)]
    page.locator("#mirrored").uncheck()
    page.locator("#year").fill("2099")
    page.get_by_text("None of its 8 matches passes these filters.").wait_for()
    page.locator("#year").fill("")
    assert page.said == []


@in_browser
def test_the_map_zooms_tells_and_leads_to_a_game(page, gallery, matches):
    opened(page, gallery, "#map")
    page.locator("#plane").wait_for()
    until(page, "plane.shown?.length > 0")
    everything = page.evaluate("plane.shown.length")
    assert everything == len(matches.appids)
    place = page.evaluate("[plane.x(0), plane.y(0)]")
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    page.locator("#tip bdi").wait_for()
    shown = page.locator("#tip bdi").text_content()
    row = page.evaluate("([x, y]) => plane.nearest(x, y)", place)
    assert shown == page.evaluate("row => index.names[row]", row)
    page.locator("#plane").focus()
    for _ in range(6):
        page.keyboard.press("+")
    until(page, f"plane.shown.length < {everything}")
    page.keyboard.press("0")
    until(page, f"plane.shown.length === {everything}")
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    chosen = page.evaluate("row => index.appids[row]", row)
    page.wait_for_url(lambda url: url.endswith(f"#{chosen}"))
    assert page.said == []


@in_browser
def test_the_views_of_unique_games_and_near_duplicates(page, gallery, matches):
    opened(page, gallery, "#unique")
    page.get_by_role("heading", name="The most unique banners").wait_for()
    table = matching.most_unique(matches, 250)
    assert grid(page) == table["name"].tolist()
    opened(page, gallery, "#duplicates")
    page.get_by_text("3 games", exact=True).wait_for()
    assert grid(page) == matches.names[:3].tolist()


@in_browser
def test_a_light_page_for_who_prefers_light(page, gallery):
    ground = "getComputedStyle(document.body).backgroundColor"
    opened(page, gallery)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) != dark


@in_browser
def test_without_reviews_games_are_shown_from_a_to_z(page, games, matches, tmp_path):
    gallery = share.gallery(matches, games.assign(review_count=0), {}, tmp_path / "gallery")
    opened(page, gallery)
    page.get_by_role("heading", name="Games from A to Z").wait_for()
    assert grid(page) == sorted(matches.names.tolist(), key=str.casefold)[:100]


@in_browser
def test_empty_and_error_states(page, games, matches, tmp_path):
    gallery = share.gallery(matches, games, {}, tmp_path / "gallery", popular=[])
    opened(page, gallery)
    page.locator("#text").fill("zzzzqqqq")
    page.get_by_text("No game is called that, nor nearly so.").wait_for()
    for place, said in {"#99": "No game here has the appid 99.", "#<b>x": "is no appid"}.items():
        opened(page, gallery, place)
        page.locator("#message", has_text=said).wait_for()
    chunks = [file for file in (gallery.parent / "data").iterdir() if file.stem.isdigit()]
    for file in chunks:
        file.rename(file.with_suffix(".gone"))
    opened(page, gallery, f"#{matches.appids[0]}")
    page.locator("#message", has_text="could not be loaded").wait_for()
    for file in chunks:
        file.with_suffix(".gone").rename(file)
    page.get_by_role("button", name="Try again").click()
    page.locator("#query h2").wait_for()


@in_browser
def test_pictures_in_the_folder_are_shown_on_a_phone(page, games, matches, tmp_path):
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids.tolist()[1:]}
    gallery = share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder")
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, gallery, f"#{matches.appids[1]}")
    loaded(page.locator("#query img"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    opened(page, gallery, f"#{matches.appids[0]}")
    page.locator("#query .missing").wait_for()
    assert page.said == []
