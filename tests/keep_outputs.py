"""Make executed notebooks fit to be read without a kernel: python tests/keep_outputs.py NOTEBOOK ...

Bars and controls are nothing without a kernel, so cells tagged `nbval-ignore-output` are kept without output, but for
the still that a control brings. The first figures of the match notebook, where it stands beside the README, become the
README's pictures.
"""

import base64
import sys
from pathlib import Path

import nbformat

PICTURES = {"match_steam_banners_with_BEiT.ipynb": ["docs/sample_matches.jpg", "docs/sample_reasons.jpg"]}


def main(file: str) -> None:
    """Change a notebook in place, and write the README's pictures from it."""
    notebook = nbformat.read(file, 4)
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.outputs = [still for output in cell.outputs for still in stills(output)]
    nbformat.write(notebook, file)
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [data["image/jpeg"] for data in outputs if "image/jpeg" in data]
    for picture, figure in zip(PICTURES.get(file, []), figures, strict=False):
        Path(picture).write_bytes(base64.b64decode(figure))


def stills(output: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return a control's still as an output of its own, if it has one."""
    data = output.get("data", {})
    if not data.get("text/html"):
        return []
    return [nbformat.v4.new_output("display_data", {"text/html": data["text/html"], "text/plain": data["text/plain"]})]


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(each)
