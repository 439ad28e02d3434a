"""`python -m patsearch`."""

from patsearch.cli import main

main()
