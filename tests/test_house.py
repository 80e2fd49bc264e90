"""The house stays thin: short files, arrows that run one way, and few lines that one has to read twice."""

import ast

import pytest

from tools import house

UTILS = house.files("utils")


def test_utils_keeps_to_its_limits():
    figures = house.measured(UTILS)
    assert figures["longest"] <= 200
    assert figures["mean length"] < 10
    assert figures["comprehensions"] < 25
    assert figures["packed"] < 3


def test_arrows_run_one_way_and_meet_no_private_name():
    assert house.arrows_up(UTILS) == []
    assert house.circle(UTILS) == []
    assert house.private_imports([*UTILS, *house.files("tests")]) == []


def test_the_map_names_every_room():
    assert {file.room for file in UTILS} == {*house.rooms(UTILS), "utils"}
    assert not [room for room in house.rooms(UTILS) if f"\n{room} " not in (ast.get_docstring(UTILS[0].tree) or "")]


@pytest.mark.parametrize(
    ("code", "name", "count"),
    [
        ("a, b = 1, 2\nc, d = f()\ne = 1, 2\n", "packed", 1),
        ("a = [b for b in c]\nd = {e: f for e, f in g}\nh = sum(i for i in j)\n", "comprehensions", 3),
        ("def a():\n    pass\nclass B:\n    async def c(self):\n        return 1\n", "functions", 2),
    ],
)
def test_figures_count_what_they_say(code, name, count):
    file = house.File("utils.made_up", 1000, ast.parse(code))
    assert house.measured([file])[name] == count


def test_a_wrong_arrow_a_circle_and_a_private_name_are_found():
    map_of_two = house.File("utils", 3, ast.parse('"""Rooms.\n\nlow   first\nhigh  second\n"""'))
    low = house.File("utils.low", 1, ast.parse("from utils.high import _secret"))
    high = house.File("utils.high", 1, ast.parse("import utils.low"))
    assert house.arrows_up([map_of_two, low, high]) == ["utils.low imports utils.high"]
    assert set(house.circle([map_of_two, low, high])) == {"utils.low", "utils.high"}
    assert house.private_imports([low, high]) == ["utils.low imports _secret of utils.high"]
