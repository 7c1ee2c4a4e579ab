"""The small library that every chapter of *Character by Character* imports.

Each part is written out by hand in the chapter that teaches it; the chapter then shows
that its own version and the one here agree, and uses the one here from there on.
"""

# The first cell of every notebook looks at this name: a stranger's package called
# ``helpers`` exists in the Python package index.
BOOK = "Character by Character"
