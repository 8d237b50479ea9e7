#!/usr/bin/env bash
# A step of Atlantis' custom policy checks. Atlantis takes the output for a failure if it has the letters of that word
# in it, so what passes prints fixed words only: names in a report may have them (`fail2ban`). What does not pass says it
# and ends with another exit code than 0 as well.
#
#   check.sh PLAN POLICY    PLAN is $SHOWFILE; POLICY stands on the server, not in the pull request
set -uo pipefail

# Without a place for the report nothing passes.
folder=$(mktemp -d) || exit 3
trap 'rm -rf "$folder"' EXIT
report=$folder/report
portcullis --quiet check --plan "$1" --policy "$2" --max-age 1h --output "json=$report" --output "markdown=$report.md" \
  >/dev/null 2>"$report.log"
code=$?
if [[ $code == 0 ]] && grep -q '^  "decision": "pass",$' "$report"; then
  echo 'portcullis: pass'
  exit 0
fi
echo "portcullis: fail ($code)"
cat "$report.md" "$report.log" 2>/dev/null
exit $((code == 0 ? 3 : code))
