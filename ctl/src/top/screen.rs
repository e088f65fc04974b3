//! The screen: where head, notices, tables and keys stand.
//!
//! ```text
//!  palisade  revision 17  up 2 h 14 min  flows 51,204  geo embedded, 91 days
//!  received .. forwarded .. dropped ..
//!  1 overview  2 domains  ..
//!  what needs attention, at most three lines
//!  curves, tables
//!  keys
//! ```
//! It holds on 80 columns and 24 rows; what is larger shows more rows and more tables.

use std::time::Instant;

use lookup::number;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Sparkline},
};

use super::rates::Rates;
use super::state::{State, View};
use super::tables;
use super::text::{databases, length, rate};

/// Notices that are shown on every page; the page `policy` has them all.
const NOTICES: usize = 3;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let notices = notices(state);
    let shown = if state.view == View::Policy { 1 } else { NOTICES };
    let rows = notices.len().min(shown) as u16;
    let [head, counts, tabs, notes, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(tab_line(state.view)), tabs);
    frame.render_widget(Paragraph::new(shorten(&notices, shown)), notes);
    frame.render_widget(Paragraph::new(key_line(state)), keys);
    let Some(rates) = &state.rates else {
        let words = if state.silence.is_some() { "" } else { "asking the gateway" };
        frame.render_widget(Paragraph::new(words), head);
        return;
    };
    frame.render_widget(Paragraph::new(head_line(rates)), head);
    frame.render_widget(Paragraph::new(count_line(rates)), counts);
    page(frame, body, state, rates, &notices);
}

