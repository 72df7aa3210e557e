//! What a stream or a graph can do, each kind of it.

use crate::abi::Status;
use crate::copy::Copy3d;
use crate::event::Event;
use crate::fill::Fill;
use crate::launch::Launch;
use std::sync::Arc;

/// One piece of work, complete: it can be done now, later, and more than once.
#[derive(Clone)]
pub enum Work {
    Kernel(Arc<Launch>),
    Copy(Copy3d),
    Fill(Fill),
    Host(HostCall),
    /// Another graph's work, in order.
    Graph(Arc<[Work]>),
    /// Only order.
    Empty,
    /// For an event: what was recorded is done.
    Wait,
    Record(Arc<Event>),
}

/// A function of the program's.
#[derive(Clone, Copy)]
pub struct HostCall {
    pub function: extern "C" fn(usize),
    pub data: usize,
}

impl Work {
    pub fn run(&self) -> Status {
        match self {
            Work::Kernel(launch) => launch.run(),
            Work::Copy(copy) => copy.run(),
            Work::Fill(fill) => fill.run(),
            Work::Host(HostCall { function, data }) => {
                function(*data);
                Ok(())
            }
            Work::Graph(parts) => parts.iter().try_for_each(Work::run),
            Work::Empty | Work::Wait => Ok(()),
            Work::Record(event) => {
                event.record();
                Ok(())
            }
        }
    }

    /// `CUgraphNodeType`.
    pub fn kind(&self) -> u32 {
        match self {
            Work::Kernel(_) => 0,
            Work::Copy(_) => 1,
            Work::Fill(_) => 2,
            Work::Host(_) => 3,
            Work::Graph(_) => 4,
            Work::Empty => 5,
            Work::Wait => 6,
            Work::Record(_) => 7,
        }
    }
}
