//! The peers answer as ours does, and a wrong one is noticed.

use super::*;
use lookup::ClassId;

fn agree<A: Kind>(routes: &Routes<A>, ours: &dyn Arms<A>) {
    for spread in [Spread::Real, Spread::Uniform, Spread::Zipf] {
        let keys = keys(&routes.ranges, spread);
        let some = &keys[..1 << 15];
        for (name, peer) in crates::all(&routes.prefixes) {
            assert_eq!(arms::disagree(ours, &*peer, some), None, "{} {name} {spread:?}", A::NAME);
        }
        let expected: Vec<ClassId> = some.iter().map(|key| *routes.ranges.find(*key)).collect();
        let mut classes = vec![ClassId(0); some.len()];
        assert!(ours.answers(some, &mut classes));
        assert_eq!(classes, expected);
    }
}

#[test]
fn all_tables_agree_on_random_routes() {
    let (v4, v6) = (Routes::<u32>::random(3000), Routes::<u128>::random(3000));
    agree(&v4, &Dir24_8::compile(&v4.ranges).unwrap());
    agree(&v6, &Six::compile(&v6.ranges).unwrap());
}

#[test]
fn all_tables_agree_on_the_world() {
    let world = World::new(&Geo::load(&GeoFiles::default(), &[]).unwrap());
    agree(&world.v4, &Dir24_8::compile(&world.v4.ranges).unwrap());
    agree(&world.v6, &Six::compile(&world.v6.ranges).unwrap());
}

#[test]
fn a_table_without_one_route_is_noticed() {
    let routes = Routes::<u32>::random(500);
    let ours = Dir24_8::compile(&routes.ranges).unwrap();
    let keys = keys(&routes.ranges, Spread::Real);
    let (_, less) = routes.prefixes.split_first().unwrap();
    for (name, peer) in crates::all(less) {
        assert!(arms::disagree(&ours, &*peer, &keys).is_some(), "{name}");
    }
}