fn page(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    rates: &Rates,
    notices: &[Line<'static>],
) {
    let (sort, scroll) = (state.sort, state.scroll);
    let first = |rows: usize| Constraint::Length(rows as u16 + 2);
    match state.view {
        View::Overview => overview(frame, area, state, rates),
        View::Domains => {
            let [top, bottom] =
                Layout::vertical([Constraint::Fill(1), first(rates.reasons.len().min(8))])
                    .areas(area);
            tables::domains(rates).sorted(sort).draw(frame, top, scroll);
            tables::reasons(rates).sorted(sort).draw(frame, bottom, 0);
        }
        View::Countries => tables::countries(rates).sorted(sort).draw(frame, area, scroll),
        View::Operators => tables::asns(rates).sorted(sort).draw(frame, area, scroll),
        View::Sources => tables::sources(rates).sorted(sort).draw(frame, area, scroll),
        View::Workers => {
            let rows = rates.workers.len().min(usize::from(area.height) / 4);
            let [top, upper, lower, bottom] =
                Layout::vertical([first(rows), first(rows), first(rows), Constraint::Fill(1)])
                    .areas(area);
            tables::workers(rates).draw(frame, top, scroll);
            tables::times(rates).draw(frame, upper, scroll);
            tables::frames(rates).draw(frame, lower, scroll);
            tables::interfaces(rates).draw(frame, bottom, 0);
        }
        View::Policy => {
            let notes = Constraint::Length(notices.len().max(1) as u16 + 1);
            let (records, sinks) = (tables::records(rates), tables::sinks(rates));
            let heights = [&records, &sinks].map(|grid| Constraint::Length(grid.height()));
            let [top, middle, low, bottom] =
                Layout::vertical([notes, Constraint::Fill(1), heights[0], heights[1]]).areas(area);
            let block = Block::new().borders(Borders::TOP).title(" notices ");
            let words = if notices.is_empty() { vec!["none".into()] } else { notices.to_vec() };
            frame.render_widget(Paragraph::new(words).block(block), top);
            tables::exceptions(rates).draw(frame, middle, scroll);
            records.draw(frame, low, 0);
            sinks.draw(frame, bottom, 0);
        }
    }
}

/// Curves and the heads of all tables; as many as there is room for.
fn overview(frame: &mut Frame<'_>, area: Rect, state: &State, rates: &Rates) {
    let (sort, scroll) = (state.sort, state.scroll);
    let tall = area.height >= 26;
    let workers = if tall { (rates.workers.len() as u16 + 2).min(6) } else { 0 };
    let curves = if tall { 6 } else { 4 };
    let rest = area.height.saturating_sub(curves + workers);
    let sources = tables::sources(rates).sorted(sort);
    let room = if tall { rest * 2 / 5 } else { rest / 3 };
    let room = Constraint::Length(room.min(sources.height()));
    let [top, middle, low, bottom] = Layout::vertical([
        Constraint::Length(curves),
        Constraint::Fill(1),
        room,
        Constraint::Length(workers),
    ])
    .areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2);
    let [left, right] = halves.areas(top);
    curve(frame, left, state, 0, Color::Green);
    curve(frame, right, state, 1, Color::Red);
    let slim = |mut grid: super::grid::Grid, columns: usize| {
        grid.columns.truncate(columns);
        grid
    };
    let wide = area.width >= 130;
    let parts = if wide { 3 } else { 2 };
    let thirds = Layout::horizontal(vec![Constraint::Fill(1); parts]).spacing(2).split(middle);
    let [first, second] = [thirds[0], thirds[1]];
    if wide {
        slim(tables::domains(rates).sorted(sort), 4).draw(frame, first, scroll);
        slim(tables::countries(rates).sorted(sort), 4).draw(frame, second, scroll);
        let upper = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]);
        let [reasons, operators] = upper.areas(thirds[2]);
        slim(tables::reasons(rates).sorted(sort), 3).draw(frame, reasons, scroll);
        slim(tables::asns(rates).sorted(sort), 3).draw(frame, operators, scroll);
    } else {
        let upper = Layout::vertical([
            Constraint::Length(rates.domains.len().min(6) as u16 + 2),
            Constraint::Fill(1),
        ]);
        let [domains, reasons] = upper.areas(first);
        slim(tables::domains(rates).sorted(sort), 3).draw(frame, domains, scroll);
        slim(tables::reasons(rates).sorted(sort), 3).draw(frame, reasons, scroll);
        slim(tables::countries(rates).sorted(sort), 4).draw(frame, second, scroll);
    }
    sources.draw(frame, low, scroll);
    if workers > 0 {
        tables::workers(rates).draw(frame, bottom, scroll);
    }
}

/// One rate over the last answers, the latest at the right edge.
fn curve(frame: &mut Frame<'_>, area: Rect, state: &State, which: usize, tint: Color) {
    let name = ["forwarded/s", "dropped/s"][which];
    let room = usize::from(area.width);
    let values: Vec<u64> = state.history.iter().rev().take(room).map(|pair| pair[which]).collect();
    let most = values.iter().max().copied().unwrap_or(0);
    let title = format!(" {name}, at most {} ", super::text::short(most as f64));
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(Style::new().fg(Color::DarkGray))
        .title(title)
        .title_style(Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD));
    let gap = room.saturating_sub(values.len());
    let padded: Vec<u64> = std::iter::repeat_n(0, gap).chain(values.into_iter().rev()).collect();
    let line = Sparkline::default().data(&padded).style(Style::new().fg(tint)).block(block);
    frame.render_widget(line, area);
}

fn head_line(rates: &Rates) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut spans = vec![
        Span::styled("palisade", bold.fg(Color::Cyan)),
        Span::raw("  revision "),
        Span::styled(rates.revision.to_string(), bold),
    ];
    if let Some(seconds) = rates.uptime_s {
        spans.push(format!("  up {}", length(seconds)).into());
    }
    spans.push(format!("  flows {}", number(rates.flows)).into());
    if let Some(geo) = &rates.geo {
        spans.push(format!("  geo {}", databases(geo)).into());
    }
    Line::from(spans)
}

