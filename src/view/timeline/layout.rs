// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where each process' bar goes: below its parent's, in the first row with room for it and all
//! that hangs on it, so that processes that follow each other share rows.

use std::collections::HashMap;

use crate::sorted;
use crate::view::lives::{Folded, Life, LifeId, Lives};

/// Rows that are drawn at most: some 3,600 pixels.
const MAX_ROWS: usize = 200;
/// Up to here each process gets its bar and its label; with more the labels are those that fit
/// into their bars.
const MAX_LABELLED: usize = 60;
/// Bars at most, so that the picture has one to two megabytes.
const MAX_BARS: usize = 4_000;
/// Between bars in one row, in pixels.
const GAP: f64 = 0.25;

/// A process in the picture.
#[derive(Debug)]
pub struct Bar {
    /// Whose.
    pub id: LifeId,
    /// Left end, in pixels.
    pub x0: f64,
    /// Right end, in pixels.
    pub x1: f64,
    /// Its row, from 0.
    pub row: usize,
    /// The index of its parent's bar, a smaller one.
    pub parent: Option<usize>,
    /// Descendants without a bar of their own.
    pub folded: Folded,
}

/// A finished layout.
#[derive(Debug)]
pub struct Layout {
    /// Parents before their children.
    pub bars: Vec<Bar>,
    /// How many rows there are.
    pub rows: usize,
    /// There is room for a label beside each bar.
    pub labelled: bool,
    /// Processes without a bar.
    pub left_out: Vec<Node>,
}

/// A process before it is known whether it gets a bar.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Whose.
    pub id: LifeId,
    /// Left end, in pixels.
    pub x0: f64,
    /// Right end, in pixels.
    pub x1: f64,
    /// The place of its parent in the list of nodes, a smaller one.
    parent: Option<usize>,
    /// The width of the widest bar from here on down: nobody is drawn without their ancestors.
    weight: f64,
    /// It ended with what is no success.
    pub failed: bool,
    /// Those below it that are no longer kept.
    folded: Folded,
}

/// Lays the nodes out on `width` pixels. `label` gives the width of a label, in pixels.
pub fn layout(nodes: &[Node], width: f64, label: &dyn Fn(LifeId) -> f64) -> Layout {
    if nodes.len() <= MAX_LABELLED {
        let kept = vec![true; nodes.len()];
        // A label may not leave the picture: one at the right end stands left of its bar.
        let extent = |node: &Node| {
            let label = label(node.id);
            match () {
                () if node.x1 - node.x0 >= label => (node.x0, node.x1),
                () if node.x1 + label <= width => (node.x0, node.x1 + label),
                () => (node.x0 - label, node.x1),
            }
        };
        if let Some(mut layout) = place(nodes, &kept, &extent) {
            layout.labelled = true;
            return layout;
        }
    }

    let mut ranked: Vec<usize> = (0..nodes.len()).collect();
    sorted::by(&mut ranked, |&a, &b| nodes[b].weight.total_cmp(&nodes[a].weight));
    let visible = nodes.iter().filter(|node| node.weight >= 1.0).count();
    let mut count = visible.clamp(nodes.len().min(MAX_ROWS), MAX_BARS);
    loop {
        let mut kept = vec![false; nodes.len()];
        ranked.iter().take(count).for_each(|&index| kept[index] = true);
        if let Some(layout) = place(nodes, &kept, &|node| (node.x0, node.x1)) {
            return layout;
        }
        // It ends: as many bars as there may be rows always find room.
        count = (count * 3 / 4).max(MAX_ROWS.min(count - 1));
    }
}

