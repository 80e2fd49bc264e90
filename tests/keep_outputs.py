"""Make executed notebooks fit to be read without a kernel: python tests/keep_outputs.py NOTEBOOK ...

Bars and controls are nothing without a kernel, so cells tagged `nbval-ignore-output` are kept without output. The first
figures of the match notebook, where it stands beside the README, become the README's pictures.
"""

import base64
import sys
from pathlib import Path

import nbformat

PICTURES = {"match_steam_banners_with_BEiT.ipynb": ["sample_matches.jpg", "sample_reasons.jpg"]}

for file in sys.argv[1:]:
    notebook = nbformat.read(file, 4)
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.outputs = []
    nbformat.write(notebook, file)
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [data["image/jpeg"] for data in outputs if "image/jpeg" in data]
    for picture, figure in zip(PICTURES.get(file, []), figures, strict=False):
        Path(picture).write_bytes(base64.b64decode(figure))
