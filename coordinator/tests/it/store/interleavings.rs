//! Every order in which pushes and the work on their deliveries can meet.

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Push,
    /// A worker asks the repository about this delivery.
    Look(usize),
    /// It decides by what it was sent.
    Decide(usize),
}

/// Every order of `deliveries` (pushes by number), each after its push. `apart`: something may come between look and
/// decision.
pub fn orders(deliveries: &[usize], apart: bool) -> Vec<Vec<Event>> {
    struct State<'a> {
        deliveries: &'a [usize],
        apart: bool,
        /// 0: to come, 1: looked, 2: decided
        stages: Vec<u8>,
        pushed: usize,
        events: Vec<Event>,
        found: Vec<Vec<Event>>,
    }
    fn go(state: &mut State<'_>) {
        let pushes = state.deliveries.iter().max().map_or(0, |last| last + 1);
        if state.stages.iter().all(|stage| *stage == 2) {
            return state.found.push(state.events.clone());
        }
        if state.pushed < pushes {
            state.pushed += 1;
            state.events.push(Event::Push);
            go(state);
            state.events.pop();
            state.pushed -= 1;
        }
        for at in 0..state.deliveries.len() {
            // Deliveries of one push are alike: they come in one order.
            let twin_waits = (0..at).any(|other| {
                state.deliveries[other] == state.deliveries[at] && state.stages[other] <= state.stages[at]
            });
            if state.deliveries[at] >= state.pushed || twin_waits || state.stages[at] == 2 {
                continue;
            }
            let before = (state.stages[at], state.events.len());
            match (state.stages[at], state.apart) {
                (0, true) => {
                    state.events.push(Event::Look(at));
                    state.stages[at] = 1;
                }
                (0, false) => {
                    state.events.extend([Event::Look(at), Event::Decide(at)]);
                    state.stages[at] = 2;
                }
                _ => {
                    state.events.push(Event::Decide(at));
                    state.stages[at] = 2;
                }
            }
            go(state);
            state.stages[at] = before.0;
            state.events.truncate(before.1);
        }
    }
    let mut state = State {
        deliveries,
        apart,
        stages: vec![0; deliveries.len()],
        pushed: 0,
        events: Vec::new(),
        found: Vec::new(),
    };
    go(&mut state);
    state.found
}
