"""How thin the house is: lines, comprehensions, packed values and function lengths per room, and who imports whom.

    python -m tools.house

A room is a file or a package of utils. A packed assignment gives several names several values in one line. An arrow
goes up where a room imports one that the map in utils/__init__.py puts below it. The limits are in tests/test_house.py.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pandas as pd

HOUSE = Path(__file__).parents[1]
BESIDE = ("sample", "tools", "training", "benchmarks", "tests")  # folders beside utils that have a row each

_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class File:
    """A file of Python, read."""

    module: str  # its dotted name, such as utils.show.page
    lines: int
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room of utils that it belongs to, or the folder beside utils."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "utils" and len(parts) > 1 else parts[0]

    def imports(self) -> Iterator[tuple[str, str]]:
        """Yield what it imports: a module's dotted name, and the name taken from it, if any."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", alias.name) for alias in node.names)


def files(folder: str) -> list[File]:
    """Return the files of a folder of the house, in the order of their paths."""
    found = []
    for path in sorted((HOUSE / folder).rglob("*.py")):
        module = ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text()
        found.append(File(module, text.count("\n"), ast.parse(text)))
    return found


def measured(some: Sequence[File]) -> dict[str, float]:
    """Return the figures of some files; comprehensions and packed assignments are per 1,000 lines."""
    nodes = [node for file in some for node in ast.walk(file.tree)]
    lines = sum(file.lines for file in some)
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in nodes if isinstance(node, _FUNCTIONS)]
    return {
        "files": len(some),
        "lines": lines,
        "longest": max(file.lines for file in some),
        "functions": len(lengths),
        "mean length": sum(lengths) / max(1, len(lengths)),
        "comprehensions": 1000 * sum(isinstance(node, _COMPREHENSIONS) for node in nodes) / lines,
        "packed": 1000 * sum(map(_is_packed, nodes)) / lines,
    }


def table() -> pd.DataFrame:
    """Return the figures of each room, of all of utils, and of the folders beside it."""
    utils = files("utils")
    rows = {}
    for room in rooms(utils):
        rows[room] = measured([file for file in utils if file.room == room])
    rows["utils"] = measured(utils)
    for folder in BESIDE:
        rows[f"{folder}/"] = measured(files(folder))
    return pd.DataFrame.from_dict(rows, orient="index")


def rooms(utils: Sequence[File]) -> list[str]:
    """Return the rooms as the map in utils/__init__.py lists them: each imports only those above it."""
    here = {file.room for file in utils}
    drawn = re.findall(r"^(\w+) {2,}", ast.get_docstring(utils[0].tree) or "", re.MULTILINE)
    return [*drawn, *sorted(here - set(drawn) - {"utils"})]


def arrows_up(utils: Sequence[File]) -> list[str]:
    """Return the imports from a room of one that stands below it on the map, or not at all."""
    places = {room: place for place, room in enumerate(rooms(utils))}
    up = []
    for file in utils:
        for module in _modules(file, utils):
            other = module.split(".")[1]
            if file.room != "utils" and places[other] > places[file.room]:
                up.append(f"{file.module} imports {module}")
    return up


def circle(utils: Sequence[File]) -> list[str]:
    """Return the modules of a circle of imports, or none; a package's doors are not part of the way to its files."""
    graph = {file.module: _modules(file, utils) for file in utils}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def private_imports(some: Sequence[File]) -> list[str]:
    """Return the imports of another module's private names; ruff's SLF finds private attributes."""
    private = []
    for file in some:
        for module, name in file.imports():
            if name.startswith("_") and not name.startswith("__"):
                private.append(f"{file.module} imports {name} of {module}")
    return private


def _modules(file: File, utils: Sequence[File]) -> set[str]:
    """Return the modules of utils that a file imports."""
    known = {other.module for other in utils} - {"utils"}
    found = set()
    for module, name in file.imports():
        whole = f"{module}.{name}" if name else module
        found.add(whole if whole in known else module)
    return found & known


def _is_packed(node: ast.AST) -> bool:
    """Return whether a node is `a, b = x, y`."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)


if __name__ == "__main__":
    house = files("utils")
    print(table().to_string(float_format="{:.1f}".format))
    print("arrows up:", arrows_up(house))
    print("circle:", circle(house))
    print("private names that cross:", private_imports([*house, *files("tests"), *files("benchmarks")]))
