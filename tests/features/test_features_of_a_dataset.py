import pandas as pd

import recopersona as rp


def test_a_dataset_teaches_like_its_events():
    shop = rp.synthetic_shop(60, 30, random_state=3)
    events = shop.events_frame()
    rows = events.tail(50)
    from_dataset = rp.Features().fit(shop).transform(rows)
    from_frame = rp.Features().fit(events, items=shop.item_features).transform(rows)
    pd.testing.assert_frame_equal(from_dataset, from_frame)
    assert {"affinity_brand", "price_vs_user"} <= set(from_dataset.columns)


def test_a_dataset_answers_its_own_rows():
    shop = rp.synthetic_shop(60, 30, random_state=3)
    assert len(rp.Features([rp.RFM()]).fit_transform(shop)) == len(shop.log)


def test_events_come_back_as_they_went_in():
    events = pd.DataFrame({
        "user_id": ["anna", "ben"], "item_id": ["tea", "salt"], "event": ["cart", "view"],
        "weight": [2.0, 0.5], "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
    })  # fmt: skip
    shop = rp.Dataset.from_frames(events, event_weights={"cart": 4, "view": 2})
    back = shop.events_frame()
    again = rp.Dataset.from_frames(back, event_weights={"cart": 4, "view": 2})
    assert back["weight"].tolist() == [2, 0.5]
    assert again.log.weight.tolist() == shop.log.weight.tolist() == [8, 1]
    assert again.log.timestamp.tolist() == shop.log.timestamp.tolist()
