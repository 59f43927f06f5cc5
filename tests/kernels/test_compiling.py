"""A kernel has one compiled signature, whoever calls it with whatever memory."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import types

import recopersona as rp
from recopersona.kernels import compiling

jitted = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="with the JIT off nothing has a compiled signature"
)


def all_kernels():
    rp.warmup()
    return [kernel for kernel in compiling.KERNELS if kernel.__module__.startswith("recopersona.")]


def smallest_arguments(kernel, read_only):
    """Zeros that every kernel takes: no row, or one that holds nothing.

    Arrays that go together differ in length here, so each has room behind it: kernels do not check.
    """
    for kind in kernel.signature:
        if not isinstance(kind, types.Array):
            yield 0
            continue
        dtype = str(kind.dtype).replace("bool", "bool_")
        array = np.zeros((64, 8), dtype)[:1] if kind.ndim == 2 else np.zeros(1024, dtype)[:2]
        array.flags.writeable = kind.mutable or not read_only
        yield array


@jitted
@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.__name__)
def test_a_kernel_has_one_signature_for_all_memory(kernel):
    for read_only in (False, True):
        kernel(*smallest_arguments(kernel, read_only))
    assert len(kernel.compiled.signatures) == 1


@jitted
@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.__name__)
def test_a_kernel_never_compiles_for_another_type(kernel):
    arguments = [
        part.astype(np.complex64) if isinstance(part, np.ndarray) else part
        for part in smallest_arguments(kernel, read_only=False)
    ]
    with pytest.raises(TypeError, match="No matching definition"):
        kernel(*arguments)
    assert len(kernel.compiled.signatures) == 1


@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.__name__)
def test_a_kernel_says_what_its_arrays_are(kernel):
    names = kernel.py_func.__code__.co_varnames[: kernel.py_func.__code__.co_argcount]
    assert len(names) == len(kernel.signature)
    assert all(name in kernel.__doc__ for name in names)


def test_the_written_arrays_come_first():
    for kernel in all_kernels():
        arrays = [kind for kind in kernel.signature if isinstance(kind, types.Array)]
        mutable = [kind.mutable for kind in arrays]
        assert mutable == sorted(mutable, reverse=True)
        assert [isinstance(kind, types.Array) for kind in kernel.signature] == sorted(
            (isinstance(kind, types.Array) for kind in kernel.signature), reverse=True
        )
        assert all(kind.layout == "C" for kind in arrays)


def test_importing_a_kernel_compiles_nothing():
    program = (
        "import recopersona.kernels.topn, recopersona.kernels.als\n"
        "from recopersona.kernels.compiling import KERNELS\n"
        "assert KERNELS\n"
        "assert not any('compiled' in vars(kernel) for kernel in KERNELS)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_warming_up_counts_every_kernel():
    count = rp.warmup()
    assert count == len(compiling.KERNELS)
    assert count >= len(all_kernels()) > 4


def test_a_kernel_can_be_called_uncompiled(monkeypatch):
    monkeypatch.setattr(compiling, "KERNELS", [])

    @compiling.kernel(compiling.written(compiling.f32), compiling.f32)
    def fill(out, value):
        """Write one value everywhere."""
        for place in range(len(out)):
            out[place] = value

    out = np.zeros(2, np.float32)
    fill.py_func(out, 3.0)
    assert out.tolist() == [3.0, 3.0]
    assert (fill.__name__, fill.__doc__) == ("fill", "Write one value everywhere.")
    assert [fill] == compiling.KERNELS


def test_where_nothing_can_be_kept_a_kernel_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(compiling, "KERNELS", [])

    def double(out):
        out[0] = 2 * out[0]

    # numba finds no place beside such a file, as it does in a sealed container.
    double.__code__ = double.__code__.replace(co_filename="<nowhere>")
    kernel = compiling.kernel(compiling.written(compiling.f32))(double)
    out = np.ones(1, np.float32)
    kernel(out)
    assert out[0] == 2
