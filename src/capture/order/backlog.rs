// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records that wait for their turn, as the bytes that came: a third of what events would take, and
//! each is made when it is to be printed, in memory that the one before it has just left.

use std::collections::VecDeque;
use std::ops::Range;

/// Bytes that are allocated at once.
const CHUNK: usize = 32 << 10;
/// Records lie at addresses that are multiples of this.
const ALIGNMENT: usize = 8;

/// Records in their order, each with some room behind it, and what else is kept of it.
#[derive(Debug)]
pub struct Backlog<T> {
    chunks: VecDeque<Chunk>,
    /// One that is empty, to be used again.
    spare: Option<Chunk>,
    entries: VecDeque<Entry<T>>,
    /// How many records have left: the place of the first one.
    left: u64,
    /// How many chunks have.
    chunks_left: u64,
    /// Bytes that those which wait take.
    held: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// The number of its chunk, counted as places are.
    chunk: u64,
    begin: u32,
    len: u32,
    room: u32,
    kept: T,
}

impl<T> Entry<T> {
    fn record(&self) -> Range<usize> {
        let begin = self.begin as usize;
        begin..begin + self.len as usize
    }

    fn room(&self) -> Range<usize> {
        let begin = self.begin as usize + padded(self.len as usize);
        begin..begin + self.room as usize
    }

    /// Bytes that it takes in all.
    fn takes(&self) -> usize {
        size_of::<Self>() + padded(self.len as usize) + padded(self.room as usize)
    }
}

/// So many bytes, and those up to where the next record may begin.
fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

/// Bytes that stay where they are, for they are never more than was allocated.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
}

impl Chunk {
    fn new(least: usize) -> Self {
        let mut chunk = Self { bytes: Vec::with_capacity(CHUNK.max(least + ALIGNMENT)) };
        chunk.align();
        chunk
    }

    /// Makes the next record begin where it may.
    fn align(&mut self) {
        let end = self.bytes.as_ptr() as usize + self.bytes.len();
        let gap = end.next_multiple_of(ALIGNMENT) - end;
        self.bytes.resize(self.bytes.len() + gap, 0);
    }

    fn has_room(&self, len: usize) -> bool {
        self.bytes.capacity() - self.bytes.len() >= len
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.align();
    }
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        let (chunks, entries) = (VecDeque::new(), VecDeque::new());
        Self { chunks, spare: None, entries, left: 0, chunks_left: 0, held: 0 }
    }
}

impl<T> Backlog<T> {
    /// Adds a record with so much room behind it. Returns its place.
    pub fn push(&mut self, record: &[u8], room: usize, kept: T) -> u64 {
        let takes = padded(record.len()) + padded(room);
        if !self.chunks.back().is_some_and(|chunk| chunk.has_room(takes)) {
            let spare = self.spare.take().filter(|chunk| chunk.has_room(takes));
            self.chunks.push_back(spare.unwrap_or_else(|| Chunk::new(takes)));
        }
        let number = self.chunks_left + self.chunks.len() as u64 - 1;
        if let Some(Chunk { bytes }) = self.chunks.back_mut() {
            let begin = bytes.len();
            bytes.extend_from_slice(record);
            bytes.resize(begin + takes, 0);
            let (begin, len, room) = (begin as u32, record.len() as u32, room as u32);
            let entry = Entry { chunk: number, begin, len, room, kept };
            self.held += entry.takes();
            self.entries.push_back(entry);
        }
        self.end() - 1
    }

    /// What is kept of the record at this place, if it is still there.
    pub fn kept(&mut self, place: u64) -> Option<&mut T> {
        let nth = self.nth(place)?;
        Some(&mut self.entries.get_mut(nth)?.kept)
    }

    /// The record at this place, and the room behind it.
    pub fn at(&self, place: u64) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(self.nth(place)?)?;
        let chunk = self.chunks.get(usize::try_from(entry.chunk - self.chunks_left).ok()?)?;
        Some((chunk.bytes.get(entry.record())?, chunk.bytes.get(entry.room())?))
    }

    /// Writes to the room behind the record at this place. None where it is too small.
    pub fn fill(&mut self, place: u64, bytes: &[u8]) -> Option<()> {
        let entry = self.entries.get(self.nth(place)?)?;
        let chunk = usize::try_from(entry.chunk - self.chunks_left).ok()?;
        let room = self.chunks.get_mut(chunk)?.bytes.get_mut(entry.room())?;
        room.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    /// The place of the first record, and what is kept of it.
    pub fn first(&self) -> Option<(u64, &T)> {
        Some((self.left, &self.entries.front()?.kept))
    }

    /// Drops the first record.
    pub fn pop(&mut self) {
        let Some(first) = self.entries.pop_front() else { return };
        self.left += 1;
        self.held -= first.takes();
        let next = self.entries.front().map(|entry| entry.chunk);
        if next.is_none_or(|next| next != first.chunk) {
            self.chunks_left = first.chunk + 1;
            if let Some(mut chunk) = self.chunks.pop_front() {
                chunk.clear();
                self.spare = Some(chunk);
            }
        }
    }

    /// The place of the next record that is added.
    pub fn end(&self) -> u64 {
        self.left + self.entries.len() as u64
    }

    /// How many have left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that those which wait take.
    pub fn size(&self) -> usize {
        self.held
    }

    fn nth(&self, place: u64) -> Option<usize> {
        usize::try_from(place.checked_sub(self.left)?).ok()
    }
}
