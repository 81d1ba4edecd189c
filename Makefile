# The pipeline: environment -> data -> chapters run -> site rendered.
#
#   make book          the whole book, into _build/html
#   make -j2 book      the same, two chapters at a time
#   make book LONG=1   and the 20,001 steps of chapter 6
#   make book GPU=1    on an NVIDIA GPU under Linux, from then on: gigabytes more
#   make pdf           and from it one file for paper, _build/book.pdf
#   make test          every test, with few steps
#   make quick         the tests that need neither TensorFlow, a browser nor a run, and ruff
#   make test-faults   the faults that take minutes to provoke
#   make bench         time the training beside Keras and PyTorch
#   make bench OLD=x   and then this book beside the older one in the folder x: hours
#   make kept          the results that are too long for every build, made again: hours
#   make lab           the chapters in JupyterLab, each in a copy of your own
#   make format        bring code and notebooks into the form that git keeps
#   make workshop      what sweeps need, too; printing and tests see to it themselves
#   make lock          requirements.txt, pyproject.toml -> requirements*.lock
#   make links         ask every address that the book links to whether it answers
#   make clean         remove what was built
#   make help          this list, as does make alone

# The Python to use; without a name, one is found.
PYTHON ?=
BUILD ?= _build
PARAMETERS ?=
LONG ?=

VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
WORKSHOP := $(VENV)/.workshop
ON_GPU := $(VENV)/.gpu
# Once asked for, it stays.
GPU ?= $(wildcard $(ON_GPU))
FIND_PYTHON := sh pipeline/find_python.sh "$(PYTHON)"
# The pages that _toc.yml names. Any other notebook in the folder is no part of the book.
# Any Python can tell them, before one is found that the book runs on.
PAGES := $(shell $(or $(PYTHON),$(wildcard $(VENV)/bin/python),python3) pipeline/contents.py)
CHAPTERS := $(basename $(notdir $(filter %.ipynb,$(PAGES))))
COMPARISON := 07-comparison
# The chapters that have somewhere to save the records that it reads.
RECORDING := $(basename $(notdir $(shell grep -l 'record_dir = ' $(filter %.ipynb,$(PAGES)))))
LONG_RUN := 06-deeper-cnn-long
# The most expensive chapters first: so several jobs end at about the same time.
LONGEST := 06-deeper-cnn 04-regularized-mlp 02-logistic-regression 02-trip-where-training-stops \
    03-mlp 04-does-it-help 05-luck 05-trip-variance 05-simple-cnn
