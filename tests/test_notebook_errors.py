"""In a real kernel: errors of ours are one line each, others stay Python's; a name in a table is no formula."""

import nbclient
import nbformat
import pytest

CELLS = """
from utils import errors; errors.plain_errors()
---
print(album)
---
def show(): return [each for each in albums]
show()
---
from utils import names
exec("broken", names.__dict__)
---
raise KeyboardInterrupt
---
import pandas as pd
pd.DataFrame({"name": ["From $1 to $2", r"\\(x\\)"]})
"""


@pytest.fixture(scope="module")
def outputs():
    """What the cells show, one output a cell that has one."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.split("---")]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, kernel_name="python3", allow_errors=True).execute()
    return [output for cell in made.cells for output in cell.outputs]


def test_an_error_of_ours_is_one_line_and_any_other_is_pythons(outputs):
    print_album, show_albums, broken, stopped = (output.traceback for output in outputs[:4])
    unmade = "CellError: no cell has made `{}` yet; run the cells above this one, or correct the name"
    assert (print_album, show_albums) == ([unmade.format("album")], [unmade.format("albums")])
    assert len(broken) > 1
    assert "broken" in "".join(broken)
    assert stopped == ["CellError: what is finished is kept; run this cell again to go on"]


def test_no_name_in_a_table_is_a_formula(outputs):
    shown = outputs[-1].data["text/html"]
    assert "From <span>$</span>1 to <span>$</span>2" in shown
    assert r"<span>\</span>(x<span>\</span>)" in shown
