# What the scripts in this folder share: where things are, and how they say what they do. Sourced,
# after `set -euo pipefail`.

export LC_ALL=C.UTF-8
root_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_folder=$root_folder/build
log_folder=$build_folder/log
# shellcheck disable=SC2034  # used by the scripts
jobs=$(nproc)
mkdir -p "$log_folder"

# ccache keeps its files below the home folder; without one (some containers), beside the build.
if [[ ! -w ${HOME:-/nonexistent} && -z ${CCACHE_DIR:-} ]]; then
  export CCACHE_DIR=$build_folder/ccache
fi

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# step NAME DESCRIPTION COMMAND...: one line that says what is done and how long it took. The output
# goes to build/log/NAME.log; when the command fails, its end is shown and the status is 1.
step() {
  local name=$1 description=$2 log=$log_folder/$1.log start=$SECONDS
  shift 2
  printf '%s ... ' "$description"
  if "$@" >"$log" 2>&1; then
    printf 'done (%d s)\n' $((SECONDS - start))
    return 0
  fi
  printf 'FAILED\n'
  show_reason "$log" >&2
  printf '%s: %s failed; everything it said: %s\n' "$(basename "$0")" "$name" "$log" >&2
  return 1
}

# The lines of a log that tell why: errors with what follows them, or else its end.
show_reason() {
  if grep -qE '(^|[^a-z-])(fatal )?error:|^E: |^CMake Error' "$1"; then
    grep -E -A6 '(^|[^a-z-])(fatal )?error:|^E: |^CMake Error' "$1" | head -n 40
  else
    tail -n 30 "$1"
  fi
}

# configure_and_build PRESET [TARGET...]: without targets, everything.
configure_and_build() {
  local preset=$1
  shift
  step "configure-$preset" "Configuring ($preset)" \
    cmake -S "$root_folder" --preset "$preset" &&
    step "build-$preset" "Building ($preset)" \
      cmake --build "$build_folder/$preset" --parallel "$jobs" ${1:+--target} "$@"
}

# The C and C++ files of the repository, relative to its root, each ended by a zero byte.
source_files() {
  (cd "$root_folder" &&
    find . \( -path './build*' -o -path './.*' \) -prune -o \
      -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0)
}
