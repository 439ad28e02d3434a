# Every target installs what it needs: nothing is required but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The other distributions of this repository. A source distribution does not contain the baseline.
PACKAGES := $(patsubst %/pyproject.toml,-e %,$(wildcard packages/*/pyproject.toml))
# A wheel and the source distribution must stay below these, in bytes.
WHEEL_BYTES := 14000000
SDIST_BYTES := 6000000

.PHONY: demo demo-web test check docs dist encoder format clean

# Base install: what a user of the search needs.
$(VENV)/base.stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "patsearch needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp $(wildcard packages/*/pyproject.toml)
	$(INSTALL) -e '.[dev]' $(PACKAGES)
	touch $@

# The demo draws its own corpus; that needs the `synth` extra.
$(VENV)/synth.stamp: $(VENV)/base.stamp
	$(INSTALL) -e '.[synth]'
	touch $@

demo: $(VENV)/synth.stamp
	$(BIN)/python -m patsearch demo --out demo-out

$(VENV)/web.stamp: $(VENV)/synth.stamp
	$(INSTALL) -e '.[web]'
	touch $@

# The search page over the demo's corpus, until Ctrl-C.
demo-web: $(VENV)/web.stamp
	$(BIN)/python -m patsearch demo --out demo-out
	$(BIN)/python -m patsearch serve --index demo-out/index --open

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n logical --dist worksteal

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The API's description is read from the server, hence `web`.
$(VENV)/docs.stamp: $(VENV)/base.stamp
	$(INSTALL) -e '.[docs,web]'
	touch $@

# The documentation as a site, in site/. A dead link is an error.
docs: $(VENV)/docs.stamp
	$(BIN)/python -m mkdocs build --strict

# What is published, in dist/. The wheel is built from the source distribution (hatch_build.py).
dist: $(VENV)/base.stamp
	$(INSTALL) build
	rm -rf dist
	$(BIN)/python -m build
	@ls -l dist
	@test $$(wc -c < dist/*.tar.gz) -lt $(SDIST_BYTES) || { echo "The sdist is over $(SDIST_BYTES) bytes."; exit 1; }
	@test $$(wc -c < dist/*.whl) -lt $(WHEEL_BYTES) || { echo "The wheel is over $(WHEEL_BYTES) bytes."; exit 1; }

# Make the shipped encoder again; takes hours: make encoder SHAPES=DIR OUT=DIR [SCORE='--patents DIR --sketches DIR'].
# `make encoder SCORE=--small` shows in a minute that every step works.
OUT ?= encoder-out
encoder: $(VENV)/dev.stamp
	$(BIN)/python tools/make_encoder.py --shapes "$(SHAPES)" --out "$(OUT)" $(SCORE)

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist site demo-out encoder-out .mypy_cache .ruff_cache .pytest_cache
