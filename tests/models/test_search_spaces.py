"""What models say of their own parameters must be true: both ends of every space can be fitted."""

import inspect

import pytest

import recopersona as rp

COMPOSED = {"Explore", "Fallback", "Pipeline", "SessionBlend", "Switch"}
"""Made of others: there are only their parts' parameters to search."""
NOT_SEARCHED = {"Bundles", "Recommender", "OnlineRecommender"}
MODELS = sorted(
    name
    for name in rp.__all__
    if inspect.isclass(getattr(rp, name))
    and issubclass(getattr(rp, name), rp.Recommender)
    and name not in COMPOSED | NOT_SEARCHED
)
GIVEN = {
    "Blend": {"models": [rp.Popularity(), rp.ItemKNN()]},
    "ValuedPopularity": {"value": "price"},
}


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(60, 30, random_state=7)


@pytest.mark.parametrize("end", [0, -1], ids=["low", "high"])
@pytest.mark.parametrize("name", MODELS)
def test_a_space_is_small_and_can_be_fitted_at_its_ends(name, end, shop):
    model = getattr(rp, name)(**GIVEN.get(name, {}))
    space = {key: values for key, values in rp.search_space(model).items() if "__" not in key}
    assert 1 <= len(space) <= 5
    model.set_params(**{key: values.ends[end] for key, values in space.items()})
    assert len(model.fit(shop).recommend("u-0001", n=5)) == 5
