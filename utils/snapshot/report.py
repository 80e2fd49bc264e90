"""What is known on disk of each game of a catalogue."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from utils.snapshot.addresses import lie_under, picture_addresses
from utils.snapshot.found import STATUSES
from utils.snapshot.plan import picture_identity, read_plans
from utils.snapshot.shards import records


@dataclass(frozen=True)
class Report:
    """What became of each game that was asked for."""

    table: pd.DataFrame  # appid, name, status (one of STATUSES), reason ("" where there is none)
    notes: tuple[str, ...] = ()  # what else should be known, a sentence each

    @property
    def asked(self) -> int:
        """All games."""
        return len(self.table)

    @property
    def downloaded(self) -> int:
        """Games whose banner is there."""
        return self._count("downloaded")

    @property
    def missing(self) -> int:
        """Games without a vertical banner at the store."""
        return self._count("missing")

    @property
    def refused(self) -> int:
        """Games whose picture is no banner: blank, tiny, not to be used."""
        return self._count("refused")

    @property
    def failed(self) -> int:
        """Games whose download failed for a reason that may pass; the next update asks again."""
        return self._count("failed")

    def _count(self, status: str) -> int:
        return int((self.table["status"] == status).sum())

    def __str__(self) -> str:
        shares = ", ".join(f"{self._count(status)} {status}" for status in STATUSES)
        return "\n".join([f"{self.asked} games asked: {shares}", *self.notes])


def report(catalogue: pd.DataFrame, folder: Path, *, assets_url: str | None = None) -> Report:
    """Return what is known on disk of each game of a catalogue, without downloading anything.

    assets_url: as in `update`.
    """
    past = history(folder)
    allowed = picture_addresses(assets_url)
    had = past.loc[past["status"] == "downloaded", "appid"]
    asked = catalogue[["appid", "name"]].assign(picture=catalogue["banner_url"].map(picture_identity))
    last = past.drop_duplicates(["appid", "picture"], keep="last")
    found = asked.merge(last[["appid", "picture", "status", "reason"]], on=["appid", "picture"], how="left")
    unasked = found["status"].isna()
    found.loc[unasked, ["status", "reason"]] = ["failed", "not downloaded yet"]
    nowhere = found["picture"] == ""
    found.loc[nowhere, ["status", "reason"]] = ["missing", "the store has no vertical banner of it"]
    elsewhere = ~nowhere & unasked & ~lie_under(catalogue["banner_url"], allowed).to_numpy()
    found.loc[elsewhere, ["status", "reason"]] = ["refused", f"its address is not under {allowed[0]}"]
    older = found["appid"].isin(had) & (found["status"] != "downloaded")
    found.loc[older, "reason"] += "; an older picture of it is kept"
    return Report(found[["appid", "name", "status", "reason"]], tuple(_notes(folder)))


def _notes(folder: Path) -> list[str]:
    """Return a sentence for each snapshot that is damaged."""
    plans, notes = read_plans(folder)
    for plan in plans:
        if plan.table is None:
            again = "what was not finished there is planned again in a later snapshot"
            notes.append(f"{plan.folder / 'plan.parquet'} is not what was planned; {again}")
    return notes


def history(folder: Path) -> pd.DataFrame:
    """Return the records of all verified shards, oldest first, with each picture's identity in `picture`."""
    past = records(folder)
    return past.assign(picture=past["picture"].map(picture_identity))
