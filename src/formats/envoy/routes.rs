//! Routes of a virtual host (`config.route.v3.Route`): they are asked in order, and the first that matches decides.

use super::Lowering;
use super::chains::{Piece, under};
use super::fields::{Fields, brief, said};
use super::filters::{Overrides, limits};
use super::http::{HEADERS, Manager};
use crate::formats::Disposition;
use crate::formats::code::digest;
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Subject};
use crate::net::Pattern;
use crate::text::{Span, escape};

impl<'v> Lowering<'v, '_> {
    /// What becomes of the requests of a route.
    pub(super) fn route(
        &mut self,
        route: &'v Value,
        manager: &Manager<'v, '_>,
        around: [&Overrides<'v>; 2],
        host: &str,
        settings: &mut Vec<String>,
    ) -> Vec<Piece> {
        let mut fields = Fields::of(route, self.account);
        fields.inert(
            &["name", "decorator", "metadata", "tracing", "stat_prefix"],
            "counting and logging",
            self.account,
        );
        let headers = fields.settings(HEADERS);
        let sizes = ["per_request_buffer_limit_bytes", "request_body_buffer_limit"];
        fields.inert(&sizes, "limits of requests", self.account);
        let own = Overrides::of(fields.take("typed_per_filter_config").or(fields.take("per_filter_config")));
        let matcher = fields.take("match");
        const ACTIONS: &[&str] = &["route", "redirect", "direct_response", "filter_action", "non_forwarding_action"];
        let action = fields.one_of(ACTIONS, self.account);
        fields.close(self.account);
        let condition = match matcher {
            Some(matcher) => self.matched(matcher),
            None => {
                self.refused(route.at, "a route has a `match`");
                Condition::Never
            }
        };
        let key = matcher.map_or_else(String::new, said);
        let headers = [headers, limits(&manager.filters, Some(&own))].concat();
        settings.extend(headers.into_iter().map(|text| format!("host {host} {key}: {text}")));
        let mut out = Vec::new();
        if manager.overridden {
            out.extend(self.refusals(&manager.filters, &[&own, around[0], around[1]], manager.asked));
        }
        match action {
            Some(("route", value)) => {
                let (pieces, others) = self.clusters_of(value, manager);
                out.extend(pieces);
                settings.extend(others.into_iter().map(|text| format!("host {host} {key}: {text}")));
            }
            Some(("redirect", value)) => {
                let what = Outcome::Answered(format!("redirect {}", said(value)));
                out.push(Piece::last(what, value.at));
            }
            Some(("direct_response", value)) => {
                let outcome = self.answer(value);
                out.push(Piece::last(outcome, value.at));
            }
            Some((_, value)) => {
                self.account.gap(value.at, "what a filter does instead of a route is not known");
                out.push(Piece::last(Outcome::Computed(brief(value)), value.at));
            }
            None => {
                self.refused(route.at, "a route says what becomes of its requests");
                out.push(Piece::last(Outcome::Refused("no action".to_owned()), route.at));
            }
        }
        under(&condition, out)
    }

    /// Which requests a route takes: all that its `match` says has to hold.
    fn matched(&mut self, matcher: &Value) -> Condition {
        const PATHS: &[&str] =
            &["prefix", "path", "safe_regex", "regex", "connect_matcher", "path_separated_prefix", "path_match_policy"];
        let mut fields = Fields::of(matcher, self.account);
        let fold = fields.take("case_sensitive").is_some_and(|value| value.as_truth() == Some(false));
        let path = fields.one_of(PATHS, self.account);
        let mut parts = Vec::new();
        match path {
            Some((kind, value)) => parts.push(self.path(kind, value, fold)),
            None => self.refused(matcher.at, "a route matches a path"),
        }
        for header in fields.list("headers", self.account) {
            parts.push(self.header(header));
        }
        for kind in ["query_parameters", "dynamic_metadata", "filter_state", "cookies"] {
            for value in fields.list(kind, self.account) {
                self.account.claim(value.at, Disposition::Opaque("a part of the request that is not modelled"));
                parts.push(self.opaque(&format!("{kind}: {}", brief(value))));
            }
        }
        for kind in ["runtime_fraction", "runtime", "grpc", "tls_context"] {
            if let Some(value) = fields.take(kind) {
                self.account.claim(value.at, Disposition::Opaque("not in the file"));
                parts.push(self.opaque(&format!("{kind}: {}", brief(value))));
            }
        }
        fields.close(self.account);
        Condition::all(parts)
    }

    /// Whether the path, without what follows a question mark, is as asked.
    fn path(&mut self, kind: &'static str, value: &Value, fold: bool) -> Condition {
        let folded = |pattern: Pattern| if fold { pattern.ignoring_case() } else { pattern };
        match (kind, value.as_text()) {
            ("prefix", Some(text)) if text.is_empty() => Condition::Always,
            ("prefix", Some(text)) => self.text(Subject::Path, vec![folded(Pattern::prefix(text.as_bytes()))]),
            ("path", Some(text)) => self.text(Subject::Path, vec![folded(Pattern::exact(text.as_bytes()))]),
            ("path_separated_prefix", Some(text)) => {
                if text.ends_with('/') || text.contains(['?', '#']) || !text.starts_with('/') {
                    self.refused(
                        value.at,
                        "a `path_separated_prefix` begins with a slash, does not end with one, and has no query",
                    );
                }
                let below = Pattern::prefix(format!("{text}/"));
                self.text(Subject::Path, vec![folded(Pattern::exact(text.as_bytes())), folded(below)])
            }
            ("safe_regex" | "regex", _) => match self.expression(value, fold) {
                Some(pattern) => self.text(Subject::Path, vec![pattern]),
                None => {
                    self.account.claim(value.at, Disposition::Opaque("expression"));
                    self.opaque(&format!("the path matches {}", said(value)))
                }
            },
            ("connect_matcher", _) => self.text(Subject::Method, vec![Pattern::exact("CONNECT")]),
            ("path_match_policy", _) => {
                self.account.claim(value.at, Disposition::Opaque("path_match_policy"));
                self.opaque(&format!("the path is as {}", brief(value)))
            }
            (_, _) => {
                self.refused(value.at, "a text is expected");
                Condition::Never
            }
        }
    }

    /// Which cluster answers, and what else a route says of that.
    fn clusters_of(&mut self, action: &'v Value, manager: &Manager<'v, '_>) -> (Vec<Piece>, Vec<String>) {
        let mut fields = Fields::of(action, self.account);
        const CLUSTERS: &[&str] = &[
            "cluster",
            "cluster_header",
            "weighted_clusters",
            "cluster_specifier_plugin",
            "inline_cluster_specifier_plugin",
        ];
        let found = fields.one_of(CLUSTERS, self.account);
        fields.inert(&["cors"], "which pages may read answers", self.account);
        let mut others = fields.settings(OTHERS);
        fields.close(self.account);
        let pieces = match found {
            Some(("cluster", value)) => {
                let name = value.as_text().unwrap_or_default();
                vec![Piece::last(self.cluster(&name, value.at, manager.validated), value.at)]
            }
            Some(("weighted_clusters", value)) => self.weighted(value, manager.validated, &mut others),
            Some(("cluster_header", value)) => {
                self.account.claim(value.at, Disposition::Opaque("a header names the cluster"));
                vec![Piece::last(Outcome::Computed(format!("the cluster in the header {}", said(value))), value.at)]
            }
            Some((_, value)) => {
                self.account.gap(value.at, "which cluster a plugin chooses is not known");
                vec![Piece::last(Outcome::Computed(brief(value)), value.at)]
            }
            None => {
                self.refused(action.at, "a route names a cluster");
                vec![Piece::last(Outcome::Refused("no cluster".to_owned()), action.at)]
            }
        };
        (pieces, others)
    }

    /// One of several clusters, by weight: which one is drawn for each request.
    pub(super) fn weighted(&mut self, value: &'v Value, validated: bool, settings: &mut Vec<String>) -> Vec<Piece> {
        let mut fields = Fields::of(value, self.account);
        fields.inert(&["total_weight"], "the sum of the weights", self.account);
        fields.inert(&["runtime_key_prefix"], "weights of the runtime: only their defaults are known", self.account);
        let drawn = fields.settings(&["header_name", "random_value_specifier", "use_hash_policy"]);
        let clusters = fields.list("clusters", self.account);
        fields.close(self.account);
        let mut shares: Vec<(Outcome, u64, Span)> = Vec::new();
        for cluster in clusters {
            let mut fields = Fields::of(cluster, self.account);
            let weight = fields.number("weight", u32::MAX, self.account).unwrap_or(0);
            let others =
                [fields.settings(HEADERS), fields.settings(&["host_rewrite_literal", "metadata_match"])].concat();
            fields.gap(&["typed_per_filter_config"], "filters of a share of requests are not read", self.account);
            let named = fields.one_of(&["name", "cluster_header"], self.account);
            fields.close(self.account);
            let shown = named.map_or_else(String::new, |(_, value)| said(value));
            settings.extend(others.into_iter().map(|text| format!("share {shown}: {text}")));
            let outcome = match named {
                Some(("name", name)) => self.cluster(&name.as_text().unwrap_or_default(), name.at, validated),
                Some((_, header)) => Outcome::Computed(format!("the cluster in the header {}", said(header))),
                None => {
                    self.refused(cluster.at, "a cluster has a name");
                    continue;
                }
            };
            if weight > 0 {
                shares.push((outcome, weight.into(), cluster.at));
            }
        }
        let total: u64 = shares.iter().map(|(_, weight, _)| weight).sum();
        let Some((last, _, last_at)) = shares.pop() else {
            self.refused(value.at, "some cluster has a weight");
            return vec![Piece::last(Outcome::Refused("no cluster".to_owned()), value.at)];
        };
        let (mut out, mut below) = (Vec::new(), 0);
        for (outcome, weight, at) in shares {
            below += weight;
            self.account.claim(at, Disposition::Opaque("which cluster is drawn"));
            let text = format!("what is drawn is below {below} of {total} {}", drawn.join(" "));
            let condition = self.opaque(text.trim_end());
            out.push(Piece { condition, outcome, at });
        }
        out.push(Piece::last(last, last_at));
        out
    }

    /// The requests go to a cluster; `validated`: Envoy refuses a name that nothing declares.
    pub(super) fn cluster(&mut self, name: &str, at: Span, validated: bool) -> Outcome {
        if self.clusters.contains(name) {
            return Outcome::Backend(name.to_owned());
        }
        if self.dynamic_clusters {
            self.account.claim(at, Disposition::Opaque("a cluster that is found at run time"));
            return Outcome::Computed(format!("the cluster {name}, which is found at run time"));
        }
        let address = escape(name.as_bytes());
        if validated {
            self.refused(at, &format!("there is no cluster `{address}`"));
        }
        self.missing("cluster", address, at);
        Outcome::Refused(format!("503: no cluster {name}"))
    }

    /// `DirectResponseAction`.
    fn answer(&mut self, value: &'v Value) -> Outcome {
        let mut fields = Fields::of(value, self.account);
        let status = fields.number("status", 599, self.account).unwrap_or(0);
        let body = fields.take("body").map(|body| self.data(body));
        let format = fields.settings(&["body_format"]);
        fields.close(self.account);
        if !(200..600).contains(&status) {
            self.refused(value.at, "the status of an answer is from 200 to 599");
        }
        let body = body.map_or_else(String::new, |text| format!(" with the body {}", digest(text.as_bytes())));
        let text = format!("{status}{body} {}", format.join(" ")).trim_end().to_owned();
        if status >= 400 { Outcome::Refused(text) } else { Outcome::Answered(text) }
    }
}

/// What a route says of how servers are asked.
const OTHERS: &[&str] = &[
    "rate_limits",
    "include_vh_rate_limits",
    "rate_limit",
    "cluster_not_found_response_code",
    "metadata_match",
    "prefix_rewrite",
    "regex_rewrite",
    "path_rewrite_policy",
    "path_rewrite",
    "host_rewrite",
    "host_rewrite_literal",
    "auto_host_rewrite",
    "host_rewrite_header",
    "auto_host_rewrite_header",
    "host_rewrite_path_regex",
    "append_x_forwarded_host",
    "timeout",
    "idle_timeout",
    "flush_timeout",
    "early_data_policy",
    "retry_policy",
    "retry_policy_typed_config",
    "request_mirror_policy",
    "request_mirror_policies",
    "priority",
    "hash_policy",
    "max_grpc_timeout",
    "grpc_timeout_offset",
    "upgrade_configs",
    "internal_redirect_policy",
    "internal_redirect_action",
    "max_internal_redirects",
    "hedge_policy",
    "max_stream_duration",
    "host_rewrite_specifier",
];
