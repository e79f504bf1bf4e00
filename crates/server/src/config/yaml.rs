//! From YAML to a tree.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::files::ReadValue;
use super::node::{Node, Origin, Value};
use super::problem::{Problem, shown};

/// How deep a configuration may nest.
const DEPTH: usize = 32;
/// How many values it may have, aliases counted as often as they are used.
const NODES: usize = 100_000;
/// How long its texts may be together, in bytes, counted in the same way.
const BYTES: usize = 4 << 20;

/// Why a text is not taken as a configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum YamlError {
    /// It is not YAML.
    #[error("this is not YAML: {}", .0.info())]
    Syntax(#[source] ScanError),
    /// A key is a list or a map.
    #[error("a key must be a text")]
    Key { line: usize },
    /// An alias names nothing that came before.
    #[error("the alias names nothing")]
    Alias { line: usize },
    /// It is too deep, or expands to too much.
    #[error("the configuration is larger than any sensible one")]
    TooLarge { line: usize },
    /// There is more than one document.
    #[error("a configuration is one document")]
    Documents { line: usize },
}

impl YamlError {
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Syntax(error) => error.marker().line(),
            Self::Key { line }
            | Self::Alias { line }
            | Self::TooLarge { line }
            | Self::Documents { line } => *line,
        }
    }
}

/// Where a text comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Writer<'a> {
    /// It holds without a file.
    Defaults,
    File,
    /// The variable of this name.
    Variable(&'a str),
}

/// Whose text is read, and what it may name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) writer: Writer<'a>,
    /// How the files of `!file` are read.
    pub(super) files: ReadValue,
}

/// What a text comes to.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    /// What is wrong with it, and hides nothing else that is.
    pub(super) problems: Vec<Problem>,
}

/// Reads one document; an empty one is null.
///
/// Nodes say that they come from the variable, or from their line.
pub(super) fn parse(text: &str, source: Source<'_>) -> Result<Document, YamlError> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        source,
        weight: Weight::default(),
        problems: Vec::new(),
    };
    let mut root = None;
    while let Some((event, line)) = reader.next()? {
        match event {
            Event::DocumentStart(_) if root.is_some() => {
                return Err(YamlError::Documents { line });
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Nothing => {}
            first => root = Some(reader.node(first, line, 0)?),
        }
    }
    let nothing = Node::null(reader.origin(1));
    Ok(Document {
        root: root.unwrap_or(nothing),
        problems: reader.problems,
    })
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    source: Source<'a>,
    weight: Weight,
    problems: Vec<Problem>,
}

/// How much memory something takes, about.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

impl Weight {
    fn of(node: &Node) -> Self {
        let mut weight = Self { nodes: 1, bytes: 0 };
        match &node.value {
            Value::Null => {}
            Value::Scalar(text) => weight.bytes += text.len(),
            Value::List(items) => items.iter().for_each(|item| weight.add(Self::of(item))),
            Value::Map(entries) => {
                for (key, node) in entries {
                    weight.bytes += key.len();
                    weight.add(Self::of(node));
                }
            }
        }
        weight
    }

    fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }

    fn is_too_much(self) -> bool {
        self.nodes > NODES || self.bytes > BYTES
    }
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, YamlError> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, line_of(span)))),
            Some(Err(error)) => Err(YamlError::Syntax(error)),
        }
    }

    /// The next event inside a list or a map; the parser has seen to it that there is one.
    fn inside(&mut self, line: usize) -> Result<(Event<'a>, usize), YamlError> {
        Ok(self.next()?.unwrap_or((Event::Nothing, line)))
    }

    fn origin(&self, line: usize) -> Origin {
        match self.source.writer {
            Writer::Defaults => Origin::Default,
            Writer::File => Origin::Line(line),
            Writer::Variable(name) => Origin::Variable(name.into()),
        }
    }

    /// Counts what is about to be kept, as long as there is room for it.
    fn weigh(&mut self, weight: Weight, line: usize) -> Result<(), YamlError> {
        self.weight.add(weight);
        if self.weight.is_too_much() {
            return Err(YamlError::TooLarge { line });
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, YamlError> {
        if depth > DEPTH {
            return Err(YamlError::TooLarge { line });
        }
        let (node, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line),
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), line);
                self.weigh(Weight::of(&node), line)?;
                (node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.weigh(Weight { nodes: 1, bytes: 0 }, line)?;
                self.no_tag(tag.as_deref(), line);
                let value = self.list(line, depth)?;
                (Node::new(self.origin(line), value), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.weigh(Weight { nodes: 1, bytes: 0 }, line)?;
                self.no_tag(tag.as_deref(), line);
                let value = self.map(line, depth)?;
                (Node::new(self.origin(line), value), anchor)
            }
            _ => (Node::null(self.origin(line)), 0),
        };
        if anchor != 0 {
            // It is kept twice.
            self.weigh(Weight::of(&node), line)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Node, YamlError> {
        let node = self.anchors.get(&anchor).ok_or(YamlError::Alias { line })?;
        let node = node.clone();
        self.weigh(Weight::of(&node), line)?;
        Ok(node)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Node {
        let origin = self.origin(line);
        match tag {
            Some(tag) if tag.handle == "!" && tag.suffix == "file" => self.file(text, origin),
            Some(tag) if is_local(tag) => {
                self.unknown_tag(tag, origin.clone());
                Node::null(origin)
            }
            _ => Node::new(origin, value(text, style == ScalarStyle::Plain)),
        }
    }

    /// Lists and maps come from no file.
    fn no_tag(&mut self, tag: Option<&Tag>, line: usize) {
        let Some(tag) = tag.filter(|tag| is_local(tag)) else {
            return;
        };
        if tag.suffix == "file" {
            let message = "`!file` must be followed by the path of a file";
            let origin = self.origin(line);
            self.problems.push(Problem::new(origin, message));
        } else {
            self.unknown_tag(tag, self.origin(line));
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, origin: Origin) {
        let name = shown(&format!("!{}", tag.suffix));
        let message = format!("unknown tag {name}: only `!file` is known");
        self.problems.push(Problem::mild(origin, message));
    }

    /// The text that a file holds, so that a secret need not stand in the configuration.
    fn file(&mut self, name: &str, origin: Origin) -> Node {
        let path = PathBuf::from(name);
        match read(self.source.files, &path) {
            Ok(text) => Node {
                origin,
                value: Value::Scalar(text),
                file: Some(path),
            },
            Err(message) => {
                self.problems.push(Problem::new(origin.clone(), message));
                Node::null(origin)
            }
        }
    }

    fn list(&mut self, line: usize, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.inside(line)? {
                (Event::SequenceEnd | Event::Nothing, _) => return Ok(Value::List(items)),
                (event, line) => items.push(self.node(event, line, depth + 1)?),
            }
        }
    }

    fn map(&mut self, line: usize, depth: usize) -> Result<Value, YamlError> {
        let mut entries = Entries::default();
        let mut merged = Vec::new();
        loop {
            let (key, line) = match self.inside(line)? {
                (Event::MappingEnd | Event::Nothing, _) => break,
                (Event::Scalar(text, ..), line) => (text.into_owned(), line),
                (_, line) => return Err(YamlError::Key { line }),
            };
            let bytes = key.len();
            self.weigh(Weight { nodes: 0, bytes }, line)?;
            let (event, value_line) = self.inside(line)?;
            let mut node = self.node(event, value_line, depth + 1)?;
            if key == "<<" {
                if !is_mergeable(&node) {
                    let message = "`<<` takes a map, or a list of maps";
                    let origin = self.origin(line);
                    self.problems.push(Problem::new(origin, message));
                }
                merged.push(node);
                continue;
            }
            // People look for the key; a map begins a line after it.
            node.origin = self.origin(line);
            if let Some(first) = entries.put(&key, node) {
                let origin = self.origin(line);
                let message = format!("key {} is there twice, first in {first}", shown(&key));
                self.problems.push(Problem::mild(origin, message));
            }
        }
        for (key, node) in merged.iter().flat_map(merged_entries) {
            if !entries.places.contains_key(key) {
                entries.put(key, node.clone());
            }
        }
        Ok(Value::Map(entries.list))
    }
}

/// The entries of a map in their order; the last one of a name counts, as for distribution.
#[derive(Default)]
struct Entries {
    list: Vec<(String, Node)>,
    places: HashMap<String, usize>,
}

impl Entries {
    /// Answers where the key was before, if it was.
    fn put(&mut self, key: &str, node: Node) -> Option<Origin> {
        if let Some(place) = self.places.get(key) {
            let (_, before) = &mut self.list[*place];
            return Some(std::mem::replace(before, node).origin);
        }
        self.places.insert(key.to_owned(), self.list.len());
        self.list.push((key.to_owned(), node));
        None
    }
}

/// Reads the file of a value, or says why not.
pub(super) fn read(files: ReadValue, path: &Path) -> Result<String, String> {
    files(path).map_err(|error| format!("the file `{}`: {error}", path.display()))
}

/// What a merge key brings in: one map, or several in a list.
fn merged_entries(node: &Node) -> Vec<&(String, Node)> {
    let maps = node.items().iter().chain([node]);
    maps.flat_map(Node::entries).collect()
}

fn value(text: &str, plain: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        text => Value::Scalar(text.to_owned()),
    }
}

/// Whether a tag is ours or nobody's; `!!str` and its like say only what a value is anyway.
fn is_local(tag: &Tag) -> bool {
    tag.handle == "!" && !tag.suffix.is_empty()
}

fn is_mergeable(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Map(_) => true,
        Value::Scalar(_) => false,
        Value::List(items) => items.iter().all(|item| matches!(item.value, Value::Map(_))),
    }
}

