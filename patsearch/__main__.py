"""The program: `patsearch`, or `python -m patsearch`."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command line, which takes a moment, and run it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the command line listens, Ctrl-C ends the program: an import that is interrupted would be a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from patsearch.cli import main as run

    run()


if __name__ == "__main__":
    main()
