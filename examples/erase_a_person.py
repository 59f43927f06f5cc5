"""Somebody wants to know what a shop holds of her, and then to be forgotten, everywhere.

    python examples/erase_a_person.py

A made-up shop keeps a log on disk, models in memory and on disk, a graph of identities and a ledger
of consents. One call tells a customer what is held of her; another erases her, and the receipt says
what was done without saying whose data it was. A model fitted again equals one that never saw her.
"""

import tempfile
from pathlib import Path

import numpy as np

import recopersona as rp

folder = tempfile.TemporaryDirectory()
place = Path(folder.name)
her, her_phone = "u-0003", "phone-3"

events = rp.synthetic_shop(300, 60, random_state=7).events
events["anonymous_id"] = "phone-" + events["user_id"].str[2:].str.lstrip("0")
signed_in = np.arange(len(events)) % 3 > 0  # now and then, nobody has signed in yet
graph = rp.IdentityGraph().update(events[signed_in])
events["user_id"] = events["user_id"].where(signed_in)
rp.write_events(events, place / "clicks.parquet")
events.to_csv(place / "clicks.csv", index=False)

ledger = rp.ConsentLedger(unknown="granted").journal(place / "consent.jsonl")
ledger.record(her, "ads", "denied", "2026-05-01", source="banner")


def fitted() -> rp.Pipeline:
    known = rp.read_events(place / "clicks.parquet").dropna(subset=["user_id"])
    models = [rp.ALS(factors=8, random_state=7), rp.Popularity()]
    return rp.Pipeline(candidates=models).fit(known.reset_index(drop=True), gate=ledger)


home = fitted()
home.recommend(her)
rp.save(home, place / "home.rp")

personal = rp.PersonalData(
    holders={"home": home},
    models=[place / "*.rp"],
    logs=[place / "clicks.*"],
    identity=graph,
    consent=ledger,
    searched=[place],
)

held = personal.export(her)
print("her identifiers:", held["identifiers"])
print("her rows:", {Path(log).name: len(rows) for log, rows in held["logs"].items()})
print("traces of her before:", len(rp.find_traces(place, [her, her_phone])))

receipt = personal.erase(her, at="2026-07-01")
print(f"the erasure is {receipt.status}, verified: {receipt.verified}")
for one in receipt.holders:
    left = f", to be fitted anew by {one.refit_by[:10]}" if one.refit_by else ""
    print(f"  {Path(one.holder).name} ({one.kind}): {one.held}{left}")
print("traces of her after:", len(rp.find_traces(place, [her, her_phone])))
print(
    "she is now a stranger:",
    home.recommend(her, n=3).item_ids == home.recommend("new").item_ids[:3],
)

again = fitted()
print("a refit knows her:", her in again.users_, "- and is stale:", again.stale_ is not None)
late = events[events["anonymous_id"] == her_phone]
print(f"of {len(late)} late rows of hers, {len(ledger.kept(late, 'storage'))} may come in")
folder.cleanup()
