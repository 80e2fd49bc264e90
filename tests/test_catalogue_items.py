"""What the store says of a game, a row or a reason whatever the JSON; and the rows in a file, whole or not at all."""

import json
from functools import partial

import hypothesis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hosts import refusal
from hypothesis import strategies

from utils import catalogue
from utils.errors import DamagedError, StorageError, StoreError

GOOD = {"appid": 20, "name": "Good", "success": 1}
PATH, TEMPLATE = "library_capsule", "asset_url_format"
ASSETS = {TEMPLATE: "steam/apps/20/${FILENAME}?t=5", PATH: "abc/library_600x900.jpg"}
OTHER = {"appid": 10, "name": "Other", "success": 1}
REVIEWS = {"review_count": "12", "percent_positive": "91"}
BASE = "https://host/store_item_assets/"
BAD_PATHS = "../../x.jpg", "a//x.jpg", "https://e.example/x.jpg", "x" * 1_000, 12
BAD_TEMPLATES = "//e/${FILENAME}", "a/../${FILENAME}", "a/${FILENAME}?t=5&u=@e.example", "a/${FILE}?t=5", ["a"], None

KEYS = ["appid", "name", "success", "type", "item_type", "tagids", "content_descriptorids", "assets", "basic_info"]
KEYS += ["developers", "publishers", "reviews", "summary_filtered", "release", "steam_release_date", PATH, TEMPLATE]
keys = strategies.sampled_from(KEYS)
anything = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats()
    | strategies.integers()
    | strategies.sampled_from([10**400, -(2**63), 2**63, "--1", "\u00b2", "\ud800", "a\0b", "x" * 10_000, "12", "", 1])
    | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
FULL = GOOD | {"assets": ASSETS, "reviews": {"summary_filtered": REVIEWS}}
items = anything | strategies.dictionaries(keys, anything, max_size=4).map(lambda odd: FULL | odd)


def fetched(store_of, items, **options):
    return catalogue.fetch_catalogue(api_url=store_of(items), **options)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"success": 15, "name": ""}, "unknown"),
        ({"success": 15}, "not sold"),
        ({"success": 15, "name": "", "unvailable_for_country_restriction": True}, "not sold"),
        ({"success": None, "name": None}, "unknown"),
        ({"type": 4, "success": 15}, "not a game"),
        ({"item_type": 1}, "not a game"),
        *[({"appid": appid}, "without appid") for appid in (None, -20, 10**400, 2**32, True, "--20")],
        ({"name": "\ud800\0\u202e "}, "without appid or name"),
        *[({"content_descriptorids": ids}, "content descriptors") for ids in ("3", {"3": 1}, ["x"], [[3]], [None], 3)],
    ],
)
def test_a_bad_item_is_skipped_and_counted(store_of, changed, reason):
    games = fetched(store_of, [OTHER, GOOD | changed, "no object", {**OTHER, "appid": "30"}])
    assert games["appid"].tolist() == [10, 30]
    assert games.attrs["skipped"].pop("listed without details") == 4
    (found,) = games.attrs["skipped"]
    assert (reason in found, found in catalogue.summary(games)) == (True, True)


@pytest.mark.parametrize(
    ("odd", "column", "value", "unreadable"),
    [
        ({"name": "a\0b\ud800 \u202ec\n d"}, "name", "ab c d", {}),
        ({"name": "x" * 10_000}, "name", "x" * 199 + "…", {}),
        ({"tagids": [99]}, "tags", [], {}),
        ({"tagids": [None, {}, "--1", 10**400]}, "tags", [], {"tagids": 1}),
        ({"basic_info": "text"}, "developers", [], {"basic_info": 1}),
        ({"basic_info": {"developers": None, "publishers": 5}}, "publishers", [], {"publishers": 1}),
        ({"basic_info": {"developers": [{"name": "A\ud800"}, {"name": 5}, None, {}]}}, "developers", ["A"], {}),
        ({"basic_info": {"franchises": [{"name": "x"}] * 1_000}}, "franchises", ["x"] * 20, {}),
        (REVIEWS, "review_count", 12, {}),
        (REVIEWS, "review_score", 91.0, {}),
        (REVIEWS | {"review_count": "-5"}, "review_count", 0, {"review_count": 1}),
        (REVIEWS | {"percent_positive": "0"}, "review_score", 0.0, {}),
        (REVIEWS | {"percent_positive": 101}, "review_score", 0.0, {"percent_positive": 1}),
        ({"release": {"steam_release_date": 2**62}}, "release_date", 0, {"steam_release_date": 1}),
        ({"release": {"steam_release_date": "1500000000"}}, "release_date", 1_500_000_000, {}),
        ({"assets": {TEMPLATE: "a/${FILENAME}", f"{PATH}_2x": "b.jpg"}}, "banner_url", f"{BASE}a/b.jpg", {}),
        ({"assets": ASSETS}, "updated", 5, {}),
        ({"assets": [1]}, "banner_url", None, {"assets": 1}),
        ({"content_descriptorids": None}, "adult", False, {}),
        ({"content_descriptorids": ["3"]}, "adult", True, {}),
        *[({"assets": ASSETS | {PATH: bad}}, "banner_url", None, {PATH: 1}) for bad in BAD_PATHS],
        *[({"assets": ASSETS | {TEMPLATE: bad}}, "banner_url", None, {TEMPLATE: 1}) for bad in BAD_TEMPLATES],
    ],
)
def test_a_bad_value_costs_the_value_and_is_counted(store_of, odd, column, value, unreadable):
    item = {"reviews": {"summary_filtered": odd}} if "review_count" in odd else odd
    games = fetched(store_of, [OTHER, GOOD | item], assets_url=BASE, adult=True)
    assert games.set_index("appid").loc[20, column] == value
    assert games.attrs["unreadable"] == unreadable
    assert all(name in catalogue.summary(games) for name in unreadable)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(strategies.lists(items, max_size=4))
