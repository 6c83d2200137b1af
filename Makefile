# The two commands of a newcomer: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is never imported need not be compiled: a minute and 200 MB less. What is imported must be, once, whatever the
# shell says: without its bytecode vLLM takes 23 s to import, with it 10 s.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile
EXTRAS := test,lint,docs,proofs,cluster,peers
DEMO := gsp:groups=24,prompts=16,block=16,order=random,seed=1

.PHONY: env demo test test-lowest test-vllm test-vllm-engine test-vllm-stock deep fuzz coverage mutants dist-check lint docs bench figures league prize facts advice atlas learned search-table routing clean

env: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kvtheory needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -e '.[$(EXTRAS)]'
	touch $@

demo: env
	$(BIN)/kvtheory ratio $(DEMO) --capacity 3%,10%,30% --policies lru,fifo,lfu,random,rlt --seeds 8 \
		--plot demo.svg --html demo.html
	@echo "The curves are in demo.svg; the whole result is one page, demo.html."

test: env
	$(BIN)/python -P tests/warm_kernels.py
	$(BIN)/python -m pytest -n auto

# The engine's own environment: vLLM's CPU build, and of ours little more than a GPU machine has. It has torch, so
# that what needs torch is tested there, too.
VLLM := .venv-vllm
WANTED := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["test-vllm"])

$(VLLM)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -c '$(WANTED)' | tr ' ' '\n' | $(VLLM)/bin/python $(INSTALL) -r /dev/stdin
	$(VLLM)/bin/python -m pip uninstall --quiet -y torchvision torchaudio torchcodec
	$(VLLM)/bin/python $(INSTALL) --no-deps -e .
	touch $@

test-vllm: test-vllm-engine test-vllm-stock

test-vllm-engine: $(VLLM)/.installed
	$(VLLM)/bin/python -P tests/warm_kernels.py live
	$(VLLM)/bin/python -m pytest tests/on_vllm -o filterwarnings=
	$(VLLM)/bin/python -m pytest tests/adversaries/test_batch.py tests/adversaries/test_learned.py -o filterwarnings=

test-vllm-stock: $(VLLM)/.installed
	$(VLLM)/bin/python tests/on_vllm/stock_tests.py

# Everything at its deepest: more examples of every property, and the tests that take minutes.
deep: env
	KVTHEORY_DEEP=1 HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n auto

# Damaged inputs for everything that reads a file or an argument; see docs/reference/tests.rst.
SECONDS ?= 60
FUZZ ?=
fuzz: env
	NUMBA_DISABLE_JIT=1 PYTHONPATH=$(CURDIR) $(BIN)/python -W ignore tests/fuzz/fuzz.py --seconds $(SECONDS) $(FUZZ)

# Which changes of a sign the tests notice; verdicts in tests/mutation/results.json.
SIZE ?= 12
mutants: env
	$(BIN)/python tests/mutation/run.py --size $(SIZE) --again

# Branch coverage of what CI runs, with kernels as plain Python; see docs/reference/tests.rst.
WATCHED = NUMBA_DISABLE_JIT=1 KVTHEORY_CACHE_DIR=$(CURDIR)/build/coverage/kernels PYTHONPATH=$(CURDIR) CHECKOUT=$(CURDIR) \
	$(BIN)/python -m coverage run
coverage: env
	$(BIN)/python $(INSTALL) -e '.[$(EXTRAS),coverage]'
	rm -rf build/coverage && mkdir -p build/coverage/kernels
	$(WATCHED) -m proofs_check --quick > build/coverage/proofs.txt
	$(WATCHED) -m pytest -n auto
	$(BIN)/python -m coverage combine --quiet && $(BIN)/python tests/template_lines.py build/coverage/data
	$(BIN)/python -m coverage report

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: env
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

# Every benchmark, and one table of ratios beside those last committed (tests/benchmarks/results/table.txt).
bench: env
	$(BIN)/python $(INSTALL) -e '.[$(EXTRAS),bench]'
	$(BIN)/python tests/benchmarks/run_all.py

# The core's tests on the lowest versions that pyproject admits; `make test` runs on the highest.
LOWEST := .venv-lowest
$(LOWEST)/.installed: pyproject.toml tests/constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python $(INSTALL) -c tests/constraints-lowest.txt -e '.[test,proofs]'
	touch $@

test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -P tests/warm_kernels.py
	$(LOWEST)/bin/python -m pytest -n auto

# sdist and wheel of what is committed, looked into, installed alone and used; sizes of download and installation.
dist-check: env
	$(BIN)/python $(INSTALL) -e '.[$(EXTRAS),release]'
	$(BIN)/python tests/release/dist_check.py

