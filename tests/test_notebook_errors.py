"""In a real kernel: a cell out of order and a stopped one say in one line what to do; other errors stay Python's."""

import nbclient
import nbformat
import pytest

CELLS = """
from utils import notebook; notebook.plain_errors()
---
print(album)
---
print(something_else)
---
raise KeyboardInterrupt
"""


@pytest.fixture(scope="module")
def errors():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.split("---")]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, kernel_name="python3", allow_errors=True).execute()
    return [output.traceback for cell in made.cells[1:] for output in cell.outputs if output.output_type == "error"]


def test_a_cell_out_of_order_says_which_comes_first(errors):
    assert errors[0] == ["OutOfOrder: run the cell under “The banners” first: it makes `album`"]


def test_another_name_is_python_s_own_error(errors):
    assert len(errors[1]) > 1
    assert "something_else" in "".join(errors[1])


def test_a_stopped_cell_says_how_to_go_on(errors):
    assert errors[2] == ["Stopped: what is finished is kept; run this cell again to go on"]
