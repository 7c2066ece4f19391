"""Tests with clients that no one here wrote; the fixtures are those of the black-box tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from fixtures import *  # noqa: E402,F401,F403
from node_clients import node  # noqa: E402,F401
