"""How fast links are taken, beside scipy's connected components, and what shared devices do.

``links_speed(quick)`` and ``shared_values(quick)`` return figures for `identity.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

import recopersona as rp
from recopersona.events.identity.links import ALONE, Links
from recopersona.events.identity.order import in_order
from recopersona.events.identity.state import State

_DAY_MS = 86_400_000
_START = 1_750_000_000_000
_ROUNDS = 5


def links_speed(quick: bool) -> dict:
    """Time links of people and their devices, and links of anybody, alternating with scipy."""
    n_users, n_devices = (100_000, 300_000) if quick else (1_000_000, 3_000_000)
    users, devices, times = device_links(n_users, n_devices)
    kinds = np.repeat(np.array([0, 1], np.int16), [n_users, n_devices])
    n = n_users + n_devices
    anybody = np.random.default_rng(7).integers(0, n, (2, n), dtype=np.int32)
    devices_of = _beside_scipy(_links(users, devices, times), kinds, (1, 5))
    # Without limits, so that profiles are the connected components.
    closure = _beside_scipy(_links(*anybody, np.arange(n)), np.zeros(n, np.int16), (0,))
    assert closure["profiles"] == closure["components"], "profiles are no connected components"
    return {
        **devices_of,
        **{f"anybody_{name}": figure for name, figure in closure.items()},
        "edges_per_s": devices_of["links"] / devices_of["kernel_s"],
        **_from_frame(users, devices, times),
    }


def _links(higher: np.ndarray, lower: np.ndarray, times: np.ndarray) -> Links:
    return Links.of(
        higher=higher, lower=lower, time=times, event=np.full(len(higher), ALONE),
        row=np.arange(len(higher)),
    )  # fmt: skip


def _beside_scipy(links: Links, kinds: np.ndarray, limits: tuple[int, ...]) -> dict:
    """Return medians of alternating rounds: from the same edges to what each makes of them.

    `join` takes links in order; `whole` goes from edges in order to the profile of everybody, as
    scipy does; `edges` is scipy with the matrix that it needs, `matrix` with that made before.
    """
    spent = {name: [] for name in ("order", "join", "whole", "edges", "matrix")}
    n, one, other = len(kinds), links.higher_, links.lower_
    ones = np.ones(len(links))  # scipy would make floats of anything else
    for _ in range(_ROUNDS + 1):  # the first warms up
        with _timed(spent["order"]):
            order = in_order(links, _no_ranks, np.asarray)
        with _timed(spent["whole"]):
            state = State(np.array(limits, np.int32), by_row=False)
            state.grow(kinds)
            with _timed(spent["join"]):
                outcome, merged = state.join(order)
            roots = state.roots()
        with _timed(spent["edges"]):
            matrix = sparse.coo_array((ones, (one, other)), shape=(n, n))
            n_components, _ = connected_components(matrix, directed=False)
        matrix = matrix.tocsr()
        with _timed(spent["matrix"]):
            connected_components(matrix, directed=False)
    order, join, whole, edges, matrix = (np.median(times[1:], axis=0) for times in spent.values())
    return {
        "links": len(links),
        "identifiers": n,
        "order_s": order[0],
        "join_s": join[0],
        "whole_s": whole[0],
        "kernel_s": order[0] + join[0],
        "kernel_cpu_s": order[1] + join[1],
        "scipy_s": edges[0],
        "scipy_csr_s": matrix[0],
        **_ratios(edges, matrix, join, whole, order),
        "merges": len(merged),
        "refused": int((outcome > 1).sum()),
        "profiles": int((roots == np.arange(n)).sum()),
        "components": int(n_components),
    }


def _ratios(edges, matrix, join, whole, order) -> dict:
    ratios = {
        "ratio_scipy": edges / join,
        "ratio_scipy_whole": edges / whole,
        "ratio_scipy_csr": matrix / join,
        "ratio_scipy_with_order": edges / (order + join),
    }
    return {
        f"{name}{unit}": ratio[place]
        for name, ratio in ratios.items()
        for place, unit in enumerate(("", "_cpu"))
    }


@contextmanager
def _timed(spent: list) -> Iterator[None]:
    """Note the seconds by the clock and those of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    spent.append((time.perf_counter() - wall, time.process_time() - cpu))


