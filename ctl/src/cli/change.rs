//! Commands that change a running gateway.

use std::path::PathBuf;

use clap::Args;

use super::Control;

/// Compile the policy's file again and put it in force.
///
/// A policy with a mistake changes nothing: the last good one stays in force. The answer tells how
/// long the compilation took, and how long after it every worker judged by the new ruleset; no packet
/// is lost to it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Refused without a flag, because it is seldom meant:
  a network that would no longer be failsafe, or the session that asks and would be cut   --force
  a database that is much smaller, misses a canary, or flips many verdicts                --accept

Exit status: 0; 1 when it is refused; 3 when no gateway answers.")]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Put another policy in force, on trial where asked for.
///
/// The policy is compiled as if it stood at the configured place, and then becomes the policy's file.
/// With --confirm it goes back by itself after that time, to exactly what was before, unless palisade
/// confirm follows: a policy that cuts its operator off mends itself. Until then nothing else may
/// change, and the file stays as it is, so that a restart goes back too.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade apply next.toml --confirm 60s --why 'close the shop to FR'
  palisade confirm                                  it is right: keep it
  palisade rollback                                 it is not: take it back at once

Exit status: 0; 1 when it is refused, and nothing changed; 3 when no gateway answers.")]
pub(crate) struct Apply {
    /// The policy; - is standard input.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: PathBuf,
    /// Go back by itself after this time, such as 60s, 5m or 1h, unless it is confirmed.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) confirm: Option<u64>,
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Keep the policy that is on trial.
///
/// It becomes the policy's file, and stays.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit status: 0; 1 when nothing waits for a confirmation; 3 when no gateway answers.")]
pub(crate) struct Confirm {
    /// One JSON object instead of words.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Show what was in force, since when, by whom and why.
///
/// Newest first. With a revision: all that is known of it, and its policy. Who is what the kernel
/// says of the other end of the control socket, with the user who logged in behind it (sudo does not
/// change that one).
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade history                       the revisions of late
  palisade history 7                     one of them, with its policy
  palisade history 7 --policy > old.toml
  palisade rollback 7                    put it in force again

gateway.toml's [history] path keeps them across restarts.

Exit status: 0; 1 when there is no such revision; 3 when no gateway answers.")]
pub(crate) struct History {
    /// The revision to show.
    #[arg(value_name = "REVISION")]
    pub(crate) revision: Option<u32>,
    /// Its policy's text and nothing else.
    #[arg(long, requires = "revision", conflicts_with = "json")]
    pub(crate) policy: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Put an earlier policy in force again.
///
/// Without a revision: the last policy before the one in force; while one is on trial, it is taken back
/// at once. The policy is compiled with the lists and databases of today, under a new number, and
/// becomes the policy's file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit status: 0; 1 when it is refused, and nothing changed; 3 when no gateway answers.")]
pub(crate) struct Rollback {
    /// The revision whose policy comes back: palisade history lists them.
    #[arg(value_name = "REVISION")]
    pub(crate) revision: Option<u32>,
    /// Go back by itself after this time, such as 60s, 5m or 1h, unless it is confirmed.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) confirm: Option<u64>,
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// What goes with every change.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// Also when it cuts a failsafe network, or the session that asks.
    #[arg(long)]
    pub(crate) force: bool,
    /// Also when a database looks wrong, or flips many verdicts.
    #[arg(long)]
    pub(crate) accept: bool,
    /// One JSON object instead of words.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A time of whole seconds, minutes or hours.
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("`{unit}` is no unit of time: write 60s, 5m or 1h")),
    };
    let number: u64 = digits.parse().map_err(|_| "write 60s, 5m or 1h".to_owned())?;
    Some(number)
        .and_then(|number| number.checked_mul(factor))
        .filter(|s| (1..=86_400).contains(s))
        .ok_or_else(|| "a trial lasts a second to a day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_lasts_a_second_to_a_day() {
        for (text, expected) in [("1", 1), ("60s", 60), ("5m", 300), ("1h", 3600), ("24h", 86_400)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "0",
            "0m",
            "25h",
            "1d",
            "1.5m",
            "-1",
            "60 s",
            "ms",
            "18446744073709551615h",
            "1é",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
