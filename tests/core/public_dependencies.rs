//! The crates whose types the public API shows are those that `docs/public-dependencies.md` lists.
//!
//! Every `pub` item counts: `unreachable_pub` is denied, so each of them can be reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use syn::{
    Attribute, Fields, File, ImplItem, Item, ItemImpl, ItemMacro, Meta, Signature, Token, TraitItem, Type, UseTree,
    Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
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
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let package = &metadata["packages"][0];
    let feature = |name: &str| {
        let brings =
            |list: &serde_json::Value| list.as_array().unwrap().iter().any(|what| *what == format!("dep:{name}"));
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
    let manifest = manifest();
    let mut api = Api::new(manifest.keys().map(|name| name.replace('-', "_")).collect());
    let sources = sources(&root().join("src"));
    assert!(sources.len() > 15, "{}", sources.len());
    sources.iter().for_each(|file| api.declare(file));
    sources.iter().for_each(|file| api.read(file));

    let shown: Table =
        manifest.into_iter().filter(|(name, _)| api.shown.contains_key(&name.replace('-', "_"))).collect();
    assert_eq!(shown, documented(), "seen in {:#?}", api.shown);
}

/// The scanner sees what it has to see, and does not see what nobody else can.
#[test]
fn the_scanner_can_fail() {
    let seen = |source: &str| {
        let mut api = Api::new(["http", "bytes", "tokio"].map(str::to_owned).into());
        let file = syn::parse_file(source).unwrap();
        api.declare(&file);
        api.read(&file);
        api.shown.into_keys().collect::<Vec<_>>()
    };
    for shows in [
        "pub fn f(_: tokio::time::Sleep) {}",
        "use tokio::time; pub fn f() -> time::Sleep {}",
        "use tokio::time::{Sleep as Nap}; pub struct S { pub nap: Option<Nap> }",
        "pub enum E { A { nap: tokio::time::Sleep } }",
        "pub struct S; impl S { pub fn f(&self) -> impl Fn(tokio::time::Sleep) {} }",
        "pub struct S; impl From<tokio::io::Error> for S {}",
        "pub struct S<T>(T); impl<T: tokio::io::AsyncRead> Clone for S<T> {}",
        "pub struct S; impl Iterator for S { type Item = tokio::time::Sleep; }",
        "pub trait T: tokio::io::AsyncRead {}",
        "pub trait T { fn f(&self, _: tokio::time::Sleep); }",
        "#[derive(Clone, tokio::Derive)] pub struct S;",
        "pub use tokio::time::Sleep;",
        "pub type Nap = tokio::time::Sleep;",
        "type Nap = tokio::time::Sleep; pub fn f(_: Nap) {}",
        "pub mod m { pub fn f(_: tokio::time::Sleep) {} }",
        "pin_project! { pub struct S { pub nap: tokio::time::Sleep } }",
        "made_up! { pub struct S { nap => tokio::time::Sleep } }",
    ] {
        assert_eq!(seen(shows), ["tokio"], "{shows}");
    }
    for hides in [
        "use tokio::time::Sleep; fn f(_: Sleep) {}",
        "pub(crate) fn f(_: tokio::time::Sleep) {}",
        "pub fn f() { tokio::spawn(async {}); }",
        "pub struct S { nap: tokio::time::Sleep }",
        "pub struct S; impl S { fn f(_: tokio::time::Sleep) {} }",
        "struct S; impl From<tokio::io::Error> for S {}",
        "trait T {} pub struct S; impl T for S { fn f(_: tokio::time::Sleep); }",
        "type Nap = tokio::time::Sleep; fn f(_: Nap) {}",
        "#[cfg(test)] mod tests { pub fn f(_: tokio::time::Sleep) {} }",
        "pin_project! { pub struct S { nap: tokio::time::Sleep } }",
        "made_up! { #[doc = \"a \\\" of tokio\"] pub struct S { nap => u64 } }",
    ] {
        assert!(seen(hides).is_empty(), "{hides}");
    }
}

fn sources(folder: &Path) -> Vec<File> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let parse = |path: &Path| syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().flat_map(|path| if path.is_dir() { sources(path) } else { vec![parse(path)] }).collect()
}