@hypothesis.example([{"appid": 1, "success": 1, "name": "\U00014647"}])
def test_any_answer_is_rows_that_can_be_kept(store_of, tmp_path, answer):
    games = fetched(store_of, json.loads(json.dumps([OTHER, *answer])), assets_url=BASE)
    assert 10 in games["appid"].tolist()
    assert all(address.startswith(BASE) and ".." not in address for address in games["banner_url"].dropna())
    catalogue.save(games, tmp_path / "catalogue.parquet")
    pd.testing.assert_frame_equal(catalogue.load(tmp_path / "catalogue.parquet"), games)  # within bounds


# In a file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "catalogue.parquet"


@pytest.fixture
def ask(file, store):
    return partial(catalogue.load_or_fetch, file, limit=30, api_url=store.api_url, assets_url=store.assets_url)


def test_the_same_request_or_one_that_is_not_known_asks_nothing_and_gives_what_was_saved(ask, file, store):
    assert "download notebook" in refusal(StorageError, catalogue.load, file)
    assert catalogue.finished_files(file) == []
    games = ask()
    assert [each.name for each in file.parent.iterdir()] == ["catalogue.parquet"]
    store.close()
    pd.testing.assert_frame_equal(ask(), games)
    assert ask().attrs == games.attrs
    moved = ask(assets_url=BASE)  # where Steam's pictures are has changed
    assert moved["banner_url"].tolist() == games["banner_url"].str.replace(store.assets_url, BASE).tolist()
    games.attrs = {"request": "a\nb", "skipped": "abc", "notes": 5}
    catalogue.save(games, file)
    assert len(ask(limit=40)) == 30


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"limit": 40}, 40), ({"order": "newest"}, 30), ({"adult": True}, 30), ({"limit": 0}, 1_300)],
)
def test_another_request_is_fetched_and_where_it_cannot_be_the_old_one_stays(ask, store, changed, found):
    games = ask(**changed)
    assert len(games) == found
    assert games.attrs["request"] != ask().attrs["request"]
    store.close()
    assert "LIMIT = 30, ORDER = 'top sellers'" in refusal(StoreError, ask, **changed)
    assert len(ask()) == 30


DAMAGED = {
    "no columns": lambda games: games[["appid", "name"]],
    "doubled": lambda games: pd.concat([games, games]),
    "nameless": lambda games: games.assign(name=None),
    "long text": lambda games: games.assign(tags=[["x" * 100_000]] * len(games)),
    "endless list": lambda games: games.assign(tags=[["x"] * 5_000] * len(games)),
    "null in a list": lambda games: games.assign(tags=[[None]] * len(games)),
    "a year beyond": lambda games: games.assign(release_date=2**62),
    "appid below 1": lambda games: games.assign(appid=-games["appid"]),
    "endless score": lambda games: games.assign(review_score=np.inf),
    "a name that turns text": lambda games: games.assign(name="a\u202eb"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_catalogue_is_one_line_and_fetched_again(ask, file, damage):
    games = ask()
    damaged = DAMAGED[damage](games)
    types = [each for each in pq.read_schema(file) if each.name in damaged]
    pq.write_table(pa.Table.from_pandas(damaged, pa.schema(types), preserve_index=False), file)
    assert str(file) in refusal(DamagedError, catalogue.load, file)
    assert (catalogue.finished_files(file), catalogue.finished_files(file, check=True)) == ([(file,)], [])
    pd.testing.assert_frame_equal(ask(), games)
    assert catalogue.finished_files(file, check=True) == [(file,)]
