use super::*;
use crate::text::SourceMap;

/// What became of a document: its commands, and each piece that is no plain syntax.
fn read_text(text: &str) -> (Vec<String>, Vec<String>) {
    let mut sources = SourceMap::default();
    let source = sources.add(b"x", text.into()).expect("small");
    let json = Json::read(sources.bytes(source)).expect("JSON");
    let mut account = Account::default();
    let commands = read(source, &json, &mut account);
    let commands = commands.iter().map(|command| sources.show(command.at)).collect();
    let told = account.claims.iter().filter_map(|(at, what)| match what {
        Ok(Disposition::Modelled) => None,
        Ok(disposition) => Some(format!("{}: {disposition:?}", sources.show(*at))),
        Err(reason) => Some(format!("{}: {reason}", sources.show(*at))),
    });
    (commands, told.collect())
}

fn told(text: &str) -> Vec<String> {
    read_text(&format!("{{\"nftables\": [{text}]}}")).1
}

#[test]
fn a_listing_is_what_adding_it_would_be() {
    let text = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "ip", "name": "t", "handle": 7}},
        {"set": {"family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "elem": ["1.2.3.4"]}}]}"#;
    let (commands, told) = read_text(text);
    let table = r#"{"table": {"family": "ip", "name": "t", "handle": 7}}"#;
    let declared = r#"{"family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "elem": ["1.2.3.4"]}"#;
    assert_eq!(commands, [table, declared, &format!("{{\"set\": {declared}}}")]);
    let metainfo = r#"{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}"#;
    let inert = |text: &str, why| format!("{text}: Inert(\"{why}\")");
    assert_eq!(
        told,
        [inert(metainfo, "which program wrote it"), inert("\"handle\": 7", "the number that the kernel gave")]
    );
}

#[test]
fn what_is_not_known_is_a_gap_at_its_place() {
    let rule = |expr: &str| {
        told(&format!(r#"{{"add": {{"rule": {{"family": "ip", "table": "t", "chain": "c", "expr": [{expr}]}}}}}}"#))
    };
    assert_eq!(rule(r#"{"accept": null}"#), [""; 0]);
    assert_eq!(rule(r#"{"teleport": 1}"#), ["1: the statement `teleport` is not known"]);
    assert_eq!(rule(r#"{"jump": {"target": "x", "y": 2}}"#), [r#""y": 2: the key `y` is not known here"#]);
    assert_eq!(rule(r#"{"jump": {}}"#), ["{}: the key `target` is missing"]);
    let relation = |left: &str, operator: &str, right: &str| {
        rule(&format!(r#"{{"match": {{"op": "{operator}", "left": {left}, "right": {right}}}}}"#))
    };
    let mark = r#"{"meta": {"key": "mark"}}"#;
    assert_eq!(relation(mark, "==", "1"), [""; 0]);
    assert_eq!(relation(mark, "~", "1"), [r#""~": `~` is not known here"#]);
    assert_eq!(relation(mark, "==", "1.5"), ["1.5: `1.5` is not a whole number"]);
    assert_eq!(relation(mark, "==", "null"), ["null: an expression is expected"]);
    assert_eq!(relation(r#"{"meta": {"key": "mood"}}"#, "==", "1"), [r#""mood": `mood` is not known here"#]);
    assert_eq!(
        relation(r#"{"payload": {"protocol": "ip", "field": "dport"}}"#, "==", "1"),
        [r#""dport": `dport` is not known here"#]
    );
    assert_eq!(told(r#"{"metainfo": {"json_schema_version": 2}}"#)[0], "2: only version 1 of the notation is known");
    assert_eq!(told(r#"{"add": {"goblet": {}}}"#), ["{}: `goblet` is not known here"]);
    assert_eq!(
        told(r#"{"flush": {"ruleset": null}}, {"delete": {"table": {"family": "ip"}}}"#),
        [r#"{"family": "ip"}: the `name` or the `handle` of what goes is missing"#]
    );
    assert_eq!(told("5"), ["5: an object with one key, which says what it is, is expected"]);
}

#[test]
fn a_handle_says_where_a_rule_is_inserted_and_nothing_where_one_is_added() {
    let place = |verb: &str| {
        let rule = r#"{"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 3, "expr": [{"accept": null}]}}"#;
        let text = format!(r#"{{"nftables": [{{"{verb}": {rule}}}]}}"#);
        let mut sources = SourceMap::default();
        let source = sources.add(b"x", text.into()).expect("small");
        let json = Json::read(sources.bytes(source)).expect("JSON");
        let mut commands = read(source, &json, &mut Account::default());
        let verb = commands.pop().expect("one").verb;
        if let Verb::AddRule(_, place, rule) | Verb::InsertRule(_, place, rule) = verb {
            (place, rule.handle)
        } else {
            (Some(Place::Index(0)), None)
        }
    };
    assert_eq!(place("add"), (None, None));
    assert_eq!(place("insert"), (Some(Place::Handle(3)), None));
}
