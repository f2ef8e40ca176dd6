#!/usr/bin/env bash
# One command for each thing a developer or a new user does. `packaging/dev.sh help` lists them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache=${SERIGRAPH_CACHE:-$HOME/.cache/serigraph}
export SERIGRAPH_CACHE=$cache
torch_version=2.11.0
requirements=packaging/requirements

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'dev.sh: %s\n' "$*" >&2; exit 1; }
key_of() { sha256sum "$@" | sha256sum | cut -c1-12; }

usage() {
    cat <<'TEXT'
packaging/dev.sh COMMAND
  run [ARGS]       set up, build, and start: the desktop, or without a display the server
  test [--long]    set up, build, run every test (--long: the long series too)
  deps             install what is missing: Debian packages, libtorch, vocabulary, test environment
       --cuda      … and the NVIDIA libraries that a GPU needs
       --peers     … and the Python peers for parity data and benchmarks (5 GB; CI never needs them)
  build            set up and build into build/; the programs are in build/bin/
  bench NAME       cpu-step, cold-start, api, switch or memory: measure, beside the peers
  screenshots      draw every page into docs/screenshots/
  format           clang-format over our sources
  gpu-bundle       pack what core/diffusion needs on a bare GPU machine, into build/gpu-bundle
  clean            remove build/; with --cache also ~/.cache/serigraph
TEXT
}

# --- deps -----------------------------------------------------------------------------------------------------------------------
missing_packages() {
    local wanted installed
    wanted=$(grep -v '^#' packaging/apt-packages.txt)
    installed=$(dpkg-query -W -f '${Package} ${Status}\n' 2>/dev/null | awk '$4 == "installed" { print $1 }')
    comm -23 <(sort <<<"$wanted") <(sort -u <<<"$installed")
}

install_packages() {
    command -v dpkg-query >/dev/null || die "this is not a Debian system: install by hand what packaging/apt-packages.txt lists"
    local missing run=()
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    say "installing $(wc -l <<<"$missing") Debian packages"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "missing Debian packages, and neither root nor sudo to install them: $(tr '\n' ' ' <<<"$missing")"
        run=(sudo)
    fi
    "${run[@]}" apt-get update -qq || die "apt-get update failed; still missing: $(tr '\n' ' ' <<<"$missing")"
    # shellcheck disable=SC2086
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/tmp/serigraph-apt-$$.log 2>&1 ||
        { tail -n 20 /tmp/serigraph-apt-$$.log >&2; die "apt-get install failed for: $(tr '\n' ' ' <<<"$missing")"; }
    rm -f /tmp/serigraph-apt-$$.log
}

# environment NAME FILE: a virtual environment with what FILE lists, made once for each content of FILE. Prints its folder.
environment() {
    local name=$1 file=$2 folder
    folder=$cache/venv-$name-$(key_of "$file")
    if [ ! -e "$folder/.complete" ]; then
        say "making the Python environment '$name'"
        rm -rf "$folder"
        /usr/bin/python3 -m venv "$folder" >&2 || die "python3 -m venv failed: is python3-venv installed?"
        "$folder/bin/pip" install -q --disable-pip-version-check -r "$file" >&2 || die "pip could not install $file"
        touch "$folder/.complete"
    fi
    [ -L "$cache/venv-$name" ] || rm -rf "$cache/venv-$name"
    ln -sfn "$(basename "$folder")" "$cache/venv-$name"
    echo "$folder"
}

