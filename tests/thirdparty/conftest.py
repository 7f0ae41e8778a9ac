"""Lets the examples' own tests run from the repository; tests/e2e/test_thirdparty.py runs them as installed."""

import sys
from pathlib import Path

for folder in sorted(Path(__file__).parent.glob("*/src")):
    sys.path.append(str(folder))
