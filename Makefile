# luge: `make demo` and `make test` do everything, packages included; `make help` lists the rest.
# Variables: JOBS=2, REPORT=build/report, PREFIX=/usr/local, CUDA=AUTO|ON|OFF, CUDA_ARCHITECTURES="80-real;90",
# FUZZ_SECONDS=20, BENCH_ARGS=...

JOBS ?= $(shell nproc)
REPORT ?= build/report
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 20

# These are evaluated in the recipes, when the packages are there.
# $(call configure,PRESET,FOLDER); a folder keeps the generator it began with.
configure = cmake $(if $(wildcard $(2)/CMakeCache.txt),,-G "$(if $(shell command -v ninja),Ninja,Unix Makefiles)") \
  --preset $(1)
# pip, which may share the folder, builds without TensorBoard.
configure_release = $(call configure,release,build) -DLUGE_BUILD_PYTHON=OFF -DLUGE_TENSORBOARD=AUTO $(if $(CUDA),-DLUGE_CUDA=$(CUDA)) \
  $(if $(CUDA_ARCHITECTURES),-DLUGE_CUDA_ARCHITECTURES="$(CUDA_ARCHITECTURES)")
compile = cmake --build $(1) --parallel $(JOBS)
# $(call run_tests,FOLDER,PART,OPTIONS); the log stays behind for the summary.
run_tests = tests/run.sh $(1) $(2) --parallel $(JOBS) $(3)

test_parts := test-release test-package test-cuda-build test-python test-simt test-asan test-tsan
clang = $(if $(shell command -v clang++),-DCMAKE_CXX_COMPILER=clang++)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo examples check test $(test_parts) test-interchange test-kernels fuzz mutate bench bench-torch bench-capture bench-files bench-fits bench-python bench-sets bench-against gpu-budget names install format lint clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

build:  ## the program build/luge, optimised, with CUDA where nvcc is found
	@cmake/setup.sh
	$(configure_release) -DLUGE_BUILD_TESTS=OFF -DLUGE_BUILD_BENCHMARKS=OFF
	$(call compile,build) --target luge_program

demo: build  ## one parameter, a million sets, Fashion-MNIST; ends with the reports
	build/luge demo --report $(REPORT)/demo
	build/luge demo --sets 1000000 --report $(REPORT)/sets
	build/luge train --sets 4 --epochs 1 --report $(REPORT)/train
	@printf '\nThe reports, to open in a browser:\n'; \
	for part in demo sets train; do printf '  %s\n' $(REPORT)/$$part/index.html; done

examples: build  ## build and run every example
	$(call compile,build)
	@set -e; for source in examples/*.cpp; do \
	  name=$$(basename $$source .cpp); printf '\n-- %s\n' $$name; build/examples/$$name; done

check:  ## the quick look while developing: the tests on the CPU, without CUDA, Python and sanitizers
	@cmake/setup.sh test
	$(call configure,release,build-check) -DLUGE_BUILD_PYTHON=OFF -DLUGE_CUDA=OFF -DLUGE_BUILD_TESTS=ON -DLUGE_BUILD_BENCHMARKS=OFF \
	  -DLUGE_BUILD_EXAMPLES=OFF
	$(call compile,build-check)
	$(call run_tests,build-check,check,-LE "package|cuda-build")

test:  ## everything CI checks; parts: test-release, -package, -cuda-build, -python, -simt, -asan, -tsan
	@rm -f build*/ctest-*.log
	@status=0; $(MAKE) --no-print-directory $(test_parts) || status=$$?; \
	tests/summary.sh $$status $$(ls -tr build*/ctest-*.log 2>/dev/null)

test-release:  ## the optimised build with g++, its tests and the examples
	@cmake/setup.sh test
	$(configure_release) -DLUGE_BUILD_TESTS=ON -DLUGE_BUILD_BENCHMARKS=ON -DLUGE_TEST_BATCH=4
	$(call compile,build)
	$(call run_tests,build,release,-LE "package|cuda-build")

test-package: test-release  ## another project that finds the installed luge, and one that takes its source
	$(call run_tests,build,package,-L package)

