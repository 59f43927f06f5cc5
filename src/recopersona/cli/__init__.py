"""The command line: ``recopersona demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from recopersona.errors import RecopersonaError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        In place of the process's own.
    """
    options = _parser().parse_args(arguments)
    from recopersona.cli.demo import demo

    try:
        demo(options.data, quick=options.quick, report=options.report)
    except RecopersonaError as problem:
        print(f"recopersona: {problem}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("recopersona", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo", help="from a raw log to ranked, filtered, measured recommendations"
    )
    demo.add_argument(
        "--data", help="an event log (CSV, JSON lines, parquet); a synthetic shop without it"
    )
    demo.add_argument("--quick", action="store_true", help="a smaller synthetic shop")
    demo.add_argument(
        "--report", default="recopersona-demo.html", help="where the HTML report goes"
    )
    return parser
