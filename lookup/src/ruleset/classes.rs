//! Addresses to classes: all that a policy can tell apart, interned before the tables are built.
//!
//! ```text
//!  Origins: countries ------> Ranges<A, country> --.
//!           named operators > Ranges<A, ASN> ------+
//!  lists, services ---------> Ranges<A, mark> -----'--> Ranges<A, ClassId> --> ClassTable
//!    (prefixes, nested)                                    `--> Class: country, groups, place
//! ```
//!
//! Linear passes over the covers; one array access for each piece, and the groups are evaluated once
//! for each combination that occurs. Operators that no group names are dropped before, so that most
//! policies have next to none. Adding a country to a policy adds a class at most.

use std::collections::HashMap;
use std::hash::Hash;

use ipnet::IpNet;

use super::members::{Evaluator, ListId, Members, networks};
use crate::policy::{Body, Group, GroupId, Policy, chains};
use crate::services::Place;
use crate::{
    Address, Asn, ClassId, Country, OriginKey, Origins, Prefix, Ranges, Region, ServiceId,
};

/// What an address is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class {
    pub(super) country: Option<Country>,
    /// Into [`Classes::members`].
    pub(super) members: u32,
    pub(super) failsafe: bool,
    pub(super) place: Place,
}

/// All classes and the covers that lead to them.
pub(super) struct Classes {
    pub(super) list: Vec<Class>,
    pub(super) members: Vec<Members>,
    pub(super) places: Vec<Vec<ServiceId>>,
    pub(super) v4: Ranges<u32, ClassId>,
    pub(super) v6: Ranges<u128, ClassId>,
}

/// What an address is by its prefix alone: lists that hold it, services that are there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Mark {
    lists: Vec<ListId>,
    place: Place,
}

impl Classes {
    pub(super) fn compile(policy: &Policy, origins: &Origins) -> Self {
        let mut marks = Marks::default();
        let (v4, v6) = marks.read(policy);
        let evaluator = Evaluator::new(policy);
        let operators = origins.named_operators(&|asn| evaluator.names(asn).then_some(asn));
        let mut found = Found {
            evaluator: &evaluator,
            marks: &marks.marks.list,
            rows: HashMap::new(),
            cells: Vec::new(),
            last: None,
            members: Interner::default(),
            classes: Interner::default(),
        };
        let v4 = found.join(&origins.countries_v4(), &operators.0, &v4);
        let v6 = found.join(&origins.countries_v6(), &operators.1, &v6);
        Self {
            list: found.classes.list,
            members: found.members.list,
            places: marks.places.list,
            v4,
            v6,
        }
    }

    /// Where the addresses of each class are.
    pub(super) fn regions(&self, policy: &Policy) -> Vec<Region> {
        let is_private = |group: &Group| matches!(group.body, Body::Private);
        let private = policy.groups.iter().position(is_private).unwrap_or_default();
        let private = GroupId(private as u16);
        let region = |class: &Class| {
            Region::new(class.country, self.members[class.members as usize].holds(private))
        };
        self.list.iter().map(region).collect()
    }
}

/// Values that are stored once and known by their index.
struct Interner<T> {
    list: Vec<T>,
    index: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { list: Vec::new(), index: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn intern(&mut self, value: T) -> u32 {
        let next = self.list.len() as u32;
        *self.index.entry(value).or_insert_with_key(|value| {
            self.list.push(value.clone());
            next
        })
    }
}

/// The prefixes of lists and services.
#[derive(Default)]
struct Marks {
    marks: Interner<Mark>,
    places: Interner<Vec<ServiceId>>,
}

#[derive(Clone, Copy)]
enum Item {
    List(ListId),
    Service(ServiceId),
}

impl Marks {
    fn read(&mut self, policy: &Policy) -> (Ranges<u32, u32>, Ranges<u128, u32>) {
        let lists = networks(policy).map(|(network, list)| (network, Item::List(list)));
        let services = policy.services.iter().zip(0..).flat_map(|(service, id)| {
            let item = Item::Service(ServiceId(id));
            service.networks.iter().map(move |network| (*network.get_ref(), item))
        });
        let nothing = self.intern(&[]);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, chain) in chains(lists.chain(services)) {
            let mark = self.intern(&chain);
            match network {
                IpNet::V4(network) => v4.push((Prefix::from(network), mark)),
                IpNet::V6(network) => v6.push((Prefix::from(network), mark)),
            }
        }
        (Ranges::build(nothing, v4), Ranges::build(nothing, v6))
    }

    fn intern(&mut self, chain: &[Item]) -> u32 {
        let (mut lists, mut place) = (Vec::new(), Vec::new());
        for item in chain {
            match *item {
                Item::List(list) => lists.push(list),
                Item::Service(service) if !place.contains(&service) => place.push(service),
                Item::Service(_) => {}
            }
        }
        lists.sort_unstable();
        lists.dedup();
        let place = Place(self.places.intern(place));
        self.marks.intern(Mark { lists, place })
    }
}

/// A column for each country, and one for none.
const COLUMNS: usize = Country::COUNT + 1;
/// In a cell: not asked for before.
const OPEN: ClassId = ClassId(u32::MAX);

/// The classes found so far.
struct Found<'a> {
    evaluator: &'a Evaluator<'a>,
    marks: &'a [Mark],
    /// The row of an operator and a mark in `cells`.
    rows: HashMap<(Option<Asn>, u32), usize>,
    /// By row and country.
    cells: Vec<ClassId>,
    /// The row before: most neighbours differ in their country alone.
    last: Option<((Option<Asn>, u32), usize)>,
    members: Interner<Members>,
    classes: Interner<Class>,
}

impl Found<'_> {
    fn join<A: Address>(
        &mut self,
        countries: &Ranges<A, Option<Country>>,
        operators: &Ranges<A, Option<Asn>>,
        marks: &Ranges<A, u32>,
    ) -> Ranges<A, ClassId> {
        let known = operators.zip(marks, |&asn, &mark| (asn, mark));
        countries.zip(&known, |&country, &(asn, mark)| self.class(country, asn, mark))
    }

    fn class(&mut self, country: Option<Country>, asn: Option<Asn>, mark: u32) -> ClassId {
        let row = match self.last {
            Some((last, row)) if last == (asn, mark) => row,
            _ => self.row(asn, mark),
        };
        let cell = row + country.map_or(Country::COUNT, Country::index);
        if self.cells[cell] == OPEN {
            self.cells[cell] = self.evaluate(OriginKey { country, asn }, mark);
        }
        self.cells[cell]
    }

    fn row(&mut self, asn: Option<Asn>, mark: u32) -> usize {
        let next = self.cells.len();
        let row = *self.rows.entry((asn, mark)).or_insert(next);
        if row == next {
            self.cells.resize(next + COLUMNS, OPEN);
        }
        self.last = Some(((asn, mark), row));
        row
    }

    fn evaluate(&mut self, origin: OriginKey, mark: u32) -> ClassId {
        let mark = &self.marks[mark as usize];
        let members = self.evaluator.members(origin, &mark.lists);
        ClassId(self.classes.intern(Class {
            country: origin.country,
            members: self.members.intern(members),
            failsafe: mark.lists.contains(&ListId::FAILSAFE),
            place: mark.place,
        }))
    }
}
