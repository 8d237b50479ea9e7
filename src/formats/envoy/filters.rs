//! Filters of requests and connections: which of them decide, and what.

use super::Lowering;
use super::chains::Piece;
use super::fields::{Fields, brief, field, is, whole};
use super::rbac::Asked;
use crate::formats::Disposition;
use crate::formats::data::value::{Entry, Value, What};
use crate::model::{Condition, Outcome};
use crate::text::{Span, escape};

/// A filter of a connection manager.
pub(super) struct Filter<'v> {
    /// As settings of routes name it.
    name: String,
    kind: String,
    config: Option<&'v Value>,
    disabled: bool,
    at: Span,
}

/// What a filter can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing about where a request goes or whether it is refused; why.
    Inert(&'static str),
    /// It refuses requests by rules that are read.
    Access,
    /// It refuses those that are too many. It is compared as it reads: which requests these are is no property of theirs.
    Limits,
    /// It refuses some, by what is not in the file.
    Refuses,
    /// It may do anything with a request.
    Acts,
}

fn effect(kind: &str) -> Option<Effect> {
    Some(match kind {
        "router" => Effect::Inert("it does what routes say"),
        "compressor" | "decompressor" | "gzip" | "brotli" => Effect::Inert("compression"),
        "grpc_web" | "grpc_http1_bridge" | "grpc_http1_reverse_bridge" | "connect_grpc_bridge" => {
            Effect::Inert("how gRPC is spoken")
        }
        "grpc_stats" | "tap" | "ip_tagging" | "file_system_buffer" => Effect::Inert("counting"),
        "buffer" | "bandwidth_limit" | "proto_message_logging" => Effect::Inert("how bytes are sent"),
        "cache" | "alternate_protocols_cache" => Effect::Inert("caching"),
        "cors" => Effect::Inert("which pages may read answers"),
        "dynamic_forward_proxy" | "on_demand" | "original_src" | "stateful_session" => {
            Effect::Inert("how a server is found")
        }
        "aws_request_signing" | "gcp_authn" | "credential_injector" => {
            Effect::Inert("how a server is asked, not which")
        }
        "rbac" => Effect::Access,
        "local_ratelimit"
        | "ratelimit"
        | "rate_limit"
        | "rate_limit_quota"
        | "adaptive_concurrency"
        | "admission_control" => Effect::Limits,
        "ext_authz" | "jwt_authn" | "oauth2" | "basic_auth" | "api_key_auth" | "csrf" | "fault" | "geoip"
        | "squash" => Effect::Refuses,
        "lua"
        | "wasm"
        | "golang"
        | "ext_proc"
        | "dynamic_modules"
        | "health_check"
        | "aws_lambda"
        | "header_mutation"
        | "header_to_metadata"
        | "json_to_metadata"
        | "set_metadata"
        | "set_filter_state"
        | "grpc_json_transcoder"
        | "composite"
        | "match_delegate"
        | "custom_response"
        | "file_server"
        | "kill_request" => Effect::Acts,
        _ => return None,
    })
}

/// How the filters read that limit rates, or what a place has of its own for them.
pub(super) fn limits(filters: &[Filter<'_>], own: Option<&Overrides<'_>>) -> Vec<String> {
    let limiting = filters.iter().filter(|filter| effect(&filter.kind) == Some(Effect::Limits));
    let text = |filter: &Filter<'_>| match own {
        Some(own) => own.of_filter(filter).map(|entry| format!("{} here {}", filter.kind, brief(&entry.value))),
        None => {
            let state = if filter.disabled { "off" } else { "on" };
            Some(format!("{} {state} {}", filter.kind, filter.config.map_or_else(String::new, brief)))
        }
    };
    limiting.filter_map(text).collect()
}

/// Settings of routes and hosts for filters, by the filters' names.
#[derive(Default)]
pub(super) struct Overrides<'v>(Vec<&'v Entry>);

impl<'v> Overrides<'v> {
    pub(super) fn of(value: Option<&'v Value>) -> Self {
        Self(value.and_then(Value::object).into_iter().flat_map(|object| &object.entries).collect())
    }

