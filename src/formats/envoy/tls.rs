//! What clients see of TLS (`extensions.transport_sockets.tls.v3.DownstreamTlsContext`).

use super::Lowering;
use super::fields::{Fields, field, is_secret};
use super::filters::extension;
use crate::formats::Disposition;
use crate::formats::code::digest;
use crate::formats::data::value::Value;
use crate::model::Tls;
use crate::text::{Span, escape};

impl<'v> Lowering<'v, '_> {
    /// What a filter chain speaks; `None`: no TLS.
    pub(super) fn transport(&mut self, socket: Option<&'v Value>) -> Option<Tls> {
        let mut fields = Fields::of(socket?, self.account);
        let name = fields.name(self.account);
        let config = fields.one_of(&["typed_config", "config"], self.account).map(|(_, value)| value);
        let at = fields.at();
        fields.close(self.account);
        let (kind, config) = extension(&name, config);
        match kind.as_str() {
            "tls" => config.map(|config| self.context(config)),
            "raw_buffer" => None,
            _ => {
                let shown = escape(kind.as_bytes());
                self.account.gap(at, format!("what is spoken through `{shown}` is not read"));
                None
            }
        }
    }

    /// A `DownstreamTlsContext`.
    pub(super) fn context(&mut self, config: &'v Value) -> Tls {
        let mut fields = Fields::of(config, self.account);
        fields.inert(&["@type"], "name", self.account);
        let mut settings = fields.settings(&[
            "require_client_certificate",
            "require_sni",
            "session_ticket_keys",
            "session_ticket_keys_sds_secret_config",
            "disable_stateless_session_resumption",
            "disable_stateful_session_resumption",
            "session_timeout",
            "ocsp_staple_policy",
            "full_scan_certs_on_sni_mismatch",
            "prefer_client_ciphers",
        ]);
        let common = fields.take("common_tls_context");
        fields.close(self.account);
        let mut certificates = Vec::new();
        if let Some(common) = common {
            let mut fields = Fields::of(common, self.account);
            for certificate in fields.list("tls_certificates", self.account) {
                certificates.push(self.certificate(certificate));
            }
            for secret in fields.list("tls_certificate_sds_secret_configs", self.account) {
                certificates.push(self.secret(secret));
            }
            for name in ["tls_certificate_provider_instance", "tls_certificate_certificate_provider_instance"] {
                if let Some(value) = fields.take(name) {
                    self.account.claim(value.at, Disposition::Opaque("a certificate that is found at run time"));
                    let named = field(value, "certificate_name").and_then(Value::as_text).unwrap_or_default();
                    certificates.push((named.to_string(), value.at));
                }
            }
            fields.inert(&["key_log"], "logging", self.account);
            settings.extend(fields.settings(&[
                "tls_params",
                "validation_context",
                "validation_context_sds_secret_config",
                "combined_validation_context",
                "alpn_protocols",
                "custom_handshaker",
                "custom_tls_certificate_selector",
                "validation_context_type",
            ]));
            fields.close(self.account);
        }
        settings.sort();
        Tls { certificates, settings: settings.join("; ") }
    }

    /// The name of a certificate: its file, its variable, or how its text is told apart.
    fn certificate(&mut self, certificate: &'v Value) -> (String, Span) {
        let chain = field(certificate, "certificate_chain").or_else(|| field(certificate, "pkcs12"));
        let Some(chain) = chain else {
            self.account.gap(certificate.at, "where the certificate comes from is not said");
            return (String::new(), certificate.at);
        };
        let text = |name| field(chain, name).and_then(Value::as_text);
        let name = match (text("filename"), text("environment_variable")) {
            (Some(file), _) => file.to_string(),
            (None, Some(variable)) => format!("${variable}"),
            (None, None) => {
                let inline = text("inline_string").or(text("inline_bytes")).unwrap_or_default();
                format!("inline {}", digest(inline.as_bytes()))
            }
        };
        for key in ["private_key", "password", "ocsp_staple", "signed_certificate_timestamp", "private_key_provider"] {
            if let Some(value) = field(certificate, key) {
                self.account.claim(value.at, Disposition::Inert("the other half of a certificate"));
            }
        }
        (name, chain.at)
    }

    /// A certificate that is named: one of the file, or of a server of secrets.
    fn secret(&mut self, secret: &'v Value) -> (String, Span) {
        let mut fields = Fields::of(secret, self.account);
        let name = fields.text("name", self.account).unwrap_or_default();
        let dynamic = fields.take("sds_config");
        fields.close(self.account);
        match dynamic {
            Some(value) => self.account.claim(value.at, Disposition::Opaque("a certificate that is found at run time")),
            None if self.secrets.contains(&*name) => {}
            None => {
                let address = escape(name.as_bytes());
                self.refused(secret.at, &format!("there is no secret `{address}`"));
                self.missing("certificate", address, secret.at);
            }
        }
        (name.to_string(), secret.at)
    }

    /// What must not be printed.
    pub(super) fn hide(&mut self, value: &Value) {
        for item in value.list().into_iter().flat_map(|list| &list.items) {
            self.hide(item);
        }
        for entry in value.object().into_iter().flat_map(|object| &object.entries) {
            if is_secret(&entry.name) && field(&entry.value, "filename").is_none() {
                self.reading.hide(entry.value.at);
            } else {
                self.hide(&entry.value);
            }
        }
    }
}
