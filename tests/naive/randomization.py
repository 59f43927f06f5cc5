"""Signed sums the slow way: one draw, one user at a time."""


def signed_sums(differences, signs):
    """Return for each pair the sum per draw; a set bit is plus, user u's is bit u % 8 of u // 8."""
    return [
        [
            sum(
                value if signs[user // 8][draw] >> user % 8 & 1 else -value
                for user, value in enumerate(row)
            )
            for draw in range(len(signs[0]))
        ]
        for row in differences
    ]
