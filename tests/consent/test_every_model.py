"""The proof for models: without consent not a byte of what is learned changes, by any entrance."""

import numpy as np
import pandas as pd
import pytest

from recopersona import Dataset, Event, OnlineRecommender, Query, load, save
from recopersona.errors import DataError
from recopersona.testing.shops import small_events, small_shop
from tests.testing.all_but import AllBut
from tests.testing.every_model import every_model
from tests.testing.learned import learned

EVENTS = small_events()
SHOP = small_shop()
USERS = list(dict.fromkeys(EVENTS["user_id"]))
REFUSED = (USERS[0], USERS[7], USERS[20])  # the first of all is among them: numbers must move up
KNOWN = USERS[3]
THEIRS = EVENTS["user_id"].isin(REFUSED).to_numpy()
WEIGHTS = {"view": 1, "cart": 4, "purchase": 10}
ITEM = SHOP.items.ids[3]
ELSEWHERE = EVENTS.assign(item_id=EVENTS["item_id"].to_numpy()[::-1])
LATER = EVENTS["timestamp"].max() + pd.Timedelta("1h")

every = pytest.mark.parametrize("model", list(every_model()), ids=lambda one: type(one).__name__)


def customers():
    frame = SHOP.user_features.to_frame()
    frame.insert(0, "user_id", SHOP.users.ids[: len(frame)])
    return frame


def catalogue():
    frame = SHOP.item_features.to_frame()
    frame.insert(0, "item_id", SHOP.items.ids[: len(frame)])
    return frame


def shop_of(events, users, gate=None):
    return Dataset.from_frames(
        events, items=catalogue(), users=users, event_weights=WEIGHTS, gate=gate
    )


def without_them():
    frame = customers()
    return shop_of(EVENTS[~THEIRS], frame[~frame["user_id"].isin(REFUSED)])


def records(frame):
    """Events as records of what all models read."""
    names = ["user_id", "item_id", "event", "timestamp"]
    return [Event(*row) for row in frame[names].itertuples(index=False)]


def withdrawn():
    """A dataset whose visitors withdrew after it was read."""
    gate = AllBut()
    shop = shop_of(EVENTS, customers(), gate)
    gate.refuse(*REFUSED)
    return shop


FITS = {
    "a dataset behind a gate": lambda model: model.fit(
        shop_of(EVENTS, customers(), AllBut(*REFUSED))
    ),
    "a dataset and a gate": lambda model: model.fit(
        shop_of(EVENTS, customers()), gate=AllBut(*REFUSED)
    ),
    "consent withdrawn before the fit": lambda model: model.fit(withdrawn()),
}
ONLY_THEIRS = EVENTS[THEIRS].head(3).assign(item_id="nobody else's")
MORE = pd.concat([ONLY_THEIRS, EVENTS], ignore_index=True)  # their item is the first of all
REST = EVENTS[~THEIRS].reset_index(drop=True)
FRAMES = {
    "a frame": lambda model: (model.fit(MORE, gate=AllBut(*REFUSED)), REST),
    "records": lambda model: (model.fit(records(MORE), gate=AllBut(*REFUSED)), records(REST)),
    "a dataset": lambda model: (
        model.fit(Dataset.from_frames(MORE), gate=AllBut(*REFUSED)),
        Dataset.from_frames(REST),
    ),
}


@every
def test_whoever_refuses_might_as_well_not_be_there(model):
    expected = learned(model.fit(without_them()))
    assert learned(model.fit(shop_of(EVENTS, customers()))) != expected  # so this can fail
    for entrance, fit in FITS.items():
        assert learned(fit(model)) == expected, entrance
        assert not {*REFUSED} & {*model.users_.ids.tolist()}, entrance


@every
def test_frames_and_records_are_read_without_them(model):
    try:
        model.fit(EVENTS)
    except DataError:
        pytest.skip("needs a catalogue, which a frame of events does not bring")
    for entrance, fit in FRAMES.items():
        fitted, rest = fit(model)
        behind = learned(fitted)
        assert "nobody else's" not in model.items_, entrance
        assert behind == learned(model.fit(rest)), entrance


@every
def test_validation_is_measured_on_those_who_agree(model):
    late = np.arange(len(EVENTS)) > 0.8 * len(EVENTS)
    early = EVENTS["user_id"].isin(EVENTS.loc[~late, "user_id"]).to_numpy()
    train, held_out = shop_of(EVENTS[~late], customers()), EVENTS[late & early]
    model.fit(train, validation=held_out, patience=2, gate=AllBut(*REFUSED))
    behind = learned(model)
    kept = held_out[~held_out["user_id"].isin(REFUSED)]
    frame = customers()
    rest = shop_of(EVENTS[~late & ~THEIRS], frame[~frame["user_id"].isin(REFUSED)])
    model.fit(rest, validation=kept, patience=2)
    assert behind == learned(model)


