"""Sphinx's configuration of the documentation: ``make docs``."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the examples; read once, when numpy and torch load

project = "surronas"
author = "The surronas developers"
copyright = author
version = release = metadata.version("surronas")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "pages",
    "reference",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_ext", "gallery/*.ipynb", "search.md"]  # Sphinx has a page "search": searching.md includes ours
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # docstrings say shapes and units, too
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,  # a page that fetches scripts from elsewhere
    "capture_repr": (),
}

html_context = {"default_mode": "auto"}
html_theme = "pydata_sphinx_theme"
html_title = "surronas"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which browsers refuse of files