/// The lives, parents before their children, those in the order of their birth.
pub fn nodes(lives: &Lives, width: f64) -> Vec<Node> {
    let (first, last) = lives.span_ns();
    let scale = width / last.saturating_sub(first).max(1) as f64;
    let x = |ns: u64| ns.clamp(first, last).saturating_sub(first) as f64 * scale;

    let children = lives.children();
    let mut nodes: Vec<Node> = Vec::new();
    let mut todo: Vec<(LifeId, Option<usize>)> = Vec::new();
    let push = |of: Option<LifeId>, parent, todo: &mut Vec<_>| {
        let mut siblings: Vec<_> = children.of(of).collect();
        sorted::by_key(&mut siblings, |&id| lives.get(id).and_then(Life::born_ns));
        todo.extend(siblings.into_iter().rev().map(|id| (id, parent)));
    };
    push(None, None, &mut todo);
    while let Some((id, parent)) = todo.pop() {
        let Some(life) = lives.get(id) else { continue };
        let x0 = x(life.born_ns().unwrap_or(first));
        let x1 = x(life.end.map_or(last, |end| end.at_ns)).max(x0);
        let (failed, folded) = (life.failed(), life.folded());
        nodes.push(Node { id, x0, x1, parent, weight: x1 - x0, failed, folded });
        push(Some(id), Some(nodes.len() - 1), &mut todo);
    }
    for index in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[index].parent {
            nodes[parent].weight = nodes[parent].weight.max(nodes[index].weight);
        }
    }
    nodes
}

/// What hangs on a bar: an area that nothing else may use.
struct Block {
    left: f64,
    right: f64,
    /// For each row below the bar, up to where it is taken.
    taken: Vec<f64>,
    /// The row within the parent's block.
    offset: usize,
}

/// Gives those that are kept their rows; nothing when it takes too many.
fn place(nodes: &[Node], kept: &[bool], extent: &dyn Fn(&Node) -> (f64, f64)) -> Option<Layout> {
    let mut blocks: HashMap<usize, Block> = HashMap::new();
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate().filter(|(index, _)| kept[*index]) {
        children.entry(node.parent).or_default().push(index);
    }
    // From the leaves up, so that a block is whole when it is placed.
    let order = (0..nodes.len()).rev().filter(|&index| kept[index]).map(Some).chain([None]);
    let mut rows = 0;
    for index in order {
        let (mut left, mut right) = index.map_or((0.0, 0.0), |index| extent(&nodes[index]));
        let mut taken: Vec<f64> = Vec::new();
        let mut below = children.remove(&index).unwrap_or_default();
        sorted::by(&mut below, |a, b| blocks[a].left.total_cmp(&blocks[b].left));
        for child in below {
            let Some(block) = blocks.get_mut(&child) else { continue };
            let height = block.taken.len() + 1;
            let free = |row: usize| taken.get(row).is_none_or(|end| end + GAP <= block.left);
            let mut offset = 0;
            while let Some(row) = (offset..offset + height).rev().find(|&row| !free(row)) {
                offset = row + 1;
            }
            block.offset = offset;
            if taken.len() < offset + height {
                taken.resize(offset + height, f64::NEG_INFINITY);
            }
            if taken.len() > MAX_ROWS {
                return None;
            }
            taken[offset..offset + height].fill(block.right);
            left = left.min(block.left);
            right = right.max(block.right);
        }
        match index {
            Some(index) => {
                blocks.insert(index, Block { left, right, taken, offset: 0 });
            }
            None => rows = taken.len(),
        }
    }

    let mut layout = Layout { bars: Vec::new(), rows, labelled: false, left_out: Vec::new() };
    // For each node the bar that stands for it.
    let mut bar_of: Vec<Option<usize>> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let parent = node.parent.and_then(|parent| bar_of[parent]);
        if let Some(block) = blocks.get(&index) {
            bar_of.push(Some(layout.bars.len()));
            let row = parent.map_or(0, |parent| layout.bars[parent].row + 1) + block.offset;
            let Node { id, x0, x1, folded, .. } = *node;
            layout.bars.push(Bar { id, x0, x1, row, parent, folded });
        } else {
            bar_of.push(parent);
            layout.left_out.push(*node);
            if let Some(parent) = parent {
                let folded = &mut layout.bars[parent].folded;
                folded.add(node.folded);
                folded.add(Folded { count: 1, failed: u32::from(node.failed) });
            }
        }
    }
    Some(layout)
}
