# make match        run both notebooks, on a sample of our own unless SOURCE says otherwise, into out/
# make play         open the match notebook in JupyterLab, to play with the picker
# make test         all that is checked
# make bench        the speed tables
# make notebooks    run both notebooks on the sample and keep their outputs in place

PYTHON ?= python3
SOURCE ?= sample
SETTINGS = SOURCE FOLDER GAMES ORDER ADULT CHECKPOINT POOLING IMAGE DTYPE QUERY MATCHES DATA SNAPSHOT

BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DOWNLOAD = download_steam_webdataset
MATCH = match_steam_banners_with_BEiT
ENVIRONMENT = $(foreach name,$(SETTINGS),$(if $($(name)),STEAM_BANNERS_$(name)='$($(name))'))
EXECUTE = $(BIN)/jupyter nbconvert --log-level=ERROR --to notebook --execute --ExecutePreprocessor.timeout=-1 \
	--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False
KEEP = $(BIN)/python tests/keep_outputs.py

.PHONY: match play test bench notebooks

match: .venv/for-match
	@mkdir -p out
	@for name in $(DOWNLOAD) $(MATCH); do \
		echo "Running $$name.ipynb on the source '$(SOURCE)' ..."; \
		{ $(ENVIRONMENT) $(EXECUTE) --output-dir out $$name.ipynb && $(KEEP) out/$$name.ipynb && \
			$(BIN)/jupyter nbconvert --to html out/$$name.ipynb; } >out/$$name.log 2>&1 || \
		{ grep . out/$$name.log | tail -n 1; echo "It stopped there; the whole story is in out/$$name.log"; exit 1; }; \
	done
	@echo
	@echo "Both notebooks ran on the source '$(SOURCE)'. Open in a browser:"
	@echo "  out/$(DOWNLOAD).html        what was downloaded"
	@echo "  out/$(MATCH).html    which banners look alike"
	@echo "To pick games yourself: make play SOURCE=$(SOURCE)$(if $(FOLDER), FOLDER=$(FOLDER))"

play: .venv/for-match
	@$(PIP) jupyterlab
	$(ENVIRONMENT) $(BIN)/jupyter lab --ip=127.0.0.1 $(MATCH).ipynb

test: .venv/for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest
	tests/on_colab_versions.sh

bench: .venv/for-benchmarks
	@for script in benchmarks/*.py; do echo "== $$script"; PYTHONPATH=. $(BIN)/python $$script || exit 1; done

notebooks: .venv/for-match
	rm -rf data/sample
	STEAM_BANNERS_SOURCE=sample STEAM_BANNERS_DTYPE=float32 $(EXECUTE) --inplace $(DOWNLOAD).ipynb
	STEAM_BANNERS_SOURCE=sample STEAM_BANNERS_DTYPE=float32 $(EXECUTE) --inplace $(MATCH).ipynb
	$(KEEP) $(DOWNLOAD).ipynb $(MATCH).ipynb

.venv/for-match: requirements.txt constraints.txt | .venv
	@echo "Installing what the notebooks need into .venv (some minutes the first time) ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/for-tests: tests/requirements.txt .venv/for-match
	@$(PIP) -r tests/requirements.txt
	@touch $@

.venv/for-benchmarks: benchmarks/requirements.txt .venv/for-match
	@$(PIP) -r benchmarks/requirements.txt
	@touch $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"Python " + sys.version.split()[0] + " is too old: make match PYTHON=python3.11 (or newer)")'
	$(PYTHON) -m venv .venv
