//! What `portcullis doctor` says of settings.

use super::{Fault, REPOSITORY, Server, TOKEN, World};
use crate::cli::{Ran, portcullis};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn rule(kind: &str, parameters: &Value) -> Value {
    let mut rule =
        json!({"type": kind, "ruleset_source_type": "Repository", "ruleset_source": REPOSITORY, "ruleset_id": 5});
    if !parameters.is_null() {
        rule["parameters"] = parameters.clone();
    }
    rule
}

/// A world in which everything holds.
fn sound() -> World {
    let mut world = World::new();
    world.settings.rules = vec![
        rule(
            "pull_request",
            &json!({"dismiss_stale_reviews_on_push": true, "require_code_owner_review": true,
                "require_last_push_approval": true, "required_approving_review_count": 1,
                "required_review_thread_resolution": true}),
        ),
        rule(
            "required_status_checks",
            &json!({"required_status_checks": [{"context": "portcullis", "integration_id": 15368}],
                "strict_required_status_checks_policy": true}),
        ),
        rule(
            "workflows",
            &json!({"workflows": [{"path": ".github/workflows/gate.yml", "repository_id": 1, "ref": "main"}]}),
        ),
        rule("non_fast_forward", &Value::Null),
        rule("deletion", &Value::Null),
    ];
    world.settings.rulesets = BTreeMap::from([(
        5,
        json!({"id": 5, "name": "main", "source": REPOSITORY, "enforcement": "active", "bypass_actors": []}),
    )]);
    world.settings.environments = vec![json!({
        "name": "production", "can_admins_bypass": false,
        "protection_rules": [{"id": 1, "node_id": "x", "type": "required_reviewers", "prevent_self_review": true,
            "reviewers": []}],
    })];
    world
}

fn run(server: &Server, arguments: &[&str]) -> Ran {
    let url = server.url();
    let usual = ["doctor", "--github", REPOSITORY, "--api-url", &url, "--check-name", "portcullis"];
    let ran = portcullis(Path::new("."), &[("GITHUB_TOKEN", TOKEN)], &[&usual, arguments].concat());
    assert!(!format!("{ran:?}").contains(TOKEN), "the token is shown");
    ran
}

/// The exit code, and what does not hold or is unknown.
fn doctor(world: World) -> (u8, Vec<String>) {
    said(&run(&Server::start(world, "/api/v3"), &["--output", "json"]))
}

