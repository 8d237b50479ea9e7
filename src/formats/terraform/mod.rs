//! Terraform, in two notations: the configuration language, and the JSON of a plan (`terraform show -json`).
//!
//! Both end in resource instances with evaluated arguments, which `cloud` puts into the model.

mod plan;

use super::account::Account;
use super::{Format, Reading};
use crate::text::Span;

pub(super) use plan::made_at;

pub(super) static FORMAT: Terraform = Terraform;

pub(super) struct Terraform;

impl Format for Terraform {
    fn id(&self) -> &'static str {
        "terraform"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        plan::recognises(text)
    }

    fn read(&self, reading: &mut Reading<'_>) {
        match reading.files() {
            [file] if plan::recognises(reading.text(*file)) => plan::read(*file, reading),
            files => {
                let mut account = Account::default();
                for file in files {
                    let all = Span { source: *file, start: 0, end: super::end_of(reading.text(*file)) };
                    account.gap(all, "not one plan as `terraform show -json` prints it");
                }
                account.close(reading);
            }
        }
    }
}
