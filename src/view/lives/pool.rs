// SPDX-License-Identifier: MIT OR Apache-2.0
//! One copy of what many have alike.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Values that are remembered, so that the next one that is equal is the same. Where there are more
/// they begin anew: what is forgotten is shared no longer, that is all.
const MAX_VALUES: usize = 1024;

/// Values that were seen of late.
#[derive(Debug)]
pub struct Pool<T>(HashSet<Arc<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: Hash + Eq> Pool<T> {
    /// This value, or one that is equal.
    pub fn share(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.0.get(&value) {
            return Arc::clone(known);
        }
        if self.0.len() == MAX_VALUES {
            self.0.clear();
        }
        let value = Arc::new(value);
        self.0.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_few_are_kept() {
        let mut pool = Pool::default();
        let one = pool.share("sh".to_owned());
        assert!(Arc::ptr_eq(&one, &pool.share("sh".to_owned())));
        for i in 0..10 * MAX_VALUES {
            pool.share(i.to_string());
        }
        assert!(pool.0.len() <= MAX_VALUES);
        assert_eq!(*pool.share("sh".to_owned()), *one);
    }
}
