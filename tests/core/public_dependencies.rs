//! The crates whose types the public API shows are those that `docs/public-dependencies.md` lists.
//!
//! What is shown is rustdoc's own answer, its JSON, which needs a nightly toolchain.

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
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
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
        let brings = |list: &Value| list.as_array().unwrap().iter().any(|what| *what == format!("dep:{name}"));
        let features = package["features"].as_object().unwrap();
        features.iter().find(|(_, list)| brings(list)).map(|(feature, _)| feature.clone())
    };
    let dependencies =
        package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
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
    // Cargo sets it for its tests, and rustup takes it for a choice.
    let nightly = || {
        let mut cargo = Command::new("cargo");
        cargo.env_remove("RUSTUP_TOOLCHAIN").arg("+nightly");
        cargo
    };
    if !nightly().arg("--version").output().is_ok_and(|version| version.status.success()) {
        println!("skipped: there is no nightly toolchain");
        return;
    }
    let rustdoc = nightly()
        .args(["rustdoc", "--quiet", "--offline", "--all-features", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(root().join("target/docsrs"))
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        .output()
        .unwrap();
    assert!(rustdoc.status.success(), "{}", String::from_utf8_lossy(&rustdoc.stderr));
    let json = fs::read_to_string(root().join("target/docsrs/doc/tower_webhooks.json")).unwrap();
    let shown = shown(&serde_json::from_str(&json).unwrap());
    let manifest = manifest().into_iter().filter(|(name, _)| shown.contains_key(&name.replace('-', "_")));
    assert_eq!(manifest.collect::<Table>(), documented(), "seen in {shown:#?}");
}

/// The crates of all types and traits that items of this crate mention, and the items.
fn shown(json: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut shown = BTreeMap::<_, BTreeSet<_>>::new();
    for item in json["index"].as_object().unwrap().values() {
        let is_own = item["crate_id"] == 0 && item["inner"]["impl"]["blanket_impl"].is_null();
        let mut ids = Vec::new();
        if is_own {
            mentions(&item["inner"], &mut ids);
        }
        for id in ids {
            let path = &json["paths"][id.to_string()];
            // What a macro of theirs writes and hides.
            if path["path"].as_array().is_some_and(|path| path.iter().any(|segment| segment == "__private")) {
                continue;
            }
            let from = &path["crate_id"];
            let name = json["external_crates"][from.to_string()]["name"].as_str().unwrap_or_default();
            // What these show is a part of theirs.
            let name = match name {
                "serde_core" => "serde",
                "sqlx_core" | "sqlx_postgres" => "sqlx",
                name => name,
            };
            let item = format!("{} {}", item["name"], item["span"]["filename"]);
            shown.entry(name.to_owned()).or_default().insert(item);
        }
    }
    shown
}

/// The ids of whatever is named by a path: types, traits, what is exported again.
fn mentions(value: &Value, ids: &mut Vec<u64>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("path") || members.contains_key("source") {
                ids.extend(members.get("id").and_then(Value::as_u64));
            }
            members.values().for_each(|member| mentions(member, ids));
        }
        Value::Array(items) => items.iter().for_each(|item| mentions(item, ids)),
        _ => {}
    }
}
