//! Graphs: nodes of work, and what each of them comes after.

use crate::abi::{In, Out, Status};
use crate::driver::soft;
use crate::error::Code;
use crate::handle::{Handle, Table, fresh, lock};
use crate::user_object::Object;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

static GRAPHS: Table<Mutex<Graph>> = Table::new();
/// The graph of each node.
static NODES: Mutex<BTreeMap<Handle, Handle>> = Mutex::new(BTreeMap::new());

/// A graph.
#[derive(Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What lives as long as the graph.
    pub objects: Vec<Arc<Object>>,
    /// For a clone: the nodes that its nodes were made of.
    originals: BTreeMap<Handle, Handle>,
}

/// A piece of work in a graph.
pub struct Node {
    pub handle: Handle,
    pub work: Work,
    pub after: Vec<Handle>,
}

impl Graph {
    /// Adds a node that comes after others of this graph, which is graph `handle`.
    pub fn add(&mut self, handle: Handle, work: Work, after: &[Handle]) -> Result<Handle, Code> {
        let mut wanted = Vec::with_capacity(after.len());
        for other in after {
            self.index(*other)?;
            if wanted.contains(other) {
                return Err(Code::INVALID_VALUE);
            }
            wanted.push(*other);
        }
        let node = fresh();
        lock(&NODES).insert(node, handle);
        self.nodes.push(Node { handle: node, work, after: wanted });
        Ok(node)
    }

    /// Where a node stands.
    pub fn index(&self, node: Handle) -> Result<usize, Code> {
        self.nodes.iter().position(|other| other.handle == node).ok_or(Code::INVALID_VALUE)
    }

    /// `nodes` and all that come before them.
    pub fn before(&self, nodes: &[Handle]) -> BTreeSet<Handle> {
        let mut found: BTreeSet<Handle> = BTreeSet::new();
        let mut open = nodes.to_vec();
        while let Some(node) = open.pop() {
            if found.insert(node)
                && let Ok(index) = self.index(node)
            {
                open.extend(&self.nodes[index].after);
            }
        }
        found
    }

    /// Positions in an order in which every node comes after those that it must; otherwise as they were added.
    ///
    /// # Errors
    /// [`Code::INVALID_VALUE`] if nodes come after themselves.
    pub fn order(&self) -> Result<Vec<usize>, Code> {
        let place: BTreeMap<Handle, usize> =
            self.nodes.iter().enumerate().map(|(index, node)| (node.handle, index)).collect();
        let mut waits_for: Vec<usize> = self.nodes.iter().map(|node| node.after.len()).collect();
        let mut followers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.after.iter().for_each(|before| followers[place[before]].push(index));
        }
        let mut ready: BTreeSet<usize> =
            (0..self.nodes.len()).filter(|index| waits_for[*index] == 0).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(index) = ready.pop_first() {
            order.push(index);
            for follower in &followers[index] {
                waits_for[*follower] -= 1;
                if waits_for[*follower] == 0 {
                    ready.insert(*follower);
                }
            }
        }
        if order.len() == self.nodes.len() { Ok(order) } else { Err(Code::INVALID_VALUE) }
    }

    /// All work, in order.
    pub fn work(&self) -> Result<Vec<Work>, Code> {
        Ok(self.order()?.into_iter().map(|index| self.nodes[index].work.clone()).collect())
    }
}

/// Uses a graph.
///
/// # Errors
/// [`Code::INVALID_VALUE`] if there is no such graph.
pub fn with_graph<T>(handle: Handle, action: impl FnOnce(&mut Graph) -> T) -> Result<T, Code> {
    soft()?;
    let graph = GRAPHS.get(handle).map_err(|_| Code::INVALID_VALUE)?;
    let mut graph = lock(&graph);
    Ok(action(&mut graph))
}

/// The graph of a node.
pub fn graph_of(node: Handle) -> Result<Handle, Code> {
    lock(&NODES).get(&node).copied().ok_or(Code::INVALID_VALUE)
}

/// Uses a node of any graph.
///
/// # Errors
/// [`Code::INVALID_VALUE`] if there is no such node.
pub fn with_node<T>(node: Handle, action: impl FnOnce(&mut Node) -> T) -> Result<T, Code> {
    with_graph(graph_of(node)?, |graph| {
        let index = graph.index(node)?;
        Ok(action(&mut graph.nodes[index]))
    })?
}

/// An empty graph.
pub fn create() -> Handle {
    let handle = fresh();
    GRAPHS.insert(handle, Mutex::default());
    handle
}

