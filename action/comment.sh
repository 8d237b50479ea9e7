#!/usr/bin/env bash
# Keeps one comment on the pull request up to date. It is found by its mark and its author, so that nobody else's words
# are taken for it or replaced. What goes wrong here is said and changes nothing: the decision does not depend on it.
set -euo pipefail

readonly mark='<!-- portcullis: report -->'

skip() {
  echo "portcullis: no comment: $1"
  exit 0
}

[[ -n ${GITHUB_TOKEN:-} ]] || skip "there is no token"
[[ -s ${COMMENT:-} ]] || skip "there is no report"
command -v jq >/dev/null || skip "jq is not installed"
number=$(jq -r '.pull_request.number // empty' "${GITHUB_EVENT_PATH:?}") || skip "the event cannot be read"
[[ $number =~ ^[0-9]+$ ]] || skip "the event is about no pull request"
issues=${GITHUB_API_URL:?}/repos/${GITHUB_REPOSITORY:?}/issues

folder=$(mktemp -d "${RUNNER_TEMP:?}/portcullis.XXXXXX")
answer=$folder/answer

# The token goes in by a file descriptor: arguments can be read by others. Redirects are not followed.
ask() {
  curl --silent --show-error --fail --max-time 30 --retry 2 --output "$answer" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$GITHUB_TOKEN") \
    --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28' "$@"
}

# The id of our comment, if there is one.
ours() {
  local page count
  for page in {1..50}; do
    ask "$issues/$number/comments?per_page=100&page=$page" || return 1
    jq -r --arg mark "$mark" --arg author "$COMMENT_AUTHOR" \
      '.[] | select(.user.login == $author and (.body | startswith($mark))) | .id' "$answer" >"$folder/found" || return 1
    if [[ -s $folder/found ]]; then
      head -n 1 "$folder/found"
      return 0
    fi
    count=$(jq -r 'length' "$answer") || return 1
    [[ $count -ge 100 ]] || return 0
  done
}

id=$(ours) || skip "the comments cannot be read"
[[ -z $id || $id =~ ^[0-9]+$ ]] || skip "the comments are not as expected"
jq -n --arg mark "$mark" --rawfile body "$COMMENT" '{body: ($mark + "\n" + $body)}' >"$folder/body.json"
if [[ -n $id ]]; then
  ask --request PATCH --data-binary "@$folder/body.json" "$issues/comments/$id" || skip "it cannot be written (is the token read-only?)"
else
  ask --request POST --data-binary "@$folder/body.json" "$issues/$number/comments" || skip "it cannot be written (is the token read-only?)"
fi
echo "portcullis: the comment is up to date"
