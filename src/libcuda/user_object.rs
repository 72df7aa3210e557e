//! User objects: what a program keeps alive for as long as graphs use it.

use crate::abi::{Out, Status};
use crate::driver::soft;
use crate::error::Code;
use crate::graph::with_graph;
use crate::handle::{Handle, Table, fresh, lock};
use std::sync::{Arc, Mutex, Weak};

/// `CU_USER_OBJECT_NO_DESTRUCTOR_SYNC`, which must be said.
const NO_SYNC: u32 = 1;
/// `CU_GRAPH_USER_OBJECT_MOVE`: the graph takes the caller's references.
const MOVE: u32 = 1;

static OBJECTS: Table<References> = Table::new();

/// The object; its end is that of the last who holds it.
pub struct Object {
    handle: Handle,
    destroy: extern "C" fn(usize),
    data: usize,
}

impl Drop for Object {
    fn drop(&mut self) {
        let _ = OBJECTS.remove(self.handle);
        (self.destroy)(self.data);
    }
}

/// An object that lives, and the program's own references to it; graphs have theirs.
struct References {
    object: Weak<Object>,
    held: Mutex<Vec<Arc<Object>>>,
}

fn find(handle: Handle) -> Result<(Arc<Object>, Arc<References>), Code> {
    soft()?;
    let references = OBJECTS.get(handle).map_err(|_| Code::INVALID_VALUE)?;
    Ok((references.object.upgrade().ok_or(Code::INVALID_VALUE)?, references))
}

fn copies(object: &Arc<Object>, count: u32) -> impl Iterator<Item = Arc<Object>> {
    (0..count).map(|_| object.clone())
}

fn create(
    place: Out<Handle>,
    data: usize,
    destroy: Option<extern "C" fn(usize)>,
    count: u32,
    flags: u32,
) -> Status {
    soft()?;
    let place = place.wanted()?;
    let destroy = destroy.filter(|_| count > 0 && flags == NO_SYNC).ok_or(Code::INVALID_VALUE)?;
    let handle = fresh();
    let object = Arc::new(Object { handle, destroy, data });
    let held = Mutex::new(copies(&object, count).collect());
    OBJECTS.insert(handle, References { object: Arc::downgrade(&object), held });
    place.set(handle)
}

fn retain(handle: Handle, count: u32) -> Status {
    let (object, references) = find(handle)?;
    if count == 0 {
        return Err(Code::INVALID_VALUE);
    }
    lock(&references.held).extend(copies(&object, count));
    Ok(())
}

fn release(handle: Handle, count: u32) -> Status {
    let (_object, references) = find(handle)?;
    let mut held = lock(&references.held);
    let rest = held.len().checked_sub(count as usize).filter(|_| count > 0).ok_or(Code::INVALID_VALUE)?;
    held.truncate(rest);
    Ok(())
}

fn retain_for_graph(graph: Handle, handle: Handle, count: u32, flags: u32) -> Status {
    let (object, _) = find(handle)?;
    if count == 0 || flags > MOVE {
        return Err(Code::INVALID_VALUE);
    }
    if flags == MOVE {
        release(handle, count)?;
    }
    with_graph(graph, |graph| graph.objects.extend(copies(&object, count)))
}

fn release_of_graph(graph: Handle, handle: Handle, count: u32) -> Status {
    let (object, _) = find(handle)?;
    with_graph(graph, |graph| {
        let is_it = |other: &Arc<Object>| Arc::ptr_eq(other, &object);
        let had = graph.objects.iter().filter(|other| is_it(other)).count();
        let rest = had.checked_sub(count as usize).filter(|_| count > 0).ok_or(Code::INVALID_VALUE)?;
        graph.objects.retain(|other| !is_it(other));
        graph.objects.extend(copies(&object, rest as u32));
        Ok(())
    })?
}

export! {
    cuUserObjectCreate(
        place: Out<Handle>, data: usize, destroy: Option<extern "C" fn(usize)>, count: u32, flags: u32
    ) => create;
    cuUserObjectRetain(object: Handle, count: u32) => retain;
    cuUserObjectRelease(object: Handle, count: u32) => release;
    cuGraphRetainUserObject(graph: Handle, object: Handle, count: u32, flags: u32) => retain_for_graph;
    cuGraphReleaseUserObject(graph: Handle, object: Handle, count: u32) => release_of_graph;
}
