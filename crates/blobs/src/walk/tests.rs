use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::*;
use crate::NoFaults;

struct Storage {
    dir: tempfile::TempDir,
    folder: Folder,
}

fn storage(names: &[&str]) -> Storage {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), Arc::new(NoFaults)).unwrap();
    let storage = Storage { dir, folder };
    for name in names {
        storage.make(name, "_manifests/tags/latest");
    }
    storage
}

impl Storage {
    fn make(&self, name: &str, own: &str) {
        let repositories = self.dir.path().join("docker/registry/v2/repositories");
        fs::create_dir_all(repositories.join(name).join(own)).unwrap();
    }

    fn page(&self, after: Option<&str>, limit: usize) -> Vec<String> {
        let names = self.folder.repositories(Tree::Distribution, after, limit);
        names.unwrap().iter().map(ToString::to_string).collect()
    }
}

#[test]
fn repositories_come_in_the_order_of_the_bytes_of_whole_names() {
    let names = [
        "a", "a-b", "a-b/c", "a.b", "a/b", "a/b/c", "a/b-c", "a0", "b/c/d",
    ];
    let storage = storage(&names);

    let mut sorted = names.map(String::from);
    sorted.sort();
    assert_eq!(storage.page(None, 100), sorted);
    assert_eq!(sorted[..4], ["a", "a-b", "a-b/c", "a.b"]);
}

#[test]
fn any_page_begins_after_any_name_there_or_not() {
    // All names of up to three components over a few that sort awkwardly, some left out.
    let parts = ["a", "a-b", "a.b", "a0", "b"];
    let mut names = BTreeSet::new();
    for (number, one) in parts.iter().enumerate() {
        names.insert((*one).to_owned());
        for two in &parts[number..] {
            names.insert(format!("{one}/{two}"));
            names.insert(format!("{two}/{one}/{two}"));
        }
    }
    let storage = storage(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let foreign = ["a-", "a/", "a/a", "a-b0", "a/b/", "0", "zz", "a b", "A"];

    for after in names.iter().map(String::as_str).chain(foreign) {
        let expected = names.iter().filter(|name| name.as_str() > after);
        let expected: Vec<String> = expected.take(4).cloned().collect();
        assert_eq!(storage.page(Some(after), 4), expected, "after {after}");
    }
}

#[test]
fn a_repository_is_listed_by_a_tag_or_a_linked_manifest_alone() {
    let storage = storage(&["tagged"]);
    let hex = "0".repeat(64);
    storage.make("pushed/once", "_uploads");
    storage.make("layered", &format!("_layers/sha256/{hex}"));
    storage.make("emptied", "_manifests/tags");
    storage.make("deleted", &format!("_manifests/revisions/sha256/{hex}"));
    storage.make("nothing", "");

    assert_eq!(storage.page(None, 9), ["tagged"]);
    let any = storage
        .folder
        .repository_folders(Tree::Distribution, None, 9);
    let any: Vec<String> = any.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        any,
        ["deleted", "emptied", "layered", "pushed/once", "tagged"]
    );
}

#[test]
fn names_end_where_the_longest_name_ends() {
    let storage = storage(&["a"]);
    let long = ["x".repeat(120), "y".repeat(120), "z".repeat(120)];
    storage.make(&long.join("/"), "_manifests/tags/latest");
    storage.make(&long[..2].join("/"), "_manifests/tags/latest");

    let walk = storage
        .folder
        .walk_repositories(Tree::Distribution, Which::Listed, None);
    let mut walk = walk.unwrap();
    let names: Vec<String> = walk
        .by_ref()
        .map(|name| name.unwrap().to_string())
        .collect();

    assert_eq!(names, ["a".to_owned(), long[..2].join("/")]);
    assert_eq!(walk.oddities().found.len(), 1);
}

#[test]
fn a_folder_that_goes_during_the_walk_is_passed_over() {
    let storage = storage(&["a/b", "c"]);
    let walk = storage
        .folder
        .walk_repositories(Tree::Distribution, Which::Listed, None);
    let mut walk = walk.unwrap();
    let bad = Stop::Below("bad".parse().unwrap());
    let level = walk.levels.pop().unwrap();
    walk.levels.push(
        [bad]
            .into_iter()
            .chain(level)
            .collect::<Vec<_>>()
            .into_iter(),
    );

    let names: Vec<String> = walk.map(|name| name.unwrap().to_string()).collect();

    assert_eq!(names, ["a/b", "c"]);
}
