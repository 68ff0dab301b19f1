// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reading end of the BPF ring buffer.
//!
//! libbpf's own maps the whole ring, twice, and each of these pages counts as resident memory:
//! 8 MB for a ring of 4 MiB. This maps a window of it that moves along, so that the program stays
//! small whatever the ring's size.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bits of a record's length that have a meaning of their own, and the size of a record's header:
/// include/uapi/linux/bpf.h.
const BUSY: u32 = libbpf_sys::BPF_RINGBUF_BUSY_BIT;
const DISCARDED: u32 = libbpf_sys::BPF_RINGBUF_DISCARD_BIT;
const HEADER: usize = libbpf_sys::BPF_RINGBUF_HDR_SZ as usize;
/// What is mapped at a time, unless a record is longer.
const WINDOW: usize = 128 * 1024;
/// How much is read before the writers are told, who look at it each time: at most this, and no
/// more than a part of the ring.
const RELEASE: usize = 16 * 1024;
const RELEASE_PART: usize = 16;

/// The ring buffer of a map: kernel/bpf/ringbuf.c tells how it is laid out.
#[derive(Debug)]
pub struct Ring<'a> {
    fd: BorrowedFd<'a>,
    /// Bytes of data, a power of two.
    size: usize,
    page: usize,
    /// How far we have read, and (a page of the writers) how far they have written.
    consumer: Mapping,
    producer: Mapping,
    /// The window, and the offset in the data that it begins at.
    window: Option<(Mapping, usize)>,
    /// How far we have read, for ourselves.
    position: u64,
}

impl<'a> Ring<'a> {
    /// Of a map of type `BPF_MAP_TYPE_RINGBUF` with `size` bytes.
    ///
    /// # Errors
    /// The map can't be mapped.
    pub fn new(fd: BorrowedFd<'a>, size: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let write = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapping::new(fd, 0, page, write)?;
        let producer = Mapping::new(fd, page, page, ProtFlags::READ)?;
        let position = consumer.position().load(Ordering::Relaxed);
        Ok(Self { fd, size, page, consumer, producer, window: None, position })
    }

