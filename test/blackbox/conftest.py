"""Black-box tests: the real binary over its sockets and its command line."""

from fixtures import *  # noqa: F401,F403
