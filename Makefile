# Every target installs what it needs: nothing is required but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# pip would compile on one core; this does it on all, after an install.
COMPILE := $(BIN)/python -c 'import compileall, sysconfig; \
	compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)'
# The other distributions of this repository. A source distribution does not contain the baseline.
PACKAGES := $(patsubst %/pyproject.toml,-e %,$(wildcard packages/*/pyproject.toml))
# A wheel and the source distribution must stay below these, in bytes.
WHEEL_BYTES := 14000000
SDIST_BYTES := 6000000

.PHONY: demo demo-web test check docs dist encoder fuzz format clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "patsearch needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# Base install: what a user of the search needs.
$(VENV)/base.stamp: pyproject.toml | $(BIN)/python
	$(INSTALL) -e .
	$(COMPILE)
	touch $@

# It has all that the others have, in one call of pip. Compiled when it is imported: most of it never is.
$(VENV)/dev.stamp: pyproject.toml $(wildcard packages/*/pyproject.toml) | $(BIN)/python
	$(INSTALL) -e '.[dev]' $(PACKAGES)
	touch $(VENV)/base.stamp $@

# The demo draws its own corpus; that needs the `synth` extra.
$(VENV)/synth.stamp: $(VENV)/base.stamp
	$(INSTALL) -e '.[synth]'
	$(COMPILE)
	touch $@

demo: $(VENV)/synth.stamp
	$(BIN)/python -m patsearch demo --out demo-out

$(VENV)/web.stamp: $(VENV)/synth.stamp
	$(INSTALL) -e '.[web]'
	$(COMPILE)
	touch $@

# The search page over the demo's corpus, until Ctrl-C.
demo-web: $(VENV)/web.stamp
	$(BIN)/python -m patsearch demo --out demo-out
	$(BIN)/python -m patsearch serve --index demo-out/index --open

# Every process that the tests start finds patsearch compiled, whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Hostile input of every kind for MINUTES, two kinds at once; what is found, and the corpus, is in fuzz-corpus/.
MINUTES ?= 10
fuzz: $(VENV)/dev.stamp
	$(INSTALL) -e '.[fuzz]'
	$(BIN)/python tools/fuzz.py --minutes $(MINUTES) --corpus fuzz-corpus

# The API's description is read from the server, hence `web`.
$(VENV)/docs.stamp: $(VENV)/base.stamp
	$(INSTALL) -e '.[docs,web]'
	$(COMPILE)
	touch $@

# The documentation as a site, in site/. A dead link is an error.
docs: $(VENV)/docs.stamp
	$(BIN)/python -m mkdocs build --strict

# What is published, in dist/. The wheel is built from the source distribution (hatch_build.py).
dist: $(VENV)/base.stamp
	$(INSTALL) build
	$(COMPILE)
	rm -rf dist
	$(BIN)/python -m build
	@ls -l dist
	@test $$(cat dist/*.tar.gz | wc -c) -lt $(SDIST_BYTES) || { echo "The sdist is over $(SDIST_BYTES) bytes."; exit 1; }
	@test $$(cat dist/*.whl | wc -c) -lt $(WHEEL_BYTES) || { echo "The wheel is over $(WHEEL_BYTES) bytes."; exit 1; }

# Make the shipped encoder again; takes hours: make encoder SHAPES=DIR ICONS=DIR OUT=DIR [SCORE='--patents DIR --sketches DIR'].
# `make encoder SCORE=--small` shows in a minute that every step works.
OUT ?= encoder-out
encoder: $(VENV)/dev.stamp
	$(BIN)/python tools/make_encoder.py --shapes "$(SHAPES)" --icons "$(ICONS)" --out "$(OUT)" $(SCORE)

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist site demo-out encoder-out .mypy_cache .ruff_cache .pytest_cache