def shared_values(quick: bool) -> dict:
    """Take one e-mail on 0.5 % of users and 1 % shared devices; the largest profile stays small."""
    n_users, n_devices = (20_000, 60_000) if quick else (200_000, 600_000)
    users, devices, times = device_links(n_users, n_devices)
    rng = np.random.default_rng(5)
    everybody = rng.choice(n_users, n_users // 200, replace=False)
    log = pd.DataFrame({"user_id": users + 1, "device_id": devices, "timestamp": times})
    mails = pd.DataFrame({"user_id": everybody + 1, "email": "frontdesk@tea.shop"})
    mails["timestamp"] = _START + rng.choice(14 * _DAY_MS, len(mails), replace=False) * 2 + 1
    graph = rp.IdentityGraph(key="correct horse battery staple", limits={"device_id": 5})
    graph.update(log).update(mails)
    closure = rp.IdentityGraph(key="correct horse battery staple", policy="closure")
    closure.update(log).update(mails)
    profiles, refusals = graph.profiles(), graph.refusals()
    users_of = profiles[profiles["kind"] == "user_id"].groupby("profile").size()
    return {
        "largest_profile": int(profiles.groupby("profile").size().max()),
        "most_users_in_a_profile": int(users_of.max()),
        "largest_closure": int(closure.profiles().groupby("profile").size().max()),
        "refused": len(refusals),
        "refusals_recounted": _refused_by_hand(log, mails),
        "links": len(log) + len(mails),
    }


def device_links(n_users: int, n_devices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return users, devices and times of links: every device has a user, 1 % of them have two."""
    rng = np.random.default_rng(3)
    owners = rng.integers(0, n_users, n_devices)
    shared = rng.choice(n_devices, n_devices // 100, replace=False)
    linked = rng.permutation(n_devices)[: n_devices - len(shared)]
    users = np.concatenate((owners[linked], rng.integers(0, n_users, len(shared))))
    devices = np.concatenate((linked, shared)) + n_users
    turn = rng.permutation(len(users))
    step = 30 * _DAY_MS // len(users)  # no two at one time, and links of mails at odd ones
    times = _START + step * rng.permutation(len(users))
    return users[turn].astype(np.int32), devices[turn].astype(np.int32), times


def _from_frame(users: np.ndarray, devices: np.ndarray, times: np.ndarray) -> dict:
    """Time a whole update, from a frame of text ids to profiles."""
    frame = pd.DataFrame(
        {
            "user_id": pd.Series(users, dtype="str") + "-user",
            "device_id": pd.Series(devices, dtype="str") + "-device",
            "timestamp": pd.to_datetime(times, unit="ms", utc=True),
        }
    )
    graph = rp.IdentityGraph()
    spent: list = []
    with _timed(spent):
        graph.update(frame)
    return {"update_s": spent[0][0], "update_cpu_s": spent[0][1], "update_rows": len(frame)}


def _refused_by_hand(log: pd.DataFrame, mails: pd.DataFrame) -> int:
    """Count the refusals again, in plain Python, for one limit each: users 1, all else 5."""
    frame = pd.concat([log, mails]).sort_values("timestamp", kind="stable")
    profile, holds, ambiguous, refused = {}, {}, set(), 0
    for row in frame.itertuples(index=False):
        one = ("user", row.user_id)
        device = row.device_id == row.device_id
        other = ("device", int(row.device_id)) if device else ("email", row.email)
        for node in (one, other):
            if node not in profile:
                profile[node] = node
                holds[node] = {node}
        kept, gone = profile[one], profile[other]
        if kept == gone:
            continue
        joint = holds[kept] | holds[gone]
        many = {kind: sum(node[0] == kind for node in joint) for kind in ("user", "device")}
        if one in ambiguous or other in ambiguous:
            refused += 1
        elif many["user"] > 1 or many["device"] > 5:
            refused += 1
            if many["user"] > 1:
                ambiguous.add(other)
        else:
            holds[kept] = joint
            for node in holds.pop(gone):
                profile[node] = kept
    return refused


def _no_ranks(codes: np.ndarray) -> np.ndarray:
    return np.zeros(len(codes), np.int64)


if __name__ == "__main__":
    import json
    import sys

    is_quick = "--quick" in sys.argv
    print(json.dumps({**links_speed(is_quick), "shared": shared_values(is_quick)}, indent=1))
