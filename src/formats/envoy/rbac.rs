//! Who may: `config.rbac.v3.RBAC`, for connections and for requests.
//!
//! With `ALLOW` a request passes exactly if some policy matches it, with `DENY` exactly if none does, with `LOG` always. A
//! policy matches if one of its permissions and one of its principals does, and its condition, if it has one.

use super::Lowering;
use super::fields::{Fields, brief};
use super::listeners::Place;
use crate::formats::Disposition;
use crate::formats::data::value::Value;
use crate::model::{Condition, Subject};
use crate::net::Family;

/// How deep rules may be in one another.
const DEEPEST: usize = 60;

const BY_ADDRESS: &str = "it holds or not by where the listener is";

/// Where rules are asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) place: &'a Place,
    /// Whether requests are asked, not connections.
    pub(super) http: bool,
    /// Whether the source is taken from headers.
    pub(super) forwarded: bool,
}

impl Lowering<'_, '_> {
    /// Which requests the filter lets pass; `None`: it refuses none.
    pub(super) fn rbac(&mut self, filter: &Value, asked: Asked<'_>) -> Option<Condition> {
        let mut fields = Fields::of(filter, self.account);
        let inert =
            ["shadow_rules", "shadow_matcher", "shadow_rules_stat_prefix", "rules_stat_prefix", "track_per_rule_stats"];
        fields.inert(&inert, "what would be refused is only counted", self.account);
        fields.inert(&["stat_prefix", "@type"], "counting", self.account);
        fields.inert(&["enforcement_type", "delay_deny"], "when and how slowly a connection is refused", self.account);
        let rules = fields.take("rules");
        let matcher = fields.take("matcher");
        fields.close(self.account);
        match (rules, matcher) {
            (_, Some(matcher)) => {
                self.account.claim(matcher.at, Disposition::Opaque("matcher"));
                Some(self.opaque(&format!("access is granted by {}", brief(matcher))))
            }
            (Some(rules), None) => self.policies(rules, asked),
            (None, None) => None,
        }
    }

    fn policies(&mut self, rules: &Value, asked: Asked<'_>) -> Option<Condition> {
        let mut fields = Fields::of(rules, self.account);
        let action = fields.take("action").and_then(Value::as_text);
        fields.inert(&["audit_logging_options", "audit_condition", "audit_log"], "logging", self.account);
        let policies = fields.take("policies");
        fields.close(self.account);
        let entries = policies.and_then(Value::object).map_or(&[][..], |object| &object.entries);
        let mut any = Vec::new();
        for entry in entries {
            any.push(self.policy(&entry.value, asked));
        }
        let matches = Condition::any(any);
        match action.as_deref() {
            None | Some("ALLOW" | "0") => Some(matches),
            Some("DENY" | "1") => Some(matches.negated()),
            Some("LOG" | "2") => None,
            Some(_) => {
                self.refused(rules.at, "the action is ALLOW, DENY or LOG");
                Some(Condition::Never)
            }
        }
    }

    fn policy(&mut self, policy: &Value, asked: Asked<'_>) -> Condition {
        let mut fields = Fields::of(policy, self.account);
        let (permissions, principals) =
            (fields.list("permissions", self.account), fields.list("principals", self.account));
        let condition = fields.one_of(&["condition", "checked_condition"], self.account);
        fields.inert(&["cel_config"], "how a condition is computed", self.account);
        fields.close(self.account);
        if permissions.is_empty() || principals.is_empty() {
            self.refused(policy.at, "a policy has permissions and principals");
        }
        let may: Vec<Condition> = permissions.iter().map(|rule| self.rule(rule, asked, 0)).collect();
        let who: Vec<Condition> = principals.iter().map(|rule| self.rule(rule, asked, 0)).collect();
        let computed = condition.map_or(Condition::Always, |(_, value)| {
            self.account.claim(value.at, Disposition::Opaque("condition"));
            self.opaque(&format!("the condition holds: {}", brief(value)))
        });
        Condition::all([Condition::any(may), Condition::any(who), computed])
    }

