//! The policy of the pool: which sandbox a job gets, and what is to be made, made anew or removed. Pure, and generic over what is
//! on it, so that the policy is tested without an engine.
//!
//! A sandbox in the pool is *fresh* (no code ever ran in it) or *owned* by a repository whose trusted code ran in it;
//! an owned one is never given to another repository as it is.

/// A sandbox that nobody holds.
#[derive(Debug)]
struct Idle<T> {
    item: T,
    repository: Option<String>,
}

/// What the pool has to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action<T> {
    /// Make a new one.
    Make,
    /// Give this one a new anchor: it belonged to a repository that does not need it just now.
    Renew(T),
    /// There are too many.
    Remove(T),
}

/// What becomes of a sandbox that comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Back {
    /// It waits for that repository.
    Owned(String),
    /// Its anchor must be made anew before anybody gets it.
    Spent,
}

/// The sandboxes that nobody holds, and the number of all others.
#[derive(Debug)]
pub(super) struct PoolPolicy<T> {
    slots: usize,
    spare: usize,
    idle: Vec<Idle<T>>, // oldest first
    in_use: usize,
    making: usize,
    /// On their way back, part of `making`: the repository that may have it then.
    returning: Vec<Option<String>>,
    waiting: usize,
    closed: bool,
}

impl<T> PoolPolicy<T> {
    pub(super) fn new(slots: usize, spare: usize) -> PoolPolicy<T> {
        PoolPolicy {
            slots,
            spare,
            idle: Vec::new(),
            in_use: 0,
            making: 0,
            returning: Vec::new(),
            waiting: 0,
            closed: false,
        }
    }

    /// One that `repository` should have now: the one it used last; none while one of its own is on its way back,
    /// which takes less than what it costs to replace a fresh one; else a fresh one.
    pub(super) fn take(&mut self, repository: Option<&str>) -> Option<T> {
        let is_own = |owner: &Option<String>| repository.is_some() && owner.as_deref() == repository;
        let has_own = self.idle.iter().any(|idle| is_own(&idle.repository));
        if !has_own && self.returning.iter().any(is_own) {
            return None;
        }
        self.take_any(repository)
    }

    /// One that `repository` may have at once: the one it used last, else a fresh one.
    pub(super) fn take_any(&mut self, repository: Option<&str>) -> Option<T> {
        let own = self
            .idle
            .iter()
            .rposition(|idle| repository.is_some() && idle.repository.as_deref() == repository);
        let index = own.or_else(|| self.idle.iter().position(|idle| idle.repository.is_none()))?;
        self.in_use += 1;
        Some(self.idle.remove(index).item)
    }

    /// One is in somebody's hands already (after a restart).
    pub(super) fn add_in_use(&mut self) {
        self.in_use += 1;
    }

    /// One is in the pool already (after a restart).
    pub(super) fn add_idle(&mut self, item: T, repository: Option<String>) {
        self.idle.push(Idle { item, repository });
    }

    /// A job waits until one is made.
    pub(super) fn wait(&mut self) {
        self.waiting += 1;
    }

    /// It waits no more.
    pub(super) fn wait_over(&mut self) {
        self.waiting -= 1;
    }

    /// One is on its way back: who waits now may well get that one, so no other is made for them. `repository` may have
    /// it again.
    pub(super) fn comes_back(&mut self, repository: Option<String>) {
        self.in_use -= 1;
        self.making += 1;
        self.returning.push(repository);
    }

    /// It has been looked at; `repository` as it was told when it began to come back.
    pub(super) fn is_back(&mut self, item: T, repository: Option<&str>, back: Back) -> Option<Action<T>> {
        let index = self.returning.iter().position(|owner| owner.as_deref() == repository);
        index.map(|index| self.returning.swap_remove(index));
        match back {
            Back::Spent if !self.closed && self.total() <= self.most() => Some(Action::Renew(item)),
            Back::Spent => {
                self.making -= 1;
                Some(Action::Remove(item))
            }
            Back::Owned(repository) => {
                self.making -= 1;
                self.add_idle(item, Some(repository));
                None
            }
        }
    }

