"""``python -m streamseg`` is the command ``streamseg``."""

from streamseg.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