fn count_line(rates: &Rates) -> Line<'static> {
    let mut spans = vec![Span::styled("/s", Style::new().fg(Color::DarkGray))];
    let mut put = |name: &'static str, value: String, tint: Color| {
        spans.push(Span::raw(format!("  {name} ")));
        spans.push(Span::styled(value, Style::new().fg(tint)));
    };
    let quiet = |count: super::rates::Count, tint| {
        if count.per_s.unwrap_or(0.0) > 0.0 { tint } else { Color::Reset }
    };
    put("received", rate(rates.received), Color::Reset);
    put("forwarded", rate(rates.forwarded), Color::Green);
    if let Some(leased) = rates.leased {
        put("in the driver", rate(leased), Color::Green);
    }
    put("dropped", rate(rates.dropped), quiet(rates.dropped, Color::Red));
    put("ring full", rate(rates.kernel_dropped), quiet(rates.kernel_dropped, Color::Yellow));
    put("shed", rate(rates.shed), quiet(rates.shed, Color::Yellow));
    Line::from(spans)
}

/// What needs attention, the gravest first.
fn notices(state: &State) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let bad = Style::new().fg(Color::White).bg(Color::Red);
    let odd = Style::new().fg(Color::Black).bg(Color::Yellow);
    if let Some((since, error)) = &state.silence {
        let silent = length(Instant::now().duration_since(*since).as_secs());
        let kept = if state.rates.is_some() { "; shown is the last answer" } else { "" };
        let text = format!("no gateway answers for {silent}: {error}{kept}; trying on");
        lines.push(Line::styled(text, bad));
    }
    let Some(rates) = &state.rates else { return lines };
    if let Some(pending) = &rates.pending {
        let text = format!(
            "revision {} goes back to {} in {} unless confirmed: palisade confirm",
            pending.revision,
            pending.back_to,
            length(pending.remaining_s)
        );
        lines.push(Line::styled(text, odd));
    }
    if rates.differs == Some(true) {
        lines.push(Line::styled("the policy's file is not what is in force", odd));
    }
    // The gateway warns of these two as well.
    let told = |text: &&String| {
        rates.pending.is_some() && text.contains("palisade confirm")
            || rates.differs == Some(true) && text.contains("not what is in force")
    };
    let warning = |text: &String| Line::styled(text.clone(), Style::new().fg(Color::Yellow));
    lines.extend(rates.warnings.iter().filter(|text| !told(text)).map(warning));
    lines
}

/// The first lines, the last of them with the number of those that are left out.
fn shorten(lines: &[Line<'static>], shown: usize) -> Vec<Line<'static>> {
    let mut first: Vec<_> = lines.iter().take(shown).cloned().collect();
    let more = lines.len() - first.len();
    if let (Some(last), true) = (first.last_mut(), more > 0) {
        last.spans.insert(0, Span::raw(format!("(7: {more} more) ")));
    }
    first
}

fn tab_line(view: View) -> Line<'static> {
    let tab = |(place, each): (usize, View)| {
        let chosen = Style::new().add_modifier(Modifier::REVERSED);
        let style = if each == view { chosen } else { Style::new().fg(Color::DarkGray) };
        [Span::styled(format!(" {} {} ", place + 1, each.name()), style)]
    };
    Line::from(View::ALL.into_iter().enumerate().flat_map(tab).collect::<Vec<_>>())
}

fn key_line(state: &State) -> Line<'static> {
    let pause = if state.paused { "space goes on" } else { "space pause" };
    let text = format!(
        "Tab view  s sort: {}  ↑↓ scroll  {pause}  +- every {:.1} s  q quit",
        state.sort.name(),
        state.every.as_secs_f64()
    );
    let mut line = Line::styled(text, Style::new().fg(Color::DarkGray));
    if state.paused {
        let style = Style::new().fg(Color::Black).bg(Color::Yellow);
        line.spans.insert(0, Span::styled(" paused ", style));
        line.spans.insert(1, Span::raw(" "));
    }
    line
}