/// Ends a graph. What was instantiated of it stands alone.
pub fn destroy(handle: Handle) -> Status {
    GRAPHS.remove(handle).map_err(|_| Code::INVALID_VALUE)?;
    lock(&NODES).retain(|_, graph| *graph != handle);
    Ok(())
}

fn create_at(place: Out<Handle>, flags: u32) -> Status {
    soft()?;
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    place.wanted()?.set(create())
}

fn clone(place: Out<Handle>, original: Handle) -> Status {
    let place = place.wanted()?;
    let (nodes, objects) = with_graph(original, |graph| {
        let nodes = graph.nodes.iter();
        let nodes: Vec<_> = nodes.map(|node| (node.handle, node.work.clone(), node.after.clone())).collect();
        (nodes, graph.objects.clone())
    })?;
    let handle = create();
    with_graph(handle, |graph| {
        let copies: BTreeMap<Handle, Handle> = nodes.iter().map(|(node, ..)| (*node, fresh())).collect();
        for (node, work, after) in nodes {
            lock(&NODES).insert(copies[&node], handle);
            let after = after.iter().map(|other| copies[other]).collect();
            graph.nodes.push(Node { handle: copies[&node], work, after });
        }
        graph.originals = copies;
        graph.objects = objects;
    })?;
    place.set(handle)
}

fn find_in_clone(place: Out<Handle>, original: Handle, clone: Handle) -> Status {
    let found = with_graph(clone, |graph| graph.originals.get(&original).copied())?;
    place.set(found.ok_or(Code::INVALID_VALUE)?)
}

/// Writes a list as the driver does: with no place for it, only its length; otherwise at most as many as there is
/// room for, and zeros in what is left.
fn set_list(place: Out<Handle>, count: Out<usize>, list: &[Handle]) -> Status {
    if place.is_null() {
        return count.set(list.len());
    }
    let room = count.get()?;
    for index in 0..room {
        place.at(index).set(list.get(index).copied().unwrap_or(0))?;
    }
    count.set(list.len().min(room))
}

fn nodes(graph: Handle, place: Out<Handle>, count: Out<usize>) -> Status {
    let list: Vec<_> = with_graph(graph, |graph| graph.nodes.iter().map(|node| node.handle).collect())?;
    set_list(place, count, &list)
}

fn roots(graph: Handle, place: Out<Handle>, count: Out<usize>) -> Status {
    let list: Vec<_> = with_graph(graph, |graph| {
        let roots = graph.nodes.iter().filter(|node| node.after.is_empty());
        roots.map(|node| node.handle).collect()
    })?;
    set_list(place, count, &list)
}

fn edges(graph: Handle, from: Out<Handle>, to: Out<Handle>, count: Out<usize>) -> Status {
    let pairs: Vec<(Handle, Handle)> = with_graph(graph, |graph| {
        let of = |node: &Node| node.after.iter().map(|before| (*before, node.handle)).collect::<Vec<_>>();
        graph.nodes.iter().flat_map(of).collect()
    })?;
    let (sources, targets): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    if from.is_null() != to.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    if !from.is_null() {
        let room = count.get()?;
        set_list(to, count, &targets)?;
        count.set(room)?;
    }
    set_list(from, count, &sources)
}

/// Edges carry no data here.
fn edges_with_data(
    graph: Handle,
    from: Out<Handle>,
    to: Out<Handle>,
    _data: Out<u64>,
    count: Out<usize>,
) -> Status {
    edges(graph, from, to, count)
}

fn dependencies(node: Handle, place: Out<Handle>, count: Out<usize>) -> Status {
    let list = with_node(node, |node| node.after.clone())?;
    set_list(place, count, &list)
}

fn dependencies_with_data(node: Handle, place: Out<Handle>, _data: Out<u64>, count: Out<usize>) -> Status {
    dependencies(node, place, count)
}

fn dependents(node: Handle, place: Out<Handle>, count: Out<usize>) -> Status {
    let list: Vec<_> = with_graph(graph_of(node)?, |graph| {
        let followers = graph.nodes.iter().filter(|other| other.after.contains(&node));
        followers.map(|other| other.handle).collect()
    })?;
    set_list(place, count, &list)
}

fn dependents_with_data(node: Handle, place: Out<Handle>, _data: Out<u64>, count: Out<usize>) -> Status {
    dependents(node, place, count)
}

fn add_dependencies(graph: Handle, from: In<Handle>, to: In<Handle>, count: usize) -> Status {
    let (from, to) = (from.all(count)?, to.all(count)?);
    with_graph(graph, |graph| {
        for (before, node) in from.into_iter().zip(to) {
            graph.index(before)?;
            let index = graph.index(node)?;
            if before == node || graph.nodes[index].after.contains(&before) {
                return Err(Code::INVALID_VALUE);
            }
            graph.nodes[index].after.push(before);
        }
        Ok(())
    })?
}

