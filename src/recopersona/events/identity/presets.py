"""Graphs that decide as customer data platforms do, as far as they say how."""

from __future__ import annotations

from typing import Any, Self

from recopersona.base.part import Part
from recopersona.events.called import KINDS


class Presets(Part):
    """The part of an `IdentityGraph` that makes one by the rules of others."""

    @classmethod
    def segment(cls, **parameters: Any) -> Self:
        """Make a graph by the rules of Segment Unify.

        What it guarantees:

        * A profile holds one ``user_id`` and at most five identifiers of every other kind;
          ``user_id`` proves most, then ``email``, then the others by alphabet.
        * A row that would break a limit loses its identifiers from the lowest priority up until
          the rest fits; what is dropped is in `refusals`. So a row never joins a profile by an
          identifier that ranks below a refused one.
        * The values that Segment suggests to block are blocked: zeros and dashes, ``-1``,
          ``null``, ``anonymous``; and a few more words of programs.

        What it does not:

        * Limits hold for ever. Segment's may be "5 weekly" or "5 annually".
        * Segment goes on giving a shared device's anonymous events to the profile that it was
          linked to first. Here a device that was refused for a second person is ambiguous, also
          where it was dropped below the refusal of another identifier, and its anonymous events
          are of a profile of its own: ``resolve(..., back_dating="first_touch")`` gives them to
          the first person, as Segment does.
        * Segment takes events as they arrive. Here links count in the order of their time, so that
          late events make the same profiles as punctual ones.

        Parameters
        ----------
        **parameters
            Any parameter of `IdentityGraph`, in place of the preset's.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph.segment(limits={"email": 2})
        >>> graph.on_refusal, graph.priority
        ('row', ('user_id', 'email'))
        """
        return cls(**{"priority": ("user_id", "email"), "on_refusal": "row"} | parameters)

    @classmethod
    def rudderstack(cls, **parameters: Any) -> Self:
        """Make a graph by the rules of RudderStack Profiles.

        What it guarantees:

        * Whatever links connect is one profile, as in a graph of all identifiers: no limits, no
          priorities that decide, nothing ambiguous, whatever the order of the links.
        * Values are kept out by ``blocked``, which stands for RudderStack's filters: exact values
          and patterns, by kind.

        What it does not:

        * Nothing keeps strangers apart who share a device or a placeholder: one address on half a
          percent of all users makes one person of them. Look at the sizes of profiles before use.
        * RudderStack's ``maximum_edges`` for each pair of kinds, and edges that are included or
          excluded by hand with the highest precedence, are not here. ``limits`` with
          ``policy="limits"`` bound profiles instead of edges.

        Parameters
        ----------
        **parameters
            Any parameter of `IdentityGraph`, in place of the preset's.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph.rudderstack(blocked={"email": ["qa@shop.example"]})
        >>> graph.policy
        'closure'
        """
        return cls(**{"policy": "closure"} | parameters)

    @classmethod
    def snowplow(cls, **parameters: Any) -> Self:
        """Make a graph by the rules of Snowplow Identities.

        What it guarantees:

        * ``user_id`` is unique: identifiers of that kind never merge two profiles. Other kinds have
          no limit.
        * The older name survives a merge, and every merge is in `merges`.
        * An anonymous event of a device with two known users is of neither: it is of a profile of
          the device itself, always the same.

        What it does not:

        * Snowplow's models for dbt know one hop only: the latest ``user_id`` of each
          ``domain_userid``, back-dated over all its sessions. That is no graph but a way to
          resolve one: ``resolve(events, back_dating="last_touch")``, with ``domain_userid`` read
          as ``anonymous_id``.
        * Names are not Snowplow's identifiers, which a service deals out; they are made of the
          oldest identifier.

        Parameters
        ----------
        **parameters
            Any parameter of `IdentityGraph`, in place of the preset's: with ``limits``, other kinds
            are as `IdentityGraph` has them.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> limits = IdentityGraph.snowplow().limits
        >>> limits["user_id"], limits["anonymous_id"]
        (1, None)
        """
        unlimited: dict[str, int | None] = dict.fromkeys(KINDS)
        return cls(**{"limits": unlimited | {"user_id": 1}} | parameters)
