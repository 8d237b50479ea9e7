//! Terraform in two notations: configurations, without Terraform, and the JSON of a plan (`terraform show -json`).
//!
//! Both end in resource instances with evaluated arguments, which `cloud` puts into the model.
//!
//! Files become syntax (`parse`), the files of a folder a module (`declared`), what Terraform refuses of that is said
//! (`check`), and its resources are computed as often as they are there (`world`, `eval`, `functions`). What they mean
//! is said by the lowering of cloud resources, which knows nothing of Terraform.
//!
//! Files that override others are merged into those of their folder (`overrides`). OpenTofu reads `*.tofu` besides, and in place of
//! `*.tf` of the same name; as Terraform does not, a folder that has both is refused.
//!
//! All folders of a configuration are modules: those that a `module` block of another one calls are read as it calls
//! them, all others are roots of their own. A root takes its values from `terraform.tfvars` and `*.auto.tfvars` of its
//! folder, then from the other `*.tfvars` files of the configuration, in order; variables that none of them sets have
//! their defaults. Values from the environment or the command line are not known.

mod account;
mod check;
mod copies;
mod declared;
mod eval;
mod functions;
mod includes;
mod json;
mod marks;
mod moves;
mod overrides;
mod parse;
mod plan;
mod read;
mod settle;
mod sources;
mod syntax;
mod types;
mod world;

use super::{Format, Include, Reading, Texts};
use crate::model::{Configuration, Declaration};
use regex::bytes::Regex;
use std::sync::LazyLock;

pub(super) use plan::{is_plan, made_at};

pub(super) static FORMAT: Terraform = Terraform;

pub(super) struct Terraform;

impl Format for Terraform {
    fn id(&self) -> &'static str {
        "terraform"
    }

    fn recognises(&self, name: &str, text: &[u8]) -> bool {
        is_plan(text) || read::NAMES.iter().any(|end| name.ends_with(end))
    }

    fn includes(&self, main: &str, file: &str, text: &[u8]) -> Vec<Include> {
        includes::of(main, file, text)
    }

    fn declarations(&self, _configuration: &Configuration, texts: &Texts<'_>) -> Vec<Declaration> {
        static GROUP: LazyLock<Regex> = LazyLock::new(|| {
            let text = r#"(?m-u)^[ \t]*resource[ \t]+"([a-z0-9_]+(?:_security_group|_secgroup_v2))"[ \t]+"([^"\s]+)""#;
            Regex::new(text).expect("it is well-formed")
        });
        let mut groups = texts.words("security group", &GROUP, |name| vec![name.to_owned()]);
        // That of a network is used by what names none.
        groups.retain(|group| !group.name.contains("_default_"));
        groups
    }

    fn read(&self, reading: &mut Reading<'_>) {
        match reading.files().split_first() {
            // Behind it the files may stand that the plan was made of.
            Some((file, configuration)) if is_plan(reading.text(*file)) => {
                let beside = read::instances(configuration, reading);
                plan::read(*file, beside, reading);
            }
            Some(_) | None => read::read(reading),
        }
    }
}
