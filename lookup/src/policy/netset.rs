//! Lists of networks in files of their own: one network or address a line, `#` starts a comment.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::document::{Document, Problem, Source};
use ipnet::IpNet;
use toml::Spanned;

use super::check::network;

/// Problems shown of one file; a file of another format would have one on each line.
const SHOWN: usize = 20;

/// Reads the file that `name` stands for, relative to `folder`; its problems carry its own lines.
pub(crate) fn read(document: &mut Document, folder: &Path, name: &Spanned<String>) -> Vec<IpNet> {
    let path = folder.join(name.get_ref());
    match text(&path) {
        Ok(text) => {
            let source = Arc::new(Source { name: path.display().to_string(), text });
            let (networks, problems) = parse(&source);
            problems.into_iter().for_each(|problem| document.push(problem));
            if networks.is_empty() {
                let help =
                    "the group would hold nothing: fill the file, or take it out of the list";
                document.warn(name.span(), "this file names no network", help);
            }
            networks
        }
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            let help = "files are named relative to the policy; check the name and its permissions. Where \
                        gateway.toml has [sandbox] read, a running gateway reads only below those folders \
                        and those of its first policy's files";
            document.error(name.span(), message, help);
            Vec::new()
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    // Asked before opening: to open a pipe is to wait for its writer, and some devices never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    std::fs::read_to_string(path)
}

/// The networks of a file, sorted, each once; and what is wrong with its lines.
fn parse(source: &Arc<Source>) -> (Vec<IpNet>, Vec<Problem>) {
    let (mut networks, mut problems, mut more) = (Vec::new(), Vec::new(), 0_usize);
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let content = line.split('#').next().unwrap_or_default();
        let entry = content.trim();
        let at = start + (content.len() - content.trim_start().len());
        start += line.len();
        if entry.is_empty() {
            continue;
        }
        match network(entry) {
            Ok(network) => networks.push(network),
            Err(_) if problems.len() == SHOWN => more += 1,
            Err(fault) => {
                let span = at..at + entry.len();
                problems.push(Problem::error(source, span, fault.message, fault.help));
            }
        }
    }
    if more > 0 {
        let message = format!("{more} more lines of `{}` are no networks", source.name);
        problems.push(Problem::nowhere(message, "is it a list of networks, one a line?"));
    }
    networks.sort_unstable();
    networks.dedup();
    (networks, problems)
}
