"""In a real kernel: a cell out of order and a stopped one say in one line what to do; other errors stay Python's."""

import nbclient
import nbformat

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


def test_an_error_of_ours_is_one_line_and_any_other_is_pythons():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.split("---")]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, kernel_name="python3", allow_errors=True).execute()
    print_album, show_albums, broken, stopped = (
        output.traceback for cell in made.cells[1:] for output in cell.outputs if output.output_type == "error"
    )
    unmade = "CellError: no cell has made `{}` yet; run the cells above this one, or correct the name"
    assert (print_album, show_albums) == ([unmade.format("album")], [unmade.format("albums")])
    assert len(broken) > 1
    assert "broken" in "".join(broken)
    assert stopped == ["CellError: what is finished is kept; run this cell again to go on"]
