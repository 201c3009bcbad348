//! The crates whose types the public API shows are those that `docs/public-dependencies.md` lists.
//!
//! What is shown stands in `docs/public-api.txt`, which `scripts/public-api` keeps.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// Crate to version and feature.
type Table = BTreeMap<String, (String, Option<String>)>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documented() -> Table {
    let page = fs::read_to_string(root().join("docs/public-dependencies.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<_> =
            row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
        let feature = Some(cells[2].clone()).filter(|feature| !feature.is_empty());
        (cells[0].clone(), (cells[1].clone(), feature))
    })
    .collect()
}

/// The dependencies that are not only for development, and the feature that brings each.
fn manifest() -> Table {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let package = &metadata["packages"][0];
    let feature = |name: &str| {
        let brings = |list: &Value| {
            list.as_array().unwrap().iter().any(|what| *what == format!("dep:{name}"))
        };
        let features = package["features"].as_object().unwrap();
        features.iter().find(|(_, list)| brings(list)).map(|(feature, _)| feature.clone())
    };
    let dependencies = package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null());
    dependencies
        .map(|dependency| {
            let name = dependency["name"].as_str().unwrap();
            let version = dependency["req"].as_str().unwrap().trim_start_matches('^');
            (name.to_owned(), (version.to_owned(), feature(name)))
        })
        .collect()
}

#[test]
fn the_page_lists_what_the_signatures_show() {
    let shown = shown();
    let documented = documented();
    assert_eq!(shown, documented.keys().map(|name| name.replace('-', "_")).collect());
    let manifest =
        manifest().into_iter().filter(|(name, _)| shown.contains(&name.replace('-', "_")));
    assert_eq!(manifest.collect::<Table>(), documented);
}

/// The crates of all paths in the listing.
fn shown() -> BTreeSet<String> {
    let listing = fs::read_to_string(root().join("docs/public-api.txt")).unwrap();
    // A macro of theirs writes and hides it.
    let lines = listing.lines().filter(|line| !line.contains("::__private"));
    let paths = lines.flat_map(|line| {
        line.split(|symbol: char| !symbol.is_alphanumeric() && !"_:".contains(symbol))
    });
    let crates = paths.filter_map(|path| path.split_once("::")).map(|(name, _)| match name {
        // What these show is a part of theirs.
        "serde_core" => "serde",
        "sqlx_core" | "sqlx_postgres" => "sqlx",
        name => name,
    });
    let is_foreign = |name: &&str| {
        // A type parameter, a primitive type, or what comes with the language.
        let own = ["alloc", "core", "crate", "i64", "std", "tower_webhooks"];
        name.starts_with(|first: char| first.is_ascii_lowercase()) && !own.contains(name)
    };
    crates.filter(is_foreign).map(str::to_owned).collect()
}
