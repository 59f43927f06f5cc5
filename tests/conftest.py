"""What holds for every test."""

from hypothesis import settings

# How long an example takes says how busy the machine is; what must be fast has a test of its own.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
