#!/usr/bin/env bash
# Runs the check and says what came of it. Ends well whatever was decided: the last step of the action decides, so that
# what comes between can still write.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=action/output.sh
source "$here/action/output.sh"

case "${INPUT_FAIL_ON:-}" in
  block | never) ;;
  *) echo "error: fail-on is neither block nor never" >&2 && exit 2 ;;
esac

[[ -z ${INPUT_SHARD:-} || -z ${INPUT_REPORTS:-} ]] || {
  echo "error: shard judges a part, and reports joins all of them: give one of both" >&2
  exit 2
}

folder=$(mktemp -d "${RUNNER_TEMP:?}/portcullis.XXXXXX")
command=(check)
if [[ -n ${INPUT_REPORTS:-} ]]; then
  # No report at all is for `merge` to refuse.
  shopt -s nullglob
  command=(merge)
  [[ $INPUT_REPORTS != -* ]] || INPUT_REPORTS=./$INPUT_REPORTS
  command+=("$INPUT_REPORTS"/*.json)
elif [[ -n ${INPUT_SHARD:-} ]]; then
  command+=("--shard=$INPUT_SHARD")
  # What is found is shown once, by who joins the parts.
  INPUT_SUMMARY=false INPUT_ANNOTATIONS=false
fi
arguments=("${command[@]}" --output text "--output=json=$folder/report.json" "--output=sarif=$folder/report.sarif"
  "--output=markdown=$folder/report.md" "--output=html=$folder/report.html")
[[ ${INPUT_ANNOTATIONS:-} == false ]] || arguments+=(--output github)
[[ -z ${INPUT_FULL_REPORT:-} ]] || arguments+=("--full-output=html=$INPUT_FULL_REPORT")
if [[ -z ${INPUT_REPORTS:-} ]]; then
  [[ -z ${INPUT_POLICY:-} ]] || arguments+=("--policy=$INPUT_POLICY")
  [[ -z ${INPUT_BASE:-} ]] || arguments+=("--base=$INPUT_BASE")
  [[ -z ${INPUT_HEAD:-} ]] || arguments+=("--head=$INPUT_HEAD")
fi

code=0
"${BINARY:?}" "${arguments[@]}" || code=$?

decision=
[[ ! -s $folder/report.json ]] ||
  decision=$(sed -n 's/^  "decision": "\([a-z-]*\)",$/\1/p' "$folder/report.json" | head -n 1)
case "$code/$decision" in
  0/pass | 1/blocked | 1/needs-approval | 2/policy-error | 3/undecided) ;;
  0/*) code=3 decision=undecided ;;
  *) decision=undecided ;;
esac

if [[ ${INPUT_SUMMARY:-} != false && -s $folder/report.md ]]; then
  {
    [[ $INPUT_FAIL_ON == block ]] || printf '> Advisory: the job does not fail for this.\n\n'
    cat "$folder/report.md"
  } >>"${GITHUB_STEP_SUMMARY:?}"
fi
set_output decision "$decision"
set_output exit-code "$code"
for pair in report:report.json sarif:report.sarif markdown:report.md html:report.html; do
  [[ ! -s $folder/${pair#*:} ]] || set_output "${pair%%:*}" "$folder/${pair#*:}"
done
