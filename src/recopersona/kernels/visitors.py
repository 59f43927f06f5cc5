"""What a visitor sees in items, and what she does with a page of them.

All of a page's kernels take many pages at once, one a row; chance is drawn outside and passed in.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, flag, i32, i64, inlined, kernel, read, written


@kernel(
    written(f64, 2),
    read(i32, 2), read(i32), read(i32), read(f64), read(f64), read(f64, 2), read(f64), read(i64),
    read(f64, 2), read(f64, 2), read(f64, 2), read(f64, 2), read(f64), read(f64), read(i64),
    f64,
)  # fmt: skip
def attract(
    out, items, topic, second, share, quality, style, dearness, launched,
    likes, manner, bored, weary, thrift, hunger, now, half_life,
):  # fmt: skip
    r"""Write the chance that who looks at an item clicks on it, were it alone on the page.

    .. math:: a_j = \frac{\exp(-b_{t_j} - w_j)}{1 + \exp(-u_j)}, \qquad
        u_j = q_j + (1 - h_j) l_{t_j} + h_j l_{t'_j} + m \cdot s_j - \theta d_j
              + \eta 2^{-age_j / half\_life}

    out        (n_pages, n) float64, written
    items      (n_pages, n) int32, whose chances are asked for
    topic      (n_items,) int32, t, what an item is about
    second     (n_items,) int32, t', and what else
    share      (n_items,) float64, h, how much of it
    quality    (n_items,) float64, q, what everybody sees in it
    style      (n_items, n_axes) float64, s
    dearness   (n_items,) float64, d, log price against the usual one
    launched   (n_items,) int64, milliseconds
    likes      (n_pages, n_topics) float64, l, what the visitor sees in topics
    manner     (n_pages, n_axes) float64, m, and in styles
    bored      (n_pages, n_topics) float64, b, how tired she is of topics
    weary      (n_pages, n) float64, w, and of the items
    thrift     (n_pages,) float64, theta, what she sees in a low price
    hunger     (n_pages,) float64, eta, and in an item of no age
    now        (n_pages,) int64, milliseconds
    half_life  float64, milliseconds, of that
    """
    for page in range(len(out)):
        for place in range(out.shape[1]):
            item = items[page, place]
            first = topic[item]
            worth = quality[item] - thrift[page] * dearness[item]
            liked, else_liked = likes[page, first], likes[page, second[item]]
            worth += (1 - share[item]) * liked + share[item] * else_liked
            for axis in range(style.shape[1]):
                worth += style[item, axis] * manner[page, axis]
            if hunger[page] != 0:
                age = max(now[page] - launched[item], 0)
                worth += hunger[page] * 2.0 ** (-age / half_life)
            tired = bored[page, first] + weary[page, place]
            out[page, place] = np.exp(-tired) / (1 + np.exp(-worth))


@inlined
def _kinship(first, other, family, of_family):
    """Return how alike two topics are: 1 for one and the same, less within a family, else 0."""
    if first == other:
        return 1.0
    return of_family if family[first] == family[other] else 0.0


@kernel(written(f64, 2), read(f64, 2), read(i32, 2), read(i32), read(f64), f64)
def tire(chances, attraction, topics, family, fatigue, of_family):
    r"""Write the chances on a page, where each item is worth less below others like it.

    .. math:: c_k = a_k \exp(-f \sum_{l < k} kin(t_k, t_l))

    chances     (n_pages, n_places) float64, written
    attraction  (n_pages, n_places) float64, of each item alone
    topics      (n_pages, n_places) int32, what is shown there
    family      (n_topics,) int32
    fatigue     (n_pages,) float64, f
    of_family   float64, how alike two topics of a family are
    """
    for page in range(len(chances)):
        for place in range(chances.shape[1]):
            above = 0.0
            for earlier in range(place):
                above += _kinship(topics[page, place], topics[page, earlier], family, of_family)
            chances[page, place] = attraction[page, place] * np.exp(-fatigue[page] * above)


@kernel(written(i32), read(f64), read(i32), read(i32), f64, f64)
def best_page(page, attraction, topic, family, fatigue, of_family):
    """Fill a page from the top, each place with what has the best chance there; ties by item.

    page        (n_places,) int32, written; -1 where nothing is left
    attraction  (n_items,) float64, of each item alone; below 0 for what cannot be shown
    topic       (n_items,) int32
    family      (n_topics,) int32
    fatigue, of_family  see `tire`
    """
    factors = np.ones(len(family), np.float64)
    left = np.empty(len(attraction), np.float64)
    for item in range(len(attraction)):
        left[item] = attraction[item]
    for place in range(len(page)):
        best, most = -1, -1.0
        for item in range(len(attraction)):
            if left[item] >= 0 and left[item] * factors[topic[item]] > most:
                best, most = item, left[item] * factors[topic[item]]
        page[place] = best
        if best < 0:
            continue
        left[best] = -1.0
        for other in range(len(family)):
            kin = _kinship(topic[best], other, family, of_family)
            factors[other] *= np.exp(-fatigue * kin)


@kernel(written(f64, 2), read(f64, 2), read(f64), f64)
def expect(seen, chances, examination, satisfaction):
    r"""Write the chance that each place is looked at.

    .. math:: s_1 = e_1, \qquad s_{k+1} = s_k \frac{e_{k+1}}{e_k} (1 - \sigma c_k)

    seen          (n_pages, n_places) float64, written
    chances       (n_pages, n_places) float64, c, of a click where it is looked at
    examination   (n_places,) float64, e, above 0, non-increasing: had nothing been clicked
    satisfaction  float64, the chance that a click ends the search; 0 without a cascade
    """
    for page in range(len(seen)):
        reach = examination[0] if len(examination) else 0.0
        for place in range(seen.shape[1]):
            seen[page, place] = reach
            if place + 1 < seen.shape[1]:
                step = examination[place + 1] / examination[place]
                reach *= step * (1 - satisfaction * chances[page, place])


@kernel(
    written(flag, 2), written(flag, 2),
    read(f64, 2), read(f64, 2), read(f64, 2), read(f64, 2), read(f64), f64, i64,
)  # fmt: skip
def click(seen, clicked, chances, looks, likings, endings, examination, satisfaction, in_turn):
    """Let visitors walk down their pages.

    seen, clicked  (n_pages, n_places) bool, written
    chances        (n_pages, n_places) float64, of a click where a place is looked at
    looks, likings, endings  (n_pages, n_places) float64, drawn evenly from 0 to 1: whether the
                   place is looked at, clicked, and whether that ends the search
    examination, satisfaction  see `expect`
    in_turn        int64, 1 for a cascade: who passes a place by sees none below it
    """
    for page in range(len(seen)):
        there = True
        for place in range(seen.shape[1]):
            chance = examination[place]
            if in_turn and place:
                chance /= examination[place - 1]
            looked = there and looks[page, place] < chance
            seen[page, place] = looked
            clicked[page, place] = looked and likings[page, place] < chances[page, place]
            if in_turn:
                there = looked
                if clicked[page, place] and endings[page, place] < satisfaction:
                    there = False


@kernel(written(i32), written(f64), read(i32), read(f64))
def remember(kept, amounts, items, added):
    """Add to what a visitor has on her mind; what is least on it makes room.

    kept     (n_kept,) int32, written: items, -1 where there is room
    amounts  (n_kept,) float64, written: how much of each
    items    (n,) int32
    added    (n,) float64, nothing where not above 0
    """
    for place in range(len(items)):
        if added[place] <= 0:
            continue
        found, least = -1, 0
        for row in range(len(kept)):
            if kept[row] == items[place] and amounts[row] > 0:
                found = row
                break
            if amounts[row] < amounts[least]:
                least = row
        if found >= 0:
            amounts[found] += added[place]
        elif added[place] > amounts[least]:
            kept[least], amounts[least] = items[place], added[place]