test-cuda-build: test-release  ## the CUDA build on a machine without a GPU: starts, says why not; kernels keep their budget
	@cmake/setup.sh test python
	-@bench/gpu/budget/tools.sh build
	$(call run_tests,build,cuda-build,-L cuda-build --verbose)

# $(call quoted,TEXT): in single quotes for the shell.
quoted = '$(subst ','\'',$(1))'

gpu-budget:  ## count the kernels' machine code anew: tightens their bars, writes docs/gpu-budget.md; ACCEPT="NAME" BECAUSE="..."
	@cmake/setup.sh test python
	@bench/gpu/budget/tools.sh build
	$(configure_release) -DLUGE_BUILD_BENCHMARKS=ON
	$(call compile,build) --target luge luge_budget_kernels luge_budget_sm_100
	for architecture in sm_90 sm_100; do \
	  bench/gpu/budget/budget.py update build --arch $$architecture \
	    $(if $(ACCEPT),--accept $(call quoted,$(ACCEPT)) --because $(call quoted,$(BECAUSE))) || [ $$? -eq 77 ] || exit 1; \
	done

test-python: test-release  ## the Python package, installed by pip into a virtual environment; a minute of it with random arguments
	@cmake/setup.sh test python torch
	LUGE_FUZZ_SECONDS=60 tests/python/run.sh build

test-interchange: build  ## luge with other packages from PyPI: loggers, and arrays of JAX, MLX, NumPy, ...; not part of `make test`
	@cmake/setup.sh test python
	$(configure_release) -DLUGE_BUILD_TESTS=ON
	$(call compile,build) --target tensorboard_training
	tests/interchange/run.sh build

test-simt:  ## clang's warnings over everything; the CUDA kernels executed by the host, in every order of threads
	@cmake/setup.sh test
	$(call configure,simt,build-simt) $(clang)
	$(call compile,build-simt)
	$(call run_tests,build-simt,simt)

test-asan:  ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer, the CUDA kernels included; some random files
	@cmake/setup.sh test
	$(call configure,asan,build-asan) $(clang) $(if $(clang),-DLUGE_BUILD_FUZZERS=ON)
	$(call compile,build-asan)
	$(call run_tests,build-asan,asan)

test-tsan:  ## races: the tests named *Thread* and those of the CUDA kernels under ThreadSanitizer
	@cmake/setup.sh test
	$(call configure,tsan,build-tsan) $(clang) -DLUGE_TEST_ALL_RACES=OFF
	$(call compile,build-tsan)
	$(call run_tests,build-tsan,tsan,-L threads)

test-kernels: test-simt test-asan  ## all there is for the CUDA kernels: races in every suite too; half an hour
	$(call configure,tsan,build-tsan) $(clang) -DLUGE_TEST_ALL_RACES=ON
	$(call compile,build-tsan)
	$(call run_tests,build-tsan,tsan,-L threads)

fuzz:  ## random files for everything that reads files: FUZZ_SECONDS=20 for each format, under both sanitizers
	@cmake/setup.sh test
	$(call configure,asan,build-fuzz) -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DLUGE_CUDA=OFF -DLUGE_BUILD_TESTS=OFF \
	  -DLUGE_BUILD_PROGRAM=OFF -DLUGE_BUILD_FUZZERS=ON
	$(call compile,build-fuzz) --target fuzzers
	tests/fuzz/run.sh build-fuzz -max_total_time=$(FUZZ_SECONDS)

mutate:  ## removes barriers, guards and shared memory of the CUDA kernels one by one: the tests must notice
	@cmake/setup.sh test
	tests/simt/mutation/mutate.py --jobs $(JOBS)

bench:  ## Google Benchmark over ops, reductions, matmul and training steps; also as build/bench.json
	@cmake/setup.sh bench
	$(configure_release) -DLUGE_BUILD_TESTS=OFF -DLUGE_BUILD_BENCHMARKS=ON
	$(call compile,build) --target luge_bench
	build/bench/luge_bench --benchmark_out=build/bench.json --benchmark_out_format=json $(BENCH_ARGS)