fn line_of(span: Span) -> usize {
    span.start.line()
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::*;

    fn parse(text: &str) -> Result<Node, YamlError> {
        document(text).map(|document| document.root)
    }

    fn document(text: &str) -> Result<Document, YamlError> {
        let source = Source {
            writer: Writer::File,
            files: files::value,
        };
        super::parse(text, source)
    }

    fn line(node: &Node, path: &str) -> usize {
        match node.at(path).unwrap().origin {
            Origin::Line(line) => line,
            Origin::Default | Origin::Variable(_) => 0,
        }
    }

    fn text(node: &Node, path: &str) -> String {
        match &node.at(path).unwrap().value {
            Value::Scalar(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_key_knows_its_line() {
        let tree =
            parse("version: 0.1\nlog:\n  fields:\n    service: registry\nhttp: {addr: ':5000'}\n")
                .unwrap();

        assert_eq!(text(&tree, "version"), "0.1");
        assert_eq!(text(&tree, "http.addr"), ":5000");
        assert_eq!(line(&tree, "log"), 2);
        assert_eq!(line(&tree, "log.fields.service"), 4);
        assert_eq!(line(&tree, "http.addr"), 5);
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_with_both_lines_and_the_last_one_counts() {
        let document = document("a: 1\nb: 2\na: 3\n").unwrap();

        assert_eq!(text(&document.root, "a"), "3");
        assert_eq!(
            document.problems[0].to_string(),
            "line 3: key `a` is there twice, first in line 1"
        );
    }

    #[test]
    fn a_value_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cr3t\n").unwrap();

        let document = document(&format!(
            "a: !file {}\nb: [!file '/no/such/file']\nc: !flie /x\n",
            path.display()
        ))
        .unwrap();

        assert_eq!(text(&document.root, "a"), "s3cr3t");
        assert_eq!(document.root.at("a").unwrap().file.as_ref(), Some(&path));
        let problems: Vec<_> = document.problems.iter().map(ToString::to_string).collect();
        assert!(
            problems[0].starts_with("line 2: the file `/no/such/file`: it cannot be read"),
            "{problems:?}"
        );
        assert_eq!(
            problems[1],
            "line 3: unknown tag `!flie`: only `!file` is known"
        );
    }

    #[test]
    fn aliases_and_merge_keys_are_filled_in() {
        let tree = parse("a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  l: 3\n").unwrap();

        assert_eq!(text(&tree, "b.k"), "1");
        assert_eq!(text(&tree, "c.k"), "1");
        assert_eq!(text(&tree, "c.l"), "3");
    }

    #[test]
    fn aliases_cannot_blow_it_up() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
        }

        assert!(matches!(parse(&bomb), Err(YamlError::TooLarge { .. })));
    }

    #[test]
    fn one_long_text_cannot_blow_it_up_either() {
        let text = "x".repeat(500_000);
        let aliases = vec!["*a"; 10_000].join(", ");

        let error = parse(&format!("a: &a {text}\nb: [{aliases}]\n"));

        assert!(matches!(error, Err(YamlError::TooLarge { .. })));
    }

    #[test]
    fn what_cannot_be_merged_or_read_from_a_file_is_told() {
        let document = document("a: {<<: 1}\nb: !file [x]\nc: !other {x: y}\n").unwrap();

        let problems: Vec<_> = document.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 1: `<<` takes a map, or a list of maps",
                "line 2: `!file` must be followed by the path of a file",
                "line 3: unknown tag `!other`: only `!file` is known",
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();

        assert!(error.line() >= 2, "{error}");
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "# nothing\n", "---\n"] {
            assert_eq!(parse(text).unwrap().value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(parse(&"[".repeat(1_000)).is_err());
    }
}
