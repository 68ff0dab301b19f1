// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said of losses: at once, then at most once a second.

use std::time::{Duration, Instant};

use crate::model::event::Lost;
use crate::text::quantity::counted;

/// The least time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// What was said so far.
#[derive(Default)]
pub struct Losses {
    said: Lost,
    last: Option<Instant>,
}

impl Losses {
    /// What there is to say if more were lost than before and it is time to; it then counts as said.
    pub fn news(&mut self, lost: Lost) -> Option<String> {
        let quiet = self.last.is_some_and(|last| last.elapsed() < INTERVAL);
        if lost == self.said || quiet {
            return None;
        }
        self.said = lost;
        self.last = Some(Instant::now());
        Some(words(lost))
    }
}

fn words(lost: Lost) -> String {
    match lost.total() {
        // The BPF side counts both as one: no room on the ring, and no place to note who is to tell it.
        0 => format!(
            "the cost of {} was lost so far: the ring buffer was full, where a larger --buffer-size \
             helps, or too many had ended that nobody has waited for",
            counted(lost.cost, "process")
        ),
        events => format!(
            "{} lost so far ({lost}): the ring buffer was full; a larger --buffer-size helps",
            counted(events, "event")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_true_of_what_was_lost() {
        let events = words(Lost::new([3, 0, 1, 0], 2));
        assert!(
            events.starts_with("4 events lost so far (fork 3, exec 0, exit 1, cost 2): the ring")
        );
        let costs = words(Lost::new([0; 4], 15));
        assert!(costs.starts_with("the cost of 15 processes was lost so far: the ring"), "{costs}");
    }

    #[test]
    fn each_loss_is_news_once() {
        let mut losses = Losses::default();
        assert_eq!(losses.news(Lost::default()), None);
        let lost = Lost::new([1, 0, 0, 0], 0);
        assert!(losses.news(lost).is_some());
        assert_eq!(losses.news(Lost::new([2, 0, 0, 0], 0)), None, "so soon");
        losses.last = None;
        assert_eq!(losses.news(lost), None, "nothing more");
        assert!(losses.news(Lost::new([2, 0, 0, 0], 0)).is_some());
    }
}
