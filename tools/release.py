"""Pack the features and matches of a source, to share them: python -m tools.release FOLDER, or `make release`."""

import sys
from pathlib import Path

from share import release
from utils import settings
from utils.errors import PlainError

if __name__ == "__main__":
    try:
        archive = release.release(settings.read(), Path(sys.argv[1]))
    except PlainError as error:
        sys.exit(str(error))
    print(f"{archive.parent} has the release: upload all of it, and give the address of {archive.name} as SNAPSHOT.")
