//! The panels of docs/grafana/palisade.json: asked of Prometheus, drawn where Grafana would put them.

use std::path::Path;

use serde::Deserialize;

use super::plot::{Curve, Panel, svg};
use super::prometheus::{Prometheus, Series};
use crate::error::system;
use crate::{Error, Result};

/// Seconds between two points of a curve.
const STEP_S: u32 = 1;
/// What stands for Grafana's variables: all gateways, a few scrapes.
const VARIABLES: [(&str, &str); 2] = [("$instance", ".*"), ("$__rate_interval", "5s")];

#[derive(Deserialize)]
struct Board {
    panels: Vec<Drawn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Drawn {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    grid_pos: Place,
    targets: Vec<Target>,
    field_config: Config,
}

#[derive(Deserialize)]
struct Place {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    expr: String,
    legend_format: String,
}

#[derive(Deserialize)]
struct Config {
    defaults: Defaults,
}

#[derive(Deserialize)]
struct Defaults {
    unit: String,
    #[serde(default)]
    custom: Custom,
}

#[derive(Default, Deserialize)]
struct Custom {
    #[serde(default)]
    stacking: Stacking,
}

#[derive(Default, Deserialize)]
struct Stacking {
    #[serde(default)]
    mode: String,
}

/// A picture of the dashboard: every panel's own queries, answered by Prometheus.
pub(super) fn draw(prometheus: &Prometheus<'_>, board: &Path) -> Result<String> {
    let name = board.display().to_string();
    let text = std::fs::read_to_string(board).map_err(system("read", &name))?;
    let board: Board =
        serde_json::from_str(&text).map_err(|source| Error::Json { object: name, source })?;
    let panels = board.panels.iter().map(|drawn| panel(prometheus, drawn));
    Ok(svg(&panels.collect::<Result<Vec<_>>>()?))
}

fn panel(prometheus: &Prometheus<'_>, drawn: &Drawn) -> Result<Panel> {
    let mut curves = Vec::new();
    for target in &drawn.targets {
        let mut expression = target.expr.clone();
        for (variable, value) in VARIABLES {
            expression = expression.replace(variable, value);
        }
        for series in prometheus.range(&expression, STEP_S)? {
            let name = legend(&target.legend_format, &series);
            curves.push(Curve { name, points: series.points() });
        }
    }
    let Place { x, y, w, h } = drawn.grid_pos;
    Ok(Panel {
        title: drawn.title.clone(),
        place: [x, y, w, h],
        number: drawn.kind == "stat",
        stacked: drawn.field_config.defaults.custom.stacking.mode == "normal",
        unit: drawn.field_config.defaults.unit.clone(),
        curves,
    })
}

/// `{{label}}` gives way to the label's value.
fn legend(format: &str, series: &Series) -> String {
    let mut text = format.to_owned();
    for (label, value) in &series.metric {
        text = text.replace(&format!("{{{{{label}}}}}"), value);
    }
    text
}
