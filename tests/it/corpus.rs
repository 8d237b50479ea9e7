//! Real files of others, beside the project: every byte of each is accounted for, and what the real program
//! refuses has a gap.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use portcullis::formats::{self, Disposition, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::path::Path;

/// Files that the reader judges otherwise than the manifest says the real program did, and why that is right.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "AG7GN+nexus-iptables/rules@20200821",
        "`-m tcp` without `-p tcp`: only `--test` of the legacy program took it, the kernel does not",
    ),
    ("id774+scripts/etc__iptables__rules@20160127.62ebafab.v4", "`-m udp` without `-p udp`, likewise"),
    ("testconfigs__unsupported_rule_spec_options", "`-m tcp` without `-p tcp`, likewise"),
    ("jdstrand+ufw/", "jumps to chains of another of ufw's files, which `--test` does not look for"),
    ("8none1+multipathrouting/", "host names are opaque; the manifest's host had no resolver"),
    ("found_online__jvehent__firewall", "host names, likewise"),
    ("etc__iptables__rules@20230515.ebad0a72.v6", "host names, likewise"),
    ("etc__iptables__rules@20230205.9b661c10.v6", "IPv6 addresses: the manifest's host read the file as IPv4"),
    ("etc__iptables__rules@20230306.6cc33c6b.v6", "IPv6 addresses, likewise"),
    ("ip6tables@20120326.ef2801e5.rules", "a refusal of ICMPv6: the manifest's host read the file as IPv4"),
    ("hostprobe.golden.seg1", "sets are made by another tool"),
    ("outbound-owner-groups.golden.seg1", "a user group that the manifest's host did not have"),
    ("configs_ugent__iptables-save", "negation as iptables 1.4 wrote it"),
];

/// A file of the corpus.
pub(crate) struct Real {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// What the real program said of it.
    pub(crate) verdict: String,
}

/// The files of a kind that the manifest names; `None`: there is no corpus beside the project, which is told.
pub(crate) fn real(kind: &str) -> Option<Vec<Real>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return None;
    };
    let mut out = Vec::new();
    for row in manifest.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [path, found, _, _, _, _, verdict, ..] = fields.as_slice() else { continue };
        if *found == kind {
            let bytes = std::fs::read(folder.join(path)).expect("a file that the manifest names");
            out.push(Real { path: (*path).to_owned(), bytes, verdict: (*verdict).to_owned() });
        }
    }
    Some(out)
}

#[test]
fn real_iptables_files_are_read_as_the_real_program_reads_them() {
    let Some(found) = real("iptables-save") else { return };
    let (mut files, mut rules, mut gaps, mut inert, mut opaque) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    let mut excused = vec![false; OTHERWISE.len()];
    for Real { path, bytes, verdict } in found {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), bytes).expect("small");
        let mut store = Store::default();
        let input = Input { name: "host".into(), format: formats::format("iptables-save"), files: vec![file] };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        files += 1;
        rules += snapshot.configurations().iter().map(|configuration| configuration.rule_count()).sum::<usize>();
        gaps += snapshot.gaps().len();
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(_) => inert += 1,
                Disposition::Opaque(_) => opaque += 1,
            }
        }
        if snapshot.gaps().iter().any(|gap| gap.reason == "not understood" || gap.reason.contains("a bug")) {
            wrong.push(format!("{path}: unclaimed text"));
        }
        if verdict.starts_with("ok") == snapshot.gaps().is_empty() {
            continue;
        }
        match OTHERWISE.iter().position(|(part, _)| path.contains(part)) {
            Some(n) => excused[n] = true,
            None => {
                let gaps = snapshot.gaps().iter().take(3);
                let gaps = gaps.map(|gap| format!("\n    line {}: {}", sources.locate(gap.origin).line, gap.reason));
                wrong.push(format!(
                    "{path}\n  {verdict}, and {} gaps{}",
                    snapshot.gaps().len(),
                    gaps.collect::<String>()
                ));
            }
        }
    }
    eprintln!("{files} files, {rules} rules, {gaps} gaps, {inert} inert and {opaque} opaque pieces");
    wrong.extend(
        OTHERWISE
            .iter()
            .zip(excused)
            .filter(|(_, used)| !used)
            .map(|((part, _), _)| format!("{part}: no such exception")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
