//! A roster into `gateway.toml`: three keys of `[workers]`, and nothing else of the file.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use engine::{Config, Roster};
use toml_edit::{DocumentMut, Item, Table, Value};

/// The keys and what they are to say.
pub(super) fn lines(roster: &Roster) -> [(&'static str, String); 3] {
    [
        ("cores", format!("{:?}", roster.cores)),
        ("poll", format!("\"{}\"", roster.poll)),
        ("burst", roster.burst.to_string()),
    ]
}

/// Writes it; the file is replaced whole, once it is known that a gateway would start with it.
pub(super) fn save(file: &Path, roster: &Roster) -> Result<(), String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let next = edited(&text, roster).map_err(|error| format!("{name}: {error}"))?;
    if next == text {
        return Ok(());
    }
    // Beside it, so that it can take its place in one step, and paths in it lead where they did.
    let beside = file.with_extension("toml.next");
    let placed = put(file, &beside, &next).and_then(|()| {
        Config::load(&beside).map_err(|error| error.to_string())?;
        fs::rename(&beside, file).map_err(|error| format!("cannot replace {name}: {error}"))
    });
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed
}

/// Writes the text to the disk under another name, with the file's owner and rights.
fn put(file: &Path, beside: &Path, text: &str) -> Result<(), String> {
    let write = || {
        let facts = fs::metadata(file)?;
        let mut next = fs::File::create(beside)?;
        next.set_permissions(fs::Permissions::from_mode(facts.mode() & 0o7777))?;
        std::os::unix::fs::fchown(&next, Some(facts.uid()), Some(facts.gid()))?;
        next.write_all(text.as_bytes())?;
        next.sync_all()
    };
    write().map_err(|error| format!("cannot write {}: {error}", beside.display()))
}

/// The text with the roster in its `[workers]`; comments and all other lines stay.
fn edited(text: &str, roster: &Roster) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("no TOML: {error}"))?;
    let workers = document.entry("workers").or_insert_with(|| Item::Table(Table::new()));
    let Some(workers) = workers.as_table_like_mut() else {
        return Err("[workers] is no table".to_owned());
    };
    for (key, value) in lines(roster) {
        let mut value: Value = value.parse().map_err(|error| format!("{key}: {error}"))?;
        if let Some(old) = workers.get(key).and_then(Item::as_value) {
            // What stands behind it, such as a comment.
            *value.decor_mut() = old.decor().clone();
        } else if key == "burst" && roster.burst == 64 {
            continue; // the default
        }
        match workers.get_mut(key) {
            Some(item) => *item = Item::Value(value),
            None => drop(workers.insert(key, Item::Value(value))),
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use engine::Poll;

    use super::*;

    fn roster(burst: u8) -> Roster {
        Roster { cores: vec![2, 3], poll: Poll::Adaptive, burst }
    }

    #[test]
    fn only_what_is_chosen_changes() {
        let text = "# the gateway\npolicy = \"p.toml\"\n\n[interface]  # two\noutside = \"eth0\"\n\
                    inside  = \"eth1\"\n\n[workers]\ncores  = [1]   # the last one\n\
                    mode   = \"copy\"\npoll   = \"busy\"  # spins\n\n[fail]\nmode = \"open\"\n";
        let expected = text
            .replace("[1]   # the last", "[2, 3]   # the last")
            .replace("\"busy\"  # spins", "\"adaptive\"  # spins");
        assert_eq!(edited(text, &roster(64)).unwrap(), expected);
        assert_eq!(edited(&expected, &roster(64)).unwrap(), expected, "again");
    }

    #[test]
    fn a_file_without_the_section_gets_one() {
        let text = "policy = \"p.toml\"\n\n[interface]\noutside = \"a\"\ninside = \"b\"\n";
        let next = edited(text, &roster(32)).unwrap();
        assert!(next.starts_with(text), "{next}");
        assert!(
            next.ends_with("[workers]\ncores = [2, 3]\npoll = \"adaptive\"\nburst = 32\n"),
            "{next}"
        );
    }

    #[test]
    fn a_file_that_no_gateway_would_take_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        for text in ["workers = 3\n", "nonsense", "[interface]\noutside = \"a\"\n"] {
            fs::write(&file, text).unwrap();
            assert!(save(&file, &roster(64)).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing stays behind");
        }
        let good = "[interface]\noutside = \"a\"\ninside = \"b\"\n";
        fs::write(&file, good).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        save(&file, &roster(64)).unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("cores = [2, 3]"));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    }
}