# $(call compare,SCRIPT,OUTPUT): both are Python, beside the built benchmarks.
compare = /usr/bin/python3 bench/against/$(1) --bench build/bench/luge_bench --output $(2) $(BENCH_ARGS)

bench-torch bench-capture: build/bench/luge_bench

.PHONY: build/bench/luge_bench
build/bench/luge_bench:
	@cmake/setup.sh bench torch
	$(configure_release) -DLUGE_BUILD_TESTS=OFF -DLUGE_BUILD_BENCHMARKS=ON
	$(call compile,build) --target luge_bench

bench-torch:  ## the same work in PyTorch on this machine in the same run, side by side
	$(call compare,compare_torch.py,build/bench-torch.json)

bench-capture:  ## captured steps beside loops by hand, the matrix products alone, eager steps and PyTorch
	$(call compare,compare_capture.py,build/bench-capture.json)

bench-python: build/bench/luge_bench  ## what a call costs from Python, beside C++ and PyTorch
	@cmake/setup.sh python torch
	tests/python/run.sh build -k none >/dev/null || [ $$? -eq 5 ]
	build/venv/bin/python bench/against/compare_python.py --bench build/bench/luge_bench --output build/bench-python.json $(BENCH_ARGS)

bench-files: build/bench/luge_bench  ## saving and loading, beside what dd and a mapped read reach on this disk
	@cmake/setup.sh python torch
	tests/python/run.sh build -k none >/dev/null || [ $$? -eq 5 ]
	build/venv/bin/python bench/against/compare_files.py $(BENCH_ARGS)

bench-fits: build/bench/luge_bench  ## what a curve fit costs and how it ends, beside SciPy, jaxopt and optimistix from PyPI
	@cmake/setup.sh python
	[ -x build/venv-fits/bin/python ] || /usr/bin/python3 -m venv build/venv-fits
	build/venv-fits/bin/python -m pip install --quiet scipy==1.17.1 jaxopt==0.8.5 optimistix==0.1.0
	tests/python/install.sh build build/venv-fits/bin/python
	build/venv-fits/bin/python bench/against/compare_fits.py $(BENCH_ARGS)

bench-sets: build  ## what stopped sets cost, and an ensemble beside torch.func.vmap of PyTorch from PyPI
	@cmake/setup.sh python
	[ -x build/venv-sets/bin/python ] || /usr/bin/python3 -m venv build/venv-sets
	build/venv-sets/bin/python -m pip install --quiet numpy torch==2.15.0
	tests/python/install.sh build build/venv-sets/bin/python
	build/venv-sets/bin/python bench/against/compare_sets.py $(BENCH_ARGS)

bench-against: build/bench/luge_bench  ## luge at its limits on a CPU: PyTorch, JAX and MLX from PyPI, loops by hand, products alone, with bars
	@cmake/setup.sh python
	[ -x build/venv-against/bin/python ] || /usr/bin/python3 -m venv build/venv-against
	build/venv-against/bin/python -m pip install --quiet numpy torch==2.15.0 jax==0.10.2 'mlx[cpu]==0.32.4'
	tests/python/install.sh build build/venv-against/bin/python
	build/venv-against/bin/python bench/against/limits/compare.py --bench build/bench/luge_bench --output build/bench-against.json $(BENCH_ARGS)

names: test-release  ## docs/names.md, the table of PyTorch's names, from the samples of tests/agreement
	@cmake/setup.sh python torch
	tests/python/run.sh build -k none >/dev/null || [ $$? -eq 5 ]
	build/venv/bin/python tests/agreement/names.py

install: build  ## library, headers and program into PREFIX
	cmake --install build --prefix $(PREFIX)

format:  ## clang-format over the sources
	@cmake/setup.sh lint
	git ls-files -co --exclude-standard '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

lint:  ## clang-tidy over core, the CPU kernels and the program
	@cmake/setup.sh test lint
	$(call configure,clang,build-clang)
	git ls-files -co --exclude-standard 'core/*.cpp' 'kernels/cpu/*.cpp' 'bindings/*.cpp' | \
	  xargs -P $(JOBS) -n 1 clang-tidy -p build-clang --quiet

clean:  ## remove every build folder
	rm -rf build build-*
