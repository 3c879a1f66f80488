//! Finds circles in "waits for" graphs.

use crate::codes;
use crate::problems::Problem;
use crate::source::Location;

/// Circles of a graph given by its edges, one for each group of nodes that wait for each other; each is a list of
/// nodes, every one of which waits for the next, and the last for the first. Nodes are visited in order, so the answer
/// is the same every time.
pub(crate) fn cycles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut walk = Walk {
        edges,
        state: vec![State::New; edges.len()],
        path: Vec::new(),
        found: Vec::new(),
    };
    for node in 0..edges.len() {
        walk.visit(node);
    }
    walk.found
}

/// The members of a circle: the name of each, and where it names the next one. `edge` tells both of two that follow
/// each other.
pub(crate) fn members<'n>(
    circle: &[usize],
    edge: impl Fn(usize, usize) -> (&'n str, Location),
) -> Vec<(&'n str, Location)> {
    let nexts = circle.iter().cycle().skip(1);
    circle.iter().zip(nexts).map(|(from, to)| edge(*from, *to)).collect()
}

/// The finding about a circle of several.
pub(crate) fn in_a_circle(what: &str, verb: &str, members: &[(&str, Location)]) -> Problem {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    names.extend(names.first().copied());
    let message = format!("{what} wait for each other: {}", names.join(" → "));
    let problem = codes::CYCLE.at(members[0].1, message).label("remove one of these");
    let others = members.iter().zip(&names[1..]).skip(1);
    others.fold(problem, |problem, ((name, location), next)| {
        problem.related(*location, format!("`{name}` {verb} `{next}`"))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    OnPath,
    Done,
}

struct Walk<'a> {
    edges: &'a [Vec<usize>],
    state: Vec<State>,
    path: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Walk<'_> {
    fn visit(&mut self, node: usize) {
        match self.state[node] {
            State::Done => return,
            State::OnPath => {
                let from = self.path.iter().position(|on_path| *on_path == node).unwrap_or(0);
                let circle = self.path[from..].to_vec();
                let mut known = self.found.iter().flatten();
                if !known.any(|member| circle.contains(member)) {
                    self.found.push(circle);
                }
                return;
            }
            State::New => {}
        }
        self.state[node] = State::OnPath;
        self.path.push(node);
        for &next in &self.edges[node] {
            self.visit(next);
        }
        self.path.pop();
        self.state[node] = State::Done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_once_and_a_diamond_is_none() {
        assert_eq!(cycles(&[vec![2], vec![0], vec![1]]), [vec![0, 2, 1]]);
        assert_eq!(cycles(&[vec![0]]), [vec![0]]);
        assert!(cycles(&[vec![], vec![0], vec![0], vec![1, 2]]).is_empty());
        assert_eq!(cycles(&[vec![1], vec![0], vec![3], vec![2]]).len(), 2);
    }
}
