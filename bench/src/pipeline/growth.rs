//! Does a packet cost more when the policy grows? Countries, services, domains: each by itself.

use lookup::Geo;

use super::rules::{Size, ruleset};
use super::{Deed, countries, drill, load, turn};
use crate::Result;
use crate::record::{Curve, Record, median};

const FLOWS: usize = 1 << 16;

/// What grows, and through which sizes.
const AXES: [(&str, &[usize]); 3] = [
    ("countries", &[1, 5, 25, 50, 100, 150, 200, 250]),
    ("services", &[1, 10, 50, 100, 250, 500, 1000]),
    ("domains", &[1, 5, 10, 25, 50, 75, 100]),
];

pub(super) fn measure(geo: &Geo, rounds: usize, record: &mut Record) -> Result<()> {
    let all = countries(geo);
    for (axis, sizes) in AXES {
        println!("growth: {axis}");
        let mut curves = ["hit", "new flow"].map(|line| Curve {
            plot: format!("cost of a packet over {axis}"),
            line: line.to_owned(),
            across: axis.to_owned(),
            unit: "ns".to_owned(),
            points: Vec::new(),
        });
        for &count in sizes {
            let size = sized(axis, count);
            let flows = load(geo, "DE", size.last_service(false), FLOWS);
            for (curve, deed) in curves.iter_mut().zip([Deed::Hit, Deed::New]) {
                let mut drill = drill(ruleset(size, &all)?, deed)?;
                turn(&mut drill, &flows, deed)?;
                let times: Result<Vec<f64>> =
                    (0..rounds).map(|_| turn(&mut drill, &flows, deed)).collect();
                curve.points.push((count as f64, median(&times?)));
            }
        }
        record.curves.extend(curves);
    }
    Ok(())
}

fn sized(axis: &str, count: usize) -> Size {
    match axis {
        "countries" => Size { countries: count, ..Size::SMALL },
        "services" => Size { services: count, ..Size::SMALL },
        _ => Size { domains: count, ..Size::SMALL },
    }
}
