//! What the manifest names is found wherever a reader or a test looks for it.

use std::{collections::BTreeSet, fs, path::Path};

pub fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(folder: &str) -> Vec<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// The manifest as it was written: in a package cargo's own version of it stands beside.
fn manifest() -> String {
    read(if packaged() { "Cargo.toml.orig" } else { "Cargo.toml" })
}

/// Whether this is the unpacked package, which has neither CONTRIBUTING.md nor the scripts.
fn packaged() -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml.orig").exists()
}

/// Each feature, and what it switches on.
fn features() -> Vec<(String, Vec<String>)> {
    let manifest = manifest();
    let section = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split_once(" = ["))
        .map(|(name, list)| {
            let list = list
                .trim_end_matches(']')
                .split(", ")
                .map(|other| other.trim_matches('"').to_owned());
            (name.to_owned(), list.filter(|other| !other.is_empty()).collect())
        })
        .collect()
}

pub fn providers() -> Vec<String> {
    features().into_iter().find(|(name, _)| name == "default").unwrap().1
}

#[test]
fn the_crate_page_lists_every_feature() {
    let page = read("src/lib.rs");
    let rows = page.lines().skip_while(|line| !line.starts_with("//! | feature |")).skip(2);
    let listed: BTreeSet<_> = rows
        .map_while(|line| line.strip_prefix("//! | "))
        .flat_map(|row| {
            row.split(" | ")
                .next()
                .unwrap()
                .split(", ")
                .map(|name| name.trim_matches('`').to_owned())
        })
        .collect();
    let features: BTreeSet<_> =
        features().into_iter().map(|(name, _)| name).filter(|name| name != "default").collect();
    assert_eq!(listed, features);
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("Features")).unwrap();
    for feature in features {
        assert!(section.contains(&format!("`{feature}`")), "{feature} is not in the README");
    }
}

/// Every example with its command, and every variable that an example reads.
#[test]
fn the_examples_are_listed_with_their_variables() {
    let page = read("examples/README.md");
    let (mut sources, mut folders) = (Vec::new(), vec!["examples".to_owned()]);
    while let Some(folder) = folders.pop() {
        for name in names(&folder) {
            let path = format!("{folder}/{name}");
            let Some(module) = name.strip_suffix(".rs") else {
                if Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).is_dir() {
                    folders.push(path);
                }
                continue;
            };
            let example = match module {
                "main" => folder.strip_prefix("examples/"),
                _ => (folder == "examples").then_some(module),
            };
            if let Some(example) = example {
                assert!(page.contains(&format!("--example {example}")), "{example}");
            }
            sources.push(path);
        }
    }
    // Of a literal in upper case the underscore tells that it is one.
    let is_variable = |text: &&str| {
        *text == "ADDR"
            || text.contains('_')
                && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let mut read_by_some = BTreeSet::new();
    for source in sources.iter().map(|path| read(path)) {
        for name in source.split('"').filter(is_variable) {
            assert!(page.contains(name), "{name} is not in examples/README.md");
            read_by_some.insert(name.to_owned());
        }
    }
    assert!(read_by_some.len() > 20, "{read_by_some:?}");
}

/// What is to be read at one go.
#[test]
fn what_is_read_first_is_short() {
    for (path, most) in
        [("README.md", 90), ("examples/github.rs", 99), ("examples/standard_webhooks.rs", 99)]
    {
        let lines = read(path).lines().count();
        assert!(lines <= most, "{path} has {lines} lines");
    }
}

#[test]
fn full_is_all_but_test_util() {
    let features = features();
    let (_, full) = features.iter().find(|(name, _)| name == "full").unwrap();
    assert!(!full.contains(&"test-util".to_owned()));
    for (name, _) in &features {
        let reached = full.contains(name)
            || full.iter().any(|other| {
                features.iter().any(|(feature, list)| feature == other && list.contains(name))
            });
        assert_eq!(reached, !matches!(&**name, "test-util" | "full"), "{name}");
    }
}

