"""A world: the same seed is the same world, its truth is exact, and what it claims does happen."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import DataError, ParameterError
from recopersona.models.neighbors import ItemKNN
from recopersona.simulation.world import World

MODELS = ("position", "cascade")


def small(**parameters):
    usual = {"requests_per_day": 150, "new_items": 4, "new_visitors": 3, "random_state": 3}
    return World(80, 60, **(usual | parameters))


@pytest.fixture(scope="module")
def world():
    return small()


def lived(world, n_requests=200, page=None):
    """Live through a world; return what was asked and what happened."""
    story = []
    for visit in world.visits(n_requests):
        shown = world.oracle(visit, 5) if page is None else page(visit)
        story.append((visit.query, shown, world.value(visit, shown), world.react(visit, shown)))
    return story


def told(story):
    return [
        (query, shown, value, reaction.events, reaction.examined.tolist())
        for query, shown, value, reaction in story
    ]


# -- the same seed is the same world ---------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_is_the_same_world(model):
    one, other = small(click_model=model), small(click_model=model)
    pd.testing.assert_frame_equal(one.log(), other.log())
    pd.testing.assert_frame_equal(one.catalogue(), other.catalogue())
    assert told(lived(one)) == told(lived(other)) != told(lived(one.reseeded(4)))


def test_a_second_life_is_like_the_first(world):
    assert told(lived(world)) == told(lived(world)) == told(lived(world.copy()))


def test_lives_side_by_side_do_not_touch_each_other(world):
    alone = told(lived(world))
    one, other = world.copy(), world.copy()
    story = []
    for visit, beside in zip(one.visits(200), other.visits(200), strict=True):
        shown = one.oracle(visit, 5)
        story.append((visit.query, shown, one.value(visit, shown), one.react(visit, shown)))
        other.react(beside, other.items_on_sale(beside)[-5:])
    assert told(story) == alone


def test_days_drawn_by_another_life_change_nothing(world):
    short, long = small(), small()
    for _ in long.visits(2_000):
        pass
    assert told(lived(short, 300)) == told(lived(long.copy(), 300))


def test_how_many_visits_are_asked_for_does_not_matter(world):
    assert told(lived(world, 100)) == told(lived(world, 200))[:100]


def test_visitors_come_whatever_they_are_shown(world):
    def who(story):
        return [(query.user_id, query.now, query.decision_id, query.context) for query, *_ in story]

    assert who(lived(world)) == who(lived(world, page=lambda visit: []))


def test_she_does_the_same_with_an_item_whatever_stands_beside_it(world):
    def reaction(page, number):
        life = world.copy()
        visit = list(life.visits(number + 1))[-1]
        return life.react(visit, page)

    for number in (0, 7, 40):
        one = reaction(["i-00001", "i-00002", "i-00003"], number)
        other = reaction(["i-00001", "i-00009", "i-00003"], number)
        assert (one.examined == other.examined).all()
        assert ("i-00001" in one.clicked) == ("i-00001" in other.clicked)


# -- the truth -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("best", [True, False])
def test_as_many_clicks_come_as_are_expected(model, best):
    world = small(click_model=model, boredom=0.2)
    story = lived(world, 1_500, None if best else lambda visit: world.items_on_sale(visit)[:8])
    surprise = [len(reaction.clicked) - value for *_, value, reaction in story]
    assert abs(np.mean(surprise)) < 4 * np.std(surprise) / np.sqrt(len(story))


@pytest.mark.parametrize("model", MODELS)
def test_no_page_is_much_better_than_the_oracles(model):
    world = World(40, 9, click_model=model, sameness=1.0, new_items=0, requests_per_day=60)
    shares = []
    for visit in world.visits(12):
        pages = permutations(world.items_on_sale(visit), 3)
        best = max(world.value(visit, page) for page in pages)
        mine = world.value(visit, world.oracle(visit, 3))
        assert mine <= best + 1e-12
        shares.append(mine / best)
    assert min(shares) > 0.97
    assert np.mean(shares) > 0.99


def test_without_sameness_the_oracle_sorts_by_attraction():
    world = small(sameness=0.0)
    for visit in world.visits(20):
        order = np.argsort(-world.attraction(visit), kind="stable")
        names = world.items_on_sale(visit)
        assert world.oracle(visit, 6) == [names[place] for place in order[:6]]
        best = world.attraction(visit, world.oracle(visit, 6))
        assert world.value(visit, world.oracle(visit, 6)) == pytest.approx(
            best @ np.arange(1, 7.0) ** -0.7
        )


def test_sameness_costs_clicks_and_variety_gains_some():
    world = World(80, 500, requests_per_day=150, sameness=1.0)
    plain = varied = 0.0
    for visit in world.visits(150):
        names = world.items_on_sale(visit)
        top = [names[place] for place in np.argsort(-world.attraction(visit))[:8]]
        plain += world.value(visit, top)
        varied += world.value(visit, world.oracle(visit, 8))
    assert varied > 1.03 * plain


def test_seeing_the_same_again_bores(world):
    def repeated(**parameters):
        life = small(**parameters)
        page = life.catalogue().item_id[:5].tolist()
        return sum(value for *_, value, _ in lived(life, 400, lambda visit: page))

    assert repeated(boredom=1.0) < 0.8 * repeated(boredom=0.0)


def test_boredom_is_forgotten():
    world = World(1, 30, requests_per_day=3, new_visitors=0)
    times, values = [], []
    page = world.catalogue().item_id[:5].tolist()
    for visit in world.visits(60):
        rested = visit.query.now - times[-1] if times else 0
        tired = world.attraction(visit, page).mean()
        values.append((rested, tired))
        world.react(visit, page)
        times.append(visit.query.now)
    rested, tired = np.array(values[1:]).T
    at_once, later = tired[rested < 300_000], tired[rested > 12 * 3_600_000]
    assert len(at_once) > 5
    assert later.mean() > at_once.mean()


def test_tastes_turn_by_drift():
    def staying(drift):
        people = World(500, 30, drift=drift)._truth.people
        month = people.joined.max() + 30 * 86_400_000
        before, after = (
            people.tastes(np.arange(500), np.full(500, now))[0]
            for now in (people.joined.max(), month)
        )
        return np.corrcoef(before.ravel(), after.ravel())[0, 1]

    assert staying(0.0) == pytest.approx(1)
    assert 0.6 < staying(1.0) < 0.97
    assert staying(3.0) < staying(1.0)


def test_the_catalogue_tells_topics_partly():
    world = World(10, 3_000)
    goods = world._truth.goods
    told = world.catalogue().groupby("category")["item_id"].count()
    usual = (
        pd.Series(goods.topic // 4)
        .groupby(world.catalogue().category)
        .agg(lambda family: family.value_counts(normalize=True).iloc[0])
    )
    assert len(told) == 12
    assert 0.7 < usual.mean() < 0.9
    assert goods.quality.std() == pytest.approx(0.7, abs=0.05)


def test_the_past_teaches(world):
    past = small(requests_per_day=400)
    model = ItemKNN().fit(past.dataset())
    learned = by_chance = 0.0
    rng = np.random.default_rng(0)
    for visit in past.visits(300):
        learned += past.value(visit, model.recommend(visit.query, n=5).item_ids)
        some = rng.choice(past.items_on_sale(visit), 5, replace=False).tolist()
        by_chance += past.value(visit, some)
    assert learned > 1.5 * by_chance


# -- what comes with time --------------------------------------------------------------------


def test_new_items_and_new_visitors_come(world):
    known = set(world.catalogue().item_id)
    people, when = set(), 0
    for visit in world.visits(900):
        if visit.arrived is not None:
            assert not known & set(visit.arrived.item_id)
            known |= set(visit.arrived.item_id)
            assert (
                visit.arrived.created_at <= pd.Timestamp(visit.query.now, unit="ms", tz="UTC")
            ).all()
        assert known == set(world.items_on_sale(visit))
        assert visit.query.now >= when
        when = visit.query.now
        people.add(visit.query.user_id)
        if visit.query.user_id > "v-00079" and visit.query.user_id not in people:
            assert visit.query.context["visitor"] == "new"
    days = 900 // 150
    assert abs(len(known) - 60 - 4 * days) <= 8
    assert sum(name > "v-00079" for name in people) >= 3 * (days - 2)


def test_a_session_remembers_what_was_looked_at(world):
    so_far = {}
    for visit in world.visits(300):
        query = visit.query
        assert query.session in ((), tuple(so_far.get(query.user_id, ())))
        if not query.session:
            so_far[query.user_id] = []
        if query.context["page"] == "product":
            assert query.seed == query.session[-1:]
        reaction = world.react(visit, world.oracle(visit, 5))
        looked_at = [event.item_id for event in reaction.events if event.event in ("click", "view")]
        so_far[query.user_id] += looked_at
    assert any(len(items) > 2 for items in so_far.values())


def test_who_buys_has_clicked_and_pays(world):
    price = world.catalogue().set_index("item_id").price
    bought = 0
    for *_, reaction in lived(world, 500, lambda visit: world.oracle(visit, 8)):
        kinds = [(event.event, event.item_id) for event in reaction.events]
        assert set(reaction.purchased) <= set(reaction.clicked)
        assert [item for kind, item in kinds if kind == "click"] == list(reaction.clicked)
        assert [item for kind, item in kinds if kind == "purchase"] == list(reaction.purchased)
        if set(reaction.purchased) <= set(price.index):
            assert reaction.revenue == pytest.approx(price[list(reaction.purchased)].sum())
        bought += len(reaction.purchased)
    assert bought > 5


# -- bad input -------------------------------------------------------------------------------


def test_what_cannot_be_shown_is_refused(world):
    visits = world.visits(3)
    visit = next(visits)
    with pytest.raises(DataError, match="'tea' is no item of this world"):
        world.react(visit, ["tea"])
    with pytest.raises(DataError, match="'i-00061' is not on sale yet"):
        world.value(visit, ["i-00061"])
    with pytest.raises(DataError, match="shows every item once"):
        world.value(visit, ["i-00001", "i-00001"])
    world.react(visit, ["i-00001"])
    with pytest.raises(DataError, match="visit 0 has seen its page already"):
        world.react(visit, ["i-00001"])
    next(visits)
    with pytest.raises(DataError, match="visit 0 is not the one this world is at"):
        world.react(visit, ["i-00002"])


def test_an_empty_page_is_a_page(world):
    visit = next(world.visits(1))
    assert world.value(visit, []) == 0
    reaction = world.react(visit, [])
    assert (reaction.clicked, reaction.purchased, reaction.revenue) == ((), (), 0.0)


@pytest.mark.parametrize(
    ("parameter", "value"), [("drift", -1), ("click_model", "top"), ("search", 2), ("n_items", 0)]
)
def test_parameters_have_bounds(parameter, value):
    with pytest.raises(ParameterError, match=f"World: {parameter} must be"):
        World(**{parameter: value})


def test_the_smallest_world_turns():
    world = World(1, 1, requests_per_day=0.5, new_items=0, new_visitors=0)
    assert len(lived(world, 5)) == 5
