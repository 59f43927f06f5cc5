"""What the frame of customers says and what the features say is the same."""

import numpy as np

import recopersona as rp
from tests.features.test_features import shop_log


def test_recency_frequency_and_money_are_the_same_in_both():
    log = shop_log(ties=False).query("event != 'return'").assign(price=4.0)
    log["order_id"] = [f"o{n}" for n in range(len(log))]
    moment = log["timestamp"].iloc[200]
    frame = rp.rfm(log, as_of=moment, period="1ms").set_index("user_id")
    told = rp.Features([rp.RFM()]).fit(log).transform(frame.reset_index(), as_of=moment)
    told.index = frame.index
    np.testing.assert_allclose(told["recency"], frame["recency_days"], atol=1e-4)
    np.testing.assert_array_equal(told["frequency"], frame["orders"])
    np.testing.assert_allclose(told["monetary"], frame["total_value"], rtol=1e-6)
    np.testing.assert_allclose(told["tenure"], frame["known_days"], atol=1e-4)
