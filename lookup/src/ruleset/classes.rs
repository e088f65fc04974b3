//! Addresses to classes: all that a policy can tell apart, interned before the tables are built.
//!
//! ```text
//!  Origins ---- keys ----> Ranges<A, OriginId> --.
//!                                                 zip --> Ranges<A, ClassId> --> ClassTable
//!  lists, services ------> Ranges<A, MarkId> ----'            |
//!    (prefixes, nested)                                       `--> Class: country, groups, place
//! ```
//!
//! One linear pass over both covers; a hash lookup for each piece, and the groups are evaluated once
//! for each distinct pair. Adding a country to a policy adds a class at most.

use std::collections::HashMap;
use std::hash::Hash;

use ipnet::IpNet;

use super::members::{Evaluator, ListId, Members, networks};
use crate::policy::{Body, Group, GroupId, Policy, chains};
use crate::services::Place;
use crate::{
    Address, ClassId, Country, OriginId, OriginKey, OriginKeys, Prefix, Ranges, Region, ServiceId,
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
    pub(super) fn compile(policy: &Policy, origins: &OriginKeys) -> Self {
        let mut marks = Marks::default();
        let (v4, v6) = marks.read(policy);
        let evaluator = Evaluator::new(policy);
        let mut reduced = Interner::default();
        let reduce: Vec<u32> =
            origins.keys.iter().map(|&key| reduced.intern(evaluator.reduce(key))).collect();
        let mut found = Found {
            evaluator: &evaluator,
            origins: &reduced.list,
            marks: &marks.marks.list,
            pairs: HashMap::new(),
            last: None,
            members: Interner::default(),
            classes: Interner::default(),
        };
        let v4 = found.join(&origins.v4, &reduce, &v4);
        let v6 = found.join(&origins.v6, &reduce, &v6);
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

/// The classes found so far.
struct Found<'a> {
    evaluator: &'a Evaluator<'a>,
    origins: &'a [OriginKey],
    marks: &'a [Mark],
    pairs: HashMap<(u32, u32), ClassId>,
    /// The pair before: neighbouring pieces often differ in one, and come back.
    last: Option<((u32, u32), ClassId)>,
    members: Interner<Members>,
    classes: Interner<Class>,
}

impl Found<'_> {
    fn join<A: Address>(
        &mut self,
        origins: &Ranges<A, OriginId>,
        reduce: &[u32],
        marks: &Ranges<A, u32>,
    ) -> Ranges<A, ClassId> {
        origins.zip(marks, |origin, &mark| self.class(reduce[origin.0 as usize], mark))
    }

    fn class(&mut self, origin: u32, mark: u32) -> ClassId {
        let pair = (origin, mark);
        if let Some((last, class)) = self.last
            && last == pair
        {
            return class;
        }
        let class = match self.pairs.get(&pair) {
            Some(&class) => class,
            None => {
                let class = self.evaluate(self.origins[origin as usize], mark);
                self.pairs.insert(pair, class);
                class
            }
        };
        self.last = Some((pair, class));
        class
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
