"""Serve what `make match` left, by the checkpoint that its source got there: python -m tools.serve, or `make serve`."""

import sample
from share.api import main
from utils import settings

if __name__ == "__main__":
    main(lambda: sample.with_encoder(settings.read()))