# wheels FILE FOLDER: downloads the wheels that FILE pins and unpacks them into FOLDER.
wheels() {
    local file=$1 folder=$2 tests=$3 wheel options=()
    grep -q -- --hash "$file" && options=(--require-hashes)
    mkdir -p "$cache/downloads"
    rm -rf "$folder.wheels"
    "$tests/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary=:all: "${options[@]}" --find-links "$cache/downloads" \
        -d "$folder.wheels" -r "$file" >&2 || die "could not download what $file pins"
    for wheel in "$folder.wheels"/*.whl; do
        unzip -qo "$wheel" -d "$folder"
        mv "$wheel" "$cache/downloads/"
    done
    rmdir "$folder.wheels"
}

install_libtorch() {
    local folder=$cache/libtorch-$torch_version stamp
    stamp=$folder/.complete-$(key_of $requirements/libtorch.txt)
    if [ ! -e "$stamp" ]; then
        say "unpacking libtorch $torch_version (0.5 GB download, 1.2 GB on disk)"
        rm -rf "$folder.new" "$folder"
        wheels $requirements/libtorch.txt "$folder.new" "$1"
        mv "$folder.new" "$folder"
        touch "$stamp"
    fi
    if [ "${2:-}" = cuda ]; then
        stamp=$folder/.complete-$(key_of $requirements/cuda.txt)
        [ -e "$stamp" ] || { say "unpacking the NVIDIA libraries"; wheels $requirements/cuda.txt "$folder" "$1"; touch "$stamp"; }
    fi
}

install_vocabulary() {
    local folder=$cache/vocab stamp
    stamp=$folder/.complete-$(key_of $requirements/vocab.txt)
    [ -e "$stamp" ] && return
    say "unpacking the CLIP vocabulary"
    rm -rf "$folder.new"
    wheels $requirements/vocab.txt "$folder.new" "$1"
    mkdir -p "$folder"
    mv -f "$folder.new/open_clip/bpe_simple_vocab_16e6.txt.gz" "$folder/"
    rm -rf "$folder.new"
    touch "$stamp"
}

deps() {
    local tests
    mkdir -p "$cache"
    install_packages
    exec 9>"$cache/.lock"
    flock 9
    tests=$(environment tests $requirements/tests.txt)
    test_python=$tests/bin/python
    install_libtorch "$tests" "$([[ " $* " == *" --cuda "* ]] && echo cuda || true)"
    install_vocabulary "$tests"
    if [[ " $* " == *" --peers "* ]]; then
        environment peers $requirements/peers.txt >/dev/null
        [ -e "$cache/downloads/k-diffusion-0.1.1.post1.tar.gz" ] ||
            "$tests/bin/pip" download -q --no-deps --no-binary :all: --no-build-isolation -d "$cache/downloads" k-diffusion==0.1.1.post1
    fi
    flock -u 9
}

# --- build and run ---------------------------------------------------------------------------------------------------------------
build() {
    deps
    export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=4G
    export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    local preset=dev jobs
    [ -n "${CI:-}" ] && preset=ci
    # Files with torch headers take up to 2 GiB each.
    jobs=$(awk -v cores="$(nproc)" '/MemAvailable/ { n = int($2 / 2097152); if (n < 1) n = 1; print (n < cores) ? n : cores }' /proc/meminfo)
    say "building ($preset, $jobs jobs)"
    cmake --preset $preset -DSERIGRAPH_UNITY="${SERIGRAPH_UNITY:-ON}" -DSG_TEST_PYTHON="$test_python" --log-level=WARNING >/dev/null || die "cmake could not configure; see above"
    cmake --build build -j "$jobs" || die "the build failed; see above"
}

run() {
    build
    if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        exec build/bin/serigraph "$@"
    fi
    say "no display: starting the server (Ctrl+C ends it)"
    cat >&2 <<'TEXT'
When it says "listening on", draw the first picture from another terminal:
  curl -s localhost:7860/sdapi/v1/txt2img -H 'Content-Type: application/json' \
    -d '{"prompt": "a red star on a blue background", "steps": 20, "cfg_scale": 5, "width": 128, "height": 128}' \
    | python3 -c 'import base64, json, sys; open("star.png", "wb").write(base64.b64decode(json.load(sys.stdin)["images"][0]))'
TEXT
    exec build/bin/serigraphd serve --port 7860 "$@"
}

tests() {
    local exclude='bench|gpu|long'
    if [ "${1:-}" = --long ]; then exclude='bench|gpu'; shift; fi
    build
    say "testing"
    ctest --test-dir build -j2 --output-on-failure --no-tests=error -LE "$exclude" "$@"
}

bench() {
    [ $# -gt 0 ] || die "bench needs a name: cpu-step, cold-start, api, switch or memory"
    local name=$1 script
    shift
    script=tests/bench/${name//-/_}.py
    [ -e "$script" ] || die "there is no benchmark '$name': cpu-step, cold-start, api, switch or memory"
    if [ "$name" = api ]; then build; exec "$test_python" "$script" --bin build/bin "$@"; fi
    deps --peers
    [[ " $* " != *stable-diffusion.cpp* ]] || environment stable-diffusion-cpp packaging/requirements/stable-diffusion-cpp.txt >/dev/null
    build
    exec "$cache/venv-peers/bin/python" "$script" --bin build/bin "$@"
}

gpu_bundle() {
    deps
    local to=build/gpu-bundle
    rm -rf $to
    mkdir -p $to/include $to/lib/pkgconfig $to/vocab
    cp -r /usr/include/tl /usr/include/nlohmann /usr/include/utf8proc.h /usr/include/yaml.h /usr/include/libpng16/png*.h \
        /usr/include/zlib.h /usr/include/zconf.h $to/include/
    cp /usr/lib/*/libutf8proc.a /usr/lib/*/libyaml.a /usr/lib/*/libz.a $to/lib/
    cp -L /usr/lib/*/libpng.a $to/lib/
    cp "$cache/vocab/bpe_simple_vocab_16e6.txt.gz" $to/vocab/
    say "packed into $to: configure there with -DSERIGRAPH_APPS=OFF -DSERIGRAPH_BUNDLE=$to -DSERIGRAPH_LIBTORCH=<torch/>"
}

clean() {
    rm -rf build
    if [ "${1:-}" = --cache ]; then rm -rf "$cache"; fi
}

command=${1:-help}
[ $# -gt 0 ] && shift
case $command in
    run) run "$@" ;;
    test) tests "$@" ;;
    deps) deps "$@"; say "everything is there" ;;
    build) build ;;
    bench) bench "$@" ;;
    screenshots)
        build
        ctest --test-dir build -R ui_screenshots --output-on-failure
        cp build/screenshots/*.png docs/screenshots/
        ;;
    format)
        command -v clang-format >/dev/null || die "format needs clang-format: apt install clang-format"
        git ls-files '*.cpp' '*.h' | xargs clang-format -i
        ;;
    gpu-bundle) gpu_bundle ;;
    clean) clean "$@" ;;
    help | -h | --help) usage ;;
    *) usage >&2; die "unknown command '$command'" ;;
esac
