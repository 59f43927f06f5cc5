"""``python -m recopersona``."""

from recopersona.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
