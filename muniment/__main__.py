"""``python -m muniment`` is the command line."""

from muniment.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
