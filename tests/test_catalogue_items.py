"""What the store says of a game: a row, or a reason; never an exception, whatever the JSON."""

import json
import math
import re

import hypothesis
import pytest
from hypothesis import strategies

from utils import catalogue
from utils.catalogue import row, values

GOOD = {"appid": 20, "name": "Good", "success": 1}
ASSETS = {"asset_url_format": "steam/apps/20/${FILENAME}?t=5", "library_capsule": "abc/library_600x900.jpg"}
OTHER = {"appid": 10, "name": "Other", "success": 1}
BASE = "https://host/store_item_assets/"

anything = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats()
    | strategies.integers()
    | strategies.sampled_from([10**400, -(2**63), 2**63, "--1", "\u00b2", "\ud800", "a\0b", "x" * 10_000, "12", ""])
    | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(strategies.text(), inner, max_size=4),
    max_leaves=8,
)
items = strategies.fixed_dictionaries(
    {"appid": anything | strategies.integers(1, 30)},
    optional=dict.fromkeys(("type", "item_type", "tagids"), anything)
    | {
        "content_descriptorids": anything,
        "name": anything | strategies.just("Game"),
        "success": anything | strategies.just(1),
        "assets": anything | strategies.fixed_dictionaries({}, optional=dict.fromkeys(ASSETS, anything)),
        "basic_info": anything
        | strategies.fixed_dictionaries({}, optional={"developers": anything, "publishers": anything}),
        "reviews": anything | strategies.fixed_dictionaries({"summary_filtered": anything}),
        "release": anything | strategies.fixed_dictionaries({"steam_release_date": anything}),
    },
)


def fetched(store_of, items, **options):
    return catalogue.fetch_catalogue(api_url=store_of(items), **options)


def is_good(found):
    """Whether a row is what the columns promise, and can be written down."""
    return (
        0 < found["appid"] < 2**32
        and all(0 <= found[name] < 2**63 for name in ("updated", "release_date", "review_count"))
        and (math.isnan(found["review_score"]) or 0 <= found["review_score"] <= 100)
        and all(_is_clean(name) for name in _names_of(found))
        and _lies_under_base(found["banner_url"])
    )


def _lies_under_base(address):
    return address is None or (address.startswith(BASE) and ".." not in address and address.isprintable())


def _names_of(found):
    return [found["name"], *found["developers"], *found["publishers"], *found["franchises"], *found["tags"]]


def _is_clean(name):
    """Letters of a newer Unicode than Python's are as good as any."""
    breaks = re.search("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]", name)
    return name.encode() and not breaks and name == name.strip() and len(name) <= values.TEXT


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**GOOD, "success": 15}, "hidden"),
        ({**GOOD, "success": None}, "hidden"),
        ({**GOOD, "type": 4}, "not a game"),
        ({**GOOD, "appid": None}, "without appid"),
        ({**GOOD, "appid": -20}, "without appid"),
        ({**GOOD, "appid": 10**400}, "without appid"),
        ({**GOOD, "appid": 2**32}, "without appid"),
        ({**GOOD, "appid": True}, "without appid"),
        ({**GOOD, "appid": "--20"}, "without appid"),
        ({**GOOD, "name": 7}, "without appid or name"),
        ({**GOOD, "name": "\ud800\0\u202e "}, "without appid or name"),
        ({**GOOD, "basic_info": "text"}, "'basic_info' of another type"),
        ({**GOOD, "assets": [1]}, "'assets' of another type"),
        ({**GOOD, "content_descriptorids": "3"}, "content descriptors of another type"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "../../x.jpg"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "a//x.jpg"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "https://evil.example/x.jpg"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": "x" * 1_000}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "library_capsule": 12}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": "//evil.example/${FILENAME}"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": "steam/../${FILENAME}"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": "steam/${FILENAME}?t=5&u=@evil.example"}}, "file name"),
        ({**GOOD, "assets": {**ASSETS, "asset_url_format": ["steam/${FILENAME}"]}}, "file name"),
    ],
)
def test_malformed_items_are_skipped_and_counted(store_of, item, reason):
    games = fetched(store_of, [OTHER, item, "no object", {**OTHER, "appid": "30"}])
    assert games["appid"].tolist() == [10, 30]
    reasons = [each for each in games.attrs["skipped"] if each != "listed without details"]
    assert len(reasons) == 1
    assert reason in reasons[0]
    assert reasons[0] in catalogue.summary(games)


