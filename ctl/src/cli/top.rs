//! `palisade top`: what it shows, and its keys.

use clap::Args;

use super::Control;
use crate::top::View;

/// Watch a running gateway.
///
/// Rates are the difference of two answers of `status`; what the gateway does not say is shown as –.
/// In a pipe, all tables are printed once.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Keys:
  1-7, Tab, arrows   the page: overview, domains, countries, operators, sources, workers, policy
  s                  sort by dropped, allowed or name
  up, down, page up, page down   scroll
  space              pause, and go on
  + and -            ask more or less often
  q, Esc, Ctrl-C     quit

Examples:
  palisade top
  palisade top --view sources --every 5
  palisade top --once | less
  palisade top --json | jq .domains
  palisade top --svg > top.svg        a picture for a report

A gateway that goes away is asked again until it is back.

Exit status: 0; 1 when the terminal can't be used; 3 when none answers --once, --json or --svg.")]
pub(crate) struct Top {
    /// Seconds between two answers.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) every: f64,
    /// The page to begin with.
    #[arg(long, value_enum, default_value_t = View::Overview)]
    pub(crate) view: View,
    /// Print all tables once, as plain text.
    #[arg(long, conflicts_with_all = ["json", "svg"])]
    pub(crate) once: bool,
    /// Print one JSON object instead.
    #[arg(long, conflicts_with = "svg")]
    pub(crate) json: bool,
    /// Print the page as a picture.
    #[arg(long)]
    pub(crate) svg: bool,
    /// Columns and rows of the picture.
    #[arg(long, value_name = "WxH", default_value = "110x36", requires = "svg", value_parser = size)]
    pub(crate) size: (u16, u16),
    /// Answers to draw the picture's curves from.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "svg",
          value_parser = clap::value_parser!(u16).range(2..=256))]
    pub(crate) answers: u16,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// A time between two answers.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("seconds are a number from 0.1 to 3600".to_owned()),
    }
}

/// Columns and rows.
fn size(text: &str) -> Result<(u16, u16), String> {
    let pair = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match pair {
        Some((width @ 20..=400, height @ 8..=200)) => Ok((width, height)),
        _ => Err("a size is columns x rows, 20x8 to 400x200, such as 80x24".to_owned()),
    }
}