    /// One that was taken turned out to be broken and is being removed.
    pub(super) fn discarded(&mut self) {
        self.in_use -= 1;
    }

    /// One is made (or made anew), or could not be.
    pub(super) fn made(&mut self, item: Option<T>) {
        self.making -= 1;
        if let Some(item) = item {
            self.add_idle(item, None);
        }
    }

    /// What is to be done now; counts it as under way.
    pub(super) fn next_action(&mut self) -> Option<Action<T>> {
        if self.closed {
            return self.idle.pop().map(|idle| Action::Remove(idle.item));
        }
        let fresh = self.idle.iter().filter(|idle| idle.repository.is_none()).count();
        let owned = self.idle.len() - fresh;
        let free = self.slots.saturating_sub(self.in_use + owned);
        let wanted = self.waiting + free.max(self.spare).saturating_sub(self.waiting);
        if fresh + self.making < wanted {
            if self.total() < self.most() {
                self.making += 1;
                return Some(Action::Make);
            }
            let oldest = self.idle.iter().position(|idle| idle.repository.is_some())?;
            self.making += 1;
            return Some(Action::Renew(self.idle.remove(oldest).item));
        }
        (self.total() > self.most() && !self.idle.is_empty()).then(|| Action::Remove(self.idle.remove(0).item))
    }

