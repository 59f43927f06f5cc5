"""A page is full, meets what can be met, and says what it could not."""

import numpy as np
import pytest

from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import UnmetRuleError
from recopersona.kernels.slots import fill_slots
from recopersona.rerank import assembly
from recopersona.rerank.assembly import assemble, refuse_strict
from recopersona.rules.slots import Cap, Pinned, Quota, SlotRules, Span
from tests.naive import slots as naive


def ranked(scores):
    """Rank items that have other numbers than their places, from three sources, with parts."""
    m = len(scores)
    items = np.arange(m, dtype=np.int32)[::-1].copy()
    parts = np.stack([scores, items, np.full(m, np.nan)], axis=1).astype(np.float32)
    source = (np.arange(m) % 3).astype(np.int8)
    scores = np.asarray(scores, np.float32)
    return Ranking(items, scores, IdMap(list(range(m))), ("a", "b", "c"), source, parts)


def cap(groups, most, size, sliding=False, **more):
    return Cap("cap", np.array(groups, np.int32), most, Span(size, sliding), **more)


def quota(matches, least, size, sliding=False, **more):
    return Quota("quota", np.array(matches, np.bool_), least, Span(size, sliding), **more)


def pin(matches, *slots, rule="pin", **more):
    return Pinned(rule, slots, np.array(matches, np.bool_), **more)


def assembled(m, n, pins=(), caps=(), quotas=()):
    """Return the places of the candidates on the page, and what was told."""
    ranking = ranked(np.linspace(1, 0, m))
    page, unmet = assemble(ranking, SlotRules(tuple(pins), tuple(caps), tuple(quotas)), n)
    return (m - 1 - page.items).tolist(), tuple(one.said for one in unmet)


def test_without_rules_the_top_comes_back_untouched():
    ranking = ranked([0.9, 0.5, 0.1])
    assert assemble(ranking, SlotRules(), 3) == (ranking, ())
    assert assemble(ranking, SlotRules(), 2)[0].item_ids == [2, 1]


def test_scores_parts_and_sources_travel_with_their_items():
    ranking = ranked([0.9, 0.5, 0.4, 0.1])
    page, unmet = assemble(ranking, SlotRules(caps=(cap([0, 0, 1, 1], 1, 2),)), 3)
    assert page.item_ids == [3, 1, 2]
    assert page.scores.tolist() == ranking.scores[[0, 2, 1]].tolist()
    assert page.parts[:, 1].tolist() == [3, 1, 2]
    assert (page.sources, page.source.dtype) == (["a", "c", "b"], np.int8)
    assert unmet == ()


def test_a_pinned_slot_gets_the_best_match_and_the_rest_keep_their_order():
    assert assembled(5, 4, [pin([0, 1, 0, 0, 1], 3)]) == ([0, 2, 1, 3], ())
    assert assembled(5, 4, [pin([1, 0, 0, 0, 1], 3, 1)]) == ([4, 1, 0, 2], ())


def test_a_slot_without_a_match_left_stays_for_others():
    page, effects = assembled(4, 4, [pin([0, 0, 1, 0], 1, 3)])
    assert page == [2, 0, 1, 3]
    assert effects == ("pin: no item for slot 3",)


def test_two_rules_on_one_slot_share_an_item_that_matches_both():
    first, second = pin([1, 1, 0], 2, rule="first"), pin([0, 1, 1], 2, rule="second")
    assert assembled(3, 3, [first, second]) == ([0, 1, 2], ())
    page, effects = assembled(3, 3, [pin([1, 0, 0], 2, rule="first"), second])
    assert page == [1, 0, 2]
    assert effects == ("second: slot 2 went to first",)


def test_an_earlier_pin_leaves_a_later_one_the_only_item_it_has():
    assert assembled(3, 3, [pin([1, 1, 0], 1), pin([1, 0, 0], 3)]) == ([1, 2, 0], ())


def test_a_pin_behind_the_end_is_told():
    assert assembled(3, 2, [pin([1, 1, 1], 3)])[1] == ("pin: no slot 3 in a list of 2",)


def test_a_pin_takes_the_next_best_match_where_a_cap_needs_it():
    pins, caps = [pin([1, 0, 0, 0], 1), pin([0, 1, 1, 0], 2)], [cap([0, 0, 1, 2], 1, 4)]
    assert assembled(4, 3, pins, caps) == ([0, 2, 3], ())


def test_pins_count_against_a_cap_and_win():
    groups = [0, 0, 1, 1, 2, 3]
    page, effects = assembled(6, 4, [pin([1, 1, 0, 0, 0, 0], 1, 2)], [cap(groups, 1, 4)])
    # Only the pinned group is above the cap: no second candidate of group 1.
    assert page == [0, 1, 2, 4]
    assert effects == (
        "cap: at most 1, got 2 of one group: pins and rules before it leave no other full list",
    )


def test_a_cap_spreads_what_it_must_let_in():
    page, effects = assembled(10, 6, caps=[cap([0] * 7 + [1] * 3, 1, 6)])
    assert page == [0, 1, 2, 7, 8, 9]
    assert effects == (
        "cap: at most 1, got 3 of one group: without, only 2 of 6 slots could be filled",
    )