@pytest.mark.parametrize(
    ("odd", "column", "value"),
    [
        ({"name": "a\0b\ud800 \u202ec\n d"}, "name", "ab c d"),
        ({"name": "x" * 10_000}, "name", "x" * 199 + "…"),
        ({"tagids": None}, "tags", []),
        ({"tagids": 5}, "tags", []),
        ({"tagids": [None, {}, "--1", 10**400]}, "tags", []),
        ({"basic_info": None}, "developers", []),
        ({"basic_info": {"developers": None, "publishers": 5}}, "publishers", []),
        ({"basic_info": {"developers": [{"name": "A\ud800"}, {"name": 5}, None, {}]}}, "developers", ["A"]),
        ({"basic_info": {"franchises": [{"name": "x"}] * 1_000}}, "franchises", ["x"] * 20),
        ({"reviews": {"summary_filtered": {"review_count": 10**400}}}, "review_count", 0),
        ({"reviews": {"summary_filtered": {"review_count": "-5"}}}, "review_count", 0),
        ({"reviews": {"summary_filtered": {"review_count": 5, "percent_positive": 10**400}}}, "review_score", 0.0),
        ({"release": {"steam_release_date": 2**62}}, "release_date", 0),
        ({"assets": None}, "banner_url", None),
        ({"content_descriptorids": None}, "adult", False),
    ],
)
def test_odd_values_cost_a_value_not_a_game(store_of, tmp_path, odd, column, value):
    games = fetched(store_of, [OTHER, {**GOOD, **odd}])
    assert games.set_index("appid").loc[20, column] == value
    catalogue.save(games, tmp_path / "catalogue.parquet")
    assert catalogue.load(tmp_path / "catalogue.parquet")["appid"].tolist() == [10, 20]


def test_games_listed_without_details_are_counted(store_of):
    games = fetched(store_of, [{"appid": 1, "name": "One"}, None, None])
    assert games.attrs["skipped"] == {"listed without details": 2}


def test_numbers_as_text_and_the_larger_banner(store_of):
    item = {
        **GOOD,
        "appid": "10",
        "assets": {
            "asset_url_format": "steam/apps/10/${FILENAME}",
            "library_capsule_2x": "hash/library_capsule_2x.jpg",
        },
        "reviews": {"summary_filtered": {"review_count": "12", "percent_positive": "91"}},
        "release": {"steam_release_date": "1500000000"},
        "content_descriptorids": ["3"],
    }
    game = fetched(store_of, [item], assets_url=BASE, adult=True).iloc[0]
    assert game["banner_url"] == f"{BASE}steam/apps/10/hash/library_capsule_2x.jpg"
    assert (game["review_count"], game["review_score"], game["release_date"]) == (12, 91.0, 1_500_000_000)
    assert game["adult"]
    assert game["updated"] == 0


@pytest.mark.parametrize(
    "ranks", [None, 5, [None, 7], [{"rank": "--1", "appid": 5}], [{"rank": 1, "appid": 10**400}], [{"rank": "²"}]]
)
def test_a_chart_of_nonsense_is_empty(httpserver, ranks):
    httpserver.expect_request("/ISteamChartsService/GetMostPlayedGames/v1/").respond_with_json(
        {"response": {"ranks": ranks}}
    )
    chart = catalogue.fetch_most_played(api_url=httpserver.url_for(""))
    assert chart.empty
    assert list(chart.columns) == ["rank", "appid"]


@hypothesis.given(items)
@hypothesis.example({"appid": 1, "name": "\U00014647"})
def test_any_item_is_a_row_or_a_reason(item):
    item = json.loads(json.dumps(item))
    try:
        found = row.row(item, BASE, {1: "Tag"})
    except ValueError as error:
        assert str(error).startswith(("with", "hidden", "not a game"))  # noqa: PT017
    else:
        assert is_good(found)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(strategies.lists(items | anything, max_size=4))
def test_any_answer_is_rows_or_counted(store_of, tmp_path, answer):
    games = fetched(store_of, [OTHER, *answer])
    assert 10 in games["appid"].tolist()
    catalogue.save(games, tmp_path / "catalogue.parquet")
    assert catalogue.load(tmp_path / "catalogue.parquet")["name"].tolist() == games["name"].tolist()
