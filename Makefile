# moxpy: `make localserve` runs a mail server on this machine, `make test` tests it, `make help` lists the rest.
# Every variable may be given on the command line, e.g. `make test PYTHON=python3.13 VENV=.venv-3.13`.

PYTHON = python3
VENV = .venv
CONSTRAINTS = build/constraints.txt
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
PIP_FLAGS = --quiet --constraint $(CONSTRAINTS)
# Where localserve keeps its configuration and mail; empty is its own default.
DIR =
LOCALSERVE_FLAGS =
WORKERS = 2
PYTEST = $(VENV)/bin/python -m pytest
PYTEST_FLAGS = -n $(WORKERS)
TESTS = tests
# Beside all others; empty: not those. They run file by file, as those of a file share a server and what is on it.
# A browser on a busy machine is late now and then: what failed is tried once more, alone, and both are told.
PYTEST_PAGES = $(PYTEST) -o addopts="-q --strict-markers --strict-config --import-mode=importlib" -o cache_dir=.work/pages
PAGES_TESTS = $(if $(filter tests,$(TESTS)),tests/pages)
CHECKED = appliance tests $(wildcard build/*.py)
MOXPY = $(VENV)/bin/moxpy
BENCH_FLAGS =
# How often `make bench` kills a process at work on a store.
KILLS = 200
INTEROP_FLAGS =

DEPENDENCIES = pyproject.toml $(CONSTRAINTS)
INSTALLED = $(VENV)/.installed
INSTALLED_DEV = $(VENV)/.installed-dev
# The web pages; without Node the server runs without them.
PAGES = appliance/servers/web/assets/.built
PAGES_SOURCES = build/frontend.sh $(shell find frontend -name node_modules -prune -o -type f -print)

# Seconds of `make fuzz`, which needs atheris beside what is installed here.
FUZZ_SECONDS = 60

.PHONY: help install localserve frontend pictures test check fuzz bench interop interop-dns interop-spf interop-openapi interop-world executable licenses reference clean distclean

help:
	@echo 'make install      virtual environment in $(VENV) with $(MOXPY)'
	@echo 'make localserve   a whole mail server for trying out (DIR=... keeps its mail elsewhere)'
	@echo 'make test         the test suite'
	@echo 'make frontend     the web pages, where there is Node'
	@echo 'make pictures     of every page, by Chromium, into dist/pictures'
	@echo 'make check        ruff, mypy, the walls of the house, types and tests of the web pages'
	@echo 'make fuzz         coverage-guided fuzzing of SMTP, where atheris is installed (pip install atheris)'
	@echo 'make interop      foreign mail programs against a running localserve'
	@echo 'make interop-dns  our DNSSEC validation beside those of BIND and Unbound'
	@echo 'make interop-spf  our SPF against the test suite of RFC 7208'
	@echo 'make interop-world a first installation of dist/moxpy in a small internet of namespaces; needs root'
	@echo 'make interop-openapi schemathesis by our OpenAPI documents (it is installed into .work)'
	@echo 'make bench        measure running servers against their targets'
	@echo 'make executable   dist/moxpy, one file'
	@echo 'make licenses     check the licences of what we ship; dist/LICENSES.txt'
	@echo 'make reference    commands, configuration, webapi and a manual page, into dist/reference'
	@echo 'make clean        remove what was built; distclean also removes virtual environments'

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamps are older than nothing they depend on, so an unchanged tree costs no call of pip.
$(INSTALLED): $(DEPENDENCIES) | $(VENV)/bin/python
	$(PIP) install $(PIP_FLAGS) --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install $(PIP_FLAGS) --editable '.[dev]'
	@touch $@

install: $(INSTALLED)

# No target of this name when it was left out: it is tried again next time.
$(PAGES): $(PAGES_SOURCES)
	@build/frontend.sh

frontend: $(PAGES)

pictures: $(INSTALLED_DEV) $(PAGES)
	PYTHONPATH=.:tests $(VENV)/bin/python -m pages.pictures --moxpy $(MOXPY) dist/pictures

localserve: $(INSTALLED) $(PAGES)
	$(MOXPY) localserve $(if $(DIR),--dir '$(DIR)') $(LOCALSERVE_FLAGS)

test: $(INSTALLED_DEV) $(PAGES)
	$(if $(PAGES_TESTS),@$(PYTEST_PAGES) --dist loadfile $(PYTEST_FLAGS) $(PAGES_TESTS) || $(PYTEST_PAGES) --last-failed --last-failed-no-failures none $(PAGES_TESTS))
	@$(PYTEST) --dist worksteal $(PYTEST_FLAGS) $(if $(filter tests,$(TESTS)),--ignore=tests/pages) $(TESTS)

check: $(INSTALLED_DEV)
	$(VENV)/bin/ruff check $(CHECKED)
	$(VENV)/bin/ruff format --check $(CHECKED)
	$(VENV)/bin/mypy
	$(PYTEST) tests/test_house.py
	build/frontend.sh check

fuzz: $(INSTALLED_DEV)
	@mkdir -p .work/fuzz_smtp
	PYTHONPATH=.:tests $(VENV)/bin/python tests/fuzz/atheris_smtp.py -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
		.work/fuzz_smtp tests/fuzz/corpus_smtp

interop: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m interop --moxpy $(MOXPY) $(INTEROP_FLAGS)

interop-dns: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m interop.dnssec

interop-spf: $(INSTALLED)
	PYTHONPATH=tests $(VENV)/bin/python -m interop.spfsuite

interop-world: $(INSTALLED) executable
	PYTHONPATH=tests $(VENV)/bin/python -m interop.world --moxpy dist/moxpy

interop-openapi: $(INSTALLED)
	PYTHONPATH=.:tests $(VENV)/bin/python -m interop.openapi --moxpy $(MOXPY)

bench: $(INSTALLED_DEV)
	PYTHONPATH=tests $(VENV)/bin/python -m bench --moxpy $(MOXPY) $(BENCH_FLAGS)
	MOXPY_KILLS=$(KILLS) $(PYTEST) tests/crash

executable: $(PAGES)
	CONSTRAINTS=$(CONSTRAINTS) build/executable.sh

licenses: $(INSTALLED_DEV) $(PAGES)
	@mkdir -p dist
	$(VENV)/bin/python build/licenses.py dist/LICENSES.txt

reference: $(INSTALLED)
	$(VENV)/bin/python build/reference.py dist/reference

clean:
	rm -rf dist .work appliance/servers/web/assets .mypy_cache .ruff_cache .hypothesis *.egg-info
	find appliance tests build -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv-* frontend/node_modules
