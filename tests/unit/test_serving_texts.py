"""Translated files are kept for a while."""

from __future__ import annotations

import re

from interlingua.serving.routes.shelf import Shelf


def test_files_are_kept_for_a_while_and_within_bounds():
    shelf = Shelf(seconds=1000, most_bytes=10)
    first, second = shelf.put("../../etc/pa ss\n.txt", b"123456"), shelf.put("b.txt", b"123456")
    assert shelf.get(first) is None
    assert shelf.get(second) == b"123456"
    assert re.fullmatch(r"[\w-]{32}\.[\w.-]+", first)
    gone = Shelf(seconds=0)
    assert gone.get(gone.put("a.txt", b"1")) is None
