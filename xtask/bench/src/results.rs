//! What all runs came to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    contender::Contender,
    scenario::{Figures, figure},
};

/// One server in one scenario: each figure with its value in each run.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) figures: BTreeMap<&'static str, Vec<f64>>,
    /// Why runs came to nothing.
    pub(crate) errors: Vec<String>,
}

/// All cells, by scenario.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Results(BTreeMap<&'static str, BTreeMap<Contender, Cell>>);

impl Cell {
    fn add(&mut self, outcome: anyhow::Result<Figures>) {
        match outcome {
            Ok(figures) => {
                for (name, value) in figures {
                    self.figures.entry(name).or_default().push(value);
                }
            }
            Err(error) => self.errors.push(format!("{error:#}")),
        }
    }

    /// The median of the runs.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        median(self.figures.get(name)?.clone())
    }

    /// How far the runs are apart: the highest over the lowest.
    pub(crate) fn spread(&self, name: &str) -> Option<f64> {
        let values = self.figures.get(name)?;
        let (lowest, highest) = values
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        (lowest > 0.0).then(|| highest / lowest)
    }

    /// Faults of all runs together: a median would hide one.
    pub(crate) fn faults(&self) -> f64 {
        [figure::FAULTS, figure::UNANSWERED]
            .iter()
            .filter_map(|name| self.figures.get(name))
            .flatten()
            .sum()
    }
}

impl Results {
    pub(crate) fn add(&mut self, key: &'static str, contender: Contender, outcome: anyhow::Result<Figures>) {
        let row = self.0.entry(key).or_default();
        row.entry(contender).or_default().add(outcome);
    }

    pub(crate) fn cell(&self, key: &str, contender: Contender) -> Option<&Cell> {
        self.0.get(key)?.get(&contender)
    }

    pub(crate) fn row(&self, key: &str) -> impl Iterator<Item = (Contender, &Cell)> {
        let row = self.0.get(key).into_iter().flatten();
        row.map(|(contender, cell)| (*contender, cell))
    }

    /// The median of a figure.
    pub(crate) fn median(&self, key: &str, contender: Contender, name: &str) -> Option<f64> {
        self.cell(key, contender)?.median(name)
    }
}

/// The middle one, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values.get(middle.checked_sub(1)?).copied()?, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(values: &[f64]) -> Cell {
        let mut cell = Cell::default();
        for value in values {
            cell.add(Ok(Figures::from([(figure::SENDS, *value)])));
        }
        cell
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(cell(&[3.0, 1.0, 2.0]).median(figure::SENDS), Some(2.0));
        assert_eq!(cell(&[4.0, 1.0]).median(figure::SENDS), Some(2.5));
        assert_eq!(cell(&[]).median(figure::SENDS), None);
        assert_eq!(cell(&[2.0, 1.0, 4.0]).spread(figure::SENDS), Some(4.0));
    }

    #[test]
    fn one_fault_is_enough() {
        let mut cell = Cell::default();
        for faults in [0.0, 0.0, 3.0] {
            cell.add(Ok(Figures::from([(figure::FAULTS, faults)])));
        }
        assert_eq!(cell.median(figure::FAULTS), Some(0.0));
        assert!((cell.faults() - 3.0).abs() < f64::EPSILON);
    }
}
