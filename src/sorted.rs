// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sorting that is compiled once. The slices' own is 8 KB of code for each type and each order, and
//! views rank thirty kinds of lists. For what isn't much or isn't sorted often: each comparison is
//! a call. Numbers are left to `sort_unstable`.

use std::cmp::Ordering;

/// As `slice::sort_by`: what is alike stays in its order.
pub fn by<T>(items: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    let places = places(items.len(), &|a, b| order(&items[a], &items[b]));
    arrange(items, places);
}

/// As `slice::sort_by_cached_key`: what is alike stays in its order, and each key is made once.
pub fn by_key<T, K: Ord>(items: &mut [T], key: impl FnMut(&T) -> K) {
    let keys: Vec<K> = items.iter().map(key).collect();
    let places = places(items.len(), &|a, b| keys[a].cmp(&keys[b]));
    arrange(items, places);
}

/// Where what belongs into each place lies.
fn places(len: usize, order: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..len).collect();
    places.sort_unstable_by(|&a, &b| order(a, b).then(a.cmp(&b)));
    places
}

/// Puts there what belongs there, once around each ring of those that take each other's place.
fn arrange<T>(items: &mut [T], mut places: Vec<usize>) {
    for first in 0..places.len() {
        let mut to = first;
        loop {
            let from = std::mem::replace(&mut places[to], to);
            if from == first {
                break;
            }
            items.swap(to, from);
            to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    /// Each list of up to five of three numbers, each with its place.
    fn lists() -> impl Iterator<Item = Vec<(usize, usize)>> {
        let of = |len: usize| {
            let list = move |n: usize| {
                (0..len as u32).map(|at| (n / 3_usize.pow(at) % 3, at as usize)).collect()
            };
            (0..3_usize.pow(len as u32)).map(list)
        };
        (0..=5).flat_map(of)
    }

    #[test]
    fn they_are_sorted_as_slices_sort() {
        for list in lists() {
            let [mut want, mut by_order, mut by_its_key] = [(); 3].map(|()| list.clone());
            want.sort_by_key(|&(number, _)| Reverse(number));
            by(&mut by_order, |a, b| b.0.cmp(&a.0));
            by_key(&mut by_its_key, |&(number, _)| Reverse(number));
            assert_eq!((&by_order, &by_its_key), (&want, &want), "{list:?}");
        }
    }

    #[test]
    fn long_lists_are_sorted_and_nothing_is_lost() {
        let mut list: Vec<String> = (0..10_000).map(|n| (n * 7_919 % 10_007).to_string()).collect();
        let mut want = list.clone();
        want.sort();
        by(&mut list, String::cmp);
        assert_eq!(list, want);
    }
}