fn said(ran: &Ran) -> (u8, Vec<String>) {
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let conditions = report["conditions"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let weak = conditions.iter().filter(|condition| condition["holds"] != "holds");
    (ran.code, weak.map(|found| format!("{}: {}", text(&found["id"]), text(&found["holds"]))).collect())
}

#[test]
fn where_all_holds_the_answer_is_yes() {
    let ran = run(&Server::start(sound(), ""), &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    assert!(
        ran.out.starts_with("acme/net, branch main\n\nholds          `main` changes by pull requests alone"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("\n16 hold, 0 do not, 0 unknown\n"), "{}", ran.out);
}

#[test]
fn what_is_not_set_does_not_hold() {
    let weakened = |weaken: fn(&mut World)| {
        let mut world = sound();
        weaken(&mut world);
        doctor(world)
    };
    let no = |ids: &[&str]| (1, ids.iter().map(|id| format!("{id}: does not hold")).collect::<Vec<_>>());
    assert_eq!(weakened(|world| drop(world.settings.rules.pop())), no(&["deletions"]));
    assert_eq!(weakened(|world| drop(world.settings.rules.remove(3))), no(&["force-pushes"]));
    assert_eq!(weakened(|world| drop(world.settings.rules.remove(2))), no(&["required-workflow"]));
    let pulls = no(&["approvals", "stale-approvals", "last-push", "code-owners", "conversations"]);
    assert_eq!(weakened(|world| drop(world.settings.rules.remove(0))), pulls);
    let count = |world: &mut World| {
        world.settings.rules[0]["parameters"]["required_approving_review_count"] = json!(0);
    };
    assert_eq!(weakened(count), no(&["approvals"]));
    assert_eq!(weakened(|world| world.settings.actions_may_approve = true), no(&["actions-approve"]));
    assert_eq!(
        weakened(|world| world.settings.codeowners_errors =
            vec![json!({"line": 1, "column": 1, "kind": "x", "message": "x", "path": "CODEOWNERS"})]),
        no(&["owners-file"])
    );
    let admins = |world: &mut World| world.settings.environments[0]["can_admins_bypass"] = json!(true);
    assert_eq!(weakened(admins), no(&["environments"]));
    let queue = |world: &mut World| {
        let parameters = json!({"check_response_timeout_minutes": 5, "grouping_strategy": "HEADGREEN",
            "max_entries_to_build": 5, "max_entries_to_merge": 5, "merge_method": "MERGE", "min_entries_to_merge": 1,
            "min_entries_to_merge_wait_minutes": 5});
        world.settings.rules.push(rule("merge_queue", &parameters));
    };
    assert_eq!(weakened(queue), no(&["merge-queue"]));
}

#[test]
fn b04_a_required_check_of_anybody_is_none() {
    let mut world = sound();
    world.settings.rules[1]["parameters"]["required_status_checks"] = json!([{"context": "portcullis"}]);
    assert_eq!(doctor(world), (1, vec!["check-source: does not hold".to_owned()]));
    let mut world = sound();
    world.settings.rules[1]["parameters"]["required_status_checks"] =
        json!([{"context": "other", "integration_id": 1}]);
    let weak = ["required-check: does not hold", "check-source: does not hold"].map(str::to_owned).to_vec();
    assert_eq!(doctor(world), (1, weak));
}

#[test]
fn c28_whoever_may_go_around_is_seen_or_unknown() {
    let with = |actors: Value| {
        let mut world = sound();
        let ruleset = world.settings.rulesets.get_mut(&5).expect("a ruleset");
        if actors.is_null() {
            ruleset.as_object_mut().expect("an object").remove("bypass_actors");
        } else {
            ruleset["bypass_actors"] = actors;
        }
        doctor(world)
    };
    let actor = |mode: &str| json!([{"actor_id": 1, "actor_type": "Team", "bypass_mode": mode}]);
    assert_eq!(with(actor("pull_request")), (0, vec![]));
    assert_eq!(with(actor("always")), (1, vec!["bypass: does not hold".to_owned()]));
    assert_eq!(with(actor("exempt")), (1, vec!["bypass: does not hold".to_owned()]));
    assert_eq!(
        with(json!([{"actor_id": null, "actor_type": "DeployKey"}])),
        (1, vec!["bypass: does not hold".to_owned()])
    );
    assert_eq!(with(Value::Null), (3, vec!["bypass: unknown".to_owned()]));
}

#[test]
fn what_may_not_be_seen_is_unknown_and_never_met() {
    let calls = [
        ("/repos/acme/net/rules/branches/main", 11),
        ("/repos/acme/net/rulesets/5", 1),
        ("/repos/acme/net/environments", 1),
        ("/repos/acme/net/actions/permissions/workflow", 1),
        ("/repos/acme/net/codeowners/errors", 1),
    ];
    for (call, least) in calls {
        for fault in [Fault::Status(403, vec![]), Fault::Status(404, vec![]), Fault::Body("{}".to_owned())] {
            let server = Server::start(sound(), "");
            server.fail(call, fault.clone(), usize::MAX);
            let (code, weak) = said(&run(&server, &["--output", "json"]));
            let unknown = weak.iter().all(|one| one.ends_with(": unknown"));
            // A ruleset of which nothing is said of bypasses, and a branch of which no rule is read, are unknown as well.
            assert!(code == 3 && unknown && weak.len() >= least, "{call} {fault:?}: {code} {weak:?}");
        }
    }
    let server = Server::start(sound(), "");
    server.fail("/repos/acme/net", Fault::Status(404, vec![]), usize::MAX);
    assert_eq!(run(&server, &[]).code, 3);
}

#[test]
fn protection_of_the_classic_kind_counts_where_it_is_seen() {
    let mut world = sound();
    world.settings.rules.pop();
    world.settings.protection =
        Some(json!({"enforce_admins": {"url": "x", "enabled": true}, "allow_deletions": {"enabled": false}}));
    assert_eq!(doctor(world.clone()), (0, vec![]));
    world.settings.protection =
        Some(json!({"enforce_admins": {"url": "x", "enabled": false}, "allow_deletions": {"enabled": true}}));
    let weak = ["deletions: does not hold", "bypass: does not hold"].map(str::to_owned).to_vec();
    assert_eq!(doctor(world.clone()), (1, weak));
    world.settings.forbidden = vec!["/repos/{owner}/{repo}/branches/{branch}/protection"];
    let weak = ["deletions: unknown", "bypass: unknown"].map(str::to_owned).to_vec();
    assert_eq!(doctor(world), (3, weak));
}