# Remakes the committed figures of README and docs; needs the Mooncake trace, see docs/howto.
TRACE ?= ../shared/traces/mooncake_conversation.jsonl
NAME := $(notdir $(TRACE))
RATIO := ratio $(NAME) --capacity 1%,3%,10%,30% --policies lru,fifo,lfu,random,rlt --seeds 16 --plot mooncake_curves.svg
CLASSIC := ratio $(NAME) --capacity 1%,3%,10% --policies lru,lfu,lfuda,lru_k,slru,clock,sieve,s3fifo,two_q,arc,dbl,lirs,wtinylfu,lecar --seeds 3
WINDOW := ratio $(NAME) --capacity 1%,3%,10%,30% --policies lru --warmup 0.5 --measure tokens --bypass
figures: env
	rm -rf build/figures && mkdir -p build/figures docs/_static && ln -s $(abspath $(TRACE)) build/figures/$(NAME)
	cd build/figures && (echo '$$ kvtheory $(RATIO)'; $(CURDIR)/$(BIN)/kvtheory $(RATIO)) > mooncake_ratio.txt
	cd build/figures && (echo '$$ kvtheory $(WINDOW)'; $(CURDIR)/$(BIN)/kvtheory $(WINDOW)) > mooncake_as_simulator.txt
	cd build/figures && (echo '$$ kvtheory $(CLASSIC)'; $(CURDIR)/$(BIN)/kvtheory $(CLASSIC)) > mooncake_classic.txt
	mv build/figures/mooncake_curves.svg build/figures/mooncake_*.txt docs/_static/

# Remakes the committed league tables of docs/theory/league.rst: every policy on the Mooncake trace and on generated
# GSP, multi-turn chat and document questions.
LEAGUE := build/league
league: env
	rm -rf $(LEAGUE) && mkdir -p $(LEAGUE) docs/_static/league && ln -s $(abspath $(TRACE)) $(LEAGUE)/$(NAME)
	cd $(LEAGUE) && xargs -P 2 -L 1 sh -c 'file=$$0; { echo "\$$ kvtheory $$*"; \
		$(CURDIR)/$(BIN)/kvtheory "$$@" --json $$file.json; } > $$file.txt' < $(CURDIR)/docs/_static/league/commands
	cp $(LEAGUE)/*.txt $(LEAGUE)/*.json docs/_static/league/
	cd docs/_static/league && sha256sum commands *.json *.txt > SHA256SUMS

# Remakes the committed tables of docs/theory/prize.rst from the Mooncake trace; some minutes.
prize: env
	$(BIN)/python tests/benchmarks/table_prize.py $(TRACE) docs/_static/prize

# Remakes the committed tables of docs/theory/facts.rst; some minutes.
facts: env
	$(BIN)/python tests/benchmarks/table_facts.py $(TRACE) docs/_static/facts

# Remakes the committed curves of docs/theory/advice.rst, cost against the error of predictions; half an hour.
advice: env
	$(BIN)/python tests/benchmarks/table_advice.py $(TRACE) docs/_static/advice

# Remakes the committed atlas (docs/theory/atlas.rst): every policy to 6 nodes, three deterministic ones to 7.
ATLAS := build/atlas
atlas: env
	rm -rf $(ATLAS) && mkdir -p docs/_static/atlas
	$(BIN)/kvtheory atlas --nodes 6 -o $(ATLAS)/6
	$(BIN)/kvtheory atlas --nodes 7 --policies lru,fifo,best-deterministic --certify 2000 -o $(ATLAS)/7
	cd $(ATLAS)/6 && cp atlas.jsonl atlas.csv atlas.svg $(CURDIR)/docs/_static/atlas/
	cd $(ATLAS)/7 && for f in jsonl csv; do cp atlas.$$f $(CURDIR)/docs/_static/atlas/deterministic7.$$f; done
	cd docs/_static/atlas && sha256sum atlas.* deterministic7.* > SHA256SUMS

# Remakes the committed curves of learned and random search (docs/theory/learned.rst); half an hour.
LEARNED := build/learned
learned: env
	$(BIN)/python $(INSTALL) -e '.[$(EXTRAS),torch]'
	mkdir -p $(LEARNED) docs/_static/learned
	$(BIN)/python -m adversaries.learned.curves $(LEARNED)
	cp $(LEARNED)/curves.jsonl docs/_static/learned/ && cd docs/_static/learned && sha256sum curves.jsonl > SHA256SUMS

# Remakes the committed table of docs/theory/search.rst: the search against the exact ratio of every row of the atlas.
search-table: env
	mkdir -p docs/_static/search
	$(BIN)/python -m adversaries.search.table --output build/search
	cp build/search/search.jsonl docs/_static/search/
	cd docs/_static/search && sha256sum search.jsonl > SHA256SUMS

# Remakes the committed evaluation of routers (docs/theory/routing_measured.rst); needs the Mooncake trace, and leaves
# its rows out where it is not there.
ROUTING := build/routing
routing: env
	rm -rf $(ROUTING) && mkdir -p docs/_static/routing
	$(BIN)/python -m adversaries.evaluation --output $(ROUTING)
	find $(ROUTING) -maxdepth 1 -type f -exec cp {} docs/_static/routing/ \;
	cd docs/_static/routing && sha256sum incidents.json runs.jsonl verdicts.json table.csv incidents.svg table.svg > SHA256SUMS

clean:
	rm -rf $(VENV) docs/_build docs/generated demo.svg demo.html build *.egg-info
