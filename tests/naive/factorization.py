"""The slow, readable twins of the steps of gradient descent, in double precision."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

WORD = 2**32
TRIES = 16


def mixed(number):
    for _ in range(2):
        number %= WORD
        number = ((number >> 16) ^ number) * 0x45D9F3B
    number %= WORD
    return (number >> 16) ^ number


def drawn(key, counter, trial, size):
    seed = mixed(key ^ mixed(counter))
    return mixed(seed + (trial + 1) * 0x1E3779B9) * size // WORD


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


class Tables:
    """Copies of a model's tables in double precision, and one step of each loss."""

    def __init__(
        self, users, items, user_biases, item_biases, user_sums, item_sums, rate, reg, adaptive
    ):
        self.users, self.items, self.user_biases, self.item_biases = (
            table.astype(np.float64) for table in (users, items, user_biases, item_biases)
        )
        self.user_sums, self.item_sums = user_sums.astype(float), item_sums.astype(float)
        self.rate, self.reg, self.adaptive = rate, reg, adaptive

    def move(self, table, sums, row, column, gradient):
        """One step against a gradient, shorter the more there has been to correct."""
        sums[row, column] += np.sum(gradient**2)
        rate = self.rate / 2 if column else self.rate
        step = rate / np.sqrt(1 + sums[row, column]) if self.adaptive else rate
        return table[row] - step * (gradient + self.reg * table[row])

    def apply(self, user, user_gradient, gradients, user_bias=None):
        """Move all from where it stood; gradients maps items to those of factors and bias."""
        new_user = self.move(self.users, self.user_sums, user, 0, user_gradient)
        for item, (factors, bias) in gradients.items():
            self.items[item] = self.move(self.items, self.item_sums, item, 0, factors)
            self.item_biases[item] = self.move(self.item_biases, self.item_sums, item, 1, bias)
        if user_bias is not None:
            self.user_biases[user] = self.move(self.user_biases, self.user_sums, user, 1, user_bias)
        self.users[user] = new_user

    def score(self, user, item):
        return self.users[user] @ self.items[item] + self.item_biases[item]

    def order(self, user, liked, other, weight, hinge):
        ahead = self.score(user, liked) - self.score(user, other)
        loss = weight * (1 - ahead) if hinge else -weight * np.log(sigmoid(ahead))
        slope = -weight if hinge else -weight * sigmoid(-ahead)
        own = self.users[user].copy()
        apart = self.items[liked] - self.items[other]
        self.apply(
            user, slope * apart, {liked: (slope * own, slope), other: (-slope * own, -slope)}
        )
        return loss

    def judge(self, user, item, liked, weight):
        sign = 1 if liked else -1
        score = self.score(user, item)
        slope = -sign * weight * sigmoid(-sign * score)
        own = self.users[user].copy()
        self.apply(user, slope * self.items[item], {item: (slope * own, slope)})
        return -weight * np.log(sigmoid(sign * score))

    def rate_one(self, user, item, mean, target):
        slope = mean + self.user_biases[user] + self.score(user, item) - target
        own = self.users[user].copy()
        self.apply(user, slope * self.items[item], {item: (slope * own, slope)}, slope)
        return slope**2

    def learn_one(self, loss, user, item, weight, mean, others, size):
        """One event; ``others`` yields its negatives, None where there is none."""
        if loss == "squared":
            return self.rate_one(user, item, mean, weight)
        total = self.judge(user, item, True, weight) if loss == "logistic" else 0
        for trial, other in enumerate(others):
            if other is None:
                continue
            if loss == "logistic":
                total += self.judge(user, other, False, weight)
            elif loss == "bpr":
                total += self.order(user, item, other, weight, False)
            elif self.score(user, item) - self.score(user, other) < 1:
                weight *= np.log(1 + size // (trial + 1))
                return total + self.order(user, item, other, weight, True)
        return total


def arranged(rows, user_order, user_starts, block_of, n_blocks):
    """The strata in order, each a list of (user, item, weight)."""
    strata = []
    for start, end in pairwise(user_starts):
        strata += [
            [(user, item, weight) for user in user_order[start:end]
             for item, weight in rows[user] if block_of[item] == block]
            for block in range(n_blocks)
        ]  # fmt: skip
    return strata


def others(key, counter, negatives, candidates, taken):
    """Draw negatives from candidates, none of which may be taken."""
    for trial in range(negatives):
        draws = (
            candidates[drawn(key, counter, trial * TRIES + attempt, len(candidates))]
            for attempt in range(TRIES)
        )
        yield next((item for item in draws if item not in taken), None)


def descend(tables, loss, strata, item_blocks, negatives, mean, key, turn):
    """All strata of one round; returns the loss of each."""
    n_blocks, losses = len(item_blocks), {}
    for block in range(n_blocks):
        place = block * n_blocks + (block + turn) % n_blocks
        block_items = item_blocks[(block + turn) % n_blocks]
        counter = sum(len(stratum) for stratum in strata[:place])
        losses[place] = 0
        for user, item, weight in strata[place]:
            taken = {other for who, other, _ in strata[place] if who == user}
            n = negatives if len(taken) < len(block_items) else 0
            losses[place] += tables.learn_one(
                loss, user, item, weight, mean, others(key, counter, n, block_items, taken),
                len(block_items) * n_blocks,
            )  # fmt: skip
            counter += 1
    return losses


def fold_in(tables, loss, items, weights, known, negatives, key, passes):
    """The steps of one user, 0, while every item stays where it is."""
    counter = 0
    for _ in range(passes):
        for item, weight in zip(items, weights, strict=True):
            kept = [table.copy() for table in (tables.items, tables.item_biases, tables.item_sums)]
            taken = unknown_or(items, known)
            drawn_others = others(key, counter, negatives, range(len(known)), taken)
            if loss == "logistic":
                tables.judge(0, item, True, weight)
                tables.items, tables.item_biases, tables.item_sums = (t.copy() for t in kept)
            for trial, other in enumerate(drawn_others):
                if other is None:
                    continue
                if loss == "logistic":
                    tables.judge(0, other, False, weight)
                elif loss == "bpr":
                    tables.order(0, item, other, weight, False)
                elif tables.score(0, item) - tables.score(0, other) < 1:
                    weight *= np.log(1 + len(known) // (trial + 1))
                    tables.order(0, item, other, weight, True)
                tables.items, tables.item_biases, tables.item_sums = (t.copy() for t in kept)
                if loss == "warp" and weight != weights[items.index(item)]:
                    break
            counter += 1


def unknown_or(items, known):
    return {*items, *(item for item, knows in enumerate(known) if not knows)}
