//! Reads `/metrics` as Prometheus does, strictly: the text format 0.0.4.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use sealroom_testkit::client::http;

/// The labels of a series, without that of its bucket.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// One scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// By the name of the family.
    pub(crate) families: BTreeMap<String, Family>,
}

#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    pub(crate) async fn of(address: SocketAddr) -> Self {
        let page = http::request(address, "GET", "/metrics", None, None)
            .await
            .unwrap();
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("Content-Type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        Self::parse(&page.text())
    }

    pub(crate) fn parse(page: &str) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (keyword, name, text) = (
                    words.next().unwrap(),
                    words.next().unwrap(),
                    words.next().unwrap(),
                );
                let family = families.entry(name.to_owned()).or_default();
                assert!(family.samples.is_empty(), "samples before {line}");
                let field = match keyword {
                    "HELP" => &mut family.help,
                    "TYPE" => &mut family.kind,
                    _ => panic!("{line}"),
                };
                assert!(field.is_empty() && !text.is_empty(), "twice, or empty: {line}");
                text.clone_into(field);
                continue;
            }
            let sample = sample(line);
            let family = families
                .iter_mut()
                .find(|(name, family)| family.has(name, &sample.name));
            let (_, family) = family.unwrap_or_else(|| panic!("a sample without a TYPE: {line}"));
            family.samples.push(sample);
        }
        Self { families }
    }

    /// The value of the only series with these labels. Histograms are asked for by the names of their series.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels)
            .unwrap_or_else(|| panic!("no {name} {labels:?} in {:#?}", self.families.keys()))
    }

    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let found: Vec<_> = samples
            .filter(|sample| sample.name == name && sample.has(labels))
            .collect();
        assert!(found.len() < 2, "{name} {labels:?} is several series");
        Some(found.first()?.value)
    }

    /// The sum of all series of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples
            .filter(|sample| sample.name == name)
            .map(|sample| sample.value)
            .sum()
    }

    /// The names of a family's labels, without that of buckets.
    pub(crate) fn labels(&self, family: &str) -> BTreeSet<&str> {
        let samples = self.families[family].samples.iter();
        let names = samples.flat_map(|sample| sample.labels.keys());
        names.map(String::as_str).filter(|name| *name != "le").collect()
    }

    /// The values of all labels, without buckets' bounds.
    pub(crate) fn label_values(&self) -> BTreeSet<&str> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let labels = samples.flat_map(|sample| &sample.labels);
        labels
            .filter(|(name, _)| *name != "le")
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The names under which series can be asked for.
    pub(crate) fn series(&self) -> BTreeSet<&str> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.map(|sample| sample.name.as_str()).collect()
    }

    /// Checks what a histogram promises: buckets that grow up to the count.
    pub(crate) fn check_histograms(&self) {
        let histograms = self
            .families
            .iter()
            .filter(|(_, family)| family.kind == "histogram");
        for (name, family) in histograms {
            let mut buckets: BTreeMap<Labels<'_>, Vec<(f64, f64)>> = BTreeMap::new();
            for sample in &family.samples {
                let mut labels = sample.labels.iter();
                let others = labels
                    .by_ref()
                    .filter(|(name, _)| *name != "le")
                    .map(|(name, value)| (name.as_str(), value.as_str()));
                let others: Vec<_> = others.collect();
                if let Some(bound) = sample.labels.get("le") {
                    let bound = if bound == "+Inf" {
                        f64::INFINITY
                    } else {
                        bound.parse().unwrap()
                    };
                    buckets.entry(others).or_default().push((bound, sample.value));
                }
            }
            for (labels, buckets) in buckets {
                assert!(buckets.is_sorted(), "{name} {labels:?}");
                let last = buckets.last().unwrap();
                assert_eq!(last.0, f64::INFINITY);
                assert_eq!(last.1, self.value(&format!("{name}_count"), &labels));
            }
        }
    }
}

impl Family {
    fn has(&self, name: &str, series: &str) -> bool {
        match (self.kind.as_str(), series.strip_prefix(name)) {
            (_, Some("")) => self.kind != "histogram",
            ("histogram", Some("_bucket" | "_sum" | "_count")) => true,
            _ => false,
        }
    }
}

impl Sample {
    fn has(&self, labels: &[(&str, &str)]) -> bool {
        let is_there =
            |(name, value): &(&str, &str)| self.labels.get(*name).is_some_and(|found| found == value);
        labels.iter().all(is_there)
    }
}

/// `name{label="value",…} value`
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    assert!(is_name(name), "{line}");
    let labels = labels
        .split_terminator("\",")
        .map(|pair| {
            let (label, value) = pair.trim_end_matches('"').split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            (label.to_owned(), value.to_owned())
        })
        .collect();
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}
