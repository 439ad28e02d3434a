# Everything sets itself up: `make demo` and `make test` need nothing but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo demo-web test check encoder format clean

# Base install: what a user of the search needs.
$(VENV)/base.stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "patsearch needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

# The baseline is the folder in this repository: it need not be on an index.
$(VENV)/dev.stamp: $(VENV)/base.stamp packages/patsearch-baseline/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -e packages/patsearch-baseline
	touch $@

# The demo's corpus is drawn on the spot; that needs a compiler for NumPy code beside the base install.
$(VENV)/synth.stamp: $(VENV)/base.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[synth]'
	touch $@

demo: $(VENV)/synth.stamp
	$(BIN)/python -m patsearch demo --out demo-out

$(VENV)/web.stamp: $(VENV)/synth.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[web]'
	touch $@

# The page over the demo's corpus, until Ctrl-C.
demo-web: $(VENV)/web.stamp
	$(BIN)/python -m patsearch demo --out demo-out
	$(BIN)/python -m patsearch serve --index demo-out/index --open

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The shipped encoder anew, hours of it: make encoder SHAPES=DIR OUT=DIR [SCORE='--patents DIR --sketches DIR'].
# `make encoder SCORE=--small` shows in a minute that every step works.
OUT ?= encoder-out
encoder: $(VENV)/dev.stamp
	$(BIN)/python tools/make_encoder.py --shapes "$(SHAPES)" --out "$(OUT)" $(SCORE)

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo-out encoder-out .mypy_cache .ruff_cache .pytest_cache
