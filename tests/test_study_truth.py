"""The study's truths: which games belong together, and which queries are asked."""

import pandas as pd

from study import truth


def games(*rows):
    """A catalogue of (appid, franchises, developers, publishers)."""
    return pd.DataFrame(rows, columns=["appid", "franchises", "developers", "publishers"])


def test_games_of_one_franchise_belong_together_however_it_is_spelt():
    queries = truth.franchises(games((1, ["Half-Life"], [], []), (2, ["HALF LIFE "], [], []), (3, ["Portal"], [], [])))
    assert queries == [truth.Query(1, "halflife", frozenset({2})), truth.Query(2, "halflife", frozenset({1}))]


def test_a_query_counts_for_the_smallest_of_its_franchises():
    rows = (1, ["Tom", "Siege"], [], []), (2, ["Tom", "Siege", "Alone"], [], []), (3, ["Tom"], [], [])
    found = {query.appid: query for query in truth.franchises(games(*rows))}
    assert (found[1].group, found[1].relevant) == ("siege", {2, 3})
    assert found[2].group == "siege"
    assert (found[3].group, found[3].relevant) == ("tom", {1, 2})


def test_franchises_that_name_a_publisher_are_dropped():
    house = [(appid, ["Sega"], ["A"], ["SEGA"]) for appid in range(2)]
    studios = [(appid, ["Studios"], [f"Team {appid}"], []) for appid in range(10, 15)]
    large = [(appid, ["Everything"], ["One"], []) for appid in range(100, 151)]
    series = [(appid, ["Long series"], [f"Team {appid % 5}"], []) for appid in range(200, 211)]
    hands = [(appid, ["Many hands"], [f"Team {appid % 5}"], []) for appid in range(300, 310)]
    kept = truth.franchises(games(*house, *studios, *large, *series, *hands))
    assert {query.group for query in kept} == {"longseries"}
    assert {query.group for query in truth.franchises(games(*studios[:4], *large[:50]))} == {"studios", "everything"}


def test_developers_count_only_across_franchises():
    rows = (1, ["X"], ["Dev"], []), (2, ["X"], ["dev "], []), (3, ["Y"], ["DEV"], []), (4, [], ["Dev"], [])
    too_many = [(100 + number, [f"Series {number}"], ["Publisher"], []) for number in range(truth.LARGEST + 1)]
    queries = truth.developers(games(*rows, *too_many))
    assert queries == [
        truth.Query(1, "dev", frozenset({3}), frozenset({2})),
        truth.Query(2, "dev", frozenset({3}), frozenset({1})),
        truth.Query(3, "dev", frozenset({1, 2}), frozenset()),
    ]


def test_queries_among_some_games_keep_what_can_be_found():
    queries = [truth.Query(1, "a", frozenset({2, 3})), truth.Query(4, "b", frozenset({5})), truth.Query(6, "c", {1})]
    assert truth.among(queries, [1, 2, 4]) == [truth.Query(1, "a", frozenset({2}))]


def test_the_halves_part_the_groups():
    queries = [truth.Query(appid, f"group {appid // 3}", frozenset({0})) for appid in range(300)]
    one, other = truth.half(queries, "development"), truth.half(queries, "test")
    assert sorted(one + other) == queries
    assert not {query.group for query in one} & {query.group for query in other}
    assert 30 < len({query.group for query in one}) < 70
