//! One cell of a shadow: a stamp, or the number of a crowd.

use super::crowd::{Crowds, Party};
use super::stamp::Stamp;
use super::visit::{Context, Visit};

/// The first access that a cell stands for and that `lane` may not follow.
#[cold]
#[inline(never)]
pub fn objection(context: &Context, crowds: &Crowds, visit: &Visit, lane: u32, cell: Stamp) -> Option<Stamp> {
    if cell.as_crowd().is_none() {
        return Some(cell).filter(|cell| !context.tolerates(visit, lane, *cell));
    }
    let parties = crowds.of(context.order, cell)?;
    parties.iter().flat_map(Party::members).find(|member| !context.tolerates(visit, lane, *member))
}

/// The cell after an access by `lanes`: the newest access stands for all that it knows of.
pub fn after(context: &Context, crowds: &mut Crowds, visit: &Visit, lanes: u32, cell: Stamp) -> Stamp {
    let lane = lanes.trailing_zeros();
    let single = lanes & (lanes - 1) == 0;
    let order = context.order;
    let known = !order.is_of_launch(cell)
        || (cell.as_crowd().is_none() && order.knows(visit.warp, lane, cell) && !cell.is_pending());
    if single && known {
        return visit.stamp.of_lane(lane);
    }
    let before = if known || cell.is_pending() { Stamp::NONE } else { cell };
    crowds.join(order, before, visit.warp, Party { stamp: visit.stamp, lanes })
}
