"""`python -m kvtheory`."""

from kvtheory.cli import main

main()
