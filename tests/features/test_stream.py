"""Events that come late, twice and in any order end where the log in order ends."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from tests.features.test_features import ITEMS, as_events, everything, shop_log


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_stream_with_repeats_teaches_what_the_log_teaches(seed):
    log = shop_log(ties=False, seed=seed)
    log["event_id"] = [f"e{n}" for n in range(len(log))]
    rng = np.random.default_rng(seed)
    arrival = log["timestamp"] + pd.to_timedelta(rng.uniform(0, 299, len(log)), unit="s")
    shuffled = log.iloc[np.argsort(arrival, kind="stable")]
    repeated = [event for event in as_events(shuffled) for _ in range(rng.integers(1, 3))]
    stream = rp.StreamSessionizer(gap="30min", watermark="5min")
    features = everything().fit(log[:0], items=ITEMS)
    whole = everything().fit(log, items=ITEMS)
    numbered = []
    for event in repeated:
        for released in stream.add(event).events:
            features.update(released)
            numbered.append(released)
    for released in stream.flush().events:
        features.update(released)
        numbered.append(released)
    assert [event.event_id for event in numbered] == log["event_id"].tolist()
    assert [e.session_id for e in numbered] == rp.sessionize(log)["session_id"].tolist()
    pd.testing.assert_frame_equal(features.transform(log), whole.transform(log))
    assert features.late_ == 0
