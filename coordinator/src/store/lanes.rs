//! Lanes of the queue: jobs that are the same to it but for their age. Whose turn it is among them, and who must wait for
//! memory, is decided here, pure; the queue gives the first job of that lane.

use job_specs::model::Env;
use protocol::ids::RepositoryId;

use super::StoreError;
use super::queue::is_ready;
use crate::db::{DbError, Tx, args};

/// The memory that an agent has for jobs, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In all. A job that asks for more gets this much, and is told.
    pub total: u64,
    /// Not asked for by what it works on.
    pub free: u64,
}

impl Memory {
    /// What is left when a job has got what it asks for.
    pub(super) fn without(self, asked: u64) -> Memory {
        let free = self.free.saturating_sub(asked.min(self.total));
        Memory { free, ..self }
    }
}

/// Memory that each job of a lane asks for, and the labels, JSON. Lanes of jobs that ask for none have no number.
pub(super) fn memory_and_labels(lane: &str) -> (u64, &str) {
    let rest = lane.split_once(' ').map_or("", |(_, rest)| rest);
    match rest.split_once(' ') {
        Some((memory, labels)) if !rest.starts_with('{') => (memory.parse().unwrap_or(0), labels),
        _ => (0, rest),
    }
}

/// Whose turn it is. A job that asks for memory that is not free waits, and none that asks for memory overtakes it: else
/// small ones would keep a large one waiting for ever.
pub(super) fn next(mut lanes: Vec<Lane>, memory: Option<Memory>) -> Option<Lane> {
    lanes.sort_by_key(Lane::turn);
    let Some(Memory { total, free }) = memory else {
        return lanes.into_iter().next();
    };
    let mut waits = false;
    lanes.into_iter().find(|lane| {
        waits |= lane.memory.min(total) > free;
        lane.memory == 0 || !waits
    })
}

/// Jobs that are the same to the queue but for their age; here, by the first of them.
pub(super) struct Lane {
    pub(super) name: String,
    /// What each of its jobs asks for, bytes.
    pub(super) memory: u64,
    priority: i64,
    running: i64,
    build: i64,
    position: i64,
}

impl Lane {
    /// What it is made of: a repository's id, the memory that is asked for, if any is, and labels.
    pub(super) fn name(repository: &RepositoryId, memory: u64, labels: &str) -> String {
        match memory {
            0 => format!("{repository} {labels}"),
            _ => format!("{repository} {memory} {labels}"),
        }
    }

    fn repository(&self) -> &str {
        self.name.split_once(' ').map_or("", |(repository, _)| repository)
    }

    fn fits(&self, agent_labels: &Env) -> Result<bool, StoreError> {
        let (_, labels) = memory_and_labels(&self.name);
        let broken = |error: serde_json::Error| DbError::Content {
            column: "lane".into(),
            error: error.to_string(),
        };
        let wanted: Env = serde_json::from_str(labels).map_err(broken)?;
        Ok(wanted
            .iter()
            .all(|(label, value)| agent_labels.get(label) == Some(value)))
    }

    /// The smallest goes first: priority, then whose repository has least running, then age.
    fn turn(&self) -> (i64, i64, i64, i64) {
        (-self.priority, self.running, self.build, self.position)
    }
}

/// The lanes whose jobs fit the agent. Jumps from lane to lane in the index, so that ten thousand queued jobs of one
/// repository cost as much as one. Written with `limit 1` in scalar queries, and not with `min` and joins, so that
/// PostgreSQL does the same before it has statistics.
pub(super) async fn that_fit(tx: &mut Tx, agent_labels: &Env) -> Result<Vec<Lane>, StoreError> {
    macro_rules! of_first {
        ($column:literal) => {
            concat!(
                "(select ",
                $column,
                " from jobs f where f.lane = l.lane and ",
                is_ready!("f."),
                " order by f.priority desc, f.build, f.position limit 1)"
            )
        };
    }
    let sql = concat!(
        "with recursive lanes (lane) as (
           select (select lane from jobs where ",
        is_ready!(""),
        " order by lane limit 1)
           union all
           select (select n.lane from jobs n where n.lane > l.lane and ",
        is_ready!("n."),
        " order by n.lane limit 1) from lanes l where l.lane is not null
         )
         select l.lane, ",
        of_first!("f.priority"),
        " as priority, ",
        of_first!("f.build"),
        " as build, ",
        of_first!("f.position"),
        " as position from lanes l where l.lane is not null"
    );
    let mut lanes = Vec::new();
    for row in tx.all(sql, args![]).await? {
        let name: String = row.get("lane")?;
        let lane = Lane {
            memory: memory_and_labels(&name).0,
            name,
            priority: row.get("priority")?,
            running: 0,
            build: row.get("build")?,
            position: row.get("position")?,
        };
        if lane.fits(agent_labels)? {
            lanes.push(lane);
        }
    }
    if lanes.len() > 1 {
        count_running(tx, &mut lanes).await?;
    }
    Ok(lanes)
}

/// How much of its repository's work runs now, for each lane.
async fn count_running(tx: &mut Tx, lanes: &mut [Lane]) -> Result<(), StoreError> {
    let sql = "select repository, count(*) as n from jobs where status in ('assigned', 'running') group by repository";
    for row in tx.all(sql, args![]).await? {
        let (repository, running): (String, i64) = (row.get("repository")?, row.get("n")?);
        lanes
            .iter_mut()
            .filter(|lane| lane.repository() == repository)
            .for_each(|lane| lane.running = running);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(build: i64, memory: u64) -> Lane {
        Lane {
            name: Lane::name(&RepositoryId("r1".into()), memory, "{}"),
            memory,
            priority: 0,
            running: 0,
            build,
            position: 0,
        }
    }

    #[test]
    fn a_lane_is_read_as_it_was_written() {
        let labels = r#"{"arch":"arm 64"}"#;
        for memory in [0, 5] {
            let name = Lane::name(&RepositoryId("r1".into()), memory, labels);
            assert_eq!(memory_and_labels(&name), (memory, labels));
        }
    }

    #[test]
    fn what_waits_for_memory_is_overtaken_only_by_what_asks_for_none() {
        let queue = || vec![lane(3, 0), lane(2, 2), lane(1, 8)];
        let turn = |memory| next(queue(), memory).map(|lane| lane.build);
        let of = |total, free| Some(Memory { total, free });
        assert_eq!(turn(None), Some(1));
        assert_eq!(turn(of(8, 8)), Some(1));
        assert_eq!(turn(of(8, 4)), Some(3), "two of them would fit, and may not");
        assert_eq!(turn(of(4, 4)), Some(1), "it gets all that there is");
        assert_eq!(
            next(vec![lane(2, 2), lane(1, 8)], of(8, 4)).map(|lane| lane.build),
            None
        );
        assert_eq!(Memory { total: 4, free: 4 }.without(8).free, 0);
    }
}
