#!/usr/bin/env bash
# Finds a binary that may be trusted to judge: one that was named, one that is built from the source of this action, or
# that of the release with the checksum that stands in this repository. Never one of the repository that is judged.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=action/output.sh
source "$here/action/output.sh"

fail() {
  printf 'error: %s\n help: %s\n' "$1" "$2" >&2
  exit 2
}

given() {
  [[ -f $1 && -x $1 ]] || fail "binary-path is not a program: $1" "give the path of a portcullis binary"
  local path folder workspace
  path=$(readlink -f -- "$1")
  folder=$(cd "$(dirname -- "$path")" && pwd -P)
  if [[ -n ${GITHUB_WORKSPACE:-} && -d ${GITHUB_WORKSPACE:-} ]]; then
    workspace=$(cd "$GITHUB_WORKSPACE" && pwd -P)
    [[ $folder/ != "$workspace"/* ]] || fail "binary-path lies in the repository that is judged" \
      "a change must not bring its own judge: put the binary elsewhere, such as below RUNNER_TEMP"
  fi
  binary=$path
}

built() {
  command -v cargo >/dev/null || fail "there is no cargo to build with" "install Rust first, or use a release"
  cargo install --locked --quiet --path "$here" --root "$folder"
  binary=$folder/bin/portcullis
}

released() {
  local version target file wanted found
  version=$(sed -n 's/^version = "\([0-9A-Za-z.+-]*\)"$/\1/p' "$here/Cargo.toml" | head -n 1)
  case "${RUNNER_OS:-}/${RUNNER_ARCH:-}" in
    Linux/X64) target=x86_64-unknown-linux-musl ;;
    Linux/ARM64) target=aarch64-unknown-linux-musl ;;
    macOS/X64) target=x86_64-apple-darwin ;;
    macOS/ARM64) target=aarch64-apple-darwin ;;
    *) fail "there is no release for ${RUNNER_OS:-an unknown system} on ${RUNNER_ARCH:-an unknown machine}" \
      "give binary-path, or set from-source to true" ;;
  esac
  file=portcullis-$version-$target.tar.gz
  wanted=$(awk -v file="$file" '$2 == file && length($1) == 64 { print $1 }' "$here/checksums.txt")
  [[ $wanted =~ ^[0-9a-f]{64}$ ]] || fail "checksums.txt has not one checksum of $file" \
    "nothing is downloaded that cannot be verified: give binary-path, or set from-source to true"
  curl --proto '=https' --proto-redir '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 \
    --max-time 300 --output "$folder/$file" \
    "https://github.com/portcullis/portcullis/releases/download/v$version/$file" ||
    fail "$file cannot be downloaded" "try again, or give binary-path"
  found=$( (sha256sum "$folder/$file" 2>/dev/null || shasum -a 256 "$folder/$file") | cut -d ' ' -f 1)
  [[ $found == "$wanted" ]] || fail "$file is not what was released: its SHA-256 is $found, not $wanted" \
    "do not use it, and report it"
  tar -xzf "$folder/$file" -C "$folder" portcullis
  binary=$folder/portcullis
}

folder=$(mktemp -d "${RUNNER_TEMP:?}/portcullis.XXXXXX")
if [[ -n ${INPUT_BINARY_PATH:-} ]]; then
  given "$INPUT_BINARY_PATH"
elif [[ ${INPUT_FROM_SOURCE:-} == true ]]; then
  built
else
  released
fi
"$binary" --version
set_output binary "$binary"
