"""Keep the first figures of an executed notebook as pictures: python tests/keep_picture.py NOTEBOOK FILE ..."""

import base64
import sys
from pathlib import Path

import nbformat

notebook, *files = sys.argv[1:]
outputs = [output for cell in nbformat.read(notebook, 4).cells for output in cell.get("outputs", [])]
pictures = [output["data"]["image/jpeg"] for output in outputs if "image/jpeg" in output.get("data", {})]
for file, picture in zip(files, pictures, strict=False):
    Path(file).write_bytes(base64.b64decode(picture))
