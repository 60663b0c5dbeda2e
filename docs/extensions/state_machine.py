"""The directive ``state-machine``, which puts the drawing of an exchange's states on a page."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from state_drawing import drawing

from tokenwire.exchange import TRANSITIONS


class StateMachine(SphinxDirective):
    """Puts the drawing where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the drawing, as HTML."""
        return [nodes.raw("", drawing(TRANSITIONS), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known to Sphinx."""
    app.add_directive("state-machine", StateMachine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
