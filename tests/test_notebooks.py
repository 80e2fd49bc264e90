"""The notebooks: what is stored in them, that a run gives the same, a run over real covers, and errors in a kernel."""

import base64
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DOWNLOAD, MATCH = ROOT / "download_steam_webdataset.ipynb", ROOT / "match_steam_banners_with_BEiT.ipynb"
STUDY = ROOT / "study" / "how_good_are_the_matches.ipynb"
COVERS = ROOT.parent / "shared" / "real-covers"
EACH = pytest.mark.parametrize("file", [DOWNLOAD, MATCH, STUDY], ids=lambda file: file.stem)
EXECUTE = ["nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.store_widget_state=False"]
ERRORS = r"""
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
pd.DataFrame({"name": ["From $1 to $2", r"\(x\)"]})
"""


def run(*words, **values):
    """Run a module of Python with these settings, such as BANNERS_SOURCE, and return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEAM_")}
    kept |= {f"STEAM_{name}": str(value) for name, value in values.items()}
    command = [sys.executable, "-m", *map(str, words)]
    ran = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-8_000:]
    return ran.stdout


def code(file):
    return [cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code"]


def outputs(file):
    return [output for cell in code(file) for output in cell.outputs]


def figures(file):
    """Return the pictures in a notebook's outputs, as the bytes of files."""
    shown = (output.get("data", {}) for output in outputs(file))
    return [base64.b64decode(data[kind]) for data in shown for kind in ("image/jpeg", "image/png") if kind in data]


@EACH
def test_stored_outputs_are_of_one_run_tell_nothing_of_the_machine_and_say_in_words_what_figures_show(file):
    cells = code(file)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in [output.output_type for output in outputs(file)]
    text = file.read_text()
    assert len(text) < 3_000_000
    without_pictures = re.sub(r'"image/(png|jpeg)": "[^"]+"', "", text)
    assert not re.search(r"/root/|/home/|/tmp/|/Users/|site-packages|\.venv", without_pictures)
    assert "widgets" not in nbformat.read(file, 4).metadata
    pictures = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in figures(file)]
    assert len(pictures) >= {DOWNLOAD: 3, MATCH: 4, STUDY: 6}[file]
    assert min(picture.std() for picture in pictures) > 10
    assert min(picture.shape[1] for picture in pictures) >= 1000
    for output in outputs(file):
        if "image/jpeg" in output.get("data", {}):
            assert len(output.metadata["image/jpeg"]["alt"]) > 20
        html = output.get("data", {}).get("text/html", "")
        assert html.count("<img") == html.count("alt=")


def test_three_settings_come_first_the_picker_is_the_first_thing_shown_and_the_readme_shows_the_figures():
    cells = code(MATCH)
    asked = [line.split(" =")[0] for line in cells[1].source.splitlines() if "@param" in line]
    assert asked == ["SOURCE", "GAMES", "QUERY"]
    shown = [cell for cell in cells if any(output.output_type == "display_data" for output in cell.outputs)]
    assert "picker.pick(" in shown[0].source
    (output,) = shown[0].outputs
    assert output.data.keys() == {"text/html", "text/plain"}
    assert output.data["text/html"].count("<img") == 11
    in_readme = [(ROOT / "docs" / f"sample_{name}.jpg").read_bytes() for name in ("matches", "reasons")]
    assert figures(MATCH)[:2] == in_readme


@EACH
def test_colab_is_given_a_gpu_and_the_right_repository_and_cells_are_short_with_a_word_before_them(file):
    notebook = nbformat.read(file, 4)
    assert notebook.metadata.accelerator == "GPU"
    assert notebook.metadata.colab.gpuType == "T4"
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    owner = repository.removeprefix("https://github.com/")
    badge = f"https://colab.research.google.com/github/{owner}/blob/main/{file.relative_to(ROOT)}"
    assert badge in notebook.cells[0].source
    assert badge in (ROOT / "README.md").read_text()
    assert f"git clone -q --depth 1 {repository} /content/steam-BEiT\n" in code(file)[0].source
    for before, cell in itertools.pairwise(notebook.cells):
        if cell.cell_type == "code" and "# @title Setup" not in cell.source:
            lines = [line for line in cell.source.splitlines() if line.strip() and "# @" not in line]
            assert len(lines) <= 7, cell.source
            assert before.cell_type == "markdown" or "# @param" in before.source, cell.source


def test_an_error_of_ours_is_one_line_any_other_is_pythons_and_no_name_in_a_table_is_a_formula():
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in ERRORS.split("---")]
    made = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(made, kernel_name="python3", allow_errors=True).execute()
    *failed, table = [output for cell in made.cells for output in cell.outputs]
    print_album, show_albums, broken, stopped = (output.traceback for output in failed)
    unmade = "CellError: no cell has made `{}` yet; run the cells above this one, or correct the name"
    assert (print_album, show_albums) == ([unmade.format("album")], [unmade.format("albums")])
    assert len(broken) > 1
    assert "broken" in "".join(broken)
    assert stopped == ["CellError: what is finished is kept; run this cell again to go on"]
    assert "From <span>$</span>1 to <span>$</span>2" in table.data["text/html"]
    assert r"<span>\</span>(x<span>\</span>)" in table.data["text/html"]


@pytest.mark.notebook
def test_a_run_on_the_sample_gives_what_is_stored(tmp_path):
    """nbval: every text and table strictly, but for paths, times and the device, which `sanitize.cfg` names."""
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600", "-p", "no:cacheprovider", "-q"]
    options += [f"--nbval-sanitize-with={ROOT / 'tests' / 'sanitize.cfg'}", "-o", "addopts="]
    names = {"BANNERS_SOURCE": "sample", "BANNERS_DTYPE": "float32", "BANNERS_QUERY": "Moonwyrm"}
    said = run("pytest", *options, DOWNLOAD.name, MATCH.name, STUDY, **names, BANNERS_DATA=tmp_path / "data")
    assert re.search(r"\d+ passed", said)


@pytest.mark.notebook
@pytest.mark.skipif(not COVERS.is_dir(), reason="the real covers are not beside this repository")
def test_real_covers_find_their_variants_of_other_regions(tmp_path):
    values = {"BANNERS_SOURCE": "folder", "BANNERS_FOLDER": COVERS, "BANNERS_GAMES": 0, "BANNERS_DATA": tmp_path}
    for file in (DOWNLOAD, MATCH):
        run(*EXECUTE, f"--output-dir={tmp_path}", file.name, **values)
    assert "339 games asked: 339 downloaded" in json.dumps(outputs(tmp_path / DOWNLOAD.name))
    assert len(figures(tmp_path / MATCH.name)) == 4


@pytest.mark.notebook
def test_no_network_is_one_line_that_names_the_host_and_the_sample(tmp_path):
    values = {"API_URL": "http://127.0.0.1:9", "BANNERS_SOURCE": "steam", "BANNERS_DATA": tmp_path}
    run(*EXECUTE, "--allow-errors", f"--output-dir={tmp_path}", DOWNLOAD.name, **values)
    said = [output.traceback for output in outputs(tmp_path / DOWNLOAD.name) if output.output_type == "error"]
    assert len(said[0]) == 1
    assert re.fullmatch(r"StoreError: 127\.0\.0\.1:9 cannot be reached.*'sample'.*", said[0][0])
