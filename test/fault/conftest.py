"""Tests that break things; the harness is that of the black-box tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from fixtures import *  # noqa: E402,F401,F403
