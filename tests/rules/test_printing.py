from random import Random

import pytest

from recopersona.rules.parsing import parse_rules
from recopersona.rules.printing import print_rules
from tests.rules.generated import random_rule_set


@pytest.mark.parametrize("seed", range(4))
def test_what_is_printed_reads_as_the_same_rules(seed):
    random = Random(seed)
    for _ in range(500):
        rules = random_rule_set(random)
        assert parse_rules(print_rules(rules)) == rules
