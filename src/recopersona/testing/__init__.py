"""What every recommender and feature promises, as checks to run on those of your own."""

from recopersona.testing.contract import check_recommender, recommender_checks
from recopersona.testing.leaks import check_leak_free
from recopersona.testing.shops import Checkerboard, checkerboard

__all__ = [
    "Checkerboard",
    "check_leak_free",
    "check_recommender",
    "checkerboard",
    "recommender_checks",
]
