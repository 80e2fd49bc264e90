# make match        run both notebooks, on a sample of our own unless SOURCE says otherwise, into out/
# make play         open the match notebook in JupyterLab, to play with the picker
# make serve        the gallery and a JSON API of what `make match` left, on this machine
# make release      pack the features and matches that `make match` left, to share, into out/
# make check        lint, types, imports and the quick tests
# make test         all that is checked; the properties look longer with HYPOTHESIS_PROFILE=long in the environment
# make test-colab   both notebooks, and all families of networks, on Colab's versions
# make judge        how good the matches are: the tables for the sample, or FOLDER=covers, by CHECKPOINT=...
# make bench        the speed tables
# make checkpoint   grow sample/beit-small from nothing, on Debian (five hours of two cores)
# make notebooks    run the three notebooks on the sample and keep their outputs in place
#
# Settings follow the goal, as in: make match SOURCE=steam GAMES=2000 QUERY="Sid Meier's Civilization"

PYTHON ?= python3
SETTINGS = SOURCE FOLDER GAMES ORDER ADULT CHECKPOINT POOLING IMAGE DTYPE QUERY MATCHES DATA DRIVE SNAPSHOT DRAFT
TAKE_SETTINGS = match play serve release judge

ALLOWED = PYTHON $(if $(filter $(TAKE_SETTINGS),$(or $(MAKECMDGOALS),match)),$(SETTINGS))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command%,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(ALLOWED) MAKEFLAGS MAKEOVERRIDES SHELL,$(GIVEN))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown $(UNKNOWN); allowed here are $(strip $(ALLOWED)))
endif

# A setting is any text: $(value) takes it as it is, so that make expands nothing in it, and it reaches the notebooks as
# a variable of the environment, which no shell reads again.
ifeq ($(value SOURCE),)
override SOURCE := $(or $(value STEAM_BANNERS_SOURCE),sample)
endif
define hand_over
override $(1) := $$(value $(1))
$(TAKE_SETTINGS): export STEAM_BANNERS_$(1) := $$(value $(1))
endef
$(foreach name,$(SETTINGS),$(if $(value $(name)),$(eval $(call hand_over,$(name)))))

BIN = .venv/bin
RUN = $(BIN)/python -m
PIP = $(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt
DOWNLOAD = download_steam_webdataset
MATCH = match_steam_banners_with_BEiT
STUDY = study/how_good_are_the_matches
EXECUTE = $(BIN)/jupyter nbconvert --log-level=ERROR --to notebook --execute --ExecutePreprocessor.timeout=-1 \
	--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False
SPEED = extraction matching picker snapshots shards gallery
QUICK = not slow and not notebook and not browser and not kill

.PHONY: match play serve release lint check test test-colab judge bench notebooks checkpoint

match: .venv/for-match
	@$(RUN) tools.run_notebooks out

play: .venv/for-match
	@$(PIP) jupyterlab
	@mkdir -p out
	cp $(MATCH).ipynb out/play.ipynb # JupyterLab saves what it runs, and the clone stays clean
	$(BIN)/jupyter lab --ip=127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root) out/play.ipynb

serve: .venv/for-serving
	@$(RUN) tools.serve

release: .venv/for-match
	@$(RUN) tools.release out/release

lint: .venv/for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python .venv
	$(BIN)/lint-imports --no-logo --no-cache

check: lint
	OMP_NUM_THREADS=1 $(RUN) pytest -q -p no:nbval -n 3 --dist loadfile -m "$(QUICK)"

test: lint
	OMP_NUM_THREADS=1 $(RUN) pytest -n auto --dist loadfile

test-colab:
	tests/on_colab_versions.sh

judge: .venv/for-match
	@folder="$$STEAM_BANNERS_FOLDER"; checkpoint="$$STEAM_BANNERS_CHECKPOINT"; \
	env -u STEAM_BANNERS_SOURCE -u STEAM_BANNERS_CHECKPOINT PYTHONPATH=. $(BIN)/python benchmarks/judge.py \
		$${folder:+"$$folder"} $${checkpoint:+--checkpoint "$$checkpoint"}

bench: .venv/for-benchmarks
	@for name in $(SPEED); do \
		echo "== $$name"; TQDM_DISABLE=1 PYTHONPATH=. $(BIN)/python -W ignore benchmarks/$$name.py || exit 1; done

notebooks: export STEAM_BANNERS_SOURCE := sample
notebooks: export STEAM_BANNERS_DTYPE := float32
notebooks: export STEAM_BANNERS_QUERY := Moonwyrm
notebooks: .venv/for-match
	rm -rf data/sample
	for name in $(DOWNLOAD) $(MATCH) $(STUDY); do $(EXECUTE) --inplace $$name.ipynb || exit 1; done
	$(RUN) tools.keep_outputs $(DOWNLOAD).ipynb $(MATCH).ipynb $(STUDY).ipynb

checkpoint: .venv/for-training
	$(RUN) training.packages download data/training
	test -f data/training/pictures/index.csv || $(RUN) training.pictures data/training/packages data/training/pictures
	$(RUN) training.pool data/training 0 180 1
	$(RUN) training.train data/training
	$(RUN) training.export data/training sample/beit-small

.venv/for-match: requirements.txt constraints.txt | .venv
	@echo "Installing what the notebooks need into .venv (some minutes the first time) ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/for-tests: tests/requirements.txt share/requirements.txt .venv/for-match
	@$(PIP) -r tests/requirements.txt
	@touch $@

.venv/for-serving: share/requirements.txt .venv/for-match
	@$(PIP) -r share/requirements.txt
	@touch $@

.venv/for-training: training/requirements.txt .venv/for-match
	@$(PIP) --no-deps -r training/requirements.txt
	@touch $@

.venv/for-benchmarks: benchmarks/requirements.txt .venv/for-match
	@$(PIP) -r benchmarks/requirements.txt
	@touch $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"Python " + sys.version.split()[0] + " is too old: make match PYTHON=python3.11 (or newer)")'
	$(PYTHON) -m venv .venv
