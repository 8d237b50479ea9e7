# shellcheck shell=bash
# Sourced. Writes outputs of a step so that no value can end its own text.

# set_output NAME VALUE
set_output() {
  local name=$1 value=$2 mark
  mark="end_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  if [[ ${#mark} -ne 36 || $value == *"$mark"* ]]; then
    echo "error: the output $name cannot be written" >&2
    exit 3
  fi
  printf '%s<<%s\n%s\n%s\n' "$name" "$mark" "$value" "$mark" >>"$GITHUB_OUTPUT"
}
