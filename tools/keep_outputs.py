"""Make executed notebooks fit to be read without a kernel: python -m tools.keep_outputs NOTEBOOK ...

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
            cell.outputs = [output for output in cell.outputs if output.get("data", {}).get("text/html")]
            for still in cell.outputs:
                still.data.pop("application/vnd.jupyter.widget-view+json", None)
    nbformat.write(notebook, file)
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [data["image/jpeg"] for data in outputs if "image/jpeg" in data]
    for picture, figure in zip(PICTURES.get(file, []), figures, strict=False):
        Path(picture).write_bytes(base64.b64decode(figure))


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(each)