    /// Becomes readable when the BPF side wakes the reader.
    pub fn fd(&self) -> BorrowedFd<'a> {
        self.fd
    }

    /// Hands out up to `limit` records that are ready, until `on_record` returns false. Returns
    /// how many it has read.
    ///
    /// # Errors
    /// A part of the ring can't be mapped.
    pub fn consume(
        &mut self,
        limit: usize,
        mut on_record: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<usize> {
        let mut read = 0;
        let release_at = RELEASE.min(self.size / RELEASE_PART) as u64;
        let mut released = self.position;
        let mut wanted = true;
        while wanted && read < limit {
            if self.is_drained() {
                break;
            }
            let Some((length, discarded)) = self.header()? else { break };
            if !discarded {
                let record = self.map(HEADER + length)?;
                // SAFETY: so many bytes are mapped there, and of a record that isn't busy the
                // kernel writes none before `release` says that they are read.
                wanted = on_record(unsafe {
                    slice::from_raw_parts(record.as_ptr().add(HEADER), length)
                });
            }
            read += 1;
            self.position += (HEADER + length).next_multiple_of(8) as u64;
            if self.position - released >= release_at {
                self.release();
                released = self.position;
            }
        }
        self.release();
        Ok(read)
    }

    /// Whether all that was reserved has been read.
    pub fn is_drained(&self) -> bool {
        let written = self.written();
        acquire();
        self.position >= written
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How far records have been reserved, in bytes since the ring was made.
    pub fn written(&self) -> u64 {
        self.producer.position().load(Ordering::Relaxed)
    }

    /// How far they have been read.
    pub fn read(&self) -> u64 {
        self.position
    }

    /// The length of the next record, and whether to skip it; none while it is being written.
    fn header(&mut self) -> io::Result<Option<(usize, bool)>> {
        let header = self.map(HEADER)?.as_ptr().cast::<u32>();
        // SAFETY: the 8 bytes of the header are mapped, records are aligned to 8, and the
        // kernel writes the length atomically.
        let length = unsafe { AtomicU32::from_ptr(header) }.load(Ordering::Relaxed);
        acquire(); // the record is complete when it isn't busy
        if length & BUSY != 0 {
            return Ok(None);
        }
        Ok(Some(((length & !DISCARDED) as usize, length & DISCARDED != 0)))
    }

    /// Where so many bytes of the ring from the position on are mapped.
    fn map(&mut self, length: usize) -> io::Result<NonNull<u8>> {
        let offset = self.position as usize & (self.size - 1);
        let covers = |(mapping, begin): &(Mapping, usize)| {
            offset >= *begin && offset + length <= begin + mapping.length
        };
        // An old one goes before there is a new one, for it may be much of what we hold.
        let window = self.window.take().filter(covers);
        let (mapping, begin) = match window {
            Some(window) => self.window.insert(window),
            None => {
                let begin = offset & !(self.page - 1);
                let need = (offset - begin + length).next_multiple_of(self.page);
                // Behind the data the same pages come again, so that a record is never in two
                // parts.
                let length = need.max(WINDOW.min(self.size));
                let at = 2 * self.page + begin;
                self.window.insert((Mapping::new(self.fd, at, length, ProtFlags::READ)?, begin))
            }
        };
        // SAFETY: the window covers this place, as checked above.
        Ok(unsafe { mapping.start.add(offset - *begin) })
    }

    /// Gives the room of what was read back to the writers.
    fn release(&self) {
        self.consumer.position().store(self.position, Ordering::Release);
    }
}

/// Makes what the kernel wrote before the value that was just loaded visible. A load that acquires
/// by itself may need to write on some machines, and the writers' pages are mapped read-only:
/// only relaxed loads are guaranteed there (`std::sync::atomic`, "Atomic accesses to read-only
/// memory").
fn acquire() {
    fence(Ordering::Acquire);
}

/// Some pages of the map.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(
        fd: BorrowedFd<'_>,
        offset: usize,
        length: usize,
        access: ProtFlags,
    ) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start =
            unsafe { mmap(ptr::null_mut(), length, access, MapFlags::SHARED, fd, offset as u64) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The position that one of the first two pages begins with.
    fn position(&self) -> &AtomicU64 {
        // SAFETY: a page is mapped here, aligned, for as long as self lives; the kernel accesses
        // these bytes atomically, too. The writers' page is only ever loaded from.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to these pages any more; they are ours alone. It can't fail.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    /// A file that is laid out as a ring, and its writer.
    struct Fake {
        file: File,
        size: usize,
        written: u64,
    }

    impl Fake {
        fn new(size: usize) -> Self {
            let file = tempfile::tempfile().expect("a file");
            file.set_len((2 * page() + 2 * size) as u64).expect("its size");
            Self { file, size, written: 0 }
        }

        fn ring(&self) -> Ring<'_> {
            Ring::new(self.file.as_fd(), self.size).expect("mapped")
        }

        /// The record's header alone decides whether it is busy or discarded.
        fn write(&mut self, header: u32, data: &[u8]) {
            let mut record = Vec::from(header.to_ne_bytes());
            record.extend([0; 4]);
            record.extend(data);
            record.resize(record.len().next_multiple_of(8), 0);
            let at = self.written as usize % self.size;
            let (till_end, rest) = record.split_at(record.len().min(self.size - at));
            for begin in [2 * page(), 2 * page() + self.size] {
                self.file.write_all_at(till_end, (begin + at) as u64).expect("written");
                self.file.write_all_at(rest, begin as u64).expect("written");
            }
            self.written += record.len() as u64;
            self.file.write_all_at(&self.written.to_ne_bytes(), page() as u64).expect("written");
        }

        fn submit(&mut self, data: &[u8]) {
            self.write(data.len() as u32, data);
        }

        fn released(&self) -> u64 {
            let mut position = [0; 8];
            self.file.read_exact_at(&mut position, 0).expect("read");
            u64::from_ne_bytes(position)
        }
    }

    fn page() -> usize {
        rustix::param::page_size()
    }

    fn read(ring: &mut Ring<'_>, limit: usize) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let take = |record: &[u8]| {
            records.push(record.to_vec());
            true
        };
        ring.consume(limit, take).expect("consumed");
        records
    }

    #[test]
    fn records_come_in_order_and_their_room_is_given_back() {
        let mut fake = Fake::new(page());
        fake.submit(b"one");
        fake.submit(b"twelve bytes");
        fake.write(DISCARDED | 5, b"never");
        fake.submit(b"");
        let mut ring = fake.ring();
        assert_eq!(read(&mut ring, 9), [&b"one"[..], b"twelve bytes", b""]);
        assert_eq!(fake.released(), fake.written);
        assert!(read(&mut ring, 9).is_empty());
    }

    #[test]
    fn a_record_that_is_being_written_holds_up_those_behind_it() {
        let mut fake = Fake::new(page());
        fake.submit(b"done");
        fake.write(BUSY | 4, b"half");
        fake.submit(b"done, too");
        let mut ring = fake.ring();
        assert_eq!(read(&mut ring, 9), [b"done"]);
        assert!(read(&mut ring, 9).is_empty());
        assert_eq!(fake.released(), 16);
    }

    #[test]
    fn reading_stops_at_the_limit_and_when_no_more_is_wanted() {
        let mut fake = Fake::new(page());
        for text in [b"a", b"b", b"c", b"d"] {
            fake.submit(text);
        }
        let mut ring = fake.ring();
        assert_eq!(read(&mut ring, 1), [b"a"]);
        assert_eq!(ring.consume(9, |_| false).expect("consumed"), 1);
        assert_eq!(read(&mut ring, 9), [b"c", b"d"]);
    }

    /// Around the ring many times, its window moving, with records up to half of it and across
    /// its end.
    #[test]
    fn every_record_of_every_length_arrives_whole() {
        for size in [page(), 64 * page()] {
            let mut fake = Fake::new(size);
            let mut rounds = 0;
            for i in 0..40_usize {
                let length = (i * 7919) % (size / 2);
                let data: Vec<u8> = (0..length).map(|at| (at * 31 + i) as u8).collect();
                fake.submit(&data);
                // Another reader goes on where the first one was.
                assert_eq!(read(&mut fake.ring(), 9), [data], "{i}");
                rounds = fake.written as usize / size;
            }
            assert!(rounds > 5, "{rounds}");
        }
    }

    #[test]
    fn records_may_be_longer_than_the_window() {
        let mut fake = Fake::new(4 * WINDOW);
        let long = vec![7; WINDOW + 100];
        fake.submit(b"short");
        fake.submit(&long);
        fake.submit(b"short");
        let short = b"short".to_vec();
        assert_eq!(read(&mut fake.ring(), 9), [short.clone(), long, short]);
    }
}