/// Whoever adds a provider finds here all that is still missing.
#[test]
fn every_provider_is_everywhere() {
    let providers = providers();
    assert!(providers.len() >= 4, "{providers:?}");
    let mut missing = Vec::new();
    for provider in &providers {
        for file in [
            "README.md",
            "src/guide/security_model.md",
            "src/guide/allow_listing_addresses.md",
            "examples/README.md",
            "examples/receiver/routes.rs",
            "examples/send/families.rs",
            "tests/providers/nothing_lost.rs",
            "tests/replay/providers.rs",
        ] {
            let text = read(file).to_lowercase();
            // In a document it is a row of a table.
            let is_row = |line: &&str| !file.ends_with(".md") || line.starts_with('|');
            if !text.lines().filter(is_row).any(|line| line.contains(&**provider)) {
                missing.push(format!("a row for {provider} in {file}"));
            }
        }
        if !read("src/lib.rs").contains(&format!("\npub mod {provider};")) {
            missing.push(format!("pub mod {provider} in src/lib.rs"));
        }
        for (folder, what) in [
            ("tests/providers", "tests"),
            ("tests/payloads", "payloads of its events"),
            ("tests/vectors", "published or computed signatures"),
        ] {
            if !names(folder).iter().any(|file| file.starts_with(&**provider)) {
                missing.push(format!("{folder}/{provider}…: {what}"));
            }
        }
        let payloads = read("tests/providers/nothing_lost.rs");
        for file in names("tests/payloads").iter().filter(|file| file.starts_with(&**provider)) {
            let name = file.trim_end_matches(".json");
            if !payloads.contains(&format!("\"{provider}\" {name}")) {
                missing.push(format!(
                    "`\"{provider}\" {name}` in tests/providers/nothing_lost.rs, for {file}"
                ));
            }
        }
        let manifest = manifest();
        for example in ["receiver", "send"] {
            let section = manifest.split(&format!("name = \"{example}\"")).nth(1).unwrap();
            if !section.lines().nth(1).unwrap().contains(&format!("\"{provider}\"")) {
                missing.push(format!("{provider} in Cargo.toml, required-features of {example}"));
            }
        }
    }
    assert!(missing.is_empty(), "still missing:\n{}", missing.join("\n"));
    let other: Vec<_> = names("tests/payloads")
        .into_iter()
        .filter(|file| !providers.iter().any(|provider| file.starts_with(&**provider)))
        .collect();
    assert!(other.is_empty(), "{other:?} belong to no provider");
}

/// A file that its binary does not name is never compiled.
#[test]
fn every_file_of_tests_is_in_a_binary() {
    for folder in
        ["core", "providers", "replay", "frameworks", "examples", "observability", "support"]
    {
        let folder = format!("tests/{folder}");
        let files = names(&folder);
        let all: String = files
            .iter()
            .filter(|file| file.ends_with(".rs"))
            .map(|file| read(&format!("{folder}/{file}")))
            .collect();
        for module in files.iter().filter_map(|file| file.strip_suffix(".rs")) {
            let is_named =
                matches!(module, "main" | "mod") || all.contains(&format!("mod {module};"));
            assert!(is_named, "{folder}: nothing names {module}.rs");
        }
    }
}

/// The checks walk the manifest's features by themselves, so that no list has to be kept.
#[test]
fn the_checks_name_no_provider() {
    if packaged() {
        return println!("skipped: the package has no .ci/run");
    }
    let checks = read(".ci/run");
    assert!(checks.contains("cargo hack") && checks.contains("--each-feature"));
    for provider in providers() {
        assert!(!checks.contains(&*provider), "{provider}");
    }
}

/// The name of every dependency stands there with the reason for it.
#[test]
fn every_dependency_has_a_reason() {
    let manifest = manifest();
    let lines: Vec<_> = manifest.lines().collect();
    let start = lines.iter().position(|line| *line == "[dependencies]").unwrap();
    let end = start + lines[start..].iter().position(|line| *line == "[lints.rust]").unwrap();
    for (index, line) in lines.iter().enumerate().take(end).skip(start + 1) {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(lines[index - 1].starts_with("# "), "why {line}?");
        }
    }
}

/// Files that are named as text, which no compiler follows.
#[test]
fn what_the_documents_name_is_there() {
    if packaged() {
        return println!("skipped: the package has not all of them");
    }
    let mut pages: Vec<_> =
        names("src/guide").iter().map(|page| format!("src/guide/{page}")).collect();
    pages.extend(
        [
            "README",
            "CONTRIBUTING",
            "SECURITY",
            "CHANGELOG",
            "examples/README",
            "docs/public-dependencies",
        ]
        .map(|page| format!("{page}.md")),
    );
    for page in &pages {
        let text = read(page);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        // Those to items are rustdoc's to check.
        for link in links.filter(|link| !link.starts_with("http") && !link.contains("::")) {
            let path = link.split('#').next().unwrap();
            assert!(
                path.is_empty() || folder.parent().unwrap().join(path).exists(),
                "{page}: {link}"
            );
        }
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = ["src/", "tests/", "examples/", "benches/", "scripts/", "docs/"]
                .iter()
                .any(|start| name.starts_with(start));
            if is_path && !name.contains(['<', '*', ' ', '{']) {
                assert!(
                    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(),
                    "{page}: {name}"
                );
            }
        }
    }
}