def test_a_cap_of_none_leaves_a_group_out_while_there_are_others():
    assert assembled(4, 2, caps=[cap([0, -1, 0, -1], 0, 2)]) == ([1, 3], ())
    page, effects = assembled(4, 3, caps=[cap([0, -1, 0, -1], 0, 3)])
    assert page == [0, 1, 3]
    assert effects[0].startswith("cap: at most 0, got 1 of one group: ")


def test_uncapped_candidates_are_not_counted():
    assert assembled(4, 4, caps=[cap([-1] * 4, 1, 4)]) == ([0, 1, 2, 3], ())


def test_no_two_of_a_kind_stand_side_by_side():
    assert assembled(6, 6, caps=[cap([0, 0, 0, 1, 1, 1], 1, 2, sliding=True)]) == (
        [0, 3, 1, 4, 2, 5],
        (),
    )


def test_a_quota_falls_short_by_no_more_than_it_must():
    matches = np.arange(10) >= 7
    page, effects = assembled(10, 6, quotas=[quota(matches, 4, 6)])
    assert page == [0, 1, 2, 7, 8, 9]
    assert effects == ("quota: wanted 4, got 3, only 3 eligible",)


def test_a_quota_yields_to_a_cap():
    groups, matches = [0, 0, 1, 2, 3], [1, 1, 0, 0, 0]
    page, effects = assembled(5, 3, caps=[cap(groups, 1, 3)], quotas=[quota(matches, 2, 3)])
    assert page == [0, 2, 3]
    assert effects == (
        "quota: wanted 2, got 1, 2 eligible, but pins and rules before it leave no room",
    )


def test_the_later_of_two_quotas_yields():
    first, second = quota([0, 0, 0, 1], 1, 1), quota([1, 0, 0, 0], 1, 1)
    assert assembled(4, 2, quotas=[first, second])[0] == [3, 0]
    assert assembled(4, 2, quotas=[second, first])[0] == [0, 1]


def test_a_quota_of_a_window_in_a_row_says_so():
    _, effects = assembled(4, 4, quotas=[quota([1, 0, 0, 0], 1, 2, sliding=True)])
    assert effects == ("quota: wanted 1 in any 2 slots, got 0, only 1 eligible",)
    late = [pin([1, 0, 0, 1], 3, 4)]
    _, effects = assembled(4, 4, late, quotas=[quota([1, 0, 0, 1], 1, 2, sliding=True)])
    assert effects == ("quota: wanted 1 in any 2 slots, got 0, 2 eligible, but pins and rules "
                       "before it leave no room",)  # fmt: skip


def test_more_wanted_than_there_are_slots_is_told():
    page, effects = assembled(4, 4, quotas=[quota([0, 1, 1, 1], 3, 2)])
    assert page == [1, 2, 0, 3]
    assert effects == ("quota: wanted 3, got 2, only 2 slots",)


def test_what_nobody_can_give_does_not_stand_in_the_way_of_what_can_be_met():
    rng = np.random.default_rng(6)
    groups = rng.integers(0, 7, 40)  # seven, of at most two: few ways to fill twelve slots
    rare = np.isin(np.arange(40), rng.choice(40, 3, replace=False))
    quotas = [quota([False] * 40, 2, 2, sliding=True), quota(rare, 1, 4, sliding=True)]
    page, effects = assembled(40, 12, caps=[cap(groups, 2, 12)], quotas=quotas)
    assert effects == ("quota: wanted 2 in any 2 slots, got 0, only 0 eligible",)
    assert set(np.flatnonzero(rare)) <= set(page)


def test_too_few_for_every_run_of_slots_is_told_as_what_it_is():
    page, effects = assembled(9, 9, quotas=[quota([1, 1, 0, 0, 0, 0, 0, 0, 0], 1, 3, sliding=True)])
    assert effects == ("quota: wanted 1 in any 3 slots, got 0, only 2 eligible",)
    assert page[2] in (0, 1)


def test_too_many_of_a_group_for_every_run_of_slots_are_told_as_what_they_are():
    groups = [0, 0, 0, 0, -1, -1]
    _, effects = assembled(6, 6, caps=[cap(groups, 1, 3, sliding=True)])
    assert effects == ("cap: at most 1 in any 3 slots, got 2 of one group: without, only 4 of 6 "
                       "slots could be filled",)  # fmt: skip


def test_a_window_longer_than_the_page_is_the_page():
    caps, quotas = [cap([0, 0, 1, 1], 1, 99)], [quota([0, 0, 0, 1], 1, 99, sliding=True)]
    assert assembled(4, 2, caps=caps, quotas=quotas) == ([0, 3], ())


def test_a_page_longer_than_the_candidates_shows_them_all():
    page, effects = assembled(3, 10, [pin([0, 0, 1], 1)], [cap([0, 0, 1], 1, 10)])
    assert page == [2, 0, 1]
    assert effects[0].startswith("cap: at most 1, got 2 of one group")


