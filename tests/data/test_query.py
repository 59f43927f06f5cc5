import pytest

from recopersona.data.query import Query
from recopersona.errors import DataError


def test_a_user_id_is_a_query():
    assert Query.of("anna") == Query(user_id="anna")
    assert Query.of(Query(session=["tea"])).session == ("tea",)


def test_lists_become_tuples_so_that_a_question_stays_as_asked():
    items = ["tea"]
    query = Query(session=items, history=items, seed=items)
    items.append("salt")
    assert (query.session, query.history, query.seed) == (("tea",), ("tea",), ("tea",))


def test_a_single_seed_is_a_page_of_one_item():
    assert Query(seed="tea").page_items == ("tea",)
    assert Query(seed=7).page_items == (7,)
    assert Query(seed=["tea", "salt"]).page_items == ("tea", "salt")
    assert Query().page_items == ()


def test_now_is_in_milliseconds():
    assert Query(now="1970-01-02").now == 86_400_000
    assert Query(now=5).now == 5
    assert Query().now is None


@pytest.mark.parametrize("name", ["session", "history"])
@pytest.mark.parametrize("items", ["tea", 7])
def test_a_single_item_is_not_a_list(name, items):
    with pytest.raises(
        DataError, match=rf"Query: {name} must be a list of item ids, got .*; write \["
    ):
        Query(**{name: items})


def test_a_history_may_carry_weights():
    assert Query(history={"tea": 2.0}).history == {"tea": 2.0}


def test_a_moment_that_is_none_is_refused():
    with pytest.raises(DataError, match="now must be a moment"):
        Query(now="soon")
