"""The code reads in one direction."""

from __future__ import annotations

import grimp


def test_no_modules_import_each_other() -> None:
    """Not in a circle, nor for annotations alone, which import-linter is told to leave out."""
    graph = grimp.build_graph("interlingua", cache_dir=None)
    arrows = ((module, other) for module in graph.modules
              for other in graph.find_modules_directly_imported_by(module))  # fmt: skip
    assert not [arrow for arrow in arrows if graph.chain_exists(importer=arrow[1], imported=arrow[0])]