def test_no_candidates_leave_an_empty_page_that_says_what_it_lacks():
    page, effects = assembled(0, 5, [pin([], 1)], [cap([], 1, 5)], [quota([], 2, 5)])
    assert page == []
    assert effects == ("pin: no slot 1 in a list of 0", "quota: wanted 2, got 0, only 0 eligible")


def test_rules_that_ask_nothing_change_nothing():
    assert assembled(3, 3, quotas=[quota([0, 0, 0], 0, 3)]) == ([0, 1, 2], ())


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (SlotRules(pins=(pin([0, 0], 1, strict=True),)), "pin: no item for slot 1"),
        (SlotRules(caps=(cap([0, 0], 1, 2, strict=True),)), "cap: at most 1, got 2"),
        (SlotRules(quotas=(quota([0, 1], 2, 2, strict=True),)), "quota: wanted 2, got 1"),
    ],
)
def test_a_strict_rule_raises_where_others_report(asked, sentence):
    with pytest.raises(UnmetRuleError, match=f"^{sentence}.*STRICT"):
        refuse_strict(assemble(ranked([0.9, 0.1]), asked, 2)[1])


def test_a_strict_rule_that_is_met_says_nothing():
    asked = SlotRules(quotas=(quota([0, 1, 0], 1, 2, strict=True),))
    assert assemble(ranked([0.9, 0.5, 0.1]), asked, 2)[1] == ()


def test_equal_scores_keep_the_order_of_the_candidates():
    asked = SlotRules(caps=(cap([0, 0, 0, 1, 1], 1, 2),))
    assert assemble(ranked([0.5] * 5), asked, 4)[0].item_ids == [4, 1, 3, 2]


def plain(asked):
    """Return the rules as the twin reads them."""
    return (
        [(slot - 1, pin.matches) for pin in asked.pins for slot in pin.slots],
        [(cap.groups, cap.most, cap.span.size, cap.span.sliding) for cap in asked.caps],
        [(q.matches, q.least, q.span.size, q.span.sliding) for q in asked.quotas],
    )


@pytest.mark.parametrize("seed", range(4))
def test_what_yields_is_what_the_twin_lets_yield(seed):
    rng = np.random.default_rng([9, seed])
    told = 0
    for _ in range(40):
        m, n = int(rng.integers(1, 7)), int(rng.integers(1, 6))
        asked = SlotRules(
            tuple(pin(rng.random(m) < 0.4, *(rng.permutation(n + 1)[:2] + 1).tolist())
                  for _ in range(rng.integers(0, 3))),
            tuple(cap(rng.integers(-1, 3, m), int(rng.integers(0, 3)), int(rng.integers(1, n + 2)),
                      bool(rng.random() < 0.4)) for _ in range(rng.integers(0, 3))),
            tuple(quota(rng.random(m) < 0.5, int(rng.integers(0, 4)), int(rng.integers(1, n + 2)),
                        bool(rng.random() < 0.4)) for _ in range(rng.integers(0, 3))),
        )  # fmt: skip
        ranking = ranked(np.sort(rng.random(m))[::-1])
        page, unmet = assemble(ranking, asked, n)
        rows = (m - 1 - page.items).tolist()
        _, breaks, _ = naive.fill_slots(ranking.scores.tolist(), *plain(asked), n)
        assert naive.broken(rows, *plain(asked)) == breaks
        assert (len(rows), len(set(rows))) == (min(m, n),) * 2
        expected = sum(breaks[0]) + sum(worst > 0 for worst, _ in breaks[1] + breaks[2])
        assert len(unmet) == expected
        told += expected > 0
    assert 10 < told < 40


def test_what_cannot_be_met_costs_no_more_looks_than_there_are_for_a_page(monkeypatch):
    spent = []

    def counted(*arguments):
        left = fill_slots(*arguments)
        spent.append(arguments[7] - (left if left >= 0 else -1 - left))
        return left

    monkeypatch.setattr(assembly, "fill_slots", counted)
    for m, n in ((200, 20), (500, 20), (60, 50)):
        rng = np.random.default_rng([11, m, n])
        caps = tuple(cap(rng.integers(0, 8, m), 1, size, True) for size in (9, 10, 11))
        quotas = tuple(quota(rng.random(m) < 0.02, 3, size, True) for size in (5, 6))
        page, effects = assemble(
            ranked(np.sort(rng.random(m))[::-1]), SlotRules((), caps, quotas), n
        )
        assert (len(page), len(set(page.items.tolist()))) == (n, n)
        assert effects
        assert 1_000 < sum(spent) <= 120_000
        spent.clear()


def test_the_same_page_comes_twice():
    rng = np.random.default_rng(5)
    asked = SlotRules(caps=(cap(rng.integers(0, 9, 300), 1, 3, True),
                            cap(rng.integers(0, 9, 300), 2, 10)),
                      quotas=(quota(rng.random(300) < 0.1, 6, 20),))  # fmt: skip
    ranking = ranked(np.sort(rng.random(300))[::-1])
    first, second = (assemble(ranking, asked, 20)[0].item_ids for _ in "ab")
    assert first == second
