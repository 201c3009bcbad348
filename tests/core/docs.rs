//! What the documentation lists is all that there is.

use std::collections::BTreeSet;
use tower_webhooks::RejectionKind;

#[test]
fn the_crate_page_lists_every_rejection() {
    let page = include_str!("../../src/lib.rs");
    let rows = page.lines().skip_while(|line| !line.starts_with("//! | [`RejectionKind`]")).skip(2);
    let listed: Vec<_> = rows
        .map_while(|line| line.strip_prefix("//! | `"))
        .map(|row| {
            let (name, rest) = row.split_once("` | ").unwrap();
            (name, rest[..3].parse::<u16>().unwrap())
        })
        .collect();
    let kinds: Vec<_> =
        RejectionKind::ALL.iter().map(|kind| (kind.as_str(), kind.status().as_u16())).collect();
    assert_eq!(listed, kinds);
}

#[test]
fn the_table_of_metrics_lists_every_name() {
    let source = include_str!("../../src/trace.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("/// | `webhooks_"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let listed: BTreeSet<_> = cells
        .flat_map(|cell| cell.split("`, `webhooks_"))
        .map(|name| name.trim_end_matches('`'))
        .collect();
    let constants = source.lines().filter_map(|line| line.split_once(": &str = \"webhooks_"));
    let names: BTreeSet<_> = constants.map(|(_, name)| name.trim_end_matches(['"', ';'])).collect();
    assert!(names.len() > 10);
    assert_eq!(listed, names);
}

/// A page that no module includes is on no page of the documentation, and none of its snippets is
/// compiled.
#[test]
fn every_guide_is_included_and_linked() {
    let guide = include_str!("../../src/guide.rs");
    let readme = include_str!("../../README.md");
    let crate_page = include_str!("../../src/lib.rs");
    for page in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        assert!(guide.contains(&format!("guide/{name}")), "{name}");
        let rendered = format!("/tower_webhooks/guide/{}/)", name.trim_end_matches(".md"));
        assert!(readme.contains(&rendered), "{name} is not linked in the README");
        let link = format!("(guide::{})", name.trim_end_matches(".md"));
        assert!(crate_page.contains(&link), "{name} is not linked on the crate's page");
    }
    let links = readme.matches("/tower_webhooks/guide/").count();
    assert_eq!(links, guide.matches("pub mod ").count());
}
