r"""How probable it is that each arm is the best, given what is known of all.

.. math:: p_i = \int f_i(x) \prod_{j \ne i} F_j(x) \, dx

The integral is walked from above, in panels as wide as the narrowest density there allows, so that
narrow and wide posteriors both resolve; an arm is looked at from the top of its own range on, and
the walk ends where some arm is surely better. Distribution functions come out of the same walk: the
mass above a node is the integral of the polynomial through the panel's nodes.
"""

from __future__ import annotations

import math

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, written

_NODES = 5
_DROP = 16.0  # an arm's range ends where its density is e**-16 of the highest
_STEP = 0.9  # of the narrowest deviation
_REST = 1e-8  # what may be left of the mass
_MOST_PANELS = 20_000
_ROUNDS = 3  # between segments' levels and arms' rates
_LEVEL = 50.0  # what the belief that a segment is as keen as all is worth, in rewards


def _rule() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return distances from the top of a panel of width 1, weights, and the mass above each."""
    places, weights = np.polynomial.legendre.leggauss(_NODES)
    places = (1 - places) / 2
    powers = np.arange(_NODES)
    basis = np.linalg.inv(places[:, None] ** powers)
    above = (places[:, None] ** (powers + 1) / (powers + 1)) @ basis
    return np.ascontiguousarray(places), weights / 2, np.ascontiguousarray(above)


_PLACES, _WEIGHTS, _ABOVE = _rule()


@inner
def _best(chances, first, second, third, is_beta):
    """Write each arm's probability of being the best.

    Betas are looked at on the logit scale, where nothing ends abruptly: ``first`` and ``second``
    are their shapes. Else the densities are Student's: location, scale, degrees of freedom, which
    may be infinite.
    """
    n = len(chances)
    centres, scales, norms, tops = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for arm in range(n):
        chances[arm] = 0.0
        if is_beta:
            a, b = first[arm], second[arm]
            centres[arm] = math.log(a / b)
            scales[arm] = math.sqrt(1.0 / a + 1.0 / b)
            norms[arm] = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
            highest = a * math.log(a / (a + b)) + b * math.log(b / (a + b))
            reach = 5.5 * scales[arm]
            for _ in range(100):
                u = centres[arm] + reach
                if not highest + a * math.log1p(math.exp(-u)) + b * _softplus(u) < _DROP:
                    break
                reach *= 1.25
        else:
            nu = third[arm]
            centres[arm], scales[arm] = first[arm], second[arm]
            reach = 5.7
            if nu < np.inf:
                norms[arm] = (
                    math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - math.log(nu * math.pi) / 2
                )
                for _ in range(100):
                    if not (nu + 1) / 2 * math.log1p(reach * reach / nu) - math.log(reach) < _DROP:
                        break
                    reach *= 1.5
            else:
                norms[arm] = -math.log(2 * math.pi) / 2
            norms[arm] -= math.log(scales[arm])
            reach *= scales[arm]
        tops[arm] = centres[arm] + reach
    order = np.argsort(-tops)
    dense, below, mass = np.empty((n, _NODES)), np.empty((n, _NODES)), np.zeros(n)
    x, active = tops[order[0]], 1
    while active < n and tops[order[active]] >= x:
        active += 1
    log_x, log_rest = np.empty(_NODES), np.empty(_NODES)
    for _ in range(_MOST_PANELS):
        h = np.inf
        for place in range(active):
            arm = order[place]
            step = _STEP * scales[arm]
            if not is_beta:
                step = max(step, abs(x - centres[arm]) / (third[arm] + 1.0))
            h = min(h, step)
        # Whose range begins in this panel joins at its start, unless it asks for narrower ones.
        while active < n and tops[order[active]] > x - h:
            step = _STEP * scales[order[active]]
            gap = x - tops[order[active]]
            if step < h and gap > step:
                h = gap
                break
            h = min(h, step)
            active += 1
        if not x - h < x:
            break
        if is_beta:
            for node in range(_NODES):
                u = x - h * _PLACES[node]
                log_rest[node] = -_softplus(u)
                log_x[node] = u + log_rest[node]
        for place in range(active):
            arm = order[place]
            if is_beta:
                for node in range(_NODES):
                    dense[place, node] = math.exp(
                        first[arm] * log_x[node] + second[arm] * log_rest[node] + norms[arm]
                    )
            elif third[arm] < np.inf:
                nu = third[arm]
                for node in range(_NODES):
                    z = (x - h * _PLACES[node] - centres[arm]) / scales[arm]
                    dense[place, node] = math.exp(
                        norms[arm] - (nu + 1) / 2 * math.log1p(z * z / nu)
                    )
            else:
                for node in range(_NODES):
                    z = (x - h * _PLACES[node] - centres[arm]) / scales[arm]
                    dense[place, node] = math.exp(norms[arm] - z * z / 2)
            panel = 0.0
            for node in range(_NODES):
                above = 0.0
                for other in range(_NODES):
                    above += _ABOVE[node, other] * dense[place, other]
                below[place, node] = max(1.0 - mass[place] - h * above, 0.0)
                panel += _WEIGHTS[node] * dense[place, node]
            mass[place] += h * panel
        for node in range(_NODES):
            every = 1.0
            for place in range(active):
                every *= below[place, node]
            for place in range(active):
                if below[place, node] > 0.0:
                    others = every / below[place, node]
                else:
                    others = 1.0
                    for other in range(active):
                        if other != place:
                            others *= below[other, node]
                chances[order[place]] += h * _WEIGHTS[node] * dense[place, node] * others
        x -= h
        left = 1.0
        for place in range(active):
            left *= max(1.0 - mass[place], 0.0)
        if left < _REST:
            break
        while active < n and tops[order[active]] >= x:
            active += 1
    total = 0.0
    for arm in range(n):
        total += chances[arm]
    for arm in range(n):
        chances[arm] /= total


@inner
def _softplus(u):
    """Return log(1 + e^u), for large u as well."""
    return max(u, 0.0) + math.log1p(math.exp(-abs(u)))


@kernel(
    written(f64),
    written(f64),
    read(f64, 2),
    read(f64, 2),
    read(i32),
    read(f64),
    i64,
    f64,
    f64,
    f64,
)
def beta_chances(chances, means, trials, totals, places, levels, row, hits, misses, n0):
    """Write each arm's posterior mean and its probability of being the best, of Beta posteriors.

    chances  (n,) float64, written
    means    (n,) float64, written
    trials   (n_rows, n_arms) float64, how many rewards; row 0 of all segments together
    totals   (n_rows, n_arms) float64, their sums, each between 0 and 1
    places   (n,) int32, the arms in question
    levels   (n_rows,) float64, above 0: how keen each segment is, whatever the arm
    row      of the segment; 0: all that is known, as one; -1: a segment of which nothing is known
    hits     of the prior Beta(hits, misses)
    misses   the same
    n0       what the other segments are worth at most for this one, in rewards
    """
    n = len(places)
    first, second = np.empty(n), np.empty(n)
    for place in range(n):
        arm = places[place]
        count, total = trials[0, arm], max(totals[0, arm], 0.0)
        a, b = hits + total, misses + max(count - total, 0.0)
        if row != 0:
            own, own_total = 0.0, 0.0
            if row > 0:
                own, own_total = trials[row, arm], max(totals[row, arm], 0.0)
            # Rewards of other segments count as if they were as keen as this one.
            exposure = count
            for other in range(1, len(levels)):
                exposure += (levels[other] - 1.0) * trials[other, arm]
            if row > 0:
                exposure /= levels[row]
            b = misses + max(exposure - total, 0.0)
            mean, worth = a / (a + b), a + b + 1.0
            if n0 < np.inf:
                worth *= (n0 + 1.0) / (worth + n0)
            a = (worth - 1.0) * mean + own_total
            b = (worth - 1.0) * (1.0 - mean) + max(own - own_total, 0.0)
        first[place], second[place] = a, b
        means[place] = a / (a + b)
    if n > 1:
        _best(chances, first, second, second, True)
    elif n:
        chances[0] = 1.0


@kernel(
    written(f64),
    written(f64),
    read(f64, 2),
    read(f64, 2),
    read(f64, 2),
    read(i32),
    i64,
    f64,
    f64,
    f64,
    f64,
)
def normal_chances(
    chances, means, trials, totals, squares, places, row, mean, variance, strength, n0
):
    """Write the same of Normal-inverse-gamma posteriors, whose means are Student's.

    chances   (n,) float64, written
    means     (n,) float64, written
    trials    (n_rows, n_arms) float64, as in `beta_chances`
    totals    (n_rows, n_arms) float64
    squares   (n_rows, n_arms) float64, sums of squares
    places    (n,) int32
    row       as in `beta_chances`
    mean      of the prior
    variance  of one reward, by the prior
    strength  what the prior is worth, in rewards
    n0        as in `beta_chances`
    """
    n = len(places)
    first, second, third = np.empty(n), np.empty(n), np.empty(n)
    for place in range(n):
        arm = places[place]
        count, total = trials[0, arm], totals[0, arm]
        worth = strength + count
        centre = (strength * mean + total) / worth
        shape = (strength + count) / 2
        spread = strength * variance / 2
        if count > 0.0:
            spread += max(squares[0, arm] - total * total / count, 0.0) / 2
            spread += strength * count * (total / count - mean) ** 2 / worth / 2
        if row != 0:
            own, own_total = 0.0, 0.0
            if row > 0:
                own, own_total = trials[row, arm], totals[row, arm]
            known = strength + count
            if n0 < np.inf:
                known *= n0 / (known + n0)
            worth = known + own
            centre = (known * centre + own_total) / worth
        first[place] = means[place] = centre
        second[place] = math.sqrt(spread / shape / worth)
        third[place] = 2 * shape
    if n > 1:
        _widen(first, second)
        _best(chances, first, second, third, False)
    elif n:
        chances[0] = 1.0


@kernel(written(f64), written(f64), read(f64))
def normal_best(chances, widths, means):
    """Write the probability that each of some normal variables is the largest.

    chances  (n,) float64, written
    widths   (n,) float64, standard deviations; written: none is left at zero
    means    (n,) float64
    """
    n = len(means)
    if n > 1:
        _widen(means, widths)
        _best(chances, means, widths, np.full(n, np.inf), False)
    elif n:
        chances[0] = 1.0


@inner
def _widen(means, widths):
    """Leave no width at zero beside what else is on the scale."""
    largest = 0.0
    for arm in range(len(means)):
        largest = max(largest, abs(means[arm]), widths[arm])
    least = 1e-9 * largest if largest > 0.0 else 1.0
    for arm in range(len(means)):
        widths[arm] = max(widths[arm], least)


@kernel(
    written(f64, 2),
    written(f64, 2),
    written(f64, 2),
    read(i32),
    read(i32),
    read(f64),
    read(f64),
    f64,
)
def tally(trials, totals, squares, places, rows, rewards, weights, discount):
    """Add rewards to the sums of their arms, of all segments together and of their own.

    trials    (n_rows, n_arms) float64, written: sums of weights; row 0 of all segments together
    totals    (n_rows, n_arms) float64, written: of rewards
    squares   (n_rows, n_arms) float64, written: of their squares
    places    (n,) int32, arms
    rows      (n,) int32, of their segments; 0 and below: of none
    rewards   (n,) float64
    weights   (n,) float64; negative ones take back
    discount  what everything known before is multiplied by at each reward; 1: nothing is forgotten
    """
    for told in range(len(places)):
        if discount < 1.0:
            for row in range(len(trials)):
                for arm in range(trials.shape[1]):
                    trials[row, arm] *= discount
                    totals[row, arm] *= discount
                    squares[row, arm] *= discount
        arm, reward, weight = places[told], rewards[told], weights[told]
        for row in (0, rows[told]) if rows[told] > 0 else (0, -1):
            if row >= 0:
                trials[row, arm] += weight
                totals[row, arm] += weight * reward
                squares[row, arm] += weight * reward * reward


@kernel(
    written(f64, 2),
    written(f64, 2),
    written(f64, 2),
    read(i32),
    read(f64, 2),
    read(f64),
    read(f64),
)
def learn_ridge(inverses, responses, coefficients, places, contexts, rewards, weights):
    """Learn rewards by Sherman and Morrison, in a time that knows nothing of other arms.

    inverses      (n_arms * d, d) float64, written: of the arms' regularized Gram matrices
    responses     (n_arms, d) float64, written: sums of weight * reward * context
    coefficients  (n_arms, d) float64, written: inverse times response
    places        (n,) int32, arms
    contexts      (n, d) float64
    rewards       (n,) float64
    weights       (n,) float64, above 0
    """
    d = contexts.shape[1]
    direction = np.empty(d)
    for told in range(len(places)):
        arm, context = places[told], contexts[told]
        first = arm * d
        error, reach = rewards[told], 1.0 / weights[told]
        for row in range(d):
            direction[row] = 0.0
        for row in range(d):
            if context[row] != 0.0:
                line = inverses[first + row]
                for column in range(d):
                    direction[column] += context[row] * line[column]
        for row in range(d):
            reach += direction[row] * context[row]
            error -= coefficients[arm, row] * context[row]
        for row in range(d):
            gain = direction[row] / reach
            responses[arm, row] += weights[told] * rewards[told] * context[row]
            coefficients[arm, row] += gain * error
            line = inverses[first + row]
            for column in range(d):
                line[column] -= gain * direction[column]


@kernel(
    written(f64),
    written(f64),
    read(f64, 2),
    read(f64, 2),
    read(i32),
    read(f64),
)
def score_ridge(means, widths, inverses, coefficients, places, context):
    """Write what each arm is expected to bring, and how far that may be wrong.

    means         (n,) float64, written: context times coefficients
    widths        (n,) float64, written: the square root of context * inverse * context
    inverses      (n_arms * d, d) float64, symmetric; what is below the diagonal is not read
    coefficients  (n_arms, d) float64
    places        (n,) int32, arms
    context       (d,) float64
    """
    d = len(context)
    direction = np.empty(d)
    for place in range(len(places)):
        arm = places[place]
        first = arm * d
        mean, square = 0.0, 0.0
        for row in range(d):
            direction[row] = 0.0
        for row in range(d):
            share = context[row]
            mean += share * coefficients[arm, row]
            if share != 0.0:
                line = inverses[first + row]
                square += share * (share * line[row] + 2.0 * direction[row])
                for column in range(row + 1, d):
                    direction[column] += share * line[column]
        means[place] = mean
        widths[place] = math.sqrt(max(square, 0.0))


@kernel(written(f64), read(f64, 2), read(f64, 2), read(i32))
def tally_means(means, trials, totals, places):
    """Write the mean of each arm's rewards and one more, the mean of all rewards.

    means   (n,) float64, written
    trials  (n_rows, n_arms) float64; only row 0 is read
    totals  (n_rows, n_arms) float64; the same
    places  (n,) int32, arms
    """
    n, total = 0.0, 0.0
    for arm in range(trials.shape[1]):
        n += trials[0, arm]
        total += totals[0, arm]
    mean = total / n if n > 0.0 else 0.0
    for place in range(len(places)):
        arm = places[place]
        means[place] = (totals[0, arm] + mean) / (max(trials[0, arm], 0.0) + 1.0)


@kernel(written(f64), read(f64, 2), read(f64, 2), read(i32), f64)
def tally_bounds(bounds, trials, totals, places, alpha):
    """Write how high each arm's mean may be, infinite where there is no reward.

    bounds  (n,) float64, written
    trials  (n_rows, n_arms) float64; only row 0 is read
    totals  (n_rows, n_arms) float64; the same
    places  (n,) int32, arms
    alpha   what the square root of 2 ln N / n counts for
    """
    n = 0.0
    for arm in range(trials.shape[1]):
        n += trials[0, arm]
    twice = 2.0 * math.log(max(n, 1.0))
    for place in range(len(places)):
        arm = places[place]
        own = trials[0, arm]
        if own > 1e-9:
            bounds[place] = totals[0, arm] / own + alpha * math.sqrt(twice / own)
        else:
            bounds[place] = np.inf


@kernel(written(f64), read(f64))
def share_best(chances, scores):
    """Write probabilities that the best scores share evenly.

    chances  (n,) float64, written
    scores   (n,) float64
    """
    best, count = -np.inf, 0
    for place in range(len(scores)):
        if scores[place] > best:
            best, count = scores[place], 1
        elif scores[place] == best:
            count += 1
    for place in range(len(scores)):
        chances[place] = 1.0 / count if scores[place] == best else 0.0


@kernel(written(f64), written(f64), read(f64, 2), read(f64, 2), read(f64))
def learn_pooling(levels, likelihoods, trials, totals, strengths):
    """Learn how keen each segment is, and how likely its rewards are at each strength of pooling.

    Rates are first taken to be a level of the segment times a rate of the arm; both are found in
    turn, by what was rewarded over what was to be expected. Around that product, a segment's own
    rates are Beta's of the strength, and the rewards Beta-binomial.

    levels       (n_rows,) float64, written; row 0 is left at 1
    likelihoods  (n_strengths,) float64, written: their logarithms
    trials       (n_rows, n_arms) float64
    totals       (n_rows, n_arms) float64
    strengths    (n_strengths,) float64, in rewards
    """
    n_rows, n_arms = len(levels), trials.shape[1]
    n, total = 0.0, 0.0
    for arm in range(n_arms):
        n += trials[0, arm]
        total += totals[0, arm]
    grand = (total + 1.0) / (n + 2.0)
    rates = np.ones(n_arms)
    levels[:] = 1.0
    for _ in range(_ROUNDS):
        for row in range(1, n_rows):
            found, expected = _LEVEL * grand, _LEVEL * grand
            for arm in range(n_arms):
                found += totals[row, arm]
                expected += trials[row, arm] * rates[arm] * grand
            levels[row] = max(found, 1e-9) / max(expected, 1e-9)
        for arm in range(n_arms):
            found, expected = 1.0, 1.0
            for row in range(1, n_rows):
                found += totals[row, arm]
                expected += trials[row, arm] * levels[row] * grand
            rates[arm] = max(found, 1e-9) / max(expected, 1e-9)
    for number in range(len(strengths)):
        strength = strengths[number]
        likelihood = 0.0
        for row in range(1, n_rows):
            for arm in range(n_arms):
                if trials[row, arm] > 0.0:
                    mean = min(max(grand * levels[row] * rates[arm], 1e-6), 1.0 - 1e-6)
                    hits = max(totals[row, arm], 0.0)
                    misses = max(trials[row, arm] - hits, 0.0)
                    a, b = strength * mean, strength * (1.0 - mean)
                    likelihood += math.lgamma(a + hits) + math.lgamma(b + misses)
                    likelihood -= math.lgamma(strength + hits + misses)
                    likelihood += math.lgamma(strength) - math.lgamma(a) - math.lgamma(b)
        likelihoods[number] = likelihood
