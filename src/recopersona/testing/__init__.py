"""What every recommender promises, as checks that anyone can run on a model of their own."""

from recopersona.testing.contract import check_recommender, recommender_checks
from recopersona.testing.shops import Checkerboard, checkerboard

__all__ = ["Checkerboard", "check_recommender", "checkerboard", "recommender_checks"]
