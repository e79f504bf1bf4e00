//! From YAML to a tree.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError, Span};

use super::node::{Node, Origin, Value};

/// How deep a configuration may nest.
const DEPTH: usize = 32;
/// How many values it may have, aliases counted as often as they are used.
const NODES: usize = 100_000;

/// Why a text is not taken as a configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum YamlError {
    /// It is not YAML.
    #[error("this is not YAML: {}", .0.info())]
    Syntax(#[source] ScanError),
    /// A key is there twice, and only one of them could count.
    #[error("key `{key}` is there twice, first in line {first}")]
    Twice {
        key: String,
        first: usize,
        line: usize,
    },
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
            Self::Twice { line, .. }
            | Self::Key { line }
            | Self::Alias { line }
            | Self::TooLarge { line }
            | Self::Documents { line } => *line,
        }
    }
}

/// Reads one document; an empty one is null.
///
/// Nodes say that they come from `variable`, or from their line.
pub(super) fn parse(text: &str, variable: Option<&str>) -> Result<Node, YamlError> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        variable,
        nodes: 0,
    };
    let mut document = None;
    while let Some((event, line)) = reader.next()? {
        match event {
            Event::DocumentStart(_) if document.is_some() => {
                return Err(YamlError::Documents { line });
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Nothing => {}
            first => document = Some(reader.node(first, line, 0)?),
        }
    }
    let nothing = Node::null(reader.origin(1));
    Ok(document.unwrap_or(nothing))
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    variable: Option<&'a str>,
    nodes: usize,
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
        match self.variable {
            Some(name) => Origin::Variable(name.to_owned()),
            None => Origin::Line(line),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, YamlError> {
        self.nodes += 1;
        if depth > DEPTH || self.nodes > NODES {
            return Err(YamlError::TooLarge { line });
        }
        let (value, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line),
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain;
                (scalar(&text, plain), anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(line, depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(line, depth)?, anchor),
            _ => (Value::Null, 0),
        };
        let node = Node {
            origin: self.origin(line),
            value,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Node, YamlError> {
        let node = self.anchors.get(&anchor).ok_or(YamlError::Alias { line })?;
        self.nodes += count(node);
        if self.nodes > NODES {
            return Err(YamlError::TooLarge { line });
        }
        Ok(node.clone())
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
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (key, line) = match self.inside(line)? {
                (Event::MappingEnd | Event::Nothing, _) => break,
                (Event::Scalar(text, ..), line) => (text.into_owned(), line),
                (_, line) => return Err(YamlError::Key { line }),
            };
            let (event, value_line) = self.inside(line)?;
            let mut node = self.node(event, value_line, depth + 1)?;
            if key == "<<" {
                merged.push(node);
                continue;
            }
            // People look for the key; a map begins a line after it.
            node.origin = self.origin(line);
            if let Some((_, first)) = entries.iter().find(|(name, _)| *name == key) {
                let Origin::Line(first) = first.origin else {
                    return Err(YamlError::Key { line });
                };
                return Err(YamlError::Twice { key, first, line });
            }
            entries.push((key, node));
        }
        for (key, node) in merged.iter().flat_map(merged_entries) {
            if entries.iter().all(|(name, _)| name != key) {
                entries.push((key.clone(), node.clone()));
            }
        }
        Ok(Value::Map(entries))
    }
}

/// What a merge key brings in: one map, or several in a list.
fn merged_entries(node: &Node) -> Vec<&(String, Node)> {
    let maps = node.items().iter().chain([node]);
    maps.flat_map(Node::entries).collect()
}

fn scalar(text: &str, plain: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        text => Value::Scalar(text.to_owned()),
    }
}

fn count(node: &Node) -> usize {
    let inside = node
        .entries()
        .iter()
        .map(|(_, node)| node)
        .chain(node.items());
    1 + inside.map(count).sum::<usize>()
}

fn line_of(span: Span) -> usize {
    span.start.line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(node: &Node, path: &str) -> usize {
        match node.at(path).unwrap().origin {
            Origin::Line(line) => line,
            Origin::Variable(_) => 0,
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
        let tree = parse(
            "version: 0.1\nlog:\n  fields:\n    service: registry\nhttp: {addr: ':5000'}\n",
            None,
        )
        .unwrap();

        assert_eq!(text(&tree, "version"), "0.1");
        assert_eq!(text(&tree, "http.addr"), ":5000");
        assert_eq!(line(&tree, "log"), 2);
        assert_eq!(line(&tree, "log.fields.service"), 4);
        assert_eq!(line(&tree, "http.addr"), 5);
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_with_both_lines() {
        let error = parse("a: 1\nb: 2\na: 3\n", None).unwrap_err();

        assert_eq!(error.line(), 3);
        assert_eq!(error.to_string(), "key `a` is there twice, first in line 1");
    }

    #[test]
    fn aliases_and_merge_keys_are_filled_in() {
        let tree = parse("a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  l: 3\n", None).unwrap();

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

        assert!(matches!(
            parse(&bomb, None),
            Err(YamlError::TooLarge { .. })
        ));
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n", None).unwrap_err();

        assert!(error.line() >= 2, "{error}");
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "# nothing\n", "---\n"] {
            assert_eq!(parse(text, None).unwrap().value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(parse(&"[".repeat(1_000), None).is_err());
    }
}
