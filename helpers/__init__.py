"""The small library that every chapter of *Character by Character* imports.

Each part is written out by hand in the chapter that teaches it; the chapter then shows
that its own version and the one here agree, and uses the one here from there on.

A module imports only from the floors below its own (tests/test_house.py):

    8  cli/          a command line -> train, resume, sample, evaluate, export
    7  exercises/    an answer to an exercise -> a verdict; one file for each chapter
    7  studies/      what one chapter alone needs
    6  gates         model + text -> what its gates do, and where in the text
    6  plotting      numbers -> figures in one style
    6  results       the name of a long run -> what it stored
    5  training      model + ids -> History; the loss of each character
    5  sampling      model + prompt -> text
    5  checkpoint    model <-> folder
    4  fast/         the same numbers sooner; without it everything works, more slowly
    3  numpy_lstm    an LSTM and its gradients without PyTorch
    2  models        ids -> next-character logits: RNN, LSTM, GRU, Transformer
    2  ngram         the same by counting
    1  corpus        a name or a file -> text, vocabulary, ids, splits, windows
    1  statistics    numbers along a text -> an interval
    0  support/      arguments checked, files written whole, progress shown

Two doors lead to the upper floors: ``checks`` (``check`` of ``exercises``) and ``__main__``
(``python -m helpers``, of ``cli``).
"""

# The first cell of every notebook looks at this name: a stranger's package called
# ``helpers`` exists in the Python package index.
BOOK = "Character by Character"