/// What the public items of a crate mention.
struct Api {
    /// Dependencies, as paths spell them.
    crates: BTreeSet<String>,
    /// `pub` types and traits.
    public: BTreeSet<String>,
    /// Types and traits that are not `pub`; of an alias, the crates behind it.
    private: BTreeMap<String, BTreeSet<String>>,
    /// What this file has imported, and from which crate.
    imports: BTreeMap<String, String>,
    /// The crates that were seen, and in which items.
    shown: BTreeMap<String, BTreeSet<String>>,
    item: String,
}

impl Api {
    fn new(crates: BTreeSet<String>) -> Self {
        Self {
            crates,
            public: BTreeSet::new(),
            private: BTreeMap::new(),
            imports: BTreeMap::new(),
            shown: BTreeMap::new(),
            item: String::new(),
        }
    }

    /// Notes which names are public, before anything is looked up.
    fn declare(&mut self, file: &File) {
        self.imports = imports(&file.items, &self.crates);
        self.declare_items(&file.items);
    }

    fn declare_items(&mut self, items: &[Item]) {
        for item in items {
            let (visibility, name) = match item {
                Item::Struct(item) => (&item.vis, &item.ident),
                Item::Enum(item) => (&item.vis, &item.ident),
                Item::Trait(item) => (&item.vis, &item.ident),
                Item::Type(item) => (&item.vis, &item.ident),
                Item::Mod(item) if !is_test(&item.attrs) => {
                    self.declare_items(item.content.as_ref().map_or(&[], |(_, items)| items));
                    continue;
                }
                Item::Macro(item) => {
                    if let Ok(file) = item.mac.parse_body::<File>() {
                        self.declare_items(&file.items);
                    }
                    continue;
                }
                _ => continue,
            };
            if is_public(visibility) {
                self.public.insert(name.to_string());
                continue;
            }
            let mut behind = BTreeSet::new();
            if let Item::Type(alias) = item {
                let shown = std::mem::take(&mut self.shown);
                self.visit_type(&alias.ty);
                behind = std::mem::replace(&mut self.shown, shown).into_keys().collect();
            }
            self.private.insert(name.to_string(), behind);
        }
    }

    fn read(&mut self, file: &File) {
        self.imports = imports(&file.items, &self.crates);
        self.read_items(&file.items);
    }

    fn read_items(&mut self, items: &[Item]) {
        for item in items {
            self.read_item(item);
        }
    }

