"""How Sphinx makes the documentation; `make docs` runs it."""

import sys
from importlib.metadata import version as version_of
from inspect import cleandoc
from pathlib import Path

from pygments.lexers import find_lexer_class_by_name
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "tokenwire"
author = "The tokenwire authors"
copyright = "The tokenwire authors"  # noqa: A001  # Sphinx's name for it
release = version = version_of("tokenwire")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "state_machine",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "tokenwire"

myst_enable_extensions = ["colon_fence"]
# Links such as `transport.md#deadlines` lead to headings, as they do where the pages are read as
# they are.
myst_heading_anchors = 3

# A word in single backticks is a name of ours or code: it becomes a link where it can.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# What a reader copies is the command, without the prompt.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"


def setup(app: Sphinx) -> None:
    """Highlight lines of JSON as JSON, and keep the docstrings of properties."""
    app.add_lexer("jsonl", find_lexer_class_by_name("json"))
    app.connect("autodoc-process-docstring", keep_property, priority=900)


def keep_property(  # noqa: PLR0917  # as Sphinx calls it
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Read properties like methods: napoleon takes all before their first colon for a type."""
    if what == "property":
        text = cleandoc(value.__doc__ or "")
        lines[:] = GoogleDocstring(text, app.config, app, "method", name, value, options).lines()
