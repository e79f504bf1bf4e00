//! Every key that distribution's `config.yml` has, ours beside them, and how one is found.
//!
//! A key that protects, or that changes what the registry means, is refused until it works: a registry that ignores `auth` is worse than one that does not start.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::key::{Fate, Key};
use super::sections;

/// Names longer than this are nobody's slip of the pen, in bytes.
const LONGEST_NAME: usize = 64;
/// How many letters may be wrong, missing or too many.
const SLIPS: usize = 2;

/// All keys.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    sections::ALL.iter().flat_map(|section| section.keys)
}

/// What a path is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// This key, or something below it that it covers.
    Key(&'static Key),
    /// Keys lie below it.
    Section,
    /// Nobody knows it.
    Nothing,
}

/// The keys by their paths, and the paths that have keys below them.
struct Table {
    keys: HashMap<&'static str, &'static Key>,
    above: HashSet<&'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    keys: all().map(|key| (key.path, key)).collect(),
    above: all().flat_map(|key| above(key.path)).collect(),
});

/// Looks the pattern of a path up.
pub(super) fn find(path: &str) -> Found {
    if let Some(key) = TABLE.keys.get(path) {
        return Found::Key(key);
    }
    if has_keys_below(path) {
        return Found::Section;
    }
    let covers = |short: &str| {
        let key = *TABLE.keys.get(short)?;
        let is_covered = key.form.covers(&path[short.len()..]) && !has_keys_below(short);
        is_covered.then_some(key)
    };
    above(path)
        .find_map(covers)
        .map_or(Found::Nothing, Found::Key)
}

/// The paths in which a path lies.
fn above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices(['.', '[']);
    ends.map(|(end, _)| &path[..end])
}

/// Whether a name has what stands between the names of a path, so that it is none itself.
pub(super) fn has_separators(name: &str) -> bool {
    name.contains(['.', '[', ']'])
}

/// Whether keys lie below this path, so that nothing else may.
pub(super) fn has_keys_below(path: &str) -> bool {
    TABLE.above.contains(path)
}

/// The key that says what becomes of `key`: itself, or the one above of which it is a part.
pub(super) fn decider(key: &'static Key) -> &'static Key {
    if !matches!(key.fate, Fate::Part) {
        return key;
    }
    all()
        .filter(|above| !matches!(above.fate, Fate::Part) && is_below(key.path, above.path))
        .max_by_key(|above| above.path.len())
        .unwrap_or(key)
}

pub(super) fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The known path that an unknown one was probably meant to be.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let (below, name) = path.rsplit_once('.').unwrap_or(("", path));
    if name.len() > LONGEST_NAME {
        return None;
    }
    let siblings = all().filter_map(|key| sibling(key.path, below));
    let near = siblings
        .filter_map(|candidate| Some((distance(last(candidate), name)?, candidate)))
        .min_by_key(|(distance, _)| *distance);
    // The right key in the wrong section: in one nearby, and the one that people write most lies least deep.
    let section = path.split('.').next();
    let elsewhere = || {
        all()
            .filter(|key| matches!(key.fate, Fate::Works))
            .map(|key| key.path)
            .filter(|known| last(known) == name.to_lowercase())
            .min_by_key(|known| {
                let is_far = known.split('.').next() != section;
                (is_far, known.matches('.').count())
            })
    };
    near.map(|(_, candidate)| candidate).or_else(elsewhere)
}

/// How far a name is from a known one, if it is near enough to be meant.
fn distance(known: &str, name: &str) -> Option<usize> {
    let plain: String = name
        .chars()
        .filter(|character| !matches!(character, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect();
    let slips = SLIPS.min(known.len() / 2);
    let begins = plain.len() >= 3 && (known.starts_with(&plain) || plain.starts_with(known));
    let letters = plain.chars().count();
    if !begins && known.len().abs_diff(letters) > slips {
        return None;
    }
    let distance = strsim::osa_distance(known, &plain);
    (distance <= slips || begins).then_some(distance)
}

fn last(path: &str) -> &str {
    let name = path.rsplit('.').next().unwrap_or(path);
    name.trim_end_matches("[]")
}

/// The part of `known` that lies directly in the section `below`.
fn sibling(known: &'static str, below: &str) -> Option<&'static str> {
    let start = if below.is_empty() {
        0
    } else {
        let rest = known.strip_prefix(below)?.strip_prefix('.')?;
        known.len() - rest.len()
    };
    let length = known[start..]
        .find(['.', '['])
        .map_or(known.len(), |end| start + end);
    Some(&known[..length])
}