    /// A permission or a principal; what only one of them can be is not told apart, since Envoy does.
    fn rule(&mut self, rule: &Value, asked: Asked<'_>, depth: usize) -> Condition {
        const KINDS: &[&str] = &[
            "any",
            "and_rules",
            "and_ids",
            "or_rules",
            "or_ids",
            "not_rule",
            "not_id",
            "header",
            "url_path",
            "source_ip",
            "remote_ip",
            "direct_remote_ip",
            "destination_ip",
            "destination_port",
            "destination_port_range",
            "requested_server_name",
            "authenticated",
            "metadata",
            "sourced_metadata",
            "filter_state",
            "matcher",
            "uri_template",
            "custom",
        ];
        if depth > DEEPEST {
            self.account.gap(rule.at, "rules are too deep in one another");
            return Condition::Never;
        }
        let mut fields = Fields::of(rule, self.account);
        let found = fields.one_of(KINDS, self.account);
        fields.close(self.account);
        let Some((kind, value)) = found else {
            self.refused(rule.at, "a rule says what it asks");
            return Condition::Never;
        };
        let proxied = asked.place.proxied.then_some("the address that the PROXY header says");
        match kind {
            "any" => {
                if value.as_truth() != Some(true) {
                    self.refused(value.at, "`any` is true");
                }
                Condition::Always
            }
            "and_rules" | "or_rules" => self.rules(value, "rules", kind == "and_rules", asked, depth),
            "and_ids" | "or_ids" => self.rules(value, "ids", kind == "and_ids", asked, depth),
            "not_rule" | "not_id" => self.rule(value, asked, depth + 1).negated(),
            "header" if asked.http => self.header(value),
            "url_path" if asked.http => {
                let mut fields = Fields::of(value, self.account);
                let path = fields.take("path");
                fields.close(self.account);
                match path {
                    Some(path) => self.string(Subject::Path, path),
                    None => {
                        self.refused(value.at, "`url_path` has a `path`");
                        Condition::Never
                    }
                }
            }
            // Connections have neither.
            "header" | "url_path" => Condition::Never,
            "direct_remote_ip" => self.sourced(value, None),
            "source_ip" => self.sourced(value, proxied),
            "remote_ip" => {
                let forwarded = asked.forwarded.then_some("the address that is taken from headers");
                self.sourced(value, forwarded.or(proxied))
            }
            "destination_ip" => self.destined(value, asked.place),
            "destination_port" => {
                let port = value.as_integer().and_then(|port| u16::try_from(port).ok());
                if port.is_none() {
                    self.refused(value.at, "a port is a number from 0 to 65535");
                }
                self.account.claim(value.at, Disposition::Inert(BY_ADDRESS));
                port.map_or(Condition::Never, |port| self.bound_for((port, port), asked.place))
            }
            "destination_port_range" => {
                self.account.claim(value.at, Disposition::Inert(BY_ADDRESS));
                let mut fields = Fields::of(value, self.account);
                let bound = |number: Option<u32>| number.map_or(0, |n| u16::try_from(n).unwrap_or(u16::MAX));
                let first = bound(fields.number("start", 65536, self.account));
                // The end is not part of it.
                let end = fields.number("end", 65536, self.account).unwrap_or(0);
                fields.close(self.account);
                match end.checked_sub(1).map(|last| bound(Some(last))).filter(|last| first <= *last) {
                    Some(last) => self.bound_for((first, last), asked.place),
                    None => Condition::Never,
                }
            }
            "requested_server_name" => self.string(Subject::ServerName, value),
            _ => {
                self.account.claim(value.at, Disposition::Opaque("what is known of the client or request otherwise"));
                self.opaque(&format!("{kind} is {}", brief(value)))
            }
        }
    }

    fn rules(&mut self, set: &Value, name: &'static str, all: bool, asked: Asked<'_>, depth: usize) -> Condition {
        let mut fields = Fields::of(set, self.account);
        let rules = fields.list(name, self.account);
        fields.close(self.account);
        if rules.is_empty() {
            self.refused(set.at, "a set has rules");
        }
        let parts: Vec<Condition> = rules.iter().map(|rule| self.rule(rule, asked, depth + 1)).collect();
        if all { Condition::all(parts) } else { Condition::any(parts) }
    }

    /// Whether the destination is in a range: known where the listener is bound to one address.
    pub(super) fn destined(&mut self, value: &Value, place: &Place) -> Condition {
        let Some((family, set, written)) = self.range(value) else { return Condition::Never };
        let own = place.own_address();
        if own.is_some() {
            self.account.claim(value.at, Disposition::Inert(BY_ADDRESS));
        }
        match own {
            Some((own, address)) if own == family && set.contains(address) => Condition::Always,
            Some((Family::Ipv4 | Family::Ipv6, _)) => Condition::Never,
            None => self.opaque(&format!("the destination is in {written}")),
        }
    }

    /// Whether the destination port is one of these: known where the listener has one.
    pub(super) fn bound_for(&mut self, (first, last): (u16, u16), place: &Place) -> Condition {
        match place.port.filter(|_| !place.redirected) {
            Some(port) if (first..=last).contains(&port) => Condition::Always,
            Some(_) => Condition::Never,
            None => self.opaque(&format!("the destination port is {first}-{last}")),
        }
    }
}
