"""Serve what `make match` left, by the checkpoint that its source got there: python -m tools.serve, or `make serve`."""

import sample
from utils import settings
from utils.export.api.__main__ import main

if __name__ == "__main__":
    main(lambda: sample.with_eye(settings.read()))
