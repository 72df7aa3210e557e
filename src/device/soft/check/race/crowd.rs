//! Accesses to one memory cell that are not ordered among each other.

use super::happens_before::HappensBefore;
use super::stamp::Stamp;
use super::visit::lanes;

/// What lanes of a warp did with one instruction in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// Of lane 0.
    pub stamp: Stamp,
    pub lanes: u32,
}

impl Party {
    /// The access of each member.
    pub fn members(&self) -> impl Iterator<Item = Stamp> + use<> {
        let stamp = self.stamp;
        lanes(self.lanes).map(move |lane| stamp.of_lane(lane))
    }
}

/// The accesses to one cell.
pub type Crowd = Vec<Party>;

/// Adds what lanes of a warp do; accesses that they know of are forgotten, for whoever comes to know of the
/// new one will know of those.
pub fn join(crowd: &mut Crowd, order: &HappensBefore, warp: u32, party: Party) {
    let lane = party.lanes.trailing_zeros();
    crowd.retain_mut(|old| {
        let same_warp = order.is_here(old.stamp) && old.stamp.warp() == warp;
        if same_warp {
            old.lanes &= !party.lanes;
        }
        for member in lanes(old.lanes) {
            if order.knows(warp, lane, old.stamp.of_lane(member)) {
                old.lanes &= !(1 << member);
            }
        }
        old.lanes != 0
    });
    match crowd.iter_mut().find(|old| old.stamp == party.stamp) {
        Some(old) => old.lanes |= party.lanes,
        None => crowd.push(party),
    }
}

/// The crowds of a launch. A cell's stamp is the number of its crowd where it has one.
#[derive(Debug, Default)]
pub struct Crowds(Vec<Crowd>);

impl Crowds {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The crowd of a cell's stamp; none if it is one of an earlier launch.
    pub fn of(&self, order: &HappensBefore, stamp: Stamp) -> Option<&Crowd> {
        stamp.as_crowd().filter(|_| order.is_of_launch(stamp)).map(|number| &self.0[number])
    }

    /// Adds a party to what a cell's stamp stands for, and returns the cell's new stamp.
    pub fn join(&mut self, order: &HappensBefore, cell: Stamp, warp: u32, party: Party) -> Stamp {
        let tick = party.stamp.tick();
        if let Some(number) = cell.as_crowd().filter(|_| order.is_of_launch(cell)) {
            join(&mut self.0[number], order, warp, party);
            return Stamp::crowd(tick, number);
        }
        let mut crowd = Crowd::new();
        if cell.as_crowd().is_none() && order.is_of_launch(cell) {
            crowd.push(Party { stamp: cell.of_no_lane(), lanes: 1 << cell.lane() });
        }
        join(&mut crowd, order, warp, party);
        if self.0.len() == Stamp::CROWDS {
            // Nobody gets here with less than gigabytes of crowds; the newest access stands for all.
            return party.stamp.of_lane(party.lanes.trailing_zeros());
        }
        self.0.push(crowd);
        Stamp::crowd(tick, self.0.len() - 1)
    }
}
