"""Values compiled: what becomes of the expressions that are no conditions."""

from __future__ import annotations

from recopersona.errors import RuleError
from recopersona.rules import nodes
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.kinds import ANY, NUMERIC, common_kind, kind_of, kinds_within
from recopersona.rules.conditions.labels import (
    CategoryOf,
    FixedLabel,
    GivenLabel,
    ItemId,
    Label,
    NumberAsLabel,
    TextOf,
)
from recopersona.rules.conditions.operands import (
    CHOSEN,
    COMPUTED,
    Chosen,
    ColumnOf,
    Computed,
    Fixed,
    GivenNumber,
    Needs,
    NumberOf,
    Numeric,
    Since,
    TimeOf,
    age,
)
from recopersona.rules.conditions.request_values import Given
from recopersona.rules.constants import constant
from recopersona.rules.nodes import Expression, Field, Param


class Values:
    """Turns values into things that can be evaluated; knows the tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def kind(self, *expressions: Expression) -> str:
        """Return the kind that expressions side by side have."""
        return common_kind(*(kind_of(one, self.tables) for one in expressions))

    def column(self, node: Expression) -> ColumnOf:
        """Return the column of the items that an expression names."""
        if not isinstance(node, Field) or node.of != "item":
            raise misfit("a field of the item was expected", node)
        return ColumnOf(self.tables, node.name)

    def given(self, node: Expression, wanted: str) -> Given | None:
        """Return a value of the request read as its own kind or that wanted; None for others."""
        if not isinstance(node, (Field, Param)) or (isinstance(node, Field) and node.of == "item"):
            return None
        return Given(node, common_kind(self.kind(node), wanted), self.tables)

    def numeric(self, node: Expression, wanted: str) -> Numeric:
        compiled = self._numeric(node, wanted)
        if compiled.needs == Needs() and not isinstance(compiled, Fixed):
            return Fixed(compiled.values(slice(0), Asked()))
        return compiled

    def _numeric(self, node: Expression, wanted: str) -> Numeric:
        if isinstance(node, (Field, Param)):
            return self.numeric_field(node, wanted)
        if isinstance(node, nodes.Arithmetic):
            return self.arithmetic(node, wanted)
        if isinstance(node, nodes.Negative):
            return Chosen(CHOSEN["-"], [self.numeric(node.value, wanted)])
        if isinstance(node, nodes.Call):
            kind = common_kind(self.kind(*node.args), wanted if node.name in CHOSEN else "number")
            args = [self.numeric(arg, kind) for arg in node.args]
            if node.name in CHOSEN:
                return Chosen(CHOSEN[node.name], args)
            return Computed(COMPUTED[node.name], args)
        return Fixed(self.written_number(node))

    def written_number(self, node: Expression) -> float:
        value = constant(node, self.tables.timezone)
        if value is None or isinstance(value, (bool, str)):
            raise misfit("a number was expected", node)
        return value

    def numeric_field(self, node: Field | Param, wanted: str) -> Numeric:
        kind = self.kind(node)
        given = self.given(node, common_kind(wanted, "number"))
        if kind not in (*NUMERIC, ANY):
            raise misfit("a number was expected", node)
        if given:
            return GivenNumber(given)
        if node.name == "age":
            now = GivenNumber(Given(Field("ctx", "now"), "time", self.tables))
            return age(self.tables, now)
        column = ColumnOf(self.tables, node.name)
        return TimeOf(column) if kind == "time" else NumberOf(column)

    def arithmetic(self, node: nodes.Arithmetic, wanted: str) -> Numeric:
        kinds = kinds_within(node, wanted, self.tables)
        left, right = self.numeric(node.left, kinds[0]), self.numeric(node.right, kinds[1])
        if node.op == "-" and left.of_request and isinstance(right, TimeOf):
            return Since(left, right)
        return Computed(COMPUTED[node.op], [left, right])

    def label(self, node: Expression, wanted: str) -> Label:
        if isinstance(node, nodes.Text):
            return FixedLabel(node.value)
        if isinstance(node, (nodes.Number, nodes.Percent)):
            return FixedLabel(self.written_number(node))
        given = self.given(node, wanted)
        if given:
            return GivenLabel(given)
        kind = self.kind(node)
        if kind in NUMERIC or computes(node):
            return NumberAsLabel(self.numeric(node, "number"))
        if kind == "id":
            return ItemId(self.tables)
        if not isinstance(node, Field) or kind not in ("category", "text"):
            raise misfit("text or a category was expected", node)
        return (CategoryOf if kind == "category" else TextOf)(self.column(node))


def computes(*expressions: Expression) -> bool:
    """Tell whether any of some expressions is worked out, not just looked up."""
    worked_out = nodes.Arithmetic, nodes.Negative, nodes.Call
    return any(isinstance(one, worked_out) for one in expressions)


def misfit(problem: str, node: Expression) -> RuleError:
    """Return the error about an expression that `check_rules` would have refused."""
    return RuleError(f"{problem}, got {type(node).__name__}; check the rules before they are used.")
