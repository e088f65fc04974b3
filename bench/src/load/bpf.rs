//! Loads the bench's BPF objects and finds what is in them.

use aya::maps::{Array, Map, MapData, PerCpuArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader, Pod};

use crate::{Error, Result};

/// Loads an object with the size of one of its maps set, and its one program.
pub(crate) fn load(
    object: &[u8],
    program: &'static str,
    map: &'static str,
    entries: usize,
) -> Result<Ebpf> {
    let entries = u32::try_from(entries.max(1)).map_err(failed("size", map))?;
    let mut loader = EbpfLoader::new();
    let mut ebpf =
        loader.map_max_entries(map, entries).load(object).map_err(failed("load", program))?;
    xdp(&mut ebpf, program)?.load().map_err(failed("load", program))?;
    Ok(ebpf)
}

/// The program, to attach or to run.
pub(crate) fn xdp<'a>(ebpf: &'a mut Ebpf, program: &'static str) -> Result<&'a mut Xdp> {
    let found = ebpf.program_mut(program).ok_or_else(|| missing(program))?;
    found.try_into().map_err(failed("use", program))
}

/// A map of single values.
pub(crate) fn array<'a, V: Pod>(
    ebpf: &'a mut Ebpf,
    map: &'static str,
) -> Result<Array<&'a mut MapData, V>> {
    find(ebpf, map)?.try_into().map_err(failed("use map", map))
}

/// A map of one value a core.
pub(super) fn per_cpu<'a, V: Pod>(
    ebpf: &'a mut Ebpf,
    map: &'static str,
) -> Result<PerCpuArray<&'a mut MapData, V>> {
    find(ebpf, map)?.try_into().map_err(failed("use map", map))
}

/// Any map.
pub(crate) fn find<'a>(ebpf: &'a mut Ebpf, map: &'static str) -> Result<&'a mut Map> {
    ebpf.map_mut(map).ok_or_else(|| missing(map))
}

fn missing(object: &'static str) -> Error {
    let message = "not in the object; bench/bpf/build makes it".to_owned();
    Error::Bpf { operation: "find", object, message }
}

/// Names the operation and the object of what the loader says.
pub(crate) fn failed<E: std::error::Error>(
    operation: &'static str,
    object: &'static str,
) -> impl FnOnce(E) -> Error {
    move |error| {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        Error::Bpf { operation, object, message }
    }
}
