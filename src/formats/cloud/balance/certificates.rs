//! Certificates for balancers.
//!
//! registry: `aws_acm_certificate`, `aws_acm_certificate_validation`, `aws_iam_server_certificate`,
//! `google_compute_ssl_certificate`, `google_compute_region_ssl_certificate`, `google_compute_managed_ssl_certificate`,
//! `scaleway_lb_certificate`.

use super::super::attributes::{Attributes, Known, text_of};
use super::{Instance, Lowering};
use crate::formats::Disposition;
use crate::formats::cloud::Mine;
use crate::formats::cloud::content;
use crate::formats::data::value::Value;
use crate::text::Span;

pub(super) const KINDS: &[&str] = &[
    "aws_acm_certificate",
    "aws_acm_certificate_validation",
    "aws_iam_server_certificate",
    "google_compute_managed_ssl_certificate",
    "google_compute_region_ssl_certificate",
    "google_compute_ssl_certificate",
    "scaleway_lb_certificate",
];

/// "This resource implements a part of the validation workflow. It does not represent a real-world entity": what names it means
/// the certificate.
const VALIDATION: &str = "aws_acm_certificate_validation";

/// What is not of the certificate, or is filled in by the provider.
const WITHOUT: &[&str] = &[
    "domain_validation_options",
    "validation_emails",
    "validation_method",
    "status",
    "not_after",
    "not_before",
    "pending_renewal",
    "renewal_eligibility",
    "renewal_summary",
    "type",
    "expiration",
    "upload_date",
    "certificate_id",
    "expire_time",
    "not_valid_after",
    "not_valid_before",
    "fingerprint",
    "tags",
    "labels",
];

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        if *kind == VALIDATION {
            lowering.account.claim(instance.origin, Disposition::Inert("it waits for a certificate"));
            continue;
        }
        let content = content::of(&instance.body, WITHOUT);
        lowering.object("certificate", instance, content);
    }
}

impl Lowering<'_, '_> {
    /// The certificate that an argument names, and where.
    pub(super) fn certificate(&mut self, block: &mut Attributes<'_>, name: &str) -> Option<(String, Span)> {
        let at = self.place(block, name);
        let known = block.text(name, self.account)?;
        if known == Known::Is("".into()) {
            return None;
        }
        Some((self.certificate_of(&known, at), at))
    }

    /// Those that a list names.
    pub(super) fn certificates(&mut self, block: &mut Attributes<'_>, name: &str) -> Vec<(String, Span)> {
        let mut out = Vec::new();
        for item in block.items(name).all() {
            if let Some(known) = text_of(&item, "certificate", self.account) {
                out.push((self.certificate_of(&known, item.at), item.at));
            }
        }
        out
    }

    fn certificate_of(&mut self, known: &Known<std::sync::Arc<str>>, at: Span) -> String {
        let mut found = self.refer(known, KINDS, at);
        if let Some(waits) = found.instance.filter(|instance| &*instance.kind == VALIDATION)
            && let Some(of) = argument(waits, "certificate_arn")
            && let Some(known) = text_of(of, "certificate", self.account)
        {
            found = self.refer(&known, KINDS, at);
        }
        found.name
    }
}

fn argument<'v>(instance: &'v Instance, name: &str) -> Option<&'v Value> {
    instance.body.object()?.get(name)
}
