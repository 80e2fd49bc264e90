"""Pack the features and matches of a source, to share them: python -m tools.release FOLDER, or `make release`."""

import sys
from pathlib import Path

from share import archive
from utils import settings
from utils.errors import PlainError

if __name__ == "__main__":
    try:
        released = archive.release(settings.read(), Path(sys.argv[1]))
    except PlainError as error:
        sys.exit(str(error))
    print(f"{released.parent} has the release: upload all of it, and give the address of {released.name} as SNAPSHOT.")
