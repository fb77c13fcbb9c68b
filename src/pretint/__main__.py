"""``python -m pretint`` is ``pretint``."""

import sys

from pretint.cli import main

if __name__ == "__main__":
    sys.exit(main())