    /// From now on nothing is wanted: what lies here, and what comes back, is to be removed.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// It was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn total(&self) -> usize {
        self.idle.len() + self.in_use + self.making
    }

    /// Never fewer than there are jobs, even if somebody asks for more than there are slots.
    fn most(&self) -> usize {
        (self.slots + self.spare).max(self.in_use + self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does everything that the policy wants; what is made gets the next number.
    fn settle(pool_policy: &mut PoolPolicy<u32>, next: &mut u32) -> String {
        let mut done = Vec::new();
        while let Some(action) = pool_policy.next_action() {
            done.push(format!("{action:?}"));
            match action {
                Action::Make => {
                    *next += 1;
                    pool_policy.made(Some(*next));
                }
                Action::Renew(item) => pool_policy.made(Some(item)),
                Action::Remove(_) => {}
            }
        }
        done.join(" ")
    }

    fn put_back(pool_policy: &mut PoolPolicy<u32>, item: u32, back: Back) -> Option<Action<u32>> {
        pool_policy.comes_back(None);
        pool_policy.is_back(item, None, back)
    }

    #[test]
    fn every_free_slot_has_one_and_a_taken_one_is_replaced_behind() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(2, 1), 0);
        assert_eq!(settle(&mut pool_policy, &mut made), "Make Make");
        assert_eq!(pool_policy.take(Some("app")), Some(1));
        assert_eq!(settle(&mut pool_policy, &mut made), "");
        assert_eq!(pool_policy.take(Some("app")), Some(2));
        assert_eq!(settle(&mut pool_policy, &mut made), "Make", "the spare one");
        assert_eq!(
            pool_policy.take(Some("app")),
            Some(3),
            "more jobs than slots are served too"
        );
    }

    #[test]
    fn the_same_repository_gets_its_own_again_and_others_never_do() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 1), 0);
        settle(&mut pool_policy, &mut made);
        let mine = pool_policy.take(Some("app")).unwrap();
        settle(&mut pool_policy, &mut made);
        assert_eq!(put_back(&mut pool_policy, mine, Back::Owned("app".into())), None);
        assert_eq!(settle(&mut pool_policy, &mut made), "");
        assert_eq!(pool_policy.take(Some("app")), Some(mine));
        put_back(&mut pool_policy, mine, Back::Owned("app".into()));
        assert_eq!(pool_policy.take(Some("other")), Some(2));
        assert_eq!(
            settle(&mut pool_policy, &mut made),
            "Renew(1)",
            "the owned one makes room for a fresh one"
        );
        assert_eq!(pool_policy.take(None), Some(1));
    }

    #[test]
    fn untrusted_code_gets_a_fresh_one_and_leaves_a_spent_one() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 1), 0);
        settle(&mut pool_policy, &mut made);
        let item = pool_policy.take(None).unwrap();
        settle(&mut pool_policy, &mut made);
        assert_eq!(
            put_back(&mut pool_policy, item, Back::Spent),
            Some(Action::Renew(item)),
            "its network is kept"
        );
        pool_policy.made(Some(item));
        assert_eq!(settle(&mut pool_policy, &mut made), "");
    }

    #[test]
    fn without_slots_one_is_made_when_it_is_asked_for_and_removed_when_it_comes_back() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(0, 0), 0);
        assert_eq!(settle(&mut pool_policy, &mut made), "");
        assert_eq!(pool_policy.take(Some("app")), None);
        pool_policy.wait();
        assert_eq!(settle(&mut pool_policy, &mut made), "Make");
        let item = pool_policy.take(Some("app")).unwrap();
        pool_policy.wait_over();
        assert_eq!(
            put_back(&mut pool_policy, item, Back::Spent),
            Some(Action::Remove(item))
        );
        assert_eq!(settle(&mut pool_policy, &mut made), "");
    }

    #[test]
    fn a_waiting_job_is_served_even_when_everything_belongs_to_others() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 0), 0);
        settle(&mut pool_policy, &mut made);
        let item = pool_policy.take(Some("app")).unwrap();
        put_back(&mut pool_policy, item, Back::Owned("app".into()));
        assert_eq!(pool_policy.take(Some("other")), None);
        pool_policy.wait();
        assert_eq!(settle(&mut pool_policy, &mut made), "Renew(1)");
        assert_eq!(pool_policy.take(Some("other")), Some(1));
    }

    #[test]
    fn what_a_burst_left_over_is_removed() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 0), 0);
        settle(&mut pool_policy, &mut made);
        pool_policy.take(Some("a")).unwrap();
        pool_policy.wait();
        assert_eq!(settle(&mut pool_policy, &mut made), "Make");
        pool_policy.take(Some("b")).unwrap();
        pool_policy.wait_over();
        put_back(&mut pool_policy, 1, Back::Owned("a".into()));
        assert_eq!(settle(&mut pool_policy, &mut made), "Remove(1)");
    }

    #[test]
    fn a_closed_pool_keeps_nothing() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 1), 0);
        settle(&mut pool_policy, &mut made);
        let item = pool_policy.take(Some("app")).unwrap();
        settle(&mut pool_policy, &mut made);
        pool_policy.close();
        assert_eq!(settle(&mut pool_policy, &mut made), "Remove(2)");
        put_back(&mut pool_policy, item, Back::Owned("app".into()));
        assert_eq!(settle(&mut pool_policy, &mut made), "Remove(1)");
    }

    #[test]
    fn who_comes_while_one_is_on_its_way_back_waits_for_that_one() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 0), 0);
        settle(&mut pool_policy, &mut made);
        let item = pool_policy.take(Some("app")).unwrap();
        pool_policy.comes_back(Some("app".into()));
        assert_eq!(pool_policy.take(Some("app")), None);
        pool_policy.wait();
        assert_eq!(settle(&mut pool_policy, &mut made), "", "no other is made");
        assert_eq!(pool_policy.is_back(item, Some("app"), Back::Owned("app".into())), None);
        assert_eq!(pool_policy.take(Some("app")), Some(item));
    }

    #[test]
    fn a_fresh_one_is_not_spent_on_who_gets_its_own_in_a_moment() {
        let (mut pool_policy, mut made) = (PoolPolicy::new(1, 1), 0);
        settle(&mut pool_policy, &mut made);
        let own = pool_policy.take(Some("app")).unwrap();
        settle(&mut pool_policy, &mut made);
        pool_policy.comes_back(Some("app".into()));
        assert_eq!(pool_policy.take(Some("app")), None);
        assert_eq!(pool_policy.take(Some("other")), Some(2), "others do not wait for it");
        put_back(&mut pool_policy, 2, Back::Spent);
        pool_policy.made(Some(2));
        assert_eq!(
            pool_policy.take_any(Some("app")),
            Some(2),
            "nor does who has waited long enough"
        );
        pool_policy.is_back(own, Some("app"), Back::Spent);
        assert_eq!(pool_policy.returning, [None::<String>; 0]);
    }
}
