#!/usr/bin/env python3
"""Writes schemas.json: what GitHub publishes of the answers that the tests' GitHub gives.

    npm pack @octokit/openapi@23.0.2 && python3 schemas.py octokit-openapi-23.0.2.tgz

Taken are the answers of the calls below, and all that they refer to. OpenAPI 3.0 is translated to JSON Schema:
`nullable` becomes a type that may be null. Descriptions and examples are left out.
"""

import hashlib
import json
import pathlib
import sys
import tarfile

CALLS = [
    "/orgs/{org}/teams/{team_slug}",
    "/orgs/{org}/teams/{team_slug}/memberships/{username}",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/actions/permissions/workflow",
    "/repos/{owner}/{repo}/activity",
    "/repos/{owner}/{repo}/branches/{branch}",
    "/repos/{owner}/{repo}/branches/{branch}/protection",
    "/repos/{owner}/{repo}/codeowners/errors",
    "/repos/{owner}/{repo}/collaborators/{username}/permission",
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    "/repos/{owner}/{repo}/commits/{ref}",
    "/repos/{owner}/{repo}/environments",
    "/repos/{owner}/{repo}/git/ref/{ref}",
    "/repos/{owner}/{repo}/issues/{issue_number}/timeline",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
    "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    "/repos/{owner}/{repo}/rules/branches/{branch}",
    "/repos/{owner}/{repo}/rulesets/{ruleset_id}",
    "/user/{account_id}",
]
PREFIX = "#/components/schemas/"
IDLE = {"description", "title", "example", "examples", "externalDocs", "x-github", "x-github-breaking-changes", "deprecated"}


def translated(node, is_schema=True):
    if isinstance(node, list):
        return [translated(item) for item in node]
    if not isinstance(node, dict):
        return node
    if not is_schema:
        return {name: translated(value) for name, value in node.items()}
    out = {}
    for key, value in node.items():
        if key in IDLE or key in ("nullable", "discriminator", "default"):
            continue
        if key == "$ref":
            out[key] = value.replace(PREFIX, "#/$defs/")
        elif key in ("properties", "patternProperties"):
            out[key] = translated(value, is_schema=False)
        elif key in ("enum", "required"):
            out[key] = value
        else:
            out[key] = translated(value)
    if node.get("nullable"):
        if "type" in out:
            out["type"] = [out["type"], "null"]
            if "enum" in out and None not in out["enum"]:
                out["enum"] = [*out["enum"], None]
        else:
            out = {"anyOf": [out, {"type": "null"}]}
    return out


def references(node, found):
    if isinstance(node, list):
        for item in node:
            references(item, found)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str) and value.startswith(PREFIX):
                found.add(value.removeprefix(PREFIX))
            else:
                references(value, found)


def main(package):
    data = pathlib.Path(package).read_bytes()
    with tarfile.open(package) as files:
        read = lambda name: json.load(files.extractfile(f"package/{name}"))
        version, api = read("package.json")["version"], read("generated/api.github.com.json")
    schemas = api["components"]["schemas"]
    answers = {}
    for path in CALLS:
        answer = api["paths"][path]["get"]["responses"]["200"]
        answers[path] = answer["content"]["application/json"]["schema"]
    wanted, done = set(), set()
    references(answers, wanted)
    while wanted - done:
        name = min(wanted - done)
        done.add(name)
        references(schemas[name], wanted)
    out = {
        "provenance": {
            "package": "@octokit/openapi",
            "version": version,
            "sha256": hashlib.sha256(data).hexdigest(),
            "licence": "MIT",
        },
        "answers": {path: translated(schema) for path, schema in sorted(answers.items())},
        "$defs": {name: translated(schemas[name]) for name in sorted(done)},
    }
    target = pathlib.Path(__file__).with_name("schemas.json")
    target.write_text(json.dumps(out, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{len(done)} schemas, {target.stat().st_size} bytes")


main(*sys.argv[1:])
