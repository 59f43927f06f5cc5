"""From a raw event log to a personalized page.

Importing the package loads nothing heavy: every public name is imported when first used. The
names and their homes stand in ``__init__.pyi``, which type checkers read as well.
"""

from __future__ import annotations

from recopersona.names import PUBLIC_NAMES, resolve

__version__ = "0.1.0"
__all__ = [*sorted(PUBLIC_NAMES), "warmup"]


def __getattr__(name: str) -> object:
    if name not in PUBLIC_NAMES:
        from recopersona.errors import did_you_mean

        near = did_you_mean(name, PUBLIC_NAMES)
        raise AttributeError(f"module 'recopersona' has no attribute {name!r}{near}")
    value = globals()[name] = resolve(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def warmup() -> int:
    """Compile every kernel now, to disk, and return how many there are.

    Compiled code is kept beside the package (or in numba's user-wide cache where the package
    cannot be written to), so one call per installation is enough; a request then never compiles.

    Examples
    --------
    >>> import recopersona as rp
    >>> rp.warmup() > 0
    True
    """
    from importlib import import_module
    from pkgutil import iter_modules

    from recopersona import kernels
    from recopersona.kernels.compiling import compile_all

    for module in iter_modules(kernels.__path__):
        import_module(f"{kernels.__name__}.{module.name}")
    return compile_all()
