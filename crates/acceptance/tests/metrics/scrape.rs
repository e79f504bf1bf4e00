//! The text format of Prometheus, read as far as tests need it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use boxyard_testkit::Client;

/// What one scrape has brought.
#[derive(Debug)]
pub(crate) struct Scrape {
    text: String,
}

/// What is the same in every scrape about one metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    /// The bounds of a histogram.
    pub(crate) bounds: BTreeSet<String>,
}

impl Scrape {
    #[track_caller]
    pub(crate) fn of(address: SocketAddr) -> Self {
        let answer = Client::at(address).get("/metrics").expect(200);
        assert!(answer.required("content-type").starts_with("text/plain"));
        Self {
            text: answer.text(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The value of exactly this metric with these labels, as they are written.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.samples().find_map(|(found, value)| {
            (found == series).then(|| value.parse().expect("a value is a number"))
        })
    }

    /// The same of a metric that must be there.
    #[track_caller]
    pub(crate) fn required(&self, series: &str) -> f64 {
        self.value(series)
            .unwrap_or_else(|| panic!("no `{series}` in:\n{}", self.text))
    }

    /// The names of all metrics, whether or not there is a value.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let kinds = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        kinds
            .filter_map(|kind| Some(kind.split_once(' ')?.0.to_owned()))
            .collect()
    }

    /// The shape of every metric whose name begins like this.
    pub(crate) fn shapes(&self, prefix: &str) -> BTreeMap<String, Shape> {
        let mut shapes = BTreeMap::new();
        for line in self.text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ")
                && let Some((name, kind)) = kind.split_once(' ')
                && name.starts_with(prefix)
            {
                shapes.insert(
                    name.to_owned(),
                    Shape {
                        kind: kind.to_owned(),
                        labels: BTreeSet::new(),
                        bounds: BTreeSet::new(),
                    },
                );
            }
        }
        for (series, _) in self.samples() {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .find(|family| shapes.contains_key(*family))
                .unwrap_or(name);
            let Some(shape) = shapes.get_mut(family) else {
                continue;
            };
            for (label, value) in pairs(labels.trim_end_matches('}')) {
                if label == "le" {
                    let bound: f64 = value.parse().unwrap_or(f64::INFINITY);
                    shape.bounds.insert(bound.to_string());
                } else {
                    shape.labels.insert(label.to_owned());
                }
            }
        }
        shapes
    }

    /// The values that a label has in the samples of this name.
    pub(crate) fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        let of_name = self.samples().filter_map(|(series, _)| {
            let (found, labels) = series.split_once('{')?;
            (found == name).then_some(labels.trim_end_matches('}'))
        });
        let labels = of_name.flat_map(pairs);
        let values = labels.filter(|(found, _)| *found == label);
        values.map(|(_, value)| value.to_owned()).collect()
    }

    fn samples(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit_once(' '))
    }
}

/// The labels of a series; none of ours has a comma in its value.
fn pairs(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    labels.split(',').filter_map(|pair| {
        let (label, value) = pair.split_once('=')?;
        Some((label, value.trim_matches('"')))
    })
}
