"""What is known on disk of each game of a catalogue, and what is still to be asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.snapshot.plan import lie_under, picture_addresses, picture_identity
from utils.snapshot.shards import STATUSES, Snapshot, history, read


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
    return report_on(catalogue, read(folder), picture_addresses(assets_url))


def report_on(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> Report:
    """Return what snapshots hold of each game of a catalogue.

    allowed: what the address of a picture must begin with.
    """
    past = history(snapshots)
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
    return Report(found[["appid", "name", "status", "reason"]], tuple(_notes(snapshots)))


def wanted(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> pd.DataFrame:
    """Return the games of a catalogue whose picture is to be asked for: appid, name, picture, banner_url.

    They are those whose picture is not known on disk, failed for a reason that may pass, or was followed by another one
    and is the store's again.
    """
    games = catalogue[["appid", "name", "banner_url"]].assign(picture=catalogue["banner_url"].map(picture_identity))
    asked = (games["picture"] != "") & lie_under(games["banner_url"], allowed)
    return games[asked & ~_is_settled(games, history(snapshots))]


def _is_settled(games: pd.DataFrame, past: pd.DataFrame) -> np.ndarray:
    """Return for each game whether its picture is the newest on disk, or is none for good."""
    last = past.drop_duplicates(["appid", "picture"], keep="last")
    known = games[["appid", "picture"]].merge(last, on=["appid", "picture"], how="left")
    downloaded = past[past["status"] == "downloaded"].drop_duplicates("appid", keep="last")
    newest = known["appid"].map(downloaded.set_index("appid")["picture"])
    older = known["status"].eq("downloaded") & newest.ne(known["picture"])
    return (known["retryable"].eq(False) & ~older).to_numpy()  # `retryable` is missing where nothing is known


def _notes(snapshots: list[Snapshot]) -> list[str]:
    """Return a sentence for each snapshot whose plan is damaged."""
    again = "what was not finished there is planned again in a later snapshot"
    damaged = (each.folder / "plan.parquet" for each in snapshots if each.plan is None)
    return [f"{file} is not what was planned; {again}" for file in damaged]