    fn of_filter(&self, filter: &Filter<'_>) -> Option<&'v Entry> {
        self.0.iter().copied().find(|entry| *entry.name == *filter.name)
    }
}

impl<'v> super::http::Manager<'v, '_> {
    /// Whether settings change what a filter decides.
    pub(super) fn decides(&self, overrides: &Overrides<'v>) -> bool {
        let decides = |filter: &&Filter<'_>| !matches!(effect(&filter.kind), Some(Effect::Inert(_) | Effect::Limits));
        self.filters.iter().filter(decides).any(|filter| overrides.of_filter(filter).is_some())
    }

    /// Whether a virtual host or a route of it has settings that change what a filter decides.
    pub(super) fn overrides(&self, host: &'v Value) -> bool {
        let own = |value: &'v Value| {
            let found = field(value, "typed_per_filter_config").or_else(|| field(value, "per_filter_config"));
            self.decides(&Overrides::of(found))
        };
        let routes = field(host, "routes").and_then(Value::list);
        own(host) || routes.into_iter().flat_map(|list| &list.items).any(own)
    }
}

impl<'v> Lowering<'v, '_> {
    /// The filters of a connection manager.
    pub(super) fn filters(&mut self, list: &'v [Value]) -> Vec<Filter<'v>> {
        let mut out = Vec::new();
        for filter in list {
            let mut fields = Fields::of(filter, self.account);
            let name = fields.name(self.account);
            let config = fields.one_of(&["typed_config", "config"], self.account).map(|(_, value)| value);
            fields.gap(&["config_discovery"], "a filter that is read at run time is not in the file", self.account);
            fields.inert(&["is_optional"], "what happens where Envoy does not know the filter", self.account);
            let disabled = fields.truth("disabled", self.account);
            fields.close(self.account);
            let (kind, config) = extension(&name, config);
            match effect(&kind) {
                None => {
                    let shown = escape(name.as_bytes());
                    self.account.gap(
                        filter.at,
                        format!("the filter `{shown}` is not known here: what it decides is not known"),
                    );
                }
                Some(Effect::Inert(why)) => self.account.claim(filter.at, Disposition::Inert(why)),
                Some(Effect::Access | Effect::Limits) => {}
                Some(Effect::Refuses) => self.account.claim(filter.at, Disposition::Opaque("a filter that may refuse")),
                Some(Effect::Acts) => {
                    self.account.claim(filter.at, Disposition::Opaque("a filter that may do anything"))
                }
            }
            out.push(Filter { name: name.to_string(), kind, config, disabled, at: filter.at });
        }
        out
    }

    /// What filters decide before a route does, in their order. Settings of the nearest place come first.
    pub(super) fn refusals(
        &mut self,
        filters: &[Filter<'v>],
        settings: &[&Overrides<'v>],
        asked: Asked<'_>,
    ) -> Vec<Piece> {
        let mut out = Vec::new();
        for filter in filters {
            let own = settings.iter().find_map(|settings| settings.of_filter(filter));
            if let (Some(entry), Some(Effect::Inert(why))) = (own, effect(&filter.kind)) {
                self.account.claim(whole(entry), Disposition::Inert(why));
            }
            out.extend(self.refusal(filter, own, asked));
        }
        out
    }

    fn refusal(&mut self, filter: &Filter<'v>, own: Option<&'v Entry>, asked: Asked<'_>) -> Option<Piece> {
        let Filter { name: _, kind, config, disabled, at } = filter;
        let effect = effect(kind).filter(|effect| !matches!(effect, Effect::Inert(_) | Effect::Limits))?;
        let own = own.map(|entry| unwrapped(&entry.value));
        if own.map_or(*disabled, switched_off) {
            if let Some(own) = own {
                self.account.claim(own.at, Disposition::Inert("the filter is off here"));
            }
            return None;
        }
        let at = own.map_or(*at, |value| value.at);
        let passes = match (effect, own) {
            (Effect::Access, None) => self.rbac((*config)?, asked)?,
            (Effect::Access, Some(own)) => {
                let mut fields = Fields::of(own, self.account);
                fields.inert(&["@type"], "name", self.account);
                let rules = fields.take("rbac");
                fields.close(self.account);
                // Without rules of its own nothing is refused there.
                self.rbac(rules?, asked)?
            }
            (Effect::Refuses | Effect::Acts | Effect::Inert(_) | Effect::Limits, own) => {
                let mut text = format!("{kind} lets it pass: {}", config.map_or_else(String::new, brief));
                if let Some(own) = own {
                    text.push_str(&format!(", here {}", brief(own)));
                }
                text.push_str(&self.code((*config).into_iter().chain(own)));
                self.opaque(&text)
            }
        };
        let outcome = match effect {
            Effect::Access => Outcome::Refused("403: RBAC".to_owned()),
            Effect::Refuses => Outcome::Refused(format!("by {kind}")),
            Effect::Acts | Effect::Inert(_) | Effect::Limits => {
                let code = self.code((*config).into_iter().chain(own));
                let what = config.map_or_else(String::new, brief);
                Outcome::Computed(format!("what {kind} does: {what}{code}"))
            }
        };
        let condition = passes.negated();
        (condition != Condition::Never).then_some(Piece { condition, outcome, at })
    }

    /// By what code is told apart that a filter runs: files, and what those load.
    fn code(&mut self, configs: impl Iterator<Item = &'v Value>) -> String {
        let mut out = String::new();
        for config in configs {
            let mut names = Vec::new();
            super::files::of(config, &mut names);
            for (name, at, sort) in names {
                out.push_str(&self.attached(name, at, sort));
            }
        }
        out
    }
}

/// Whether settings switch a filter off: `{disabled: true}` (`config.route.v3.FilterConfig`, `ExtAuthzPerRoute` and so on).
fn switched_off(own: &Value) -> bool {
    field(own, "disabled").and_then(Value::as_truth) == Some(true)
}

/// The settings in a `FilterConfig`, or those themselves.
fn unwrapped(value: &Value) -> &Value {
    let wrapped = type_of(value).is_some_and(|kind| kind.ends_with("config.route.v3.FilterConfig"));
    match field(value, "config") {
        Some(inner) if wrapped && !switched_off(value) => inner,
        Some(_) | None => value,
    }
}

/// The name of a message's type behind the last slash.
pub(super) fn type_of(value: &Value) -> Option<&str> {
    let entry = value.object()?.entry("@type")?;
    entry.value.text()?.rsplit('/').next()
}

/// What an extension is, and its settings: by the type of those, or else by its name as old versions have it.
pub(super) fn extension<'v>(name: &str, config: Option<&'v Value>) -> (String, Option<&'v Value>) {
    if let Some((value, kind)) = config.and_then(|value| Some((value, type_of(value)?))) {
        // A message of any type: its name and its fields.
        if kind.ends_with(".TypedStruct") {
            let inner = field(value, "value");
            let url = field(value, "type_url").and_then(Value::text).unwrap_or_default();
            return (kind_of(url.rsplit('/').next().unwrap_or(url)), inner);
        }
        return (kind_of(kind), Some(value));
    }
    let kind = name.rsplit('.').next().unwrap_or(name);
    let kind = if is("http_connection_manager", kind) { "http_connection_manager" } else { kind };
    (kind.to_owned(), config.filter(|value| !matches!(value.what, What::Null)))
}

/// `rbac` of `envoy.extensions.filters.http.rbac.v3.RBAC`.
fn kind_of(kind: &str) -> String {
    let parts: Vec<&str> = kind.split('.').collect();
    let version = parts
        .iter()
        .rposition(|part| part.starts_with('v') && part.get(1..2).is_some_and(|c| c.as_bytes()[0].is_ascii_digit()));
    let named = version.and_then(|at| at.checked_sub(1)).and_then(|at| parts.get(at));
    named.map_or_else(|| kind.to_owned(), |part| (*part).to_owned())
}
