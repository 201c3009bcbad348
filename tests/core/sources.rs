//! What the sources must not say. These tests know no more than the words of a line: they are for
//! slips, and no proof.

use super::manifest::{providers, read};
use std::{fs, path::Path};

/// Each file of `src` with its lines of code: without comments, the docs included, and without the
/// tests at its end.
fn sources() -> Vec<(String, Vec<String>)> {
    let (mut sources, mut folders) = (Vec::new(), vec!["src".to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") && !path.ends_with("/tests.rs") {
                let text = read(&path);
                let lines = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().lines();
                let code = lines.filter(|line| !line.trim_start().starts_with("//"));
                sources.push((path, code.map(str::to_owned).collect()));
            }
        }
    }
    assert!(sources.len() > 50, "{}", sources.len());
    sources
}

/// Looks for `ct_eq` where keys are searched and, in the files that authenticate, for `==` and `!=`
/// beside a word that may be secret bytes.
#[test]
fn attack_secret_bytes_are_compared_in_constant_time() {
    let secret_words =
        ["secret", "mac", "token", "sign", "presented", "digest", "hash", "expose", "key", ".id()"];
    let mut looked_at = 0;
    for (path, code) in sources() {
        let name = path.rsplit('/').next().unwrap();
        let all = code.join("\n");
        match path.as_str() {
            "src/signature.rs" => {
                assert!(all.contains("a.ct_eq(b)"), "`same` compares in constant time");
                assert!(all.contains("|mac| same(&mac, presented)"), "`find` compares with `same`");
            }
            "src/secret.rs" => {
                assert!(all.contains("#[derive(Clone)]\npub struct Secret {"));
                assert!(!all.contains("Eq for Secret"), "secrets have no `==`");
            }
            _ => {}
        }
        if !matches!(
            name,
            "auth.rs" | "token.rs" | "signature.rs" | "secret.rs" | "key.rs" | "body.rs"
        ) {
            continue;
        }
        looked_at += 1;
        for line in &code {
            let mut words = line.split_whitespace();
            let mut before = "";
            while let Some(word) = words.next() {
                if matches!(word, "==" | "!=") {
                    let after = words.clone().next().unwrap_or_default();
                    // A length is not secret.
                    for side in [before, after].iter().filter(|side| !side.contains(".len()")) {
                        let is_secret = secret_words.iter().any(|word| side.contains(word));
                        assert!(!is_secret, "{path}: {}", line.trim());
                    }
                }
                before = word;
            }
        }
    }
    assert!(looked_at >= 9, "{looked_at}");
}

/// The crate's root and the list of guides apart, which say what there is.
#[test]
fn the_core_names_no_provider() {
    let providers = providers();
    let is_of = |path: &str| providers.iter().any(|it| path.starts_with(&format!("src/{it}/")));
    let hint = "label = \"expected the rules of a sender, such as `Zegocloud`\",";
    let mut hints = 0;
    for (path, code) in sources() {
        if is_of(&path) || matches!(&*path, "src/lib.rs" | "src/guide.rs") {
            continue;
        }
        for line in code.iter().map(|line| line.trim()) {
            if line == hint {
                hints += 1;
            } else if !line.starts_with("#[cfg(") {
                let lower = line.to_lowercase();
                assert!(!providers.iter().any(|it| lower.contains(&**it)), "{path}: {line}");
            }
        }
    }
    assert_eq!(hints, 1);
}

#[test]
fn a_provider_s_folder_has_no_tower_code() {
    for provider in providers() {
        let folder = format!("src/{provider}/");
        let mut files = 0;
        for (path, code) in sources().iter().filter(|(path, _)| path.starts_with(&folder)) {
            files += 1;
            for line in code {
                assert!(!line.contains("tower_") && !line.contains("tower::"), "{path}: {line}");
            }
        }
        assert!(files >= 3, "{folder} has {files} files");
    }
}