IN_ORDER := $(filter $(CHAPTERS),$(LONGEST)) $(filter-out $(LONGEST),$(CHAPTERS))
EXECUTED := $(IN_ORDER:%=$(BUILD)/executed/%.ipynb)
LONG_EXECUTED := $(LONG_RUN:%=$(BUILD)/executed/%.ipynb)
COMPARED := $(patsubst %,$(BUILD)/executed/%.ipynb,$(filter-out $(COMPARISON),$(RECORDING))) $(if $(LONG),$(LONG_EXECUTED))
RUNS := $(IN_ORDER) $(if $(LONG),$(LONG_RUN))
# What makes the pages. Folders count, too: one is newer when a file in it is gone.
MAKERS := requirements.lock $(wildcard $(foreach folder,pipeline pipeline/site pipeline/draw,\
    $(folder) $(folder)/*.py) mnist_helpers/*.* \
    mnist_helpers/kept/* mnist_helpers/kept/*/*)
# What they show besides the chapters' runs.
SHOWN := $(PAGES) $(wildcard chapters/*.bib chapters/_static chapters/_static/* chapters/_static/*/*)

# What people ask for; and the steps that lead there.
.PHONY: book pdf test quick test-faults bench kept lab format workshop lock links clean help
.PHONY: site laid-out whole-book whole-site whole-pdf whole-test whole-laid-out test-code test-book \
    test-notebooks test-site data fingerprints always
.DELETE_ON_ERROR:

# What a code page lacks is printed as its number, and stops nothing.
export PYTHONIOENCODING ?= :backslashreplace
# Packages of another Python, and checks that it leaves out, are not the book's.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSTARTUP

help:
	@sed -n 's/^#   make/make/p' Makefile

# Two at once would write the same files.
ALONE = python=$$($(FIND_PYTHON)) && "$$python" pipeline/alone.py

book site pdf test laid-out:
	@$(ALONE) $(MAKE) --no-print-directory PYTHON="$$python" whole-$@

whole-book: whole-site
	@$(RUN) pipeline.report $(BUILD)

whole-site: $(BUILD)/html/index.html

# ---- environment ----

INSTALL := $(VENV)/bin/pip install --quiet --no-compile --require-hashes --no-deps --requirement
# On all cores; pip compiles on one. What this Python cannot compile it leaves, as pip does.
BYTECODE := $(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib || true

# It knows its place by absolute paths: in a copy of this folder, or after a move, it is made anew.
MOVED := $(if $(wildcard $(READY)),$(subst $(CURDIR),,$(shell cat $(READY))))

$(READY): requirements.lock pyproject.toml $(if $(MOVED),always)
$(WORKSHOP): requirements-workshop.lock $(READY)
$(ON_GPU): requirements-gpu.lock $(READY)

workshop: $(WORKSHOP)

# A make that makes the book or tests it uses the environment: until that has ended it stays as it is.
ifneq ($(value MNIST_MAKE_LOCK),$(CURDIR))
$(READY) $(WORKSHOP) $(ON_GPU):
	@$(ALONE) $(MAKE) --no-print-directory PYTHON="$$python" $@
else
$(READY):
	python=$$($(FIND_PYTHON)) && "$$python" -m venv --clear $(VENV)
	$(INSTALL) requirements.lock
	$(BYTECODE)
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@pwd -P > $@

$(WORKSHOP):
	$(INSTALL) $<
	$(BYTECODE)
	@touch $@

# The two TensorFlows have most files in common: the one goes before the other comes. An environment
# that is left without either is not ready, and the next make begins it anew.
$(ON_GPU):
	@mv $(READY) $(READY)-but-for-tensorflow
	$(VENV)/bin/pip uninstall --quiet --yes tensorflow-cpu
	$(INSTALL) $<
	$(BYTECODE)
	@mv $(READY)-but-for-tensorflow $(READY)
	@touch $@
endif

# ---- data ----

# Looked at each time; the file changes only if the data did.
$(BUILD)/data.json: always $(READY) $(if $(GPU),$(ON_GPU))
	@echo "MNIST:"
	@$(RUN) pipeline.fetch_data $@

# ---- chapters ----

# Written each time; a file changes only if what the chapter depends on did.
fingerprints: $(BUILD)/data.json $(READY)
	@rm -rf $(BUILD)/.partial-* $(BUILD)/.progress  # what runs that were killed have left
	@$(RUN) pipeline.fingerprint $(BUILD) $(PARAMETERS)

$(patsubst %,$(BUILD)/fingerprints/%.json,$(CHAPTERS) $(LONG_RUN)): fingerprints
	@:

$(EXECUTED) $(LONG_EXECUTED): $(BUILD)/executed/%.ipynb: $(BUILD)/fingerprints/%.json
	@$(RUN) pipeline.run_chapter $* $(BUILD) $(RUNS)

# Touched when the records of a run go away, for what may have shown them.
$(BUILD)/forgotten: fingerprints
	@:

$(BUILD)/executed/$(COMPARISON).ipynb: $(COMPARED) $(BUILD)/forgotten

# ---- networks for the browser ----

# The page "Draw a digit" runs what the chapters trained. And on "Train it here" they learn, from
# the sample.
$(BUILD)/draw/manifest.js: $(COMPARED) $(BUILD)/forgotten $(MAKERS)
	@echo "Packing the networks for the browser"
	@$(RUN) pipeline.draw $(BUILD)

# ---- site, and the reader's editions, which its pages offer ----

$(BUILD)/html/index.html: $(EXECUTED) $(BUILD)/draw/manifest.js $(SHOWN) $(MAKERS) _config.yml _toc.yml
	@echo "Rendering the site"
	@$(RUN) pipeline.site.render $(BUILD)

whole-pdf: $(BUILD)/book.pdf

$(BUILD)/book.pdf: $(BUILD)/html/index.html $(WORKSHOP)
	@$(RUN) pipeline.site.pdf $(BUILD)

# ---- for those who work on the book ----

# A whole book of few steps, in a folder of its own, tested as its parts get ready; the code meanwhile.
FEW_STEPS := BUILD=_build/test PARAMETERS=tests/few_steps.yml LONG=

# The make of macOS is too old for this.
IN_LINES := $(if $(filter output-sync,$(.FEATURES)),--output-sync=line)

whole-test: $(WORKSHOP)
	@echo "Testing code and book side by side: minutes; each part reports when it is done"
	@$(MAKE) --jobs=2 --no-print-directory $(IN_LINES) $(FEW_STEPS) \
	    test-code test-notebooks test-site test-book

OF_THE_BOOK := tests/book/test_papermill.py tests/pipeline/test_sweep_pages.py
OF_THE_SITE := tests/site/test_site.py tests/site/test_editions.py

# From the first minute, beside the making of the book, whose chapters then run one by one.
test-code: $(WORKSHOP) $(BUILD)/data.json
	OMP_NUM_THREADS=1 $(RUN) pytest -m "not long" tests $(addprefix --ignore=,$(OF_THE_BOOK) $(OF_THE_SITE))

test-book: whole-site
	OMP_NUM_THREADS=1 $(RUN) pytest $(OF_THE_BOOK)

# The site has the full data; nbval runs the chapters on the sample, which is quicker and tests that way, too.
WITHOUT_MNIST := MNIST_CACHE_DIR="$(abspath $(BUILD)/no-data)" MNIST_MIRRORS=http://127.0.0.1:9/ \
    PATH="$(abspath $(VENV)/bin)"

# By its name, which pipeline.kernel sees to, and not pytest's own interpreter, as by pyproject.toml.
KERNELS_OF_OURS := --override-ini=addopts=--strict-markers

test-notebooks: $(BUILD)/html/index.html
	@$(RUN) pipeline.prepare $(BUILD) $(PARAMETERS)
	OMP_NUM_THREADS=1 $(WITHOUT_MNIST) $(RUN) pipeline.kernel pytest $(KERNELS_OF_OURS) \
	    --nbval-lax $(BUILD)/prepared

test-site: whole-site
	$(RUN) pytest $(OF_THE_SITE)

# tests/quick.py says which tests are quick, and has each import of TensorFlow fail.
quick: $(WORKSHOP)
	$(RUN) ruff check $(TO_FORMAT)
	$(RUN) ruff format --check $(TO_FORMAT)
	OMP_NUM_THREADS=1 $(RUN) pytest -m quick tests

test-faults: $(WORKSHOP)
	$(RUN) pytest -m long tests/faults

# PyTorch is large and of use here alone: it has an environment of its own.
PEERS := .venv-bench

$(PEERS)/.ready: bench/requirements.txt | $(READY)
	$(RUN) venv --clear $(PEERS)
	$(PEERS)/bin/pip install --quiet --requirement $<
	@touch $@

# What is timed in an older checkout, too; {scratch} is an empty folder. The page of chapter 5 that
# trains one seed after another was once all of the chapter.
OLD ?=
ROUNDS ?= 5
BESIDE_OLD = $(RUN) bench.builds "$(OLD)" . --rounds $(ROUNDS)
ANEW := make VENV={scratch}/venv {scratch}/venv/.ready
MANY_SEEDS := if [ -e chapters/05-luck.ipynb ]; then page=05-luck; else page=05-simple-cnn; fi
EIGHT_RUNS := $(MANY_SEEDS); .venv/bin/python -m pipeline.sweep $$page {scratch} --workers 2 \
    -p num_steps 1 -p num_seeds 2 -p seed 0,2,4,6,8,10,12,14

bench: $(READY) $(PEERS)/.ready $(if $(OLD),$(WORKSHOP))
	$(RUN) bench.speed --peers $(PEERS)/bin/python
	$(RUN) bench.page
ifneq ($(OLD),)
	$(if $(wildcard $(OLD)/.venv),,$(error OLD is "$(OLD)"; no .venv is there, `make test` in that folder makes one))
	$(BESIDE_OLD)
	$(BESIDE_OLD) --run '$(ANEW)'
	$(BESIDE_OLD) --run '$(EIGHT_RUNS)'
	$(BESIDE_OLD) --run 'make -j2 book BUILD={scratch}'
	$(BESIDE_OLD) --run 'make test'
endif

# ---- what is kept in git, for it takes too long for every build ----

KEPT := $(BUILD)/kept
KEPT_RUNS := $(patsubst %,$(KEPT)/long-%,0 1 2 3 4)
KEPT_SWEEPS := $(patsubst experiments/sweeps/%.yml,$(KEPT)/%,$(wildcard experiments/sweeps/*.yml))

# Parts of experiments.going_further, but for "book", and two experiments that are modules.
KEPT_PARTS := $(patsubst %,$(KEPT)/%.part,race ablation small smallest precise tried deep_held_out deep)
KEPT_TWO := $(patsubst %,$(KEPT)/%.experiment,parts twins)

# What is finished is not run again, unless requirements.lock changed.
kept: $(KEPT_RUNS:%=%/.kept) $(KEPT_SWEEPS:%=%/.kept) $(KEPT)/book.part $(KEPT_PARTS) $(KEPT_TWO)
	@git status --short mnist_helpers/kept

$(KEPT_PARTS): $(KEPT)/%.part: requirements.lock | $(READY)
	@mkdir -p $(@D)
	$(RUN) experiments.going_further --only $*
	@touch $@

# A book whose chapters have one core each: its records are what chapter 8 sets beside its own.
$(KEPT)/book.part: requirements.lock | $(READY)
	@OMP_NUM_THREADS=1 $(MAKE) --no-print-directory --jobs=2 BUILD="$(KEPT)/book" PARAMETERS= LONG= book
	$(RUN) experiments.going_further --only book --records "$(KEPT)/book/records"
	@touch $@

$(KEPT_TWO): $(KEPT)/%.experiment: requirements.lock | $(READY)
	@mkdir -p $(@D)
	$(RUN) experiments.$*
	@touch $@

ONE_LONG_RUN = papermill chapters/06-deeper-cnn.ipynb
ITS_SEED = -p num_steps 20001 -p seed $*

$(KEPT)/long-%/.kept: requirements.lock | $(READY)
	@mkdir -p $(@D)
	OMP_NUM_THREADS=1 $(VENV)/bin/$(ONE_LONG_RUN) $(@D)/out.ipynb $(ITS_SEED) -p record_dir "$(abspath $(@D))"
	$(RUN) experiments.keep run $(@D)/06-deeper-cnn--deeper_cnn--20001-steps--seed-$*.json \
	    "OMP_NUM_THREADS=1 $(ONE_LONG_RUN) out.ipynb $(ITS_SEED)"
	@touch $@

$(KEPT_SWEEPS:%=%/.kept): $(KEPT)/%/.kept: experiments/sweeps/%.yml requirements.lock | $(WORKSHOP)
	$(RUN) pipeline.sweep $< $(@D)
	$(RUN) experiments.keep sweep $< $(@D)
	@touch $@

# ---- what others publish ----

# In a book of few steps, whose links are those of the whole.
links:
	@$(MAKE) --no-print-directory $(FEW_STEPS) site
	PYTHONPATH=. $(VENV)/bin/jupyter-book build --builder linkcheck --path-output _build/links _build/test/book

# ---- for people ----

# The notebooks for people, each in a copy that is the reader's own. From here, so that the links
# in them lead to the pages.
whole-laid-out: whole-site
	@$(RUN) pipeline.working_copies $(BUILD)/editions $(BUILD)/notebooks

lab: laid-out
	$(RUN) pipeline.kernel jupyterlab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(BUILD)/notebooks

# Of the notebooks in the folder those of the book alone.
NOTEBOOKS := $(filter %.ipynb,$(PAGES))
TO_FORMAT := . $(NOTEBOOKS) --extend-exclude="chapters/*.ipynb"

format: $(WORKSHOP)
	$(RUN) ruff check --fix $(TO_FORMAT)
	$(RUN) ruff format $(TO_FORMAT)
	$(RUN) pipeline.tidy_notebooks $(NOTEBOOKS)

# Without rfc3987-syntax, which jsonschema would use if it were there: it compiles a grammar when
# imported, a second of every Python that reads a notebook, for a check that no notebook needs.
NOT_NEEDED := rfc3987-syntax lark
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links $(NOT_NEEDED:%=--no-emit-package %)
FOR_THE_BOOK := requirements.txt --group cpu --group book
FOR_THE_WORKSHOP := --group sweep --group test --group dev
# What the book has everywhere: not what it needs on one system, or under one Python, alone.
BUT_WHAT_THE_BOOK_HAS = $$(sed -n 's/^\([a-z0-9._-]*\)==[^ ]* .$$/--no-emit-package \1/p' requirements.lock)

# One solution for all packages; then a lock for the book, and what two others need beside it.
lock: $(WORKSHOP)
	@mkdir -p $(BUILD)
	$(COMPILE) --upgrade $(FOR_THE_BOOK) $(FOR_THE_WORKSHOP) -o $(BUILD)/all.lock
	$(COMPILE) --constraint $(BUILD)/all.lock $(FOR_THE_BOOK) -o requirements.lock
	$(COMPILE) --constraint $(BUILD)/all.lock $(FOR_THE_WORKSHOP) \
	    $(BUT_WHAT_THE_BOOK_HAS) -o requirements-workshop.lock
	$(COMPILE) --constraint $(BUILD)/all.lock --no-config --group gpu \
	    $(BUT_WHAT_THE_BOOK_HAS) -o requirements-gpu.lock

# But for the notebooks that a reader has worked on.
clean:
	@if [ -d $(BUILD) ]; then find $(BUILD) -mindepth 1 -maxdepth 1 ! -name notebooks -exec rm -rf {} +; fi
	@if [ -d $(BUILD)/notebooks ]; then echo "Left alone: your copies of the notebooks, $(BUILD)/notebooks"; fi
