//! The page that says how an interface asks before it deletes: its example is judged, and prints what it says there.

use crate::cli::portcullis;
use crate::folder::folder;
use crate::tools;
use std::path::Path;

/// The block of a page behind that word.
fn block<'p>(page: &'p str, word: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{word}\n")).expect("a block");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_example_of_the_page_prints_what_it_says() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inventory.md")).expect("a page");
    let before = block(&page, "json before.json");
    let mut after: serde_json::Value = serde_json::from_str(before).expect("JSON");
    after["balancers"].as_array_mut().expect("a list").retain(|balancer| balancer["id"] != "lb-18");
    let folder = folder(&[
        ("before.json", before),
        ("after.json", &after.to_string()),
        ("portcullis.yaml", block(&page, "yaml portcullis.yaml")),
    ]);
    let check = ["check", "--old", "before.json", "--new", "after.json", "--policy", "portcullis.yaml"];
    // Where a user stands, paths are short.
    let ran = tools::this_program().args(check).current_dir(folder.path()).output().expect("ran");
    let out = String::from_utf8(ran.stdout).expect("UTF-8");
    assert_eq!((ran.status.code(), out.as_str()), (Some(1), block(&page, "text")));
    let unread = portcullis(folder.path(), &[], &["parse", "before.json"]).out;
    assert!(unread.contains("balancer-inventory") && !unread.contains("gap"), "{unread}");
}
