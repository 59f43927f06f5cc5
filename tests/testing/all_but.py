"""A gate as small as can be: it lets everybody through but some."""

from recopersona.data.gate import PURPOSES, EventGate


class AllBut(EventGate):
    """Refuses some visitors, for some purposes; `refuse` changes its mind at once."""

    def __init__(self, *refused, purposes=PURPOSES):
        self.refused, self.purposes, self.asked = set(refused), purposes, []

    def refuse(self, *visitors):
        self.refused.update(visitors)

    def admitted(self, rows, purpose):
        self.asked.append(rows)
        mask = ~rows.index.isin([])
        for name in ("user_id", "anonymous_id"):
            if name in rows.columns and purpose in self.purposes:
                mask &= ~rows[name].isin(self.refused).to_numpy(dtype=bool)
        return mask

    def admits(self, who, purpose, at=None):
        known = {who.get("user_id"), who.get("anonymous_id")}
        return purpose not in self.purposes or not known & self.refused
