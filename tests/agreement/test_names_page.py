"""docs/names.md is what the samples say, and luge offers what training code uses."""

import names
from common_names import COMMON
from test_coverage import find


def test_page_is_current():
    """Where it is not: `make names`."""
    assert names.PAGE.read_text() == names.page()


def test_common_names_are_offered():
    assert len(COMMON) == len(set(COMMON)) == 258
    assert len([name for name in COMMON if find(name) is not None]) >= 250
