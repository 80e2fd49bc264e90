"""What is known on disk of each game of a catalogue, and what is still to be asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from utils.snapshot.plan import SCHEMA, lie_under, picture_identity
from utils.snapshot.shards import RECORD, STATUSES, Snapshot


@dataclass(frozen=True)
class Report:
    """What became of each game that was asked for."""

    table: pd.DataFrame  # appid, name, status (one of STATUSES), reason ("" where there is none)
    notes: tuple[str, ...] = ()  # what else should be known, a sentence each

    def count(self, status: str) -> int:
        """Return how many games became so: one of STATUSES."""
        return int((self.table["status"] == status).sum())

    def __str__(self) -> str:
        shares = ", ".join(f"{self.count(status)} {status}" for status in STATUSES)
        return "\n".join([f"{len(self.table)} games asked: {shares}", *self.notes])


def report(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> Report:
    """Return what snapshots hold of each game of a catalogue.

    allowed: what the address of a picture must begin with.
    """
    found = _known(catalogue, snapshots, allowed)
    unasked, nowhere = found["status"].isna(), found["picture"] == ""
    found.loc[unasked, ["status", "reason"]] = ["failed", "not downloaded yet"]
    found.loc[unasked & ~found["allowed"], ["status", "reason"]] = ["refused", f"its address is not under {allowed[0]}"]
    found.loc[nowhere, ["status", "reason"]] = ["missing", "the store has no vertical banner of it"]
    older = found["newest"].notna() & (found["status"] != "downloaded")
    found.loc[older, "reason"] += "; an older picture of it is kept"
    again = "what was not finished there is planned again in a later snapshot"
    damaged = [each.folder / "plan.parquet" for each in snapshots if each.plan is None]
    notes = tuple(f"{file} is not what was planned; {again}" for file in damaged)
    return Report(found[["appid", "name", "status", "reason"]], notes)


def wanted(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> pd.DataFrame:
    """Return the games of a catalogue whose picture is to be asked for: appid, name, picture, banner_url.

    They are those whose picture is not known on disk, failed for a reason that may pass, or was followed by another one
    and is the store's again.
    """
    games = _known(catalogue, snapshots, allowed)
    overtaken = (games["status"] == "downloaded") & (games["newest"] != games["picture"])
    settled = games["status"].notna() & (games["status"] != "failed") & ~overtaken
    return games.loc[games["allowed"] & (games["picture"] != "") & ~settled, SCHEMA.names]


def _known(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> pd.DataFrame:
    """Return each game of a catalogue with what became of its picture the last time, as far as it was asked for.

    Columns: SCHEMA's; allowed (bool); status and reason; newest (the picture that is on disk).
    """
    tables = [shard.table for each in snapshots for shard in each.shards.values()]
    past = pa.concat_tables([RECORD.empty_table(), *tables]).to_pandas()
    last = past.drop_duplicates(["appid", "picture"], keep="last")
    newest = past[past["status"] == "downloaded"].drop_duplicates("appid", keep="last").set_index("appid")["picture"]
    games = catalogue[["appid", "name", "banner_url"]].assign(
        picture=catalogue["banner_url"].map(picture_identity),
        allowed=lie_under(catalogue["banner_url"], allowed),
        newest=catalogue["appid"].map(newest),
    )
    outcomes = last[["appid", "picture", "status", "reason"]]
    return games.merge(outcomes, on=["appid", "picture"], how="left")
