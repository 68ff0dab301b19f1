// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is still to come of some, where it may never come.

use std::hash::Hash;
use std::mem::take;

use foldhash::HashMap;

/// Values by key until they are taken. Of very many, those that came first are forgotten.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// Keeps so many at most, and the last half as many for sure.
    pub fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), half: most / 2 }
    }

    /// Keeps a value.
    pub fn keep(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// All that are kept.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    /// Gives a value back, and keeps it no longer.
    pub fn take(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_there_once_and_the_first_are_forgotten() {
        let mut recent = Recent::new(10);
        (0..100).for_each(|n| recent.keep(n, n * 2));
        let kept: Vec<_> = (0..100).filter(|n| recent.take(n) == Some(n * 2)).collect();
        assert_eq!(kept, (90..100).collect::<Vec<_>>());
        assert_eq!(recent.take(&99), None);
    }
}
