"""In a real kernel: a cell out of order and a stopped one say in one line what to do; other errors stay Python's."""

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
"""


@pytest.fixture(scope="module")
def errors():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.split("---")]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, kernel_name="python3", allow_errors=True).execute()
    return [output.traceback for cell in made.cells[1:] for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize(("cell", "name"), [(0, "album"), (1, "albums")])
def test_a_name_that_no_cell_has_made_is_one_line(errors, cell, name):
    said = f"CellError: no cell has made `{name}` yet; run the cells above this one, or correct the name"
    assert errors[cell] == [said]


def test_a_name_missing_in_a_module_is_python_s_own_error(errors):
    assert len(errors[2]) > 1
    assert "broken" in "".join(errors[2])


def test_a_stopped_cell_says_how_to_go_on(errors):
    assert errors[3] == ["CellError: what is finished is kept; run this cell again to go on"]
