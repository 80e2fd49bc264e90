"""Download the Debian packages that `pictures.csv` names, unpack them without installing, and count what was kept.

python -m training.packages download WORK    # needs Debian's apt-get and dpkg-deb
python -m training.packages table WORK       # writes pictures.csv again from what lies in WORK
"""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from training.pictures import Picture, kept

TABLE = Path(__file__).with_name("pictures.csv")
_FONTS = Path(__file__).with_name("fonts.txt")
_COLUMNS = ("package", "version", "licences", "kept", "held_out")
_LICENCE = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])")


def rows() -> list[dict[str, str]]:
    """The table of packages as committed."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def download(work: Path) -> None:
    """Fetch and unpack what is not there yet: pictures into `packages`, fonts into `fonts`."""
    for row in rows():
        unpacked(row["package"], work / "packages")
    for name in _FONTS.read_text(encoding="utf-8").split():
        unpacked(name, work / "fonts")


def unpacked(package: str, folder: Path) -> Path:
    """The unpacked package; what has its name is whole."""
    target = folder / package
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as beside:
            subprocess.run(["apt-get", "download", package], cwd=beside, check=True)  # noqa: S603, S607 (Debian's own)
            archive = next(Path(beside).glob("*.deb"))
            part = target.with_name(package + ".part")
            subprocess.run(["dpkg-deb", "-x", str(archive), str(part)], check=True)  # noqa: S603, S607
            part.rename(target)
        version = archive.name.split("_")[1].replace("%3a", ":")
        with (folder / "versions.csv").open("a", encoding="utf-8") as file:
            file.write(f"{package},{version}\n")
    return target


def licences(package: Path) -> str:
    """The short names in a package's copyright file; those of Debian's common licences that it points to otherwise."""
    found = sorted((package / "usr/share/doc" / package.name).glob("copyright*"))
    if not found:
        return "see the package"
    content = found[0].read_bytes()
    text = (gzip.decompress(content) if found[0].suffix == ".gz" else content).decode(errors="replace")
    names = Counter(name.strip() for name in _LICENCE.findall(text)) or Counter(_COMMON.findall(text))
    if not names:
        return "public domain" if "public domain" in text.lower() else "see the package"
    return "; ".join(sorted(names))


def table(work: Path) -> None:
    """Write pictures.csv: package, version, licences, pictures kept, of them held out."""
    versions = _versions(work / "packages" / "versions.csv")
    by_package: dict[str, list[Picture]] = {}
    for picture in kept(work / "pictures"):
        by_package.setdefault(picture.package, []).append(picture)
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for name, pictures in sorted(by_package.items(), key=lambda item: (-len(item[1]), item[0])):
            held = sum(picture.held for picture in pictures)
            writer.writerow([name, versions[name], licences(work / "packages" / name), len(pictures), held])


def _versions(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return dict(csv.reader(file))


if __name__ == "__main__":
    {"download": download, "table": table}[sys.argv[1]](Path(sys.argv[2]))