@every
def test_no_verb_lets_them_in(model):
    model.fit(shop_of(EVENTS, customers(), AllBut(*REFUSED)))
    before = learned(model)
    for name, use in uses(model, REFUSED[0]).items():
        use()
        assert learned(model) == before, name


@every
def test_a_withdrawal_holds_from_the_next_event(model):
    gate = AllBut()
    model.fit(shop_of(EVENTS, customers(), gate))
    gate.refuse(*REFUSED)
    before = learned(model)
    for name, use in uses(model, REFUSED[0]).items():
        use()
        assert learned(model) == before, name


@every
def test_the_same_by_somebody_who_agrees_does_change_something(model):
    model.fit(shop_of(EVENTS, customers(), AllBut(*REFUSED)))
    for name, use in uses(model, KNOWN).items():
        if name.startswith(("partial_fit", "update_users")):
            before = learned(model)
            use()
            assert learned(model) != before, name


def uses(model, user):
    """Every verb by which somebody may come in, as that user would."""
    event = Event(user, ITEM, "purchase", LATER)
    frame = pd.DataFrame(
        {"user_id": [user, user], "item_id": [ITEM, "new item"], "event": ["cart", "purchase"],
         "timestamp": [LATER, LATER]}
    )  # fmt: skip
    row = customers().iloc[[5]].assign(user_id=user)
    query = Query(user, session=[ITEM], history=[ITEM], seed=ITEM, context={"page": "cart"})
    found = {
        "recommend": lambda: model.recommend(user),
        "recommend a query": lambda: model.recommend(query),
        "recommend_many": lambda: model.recommend_many([user, KNOWN]),
        "rank_many": lambda: model.rank_many([user, query]),
        "explain": lambda: model.explain(user, ITEM),
        "similar_items": lambda: model.similar_items(ITEM),
        "score": lambda: model.score(ELSEWHERE),
        "update_users": lambda: model.update_users(row.assign(user_id=f"{user} ", age=99)
                                                   if user == KNOWN else row),
    }  # fmt: skip
    if isinstance(model, OnlineRecommender):
        found |= {
            "partial_fit an event": lambda: model.partial_fit(event),
            "partial_fit records": lambda: model.partial_fit([event, event]),
            "partial_fit an iterator": lambda: model.partial_fit(iter([event])),
            "partial_fit a frame": lambda: model.partial_fit(frame),
        }
    return found


@every
def test_they_get_popularity_page_and_context_and_are_told_so(model):
    gate = AllBut()
    model.fit(shop_of(EVENTS, customers(), gate))
    gate.refuse(KNOWN)
    personal = Query(KNOWN, session=[ITEM], history=[ITEM], seed=ITEM, context={"page": "product"})
    refused = model.recommend(personal, n=5)
    assert len(refused) == 5
    assert "no consent to personalization: by page and context only" in refused.effects
    strange = model.recommend(Query(seed=ITEM, context={"page": "product"}), n=5)
    assert refused.item_ids == strange.item_ids
    np.testing.assert_array_equal(refused.scores, strange.scores)
    many = model.recommend_many([KNOWN, USERS[4]], n=5)
    assert many["user_id"].tolist() == [KNOWN] * 5 + [USERS[4]] * 5
    assert many["item_id"].tolist()[:5] == model.recommend(Query(), n=5).item_ids
    pd.testing.assert_frame_equal(
        model.explain(personal, ITEM),
        model.explain(Query(seed=ITEM, context={"page": "product"}), ITEM),
    )


@every
def test_a_saved_model_without_its_gate_learns_nothing_and_knows_nobody(model, tmp_path):
    gate = AllBut()
    save(model.fit(shop_of(EVENTS, customers(), gate)), tmp_path / "model.rp")
    lost = load(tmp_path / "model.rp")
    assert "no gate to ask for consent: by page and context only" in lost.recommend(KNOWN).effects
    assert lost.recommend(KNOWN).item_ids == lost.recommend(Query()).item_ids
    before = learned(lost)
    learning = ("partial_fit", "update_users")
    for name, use in uses(lost, KNOWN).items():
        if name.startswith(learning):
            with pytest.raises(DataError, match="was fitted behind a gate; load it with"):
                use()
            assert learned(lost) == before, name
    again = load(tmp_path / "model.rp", gate=gate)
    assert again.recommend(KNOWN).item_ids == model.recommend(KNOWN).item_ids
