//! The work table: what the agent has in hand and which polls are out, pure bookkeeping. Polls are never broken off, because
//! a lease may be on its way in one: when a slot is free again, another poll goes out beside the one that asked for
//! nothing.

use std::collections::BTreeMap;

use protocol::ids::AttemptId;
use protocol::lease::LeaseRef;

use super::work::{Signals, WorkStage};

/// What the agent has in hand.
#[derive(Debug, Default)]
pub struct WorkTable {
    slots: u32,
    /// For jobs in all, bytes; `None`: nobody can say.
    memory: Option<u64>,
    /// Take so many more jobs, then none. `None`: no limit.
    budget: Option<u32>,
    draining: bool,
    work: BTreeMap<AttemptId, WorkItem>,
    left: BTreeMap<AttemptId, LeaseRef>,
    out: Vec<Out>,
    next_ticket: u64,
}

#[derive(Debug)]
struct WorkItem {
    epoch: i64,
    /// That it asks for, bytes; it is taken until nothing of it is left.
    memory: u64,
    stage: Option<WorkStage>,
    signals: Signals,
}

/// A poll that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Out {
    ticket: u64,
    asks_for: u32,
    free_memory: Option<u64>,
}

/// A poll to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// To be given back with the answer.
    pub ticket: u64,
    /// Slots to offer.
    pub free_slots: u32,
    /// Memory to offer, bytes.
    pub free_memory: Option<u64>,
    /// What to renew.
    pub held: Vec<LeaseRef>,
}

impl WorkTable {
    /// With so many slots and so much memory, and what the agent left before its restart.
    pub fn new((slots, memory): (u32, Option<u64>), once: Once, left: Vec<LeaseRef>) -> WorkTable {
        WorkTable {
            slots,
            memory,
            budget: match once {
                Once::Yes => Some(1),
                Once::No => None,
            },
            left: left.into_iter().map(|held| (held.attempt.clone(), held)).collect(),
            ..WorkTable::default()
        }
    }

    /// Takes nothing new from here on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// What was left before a restart stays for a later one.
    pub fn forget_left(&mut self) {
        self.left.clear();
    }

    /// Nothing is in hand, and nothing will come.
    pub fn is_done(&self) -> bool {
        let none_to_come = self.draining || self.budget == Some(0);
        none_to_come && self.work.is_empty() && self.left.is_empty()
    }

    /// The poll that is to go out now, if one is.
    pub fn ask(&mut self) -> Option<Question> {
        let (free_slots, free_memory) = (self.free_slots(), self.free_memory());
        let is_out = match self.out.last() {
            None => false,
            Some(last) => free_slots == 0 || (last.asks_for > 0 && last.free_memory >= free_memory),
        };
        if is_out {
            return None;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.out.push(Out {
            ticket,
            asks_for: free_slots,
            free_memory,
        });
        Some(Question {
            ticket,
            free_slots,
            free_memory,
            held: self.held(),
        })
    }

    /// That poll is answered, or failed.
    pub fn answered(&mut self, ticket: u64) {
        self.out.retain(|out| out.ticket != ticket);
    }

    /// Takes a lease in hand that asks for so much memory. `None`: it is there already.
    pub fn take(&mut self, held: LeaseRef, memory: u64) -> Option<Signals> {
        let resumed = self.left.remove(&held.attempt).is_some();
        if let Some(item) = self.work.get(&held.attempt) {
            if item.epoch != held.epoch {
                item.signals.lost.cancel();
            }
            return None;
        }
        if !resumed && let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(1);
        }
        let signals = Signals::default();
        let item = WorkItem {
            epoch: held.epoch,
            memory,
            stage: None,
            signals: signals.clone(),
        };
        self.work.insert(held.attempt, item);
        Some(signals)
    }

    /// Somebody cancelled it.
    pub fn cancel(&mut self, attempt: &AttemptId) {
        if let Some(item) = self.work.get(attempt) {
            item.signals.cancel.cancel();
        }
    }

    /// It is not ours any more. True: the agent left it before its restart, and it is to be abandoned.
    pub fn lose(&mut self, attempt: &AttemptId) -> bool {
        if let Some(item) = self.work.get(attempt) {
            item.signals.lost.cancel();
        }
        let was_left = self.left.remove(attempt).is_some();
        if was_left {
            self.take_over(attempt, 0);
        }
        was_left
    }

    /// What is left of an attempt that is over, from before a restart: it needs no slot, but its memory.
    pub fn take_over(&mut self, attempt: &AttemptId, memory: u64) {
        let item = WorkItem {
            epoch: 0,
            memory,
            stage: Some(WorkStage::Reported),
            signals: Signals::default(),
        };
        self.work.insert(attempt.clone(), item);
    }

    /// A piece of work came further.
    pub fn note(&mut self, attempt: &AttemptId, stage: WorkStage) {
        if stage == WorkStage::Gone {
            self.work.remove(attempt);
        } else if let Some(item) = self.work.get_mut(attempt) {
            item.stage = Some(stage);
        }
    }

