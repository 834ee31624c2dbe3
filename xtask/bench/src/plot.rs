//! The plots, as SVG.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    growth::Curve,
    report::number,
    results::Results,
    scenario::{Scenario, figure},
};

const WIDTH: u32 = 760;
const BAR: u32 = 30;
const AROUND: u32 = 90;
const NAMES: u32 = 180;
const FONT: &str = "sans-serif";
const OURS: RGBColor = RGBColor(31, 119, 180);
const THEIRS: RGBColor = RGBColor(170, 170, 170);

/// Scenarios whose figure is worth a look: bars of all contenders.
const BARS: [(&str, &str); 7] = [
    ("pairs-1", figure::SENDS),
    ("pairs-16", figure::SENDS),
    ("fan-1", figure::DELIVERIES),
    ("fan-12", figure::DELIVERIES),
    ("rate", figure::ACK_P50),
    ("connects", figure::CONNECTS),
    ("connects", figure::MEMORY),
];

/// Draws bars for the scenarios that were played, into this folder.
pub(crate) fn bars(folder: &Path, scenarios: &[Scenario], results: &Results) -> anyhow::Result<()> {
    for (key, name) in BARS {
        let Some(scenario) = scenarios.iter().find(|scenario| scenario.key == key) else {
            continue;
        };
        let bars: Vec<_> = results
            .row(key)
            .filter_map(|(contender, cell)| {
                Some((contender.to_string(), contender.is_ours(), cell.median(name)?))
            })
            .collect();
        // One alone is compared with nobody.
        if bars.len() < 2 {
            continue;
        }
        let what = if name == figure::MEMORY { "memory" } else { key };
        let path = folder.join(format!("{what}.svg"));
        draw_bars(&path, &format!("{}: {name}", scenario.title), &bars)
            .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    Ok(())
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_bars(path: &Path, title: &str, bars: &[(String, bool, f64)]) -> Drawn {
    let count = bars.len();
    let height = AROUND + BAR * u32::try_from(count)?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let longest = bars.iter().map(|(_, _, value)| *value).fold(0.0, f64::max);
    // The first contender is on top.
    let place = |index: usize| count - 1 - index;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 16))
        .margin(10)
        .x_label_area_size(26)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(0.0..longest * 1.18, (0..count - 1).into_segmented())?;
    let name = |value: &SegmentValue<usize>| match value {
        SegmentValue::CenterOf(at) | SegmentValue::Exact(at) => bars
            .get(place(*at))
            .map_or_else(String::new, |(name, ..)| name.clone()),
        SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .max_light_lines(1)
        .x_labels(6)
        .y_labels(count)
        .y_label_formatter(&name)
        .x_label_formatter(&|value| number(*value))
        .label_style((FONT, 13))
        .draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(index, (_, is_ours, value))| {
        let at = place(index);
        let mut bar = Rectangle::new(
            [
                (0.0, SegmentValue::Exact(at)),
                (*value, SegmentValue::Exact(at + 1)),
            ],
            if *is_ours { OURS } else { THEIRS }.filled(),
        );
        bar.set_margin(4, 4, 0, 0);
        bar
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(index, (_, _, value))| {
        Text::new(
            format!(" {}", number(*value)),
            (*value, SegmentValue::CenterOf(place(index))),
            (FONT, 13)
                .into_text_style(&root)
                .pos(Pos::new(HPos::Left, VPos::Center)),
        )
    }))?;
    root.present()?;
    Ok(())
}

/// Draws what a thing costs against its size, into this folder.
pub(crate) fn curve(folder: &Path, curve: &Curve) -> anyhow::Result<()> {
    let path = folder.join(format!("growth-{}.svg", curve.key));
    draw_curve(&path, curve).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw_curve(path: &Path, curve: &Curve) -> Drawn {
    let root = SVGBackend::new(path, (WIDTH, 320)).into_drawing_area();
    root.fill(&WHITE)?;
    let sizes = curve.points.iter().map(|(size, _)| *size);
    let (Some(first), Some(last)) = (sizes.clone().min(), sizes.max()) else {
        return Ok(());
    };
    let line = |name: &str| -> Vec<(u64, f64)> {
        let points = curve.points.iter();
        points
            .filter_map(|(size, figures)| Some((*size, *figures.get(name)?)))
            .collect()
    };
    let highest = curve
        .figures
        .iter()
        .flat_map(|name| line(name))
        .map(|(_, value)| value);
    let highest = highest.fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        // Half of the last label stands beside the axes.
        .margin_right(40)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((first..last).log_scale(), 0.0..highest * 1.25)?;
    chart
        .configure_mesh()
        .max_light_lines(1)
        .x_desc(curve.of)
        .x_label_formatter(&ToString::to_string)
        .y_label_formatter(&|value| number(*value))
        .label_style((FONT, 13))
        .draw()?;
    for (name, color) in curve.figures.iter().zip([OURS, THEIRS]) {
        chart
            .draw_series(LineSeries::new(line(name), color.stroke_width(2)).point_size(4))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .label_font((FONT, 13))
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}