    fn read_item(&mut self, item: &Item) {
        match item {
            Item::Use(item) if is_public(&item.vis) => {
                for (name, from) in imports(&[Item::Use(item.clone())], &self.crates) {
                    self.shown.entry(from).or_default().insert(name);
                }
            }
            Item::Mod(item) if !is_test(&item.attrs) => {
                self.read_items(item.content.as_ref().map_or(&[], |(_, items)| items));
            }
            Item::Fn(item) if is_public(&item.vis) => self.read_signature(&item.sig),
            Item::Struct(item) if is_public(&item.vis) => {
                self.item = item.ident.to_string();
                self.read_derives(&item.attrs);
                self.visit_generics(&item.generics);
                self.read_fields(&item.fields, false);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.item = item.ident.to_string();
                self.read_derives(&item.attrs);
                self.visit_generics(&item.generics);
                item.variants.iter().for_each(|variant| self.read_fields(&variant.fields, true));
            }
            Item::Trait(item) if is_public(&item.vis) => {
                self.item = item.ident.to_string();
                self.visit_generics(&item.generics);
                item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
                for member in &item.items {
                    match member {
                        TraitItem::Fn(member) => self.read_signature(&member.sig),
                        member => self.visit_trait_item(member),
                    }
                }
            }
            Item::Type(item) if is_public(&item.vis) => {
                self.item = item.ident.to_string();
                self.visit_generics(&item.generics);
                self.visit_type(&item.ty);
            }
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Static(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Impl(item) => self.read_impl(item),
            Item::Macro(item) => self.read_macro(item),
            _ => {}
        }
    }

    fn read_impl(&mut self, item: &ItemImpl) {
        if self.is_private(&item.self_ty) {
            return;
        }
        let Some((of, _)) = &item.trait_ else {
            for member in &item.items {
                match member {
                    ImplItem::Fn(member) if is_public(&member.vis) => {
                        self.visit_generics(&item.generics);
                        self.read_signature(&member.sig);
                    }
                    ImplItem::Const(member) if is_public(&member.vis) => self.visit_type(&member.ty),
                    _ => {}
                }
            }
            return;
        };
        let name = of.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        if self.private.contains_key(&name) && !self.public.contains(&name) {
            return;
        }
        self.item = format!("impl {name}");
        self.visit_path(of);
        self.visit_generics(&item.generics);
        self.visit_type(&item.self_ty);
        for member in &item.items {
            match member {
                ImplItem::Fn(member) => self.read_signature(&member.sig),
                ImplItem::Type(member) => self.visit_type(&member.ty),
                ImplItem::Const(member) => self.visit_type(&member.ty),
                _ => {}
            }
        }
    }

    fn is_private(&self, of: &Type) -> bool {
        let Type::Path(path) = of else { return false };
        let name = path.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        self.private.contains_key(&name) && !self.public.contains(&name)
    }

    /// What parses as items is read as items; of anything else every word counts that is not in a string.
    fn read_macro(&mut self, item: &ItemMacro) {
        match item.mac.parse_body::<File>() {
            Ok(file) => self.read_items(&file.items),
            Err(_) => {
                self.item = "a macro".to_owned();
                let text = item.mac.tokens.to_string().replace("\\\"", "");
                for code in text.split('"').step_by(2) {
                    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                    code.split(|letter| !is_part(letter)).for_each(|word| self.mention(word));
                }
            }
        }
    }

    fn read_signature(&mut self, signature: &Signature) {
        self.item = signature.ident.to_string();
        self.visit_signature(signature);
    }

    fn read_fields(&mut self, fields: &Fields, all: bool) {
        for field in fields {
            if all || is_public(&field.vis) {
                self.visit_type(&field.ty);
            }
        }
    }

    fn read_derives(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            let derives = attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated).unwrap();
            derives.iter().for_each(|derive| self.visit_path(derive));
        }
    }

    fn mention(&mut self, name: &str) {
        let mut crates: BTreeSet<String> = self.private.get(name).cloned().unwrap_or_default();
        crates.extend(self.imports.get(name).cloned());
        crates.extend(self.crates.get(name).cloned());
        for from in crates {
            self.shown.entry(from).or_default().insert(self.item.clone());
        }
    }
}

impl Visit<'_> for Api {
    fn visit_path(&mut self, path: &syn::Path) {
        if let Some(first) = path.segments.first() {
            self.mention(&first.ident.to_string());
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &Visibility) {}

    fn visit_attribute(&mut self, _: &Attribute) {}
}

/// Imported names and the crates that they are from.
fn imports(items: &[Item], crates: &BTreeSet<String>) -> BTreeMap<String, String> {
    fn leaves(tree: &UseTree, from: &str, found: &mut BTreeMap<String, String>) {
        match tree {
            UseTree::Path(path) => leaves(&path.tree, from, found),
            UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, from, found)),
            UseTree::Name(name) => drop(found.insert(name.ident.to_string(), from.to_owned())),
            UseTree::Rename(name) => drop(found.insert(name.rename.to_string(), from.to_owned())),
            UseTree::Glob(_) => panic!("what comes by {from}::* cannot be told"),
        }
    }
    let mut found = BTreeMap::new();
    for item in items {
        if let Item::Use(item) = item {
            let trees: Vec<_> = match &item.tree {
                UseTree::Group(group) => group.items.iter().collect(),
                tree => vec![tree],
            };
            for tree in trees {
                if let UseTree::Path(path) = tree {
                    let from = path.ident.to_string();
                    if crates.contains(&from) {
                        leaves(&path.tree, &from, &mut found);
                    }
                }
            }
        }
    }
    found
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}