fn add_dependencies_with_data(
    graph: Handle,
    from: In<Handle>,
    to: In<Handle>,
    _data: In<u64>,
    count: usize,
) -> Status {
    add_dependencies(graph, from, to, count)
}

fn remove_dependencies(graph: Handle, from: In<Handle>, to: In<Handle>, count: usize) -> Status {
    let (from, to) = (from.all(count)?, to.all(count)?);
    with_graph(graph, |graph| {
        for (before, node) in from.into_iter().zip(to) {
            let index = graph.index(node)?;
            let after = &mut graph.nodes[index].after;
            let place = after.iter().position(|other| *other == before).ok_or(Code::INVALID_VALUE)?;
            after.remove(place);
        }
        Ok(())
    })?
}

fn remove_dependencies_with_data(
    graph: Handle,
    from: In<Handle>,
    to: In<Handle>,
    _data: In<u64>,
    count: usize,
) -> Status {
    remove_dependencies(graph, from, to, count)
}

fn destroy_node(node: Handle) -> Status {
    with_graph(graph_of(node)?, |graph| {
        graph.nodes.retain(|other| other.handle != node);
        graph.nodes.iter_mut().for_each(|other| other.after.retain(|before| *before != node));
    })?;
    lock(&NODES).remove(&node);
    Ok(())
}

fn kind(node: Handle, kind: Out<u32>) -> Status {
    kind.set(with_node(node, |node| node.work.kind())?)
}

fn containing(node: Handle, graph: Out<Handle>) -> Status {
    graph.set(graph_of(node)?)
}

fn id(graph: Handle, id: Out<u32>) -> Status {
    with_graph(graph, |_| ())?;
    id.set(graph as u32)
}

fn local_id(node: Handle, id: Out<u32>) -> Status {
    let index = with_graph(graph_of(node)?, |graph| graph.index(node))??;
    id.set(index as u32)
}

export! {
    cuGraphCreate(place: Out<Handle>, flags: u32) => create_at;
    cuGraphDestroy(graph: Handle) => destroy;
    cuGraphClone(place: Out<Handle>, original: Handle) => clone;
    cuGraphNodeFindInClone(place: Out<Handle>, original: Handle, clone: Handle) => find_in_clone;
    cuGraphGetNodes(graph: Handle, place: Out<Handle>, count: Out<usize>) => nodes;
    cuGraphGetRootNodes(graph: Handle, place: Out<Handle>, count: Out<usize>) => roots;
    cuGraphGetEdges(graph: Handle, from: Out<Handle>, to: Out<Handle>, count: Out<usize>) => edges;
    cuGraphGetEdges_v2(graph: Handle, from: Out<Handle>, to: Out<Handle>, data: Out<u64>, count: Out<usize>)
        => edges_with_data;
    cuGraphNodeGetDependencies(node: Handle, place: Out<Handle>, count: Out<usize>) => dependencies;
    cuGraphNodeGetDependencies_v2(node: Handle, place: Out<Handle>, data: Out<u64>, count: Out<usize>)
        => dependencies_with_data;
    cuGraphNodeGetDependentNodes(node: Handle, place: Out<Handle>, count: Out<usize>) => dependents;
    cuGraphNodeGetDependentNodes_v2(node: Handle, place: Out<Handle>, data: Out<u64>, count: Out<usize>)
        => dependents_with_data;
    cuGraphAddDependencies(graph: Handle, from: In<Handle>, to: In<Handle>, count: usize) => add_dependencies;
    cuGraphAddDependencies_v2(graph: Handle, from: In<Handle>, to: In<Handle>, data: In<u64>, count: usize)
        => add_dependencies_with_data;
    cuGraphRemoveDependencies(graph: Handle, from: In<Handle>, to: In<Handle>, count: usize)
        => remove_dependencies;
    cuGraphRemoveDependencies_v2(graph: Handle, from: In<Handle>, to: In<Handle>, data: In<u64>, count: usize)
        => remove_dependencies_with_data;
    cuGraphDestroyNode(node: Handle) => destroy_node;
    cuGraphNodeGetType(node: Handle, place: Out<u32>) => kind;
    cuGraphNodeGetContainingGraph(node: Handle, graph: Out<Handle>) => containing;
    cuGraphNodeGetLocalId(node: Handle, place: Out<u32>) => local_id;
    cuGraphGetId(graph: Handle, place: Out<u32>) => id;
}