    fn free_slots(&self) -> u32 {
        if self.draining {
            return 0;
        }
        let running = self.work.values().filter(|item| item.stage.is_none()).count() + self.left.len();
        let free = self.slots.saturating_sub(u32::try_from(running).unwrap_or(u32::MAX));
        self.budget.map_or(free, |budget| free.min(budget))
    }

    fn free_memory(&self) -> Option<u64> {
        let asked = self.work.values().map(|item| item.memory);
        Some(self.memory?.saturating_sub(asked.fold(0, u64::saturating_add)))
    }

    fn held(&self) -> Vec<LeaseRef> {
        let ours = self
            .work
            .iter()
            .filter(|(_, item)| matches!(item.stage, None | Some(WorkStage::Over)));
        let ours = ours.map(|(attempt, item)| LeaseRef {
            attempt: attempt.clone(),
            epoch: item.epoch,
            resume: false,
        });
        ours.chain(self.left.values().cloned()).collect()
    }
}

/// Whether the agent ends after one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// It does.
    Yes,
    /// It does not.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, epoch: i64) -> LeaseRef {
        LeaseRef {
            attempt: AttemptId(name.into()),
            epoch,
            resume: false,
        }
    }

    #[test]
    fn a_slot_that_is_free_again_is_offered_at_once() {
        let mut work_table = WorkTable::new((1, None), Once::No, Vec::new());
        let first = work_table.ask().expect("nothing is out");
        assert_eq!((first.free_slots, first.held.len()), (1, 0));
        assert_eq!(work_table.ask(), None, "one is out");

        work_table.answered(first.ticket);
        work_table.take(held("a", 1), 0).expect("new");
        let busy = work_table.ask().expect("a poll is always out");
        assert_eq!((busy.free_slots, busy.held.as_slice()), (0, [held("a", 1)].as_slice()));
        assert_eq!(work_table.ask(), None);
        work_table.note(&AttemptId("a".into()), WorkStage::Over);
        let free = work_table.ask().expect("beside the one that asked for nothing");
        assert_eq!(
            (free.free_slots, free.held.len()),
            (1, 1),
            "its end is still to be reported"
        );
        work_table.answered(busy.ticket);
        assert_eq!(work_table.ask(), None);
        work_table.note(&AttemptId("a".into()), WorkStage::Reported);
        work_table.answered(free.ticket);
        assert_eq!(work_table.ask().expect("again").held, []);
    }

    #[test]
    fn a_drained_table_is_done_when_its_work_is_gone() {
        let mut work_table = WorkTable::new((2, None), Once::No, Vec::new());
        work_table.take(held("a", 1), 0).expect("new");
        assert!(
            work_table.take(held("a", 1), 0).is_none(),
            "a lease that comes twice is one"
        );
        work_table.drain();
        assert_eq!(
            (
                work_table.is_done(),
                work_table.ask().expect("renewals go on").free_slots
            ),
            (false, 0)
        );
        work_table.note(&AttemptId("a".into()), WorkStage::Reported);
        assert!(!work_table.is_done(), "its containers are still there");
        work_table.note(&AttemptId("a".into()), WorkStage::Gone);
        assert!(work_table.is_done());
    }

    #[test]
    fn what_was_left_is_asked_for_until_it_is_known() {
        let left = LeaseRef {
            resume: true,
            ..held("a", 7)
        };
        let mut work_table = WorkTable::new((1, None), Once::Yes, vec![left.clone(), held("b", 1)]);
        let question = work_table.ask().expect("at the start");
        assert_eq!((question.free_slots, question.held), (0, vec![left, held("b", 1)]));
        assert!(work_table.take(held("a", 7), 0).is_some());
        assert!(work_table.lose(&AttemptId("b".into())), "to be abandoned");
        assert!(!work_table.lose(&AttemptId("b".into())), "once");
        work_table.note(&AttemptId("a".into()), WorkStage::Gone);
        work_table.note(&AttemptId("b".into()), WorkStage::Gone);
        assert!(!work_table.is_done(), "what was left is not the one job of `--once`");
        work_table.take(held("c", 1), 0).expect("that is");
        work_table.note(&AttemptId("c".into()), WorkStage::Gone);
        assert!(work_table.is_done());
    }

    #[test]
    fn memory_that_is_free_again_is_offered_at_once() {
        let mut work_table = WorkTable::new((3, Some(8)), Once::No, Vec::new());
        work_table.take(held("a", 1), 6).expect("new");
        work_table.take_over(&AttemptId("retained".into()), 1);
        let first = work_table.ask().expect("nothing is out");
        assert_eq!((first.free_slots, first.free_memory), (2, Some(1)));
        assert_eq!(work_table.ask(), None);
        work_table.note(&AttemptId("retained".into()), WorkStage::Gone);
        assert_eq!(work_table.ask().expect("beside the other").free_memory, Some(2));
        work_table.note(&AttemptId("a".into()), WorkStage::Over);
        let slots = work_table.ask();
        assert_eq!(slots, None, "its containers are still there");
        work_table.note(&AttemptId("a".into()), WorkStage::Gone);
        assert_eq!(work_table.ask().expect("all").free_memory, Some(8));
    }
}
