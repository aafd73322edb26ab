"""For bots' own tests: a pytest plugin with a GitLab, a Redis and a Hookyard that are real and one's own.

pytest loads ``plugin`` by its entry point, in every run on a machine that has Hookyard; so that
module imports nothing but pytest until a test asks for one of the fixtures. Nothing here is needed
to run a bot, and pytest is no dependency of Hookyard's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names for the annotations of tests; at run time this module stays empty
    from pytest_hookyard.delivered import Delivered as Delivered
    from pytest_hookyard.delivering import Deliver as Deliver
    from pytest_hookyard.emulated import GitLabEmulator as GitLabEmulator
    from pytest_hookyard.running import RunningHookyard as RunningHookyard
