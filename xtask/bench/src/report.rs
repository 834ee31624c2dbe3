//! The table, for people.

use std::fmt::Write as _;

use crate::{
    contender::{Contender, Store},
    goals::Verdict,
    results::{Cell, Results},
    scenario::{Scenario, figure},
};

/// The columns.
const CONTENDERS: [Contender; 9] = [
    Contender::Sealroom(Store::Full),
    Contender::Sealroom(Store::Postgres),
    Contender::Node(Store::Full),
    Contender::Node(Store::Normal),
    Contender::Node(Store::Postgres),
    Contender::Guide(Store::Full),
    Contender::Guide(Store::Postgres),
    Contender::Bare,
    Contender::Raw,
];

/// Which figures of a scenario are worth a row.
fn shown(key: &str) -> &'static [&'static str] {
    match key {
        "pairs-1" | "pairs-16" | "pairs-16-ids" => &[figure::SENDS],
        "fan-1" => &[figure::DELIVERIES, figure::CPU],
        "fan-12" => &[figure::DELIVERIES],
        "rate" => &[figure::ACK_P50, figure::ACK_P99],
        "crowd" | "crowd-stuck" => &[figure::DELIVERY_P99],
        "connects" => &[figure::CONNECTS, figure::MEMORY],
        "restart" => &[figure::SECONDS],
        _ => &[figure::CPU],
    }
}

/// The medians of everything, as Markdown.
pub(crate) fn table(scenarios: &[Scenario], results: &Results) -> String {
    let mut text = String::from("| load | figure |");
    for contender in CONTENDERS {
        let _ = write!(text, " {contender} |");
    }
    text.push_str("\n|---|---|");
    text.push_str(&"--:|".repeat(CONTENDERS.len()));
    text.push('\n');
    for scenario in scenarios {
        for (index, name) in shown(scenario.key).iter().enumerate() {
            let title = if index == 0 { scenario.title } else { "" };
            let _ = write!(text, "| {title} | {name} |");
            for contender in CONTENDERS {
                let cell = results.cell(scenario.key, contender);
                let _ = write!(
                    text,
                    " {} |",
                    cell.map_or_else(String::new, |cell| entry(cell, name))
                );
            }
            text.push('\n');
        }
    }
    text
}

fn entry(cell: &Cell, name: &str) -> String {
    let Some(median) = cell.median(name) else {
        return if cell.errors.is_empty() { "" } else { "fails" }.to_owned();
    };
    let mark = if cell.faults() > 0.0 { " †" } else { "" };
    format!("{}{mark}", number(median))
}

/// Three or more digits, in groups of three.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 {
        let digits = if value < 10.0 { 2 } else { 1 };
        return format!("{value:.digits$}");
    }
    let whole = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What was asked, as Markdown.
pub(crate) fn goals(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| goal | what | measured | asked | |\n|---|---|--:|---|---|\n");
    for verdict in verdicts {
        let measured = verdict.measured.map_or_else(|| "none".to_owned(), number);
        let holds = if verdict.holds { "holds" } else { "missed" };
        let _ = writeln!(
            text,
            "| {} | {} | {measured} | {} | {holds} |",
            verdict.goal, verdict.what, verdict.asked
        );
    }
    text
}

/// What went wrong, and how far runs are apart.
pub(crate) fn remarks(scenarios: &[Scenario], results: &Results) -> String {
    let mut text = String::new();
    let mut spreads = Vec::new();
    for scenario in scenarios {
        for (contender, cell) in results.row(scenario.key) {
            for error in &cell.errors {
                let _ = writeln!(text, "- {}: {contender}: {error}", scenario.key);
            }
            if cell.faults() > 0.0 {
                let sum = |name| cell.figures.get(name).map_or(0.0, |all| all.iter().sum::<f64>());
                let (faults, unanswered) = (sum(figure::FAULTS), sum(figure::UNANSWERED));
                let _ = writeln!(
                    text,
                    "- {}: {contender}: {faults:.0} deliveries {}, {unanswered:.0} requests {}",
                    scenario.key,
                    figure::FAULTS,
                    figure::UNANSWERED
                );
            }
            spreads.extend(shown(scenario.key).iter().filter_map(|name| cell.spread(name)));
        }
    }
    spreads.sort_by(f64::total_cmp);
    let at = |share: usize| {
        spreads
            .get((spreads.len().saturating_sub(1)) * share / 100)
            .copied()
    };
    if let (Some(half), Some(most)) = (at(50), at(90)) {
        let _ = writeln!(
            text,
            "- The highest run of a cell is {half:.2} times its lowest for half of the cells, and up to {most:.2} times for nine of ten."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.123, "0.12"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1 234"),
            (1_234_567.0, "1 234 567"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
